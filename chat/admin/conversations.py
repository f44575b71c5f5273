"""Conversations and what was said in them, to read."""

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from chat.admin.shown import LogAdmin, link_to, preformatted
from chat.language import number
from chat.models import Conversation, Message, StaffAccess

MESSAGES_SHOWN = 200


@admin.register(Conversation)
class ConversationAdmin(LogAdmin):
    noted_as = StaffAccess.What.CONVERSATION
    list_display = ("title_or_none", "owner", "message_count", "created_at", "updated_at")
    list_select_related = ("owner",)
    search_fields = ("title", "owner__username")
    fields = (
        *("title", "owner", "model_name", "system_prompt", "created_at", "updated_at"),
        *("archived_at", "deleted_at", "imported_at", "said", "runs_made"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        # For the rows of one page only; a join would count for every conversation there is.
        messages = Message.objects.filter(conversation=OuterRef("pk")).order_by()
        counted = messages.values("conversation").annotate(count=Count("pk")).values("count")
        said = Subquery(counted, output_field=IntegerField())
        return super().get_queryset(request).annotate(said_count=said)

    @admin.display(description=_("title"), ordering="title")
    def title_or_none(self, conversation: Conversation) -> str:
        return str(conversation)

    @admin.display(description=_("messages"), ordering="said_count")
    def message_count(self, conversation: Conversation) -> int:
        return int(getattr(conversation, "said_count", 0) or 0)

    @admin.display(description=_("messages"))
    def said(self, conversation: Conversation) -> str:
        messages = conversation.messages.order_by("pk")[:MESSAGES_SHOWN]
        shown = format_html_join(
            "",
            '<div class="said"><b>{}</b> <small>{}</small>{}</div>',
            (
                (m.role, f"{m.created_at:%Y-%m-%d %H:%M:%S}", preformatted(m.content))
                for m in messages
            ),
        )
        more = max(0, self.message_count(conversation) - MESSAGES_SHOWN)
        return format_html(
            "{}{}", shown, _("And %(count)s more.") % {"count": number(more)} if more else ""
        )

    @admin.display(description=_("runs"))
    def runs_made(self, conversation: Conversation) -> str:
        runs = conversation.runs.order_by("created_at")[:MESSAGES_SHOWN]
        return format_html_join(
            " ", "{} ({})", ((link_to(run), run.get_status_display()) for run in runs)
        )
