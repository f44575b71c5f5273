"""Runs with their events, to read."""

from django.contrib import admin
from django.utils.html import format_html, format_html_join

from chat.admin.shown import LogAdmin, link_to, pretty_json, state_mark
from chat.models import AgentRun
from chat.usage import Usage, dollars

EVENTS_SHOWN = 500
DATA_CHARACTERS = 400


@admin.register(AgentRun)
class AgentRunAdmin(LogAdmin):
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
        *("error_code", "error_message", "usage_shown", "tools", "events_shown"),
    )

    @admin.display(description="status", ordering="status")
    def state(self, run: AgentRun) -> str:
        return state_mark(run.status, run.get_status_display())

    @admin.display(description="took")
    def took(self, run: AgentRun) -> str:
        if not (run.started_at and run.finished_at):
            return "–"
        return f"{(run.finished_at - run.started_at).total_seconds():.1f} s"

    @admin.display(description="conversation")
    def conversation_link(self, run: AgentRun) -> str:
        return link_to(run.conversation)

    @admin.display(description="tokens")
    def tokens(self, run: AgentRun) -> str:
        tokens = Usage.from_json(run.usage).tokens
        return "–" if tokens is None else f"{tokens:,}"

    @admin.display(description="cost")
    def cost(self, run: AgentRun) -> str:
        return dollars(Usage.from_json(run.usage).cost) or "–"

    @admin.display(description="usage")
    def usage_shown(self, run: AgentRun) -> str:
        if not run.usage:
            return "unknown"
        return format_html(
            "{}{}", " · ".join(Usage.from_json(run.usage).parts), pretty_json(run.usage)
        )

    @admin.display(description="tool runs")
    def tools(self, run: AgentRun) -> str:
        rows = run.tool_runs.order_by("created_at")[:EVENTS_SHOWN]
        return format_html_join(" ", "{}", ((link_to(row),) for row in rows)) or "none"

    @admin.display(description="events")
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
        return format_html(
            '<div class="events" tabindex="0"><table><thead><tr><th>number</th><th>at</th>'
            "<th>event</th><th>data</th></tr></thead><tbody>{}</tbody></table></div>{}",
            table,
            f"And {more:,} more." if more > 0 else "",
        )
