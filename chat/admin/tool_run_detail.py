"""One tool call in the admin: when, by whose leave, at what cost, and where to find it."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from chat.admin.shown import (
    LogAdmin,
    duration,
    link_to,
    preformatted,
    pretty_json,
    state_mark,
)
from chat.language import number
from chat.models import Approval, Attachment, MCPTool, ToolRun
from chat.usage import Usage

NEIGHBOURS_SHOWN = 100


def whole_arguments(tool_run: ToolRun) -> str:
    """What the model sent: as JSON, or word for word where it was none."""
    return tool_run.invalid_arguments or json.dumps(
        tool_run.arguments, indent=2, ensure_ascii=False
    )


class ToolRunDetail(LogAdmin):
    """The fields of one call's page."""

    fields = (
        ("tool", "title", "server_name"),
        ("outcome", "took", "person"),
        *("timing", "approval_shown", "arguments_shown", "result_shown", "attachments"),
        *("downloads", "places", "neighbours", "step_shown", "definition", "call_id"),
    )

    @admin.display(description=_("outcome"))
    def outcome(self, tool_run: ToolRun) -> str:
        return state_mark(tool_run.state, tool_run.get_state_display())

    @admin.display(description=_("took"))
    def took(self, tool_run: ToolRun) -> str:
        return duration(tool_run.duration_ms)

    @admin.display(description=_("person"))
    def person(self, tool_run: ToolRun) -> str:
        return str(tool_run.owner)

    @admin.display(description=_("times"))
    def timing(self, tool_run: ToolRun) -> str:
        moments = list(_moments(tool_run))
        pauses = [at - before for (before, _word), (at, _next) in pairwise(moments)]
        return format_html(
            '<ol class="timing">{}</ol>',
            format_html_join(
                "",
                '<li><span class="after">{}</span><b>{}</b> <bdi dir="ltr">{}</bdi></li>',
                (
                    (f"+ {_milliseconds(pause)}" if pause is not None else "", word, _clock(at))
                    for pause, (at, word) in zip([None, *pauses], moments, strict=True)
                ),
            ),
        )

    @admin.display(description=_("approval"))
    def approval_shown(self, tool_run: ToolRun) -> str:
        approval: Approval | None = getattr(tool_run, "approval", None)
        if approval is None:
            return tool_run.rule or gettext("not asked for")
        decided = (
            approval.decided_at and f"{approval.decided_by or '–'}, {_clock(approval.decided_at)}"
        )
        parts: list[Any] = [state_mark(approval.state, approval.get_state_display())]
        parts += [part for part in (decided, tool_run.rule) if part]
        if approval.remember:
            parts.append(gettext("for the whole conversation"))
        shown = format_html_join(" · ", "{}", ((part,) for part in parts))
        if approval.changed_arguments is None:
            return shown
        asked = (gettext("The person changed the arguments. The model had asked with:"),)
        return format_html("{}<br>{}{}", shown, *asked, pretty_json(approval.arguments))

    @admin.display(description=_("arguments"))
    def arguments_shown(self, tool_run: ToolRun) -> str:
        if tool_run.invalid_arguments:
            return preformatted(tool_run.invalid_arguments)
        approval: Approval | None = getattr(tool_run, "approval", None)
        changed = approval.changed_arguments if approval else None
        return pretty_json(tool_run.arguments if changed is None else changed)

    @admin.display(description=_("result"))
    def result_shown(self, tool_run: ToolRun) -> str:
        return preformatted(tool_run.result) if tool_run.result else gettext("none yet")

    @admin.display(description=_("attachments"))
    def attachments(self, tool_run: ToolRun) -> str:
        kept = Attachment.objects.filter(run=tool_run.run_id, call_id=tool_run.call_id)
        links = ((each.get_absolute_url(), each, each.mime_type, each.bytes) for each in kept)
        return format_html_join(" · ", '<a href="{}">{}</a> {}, {} B', links) or gettext("none")

    @admin.display(description=_("downloads"))
    def downloads(self, tool_run: ToolRun) -> str:
        urls = [
            reverse("admin:chat_toolrun_download", args=[tool_run.pk, part])
            for part in ("arguments", "result")
        ]
        links = zip(urls, (gettext("arguments"), gettext("result")), strict=True)
        return format_html_join(" · ", '<a href="{}">{}</a>', links)

    @admin.display(description=_("where"))
    def places(self, tool_run: ToolRun) -> str:
        viewer_id = getattr(tool_run, "viewer_id", None)
        return format_html_join(" · ", '<a href="{}">{}</a>', places_of(tool_run, viewer_id))

    @admin.display(description=_("calls of this answer"))
    def neighbours(self, tool_run: ToolRun) -> str:
        rows = ToolRun.objects.filter(run=tool_run.run_id).order_by("iteration", "created_at", "pk")
        return format_html(
            '<ol class="neighbours">{}</ol>',
            format_html_join(
                "",
                "<li>{} {} {}</li>",
                (
                    (
                        format_html("<b>{}</b>", row.tool)
                        if row.pk == tool_run.pk
                        else link_to(row, row.tool),
                        state_mark(row.state, row.get_state_display()),
                        duration(row.duration_ms),
                    )
                    for row in rows.defer("result", "arguments")[:NEIGHBOURS_SHOWN]
                ),
            ),
        )

    @admin.display(description=_("step and model"))
    def step_shown(self, tool_run: ToolRun) -> str:
        step = gettext("Step %(number)s") % {"number": tool_run.iteration}
        parts = [step, tool_run.run.model_name, *Usage.from_json(tool_run.usage).parts]
        if not tool_run.usage:
            return " · ".join([*parts, gettext("its cost is not known")])
        beside = ToolRun.objects.filter(run=tool_run.run_id, iteration=tool_run.iteration).count()
        shared = ngettext("for %(count)s call", "for %(count)s calls together", beside)
        return " · ".join([*parts, shared % {"count": number(beside)}])

    @admin.display(description=_("definition"))
    def definition(self, tool_run: ToolRun) -> str:
        if not tool_run.fingerprint:
            return gettext("none was known")
        tools = MCPTool.objects.filter(server=tool_run.server_id)
        same = tools.filter(accepted_fingerprint=tool_run.fingerprint).first()
        shown = format_html('<code class="fingerprint">{}</code>', tool_run.fingerprint)
        if same is None:
            return format_html("{} {}", shown, gettext("(not in use any more)"))
        return format_html("{} {}", shown, link_to(same))


