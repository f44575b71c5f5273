"""Runs with their events, to read."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.admin.replay import ReplayAdmin
from chat.admin.shown import link_to, pretty_json, state_mark
from chat.language import number
from chat.models import AgentRun, StaffAccess
from chat.usage import Usage, dollars

EVENTS_SHOWN = 500
DATA_CHARACTERS = 400


@admin.register(AgentRun)
class AgentRunAdmin(ReplayAdmin):
    noted_as = StaffAccess.What.RUN
    list_display = (
        *("created_at", "state", "model_name", "tokens", "cost", "took"),
        *("owner", "conversation_link", "last_seq"),
    )
    list_filter = ("status", "created_at")
    list_select_related = ("owner", "conversation")
    search_fields = ("id", "conversation__title", "owner__username")
    fields = (
        ("state", "finish_reason", "model_name", "turns_left_out"),
        ("owner", "conversation_link"),
        ("created_at", "started_at", "finished_at"),
        ("heartbeat_at", "cancel_requested_at", "lease"),
        *("error_code", "error_message", "usage_shown", "tools", "replay_link", "events_shown"),
    )

    @admin.display(description=_("status"), ordering="status")
    def state(self, run: AgentRun) -> str:
        return state_mark(run.status, run.get_status_display())

    @admin.display(description=_("took"))
    def took(self, run: AgentRun) -> str:
        if not (run.started_at and run.finished_at):
            return "–"
        return f"{number((run.finished_at - run.started_at).total_seconds(), 1)} s"

    @admin.display(description=_("conversation"))
    def conversation_link(self, run: AgentRun) -> str:
        return link_to(run.conversation)

    @admin.display(description=_("tokens"))
    def tokens(self, run: AgentRun) -> str:
        tokens = Usage.from_json(run.usage).tokens
        return "–" if tokens is None else number(tokens)

    @admin.display(description=_("cost"))
    def cost(self, run: AgentRun) -> str:
        return dollars(Usage.from_json(run.usage).cost) or "–"

    @admin.display(description=_("usage"))
    def usage_shown(self, run: AgentRun) -> str:
        if not run.usage:
            return gettext("unknown")
        return format_html(
            "{}{}", " · ".join(Usage.from_json(run.usage).parts), pretty_json(run.usage)
        )

    @admin.display(description=_("tool runs"))
    def tools(self, run: AgentRun) -> str:
        rows = run.tool_runs.order_by("created_at")[:EVENTS_SHOWN]
        return format_html_join(" ", "{}", ((link_to(row),) for row in rows)) or gettext("none")

    @admin.display(description=_("replay"))
    def replay_link(self, run: AgentRun) -> str:
        if not run.is_over:
            return "–"
        url = reverse("admin:chat_agentrun_replay", args=[run.pk])
        return format_html('<a href="{}">{}</a>', url, gettext("Play it again"))

    @admin.display(description=_("events"))
    def events_shown(self, run: AgentRun) -> str:
        rows = run.events.order_by("seq")[:EVENTS_SHOWN]
        table = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td></tr>",
            (
                (
                    row.numbers,
                    f"{row.created_at:%H:%M:%S.%f}"[:-3],
                    row.kind,
                    row.data[:DATA_CHARACTERS],
                )
                for row in rows
            ),
        )
        more = run.events.count() - EVENTS_SHOWN
        head = [(gettext("number"),), (gettext("at"),), (gettext("event"),), (gettext("data"),)]
        return format_html(
            '<div class="events" tabindex="0"><table><thead><tr>{}</tr></thead>'
            "<tbody>{}</tbody></table></div>{}",
            format_html_join("", "<th>{}</th>", head),
            table,
            gettext("And %(count)s more.") % {"count": number(more)} if more > 0 else "",
        )
