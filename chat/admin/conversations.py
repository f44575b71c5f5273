"""Conversations and what was said in them, to read."""

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join

from chat.admin.shown import LogAdmin, link_to
from chat.models import Conversation

MESSAGES_SHOWN = 200


@admin.register(Conversation)
class ConversationAdmin(LogAdmin):
    list_display = ("title_or_none", "owner", "message_count", "created_at", "updated_at")
    list_select_related = ("owner",)
    search_fields = ("title", "owner__username")
    fields = ("title", "owner", "system_prompt", "created_at", "updated_at", "said", "runs_made")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).annotate(said_count=Count("messages"))

    @admin.display(description="title", ordering="title")
    def title_or_none(self, conversation: Conversation) -> str:
        return str(conversation)

    @admin.display(description="messages", ordering="said_count")
    def message_count(self, conversation: Conversation) -> int:
        return int(getattr(conversation, "said_count", 0))

    @admin.display(description="messages")
    def said(self, conversation: Conversation) -> str:
        messages = conversation.messages.order_by("pk")[:MESSAGES_SHOWN]
        return format_html_join(
            "",
            '<div class="said"><b>{}</b> <small>{}</small>'
            '<pre class="out" tabindex="0">{}</pre></div>',
            (
                (message.role, f"{message.created_at:%Y-%m-%d %H:%M:%S}", message.content[:5_000])
                for message in messages
            ),
        )

    @admin.display(description="runs")
    def runs_made(self, conversation: Conversation) -> str:
        runs = conversation.runs.order_by("created_at")
        return format_html_join(
            " ", "{} ({})", ((link_to(run), run.get_status_display()) for run in runs)
        )