def places_of(tool_run: ToolRun, viewer_id: int | None) -> Iterator[tuple[str, str]]:
    """Addresses and names; the chat itself only for the person whose it is."""
    run, anchor = tool_run.run, f"#call-{quote(tool_run.call_id)}"
    if run.owner_id == viewer_id and run.conversation.deleted_at is None:
        answer = getattr(run, "answer", None)
        message = answer.pk if answer else run.message_id
        url = f"{run.conversation.get_absolute_url()}?message={message}{anchor}"
        yield url, gettext("in the chat")
    if run.is_over:
        url = reverse("admin:chat_agentrun_replay", args=[run.pk])
        yield f"{url}{anchor}", gettext("in the answer, as the person saw it")
    yield reverse("admin:chat_agentrun_change", args=[run.pk]), gettext("the run")
    url = reverse("admin:chat_conversation_change", args=[run.conversation_id])
    yield url, str(run.conversation)
    ledger = reverse("admin:chat_toolrun_changelist")
    yield f"{ledger}?conversation={run.conversation_id}", gettext("all calls of this conversation")


def _moments(tool_run: ToolRun) -> Iterator[tuple[datetime, str]]:
    yield tool_run.created_at, gettext("requested")
    approval: Approval | None = getattr(tool_run, "approval", None)
    if approval and approval.decided_at:
        yield approval.decided_at, gettext("decided")
    if tool_run.started_at:
        yield tool_run.started_at, gettext("started")
    if tool_run.finished_at:
        yield tool_run.finished_at, gettext("ended")


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _milliseconds(pause: timedelta) -> str:
    return duration(max(0, pause // timedelta(milliseconds=1)))
