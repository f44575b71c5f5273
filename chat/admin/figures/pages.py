"""The two pages: Health and Usage. To read only, for staff who may see what is counted there."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chat.admin.figures.chart import Chart, bars_of
from chat.admin.figures.spans import LAST_DAY, MONTH, QUARTER, WEEK, Span, chosen
from chat.admin.figures.tools import MAX_TIMED, MAX_TOOLS, ToolHealth, tool_health
from chat.admin.figures.usage import Figures, UsageOf, usage_of
from chat.language import number
from chat.usage import dollars

BARS = 12


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Servers and their tools: `?span=` is 24h, 7d or 30d."""
    if not request.user.has_perm("chat.view_toolrun"):
        raise PermissionDenied
    spans = (LAST_DAY, WEEK, MONTH)
    span = chosen(request.GET.get("span", ""), spans)
    found = tool_health(span)
    rows = [(slot.label, number(calls), number(failed)) for slot, calls, failed in found.days]
    context = {
        "title": _("Health"),
        "servers": found.servers,
        "chart": _calls(found),
        "rows": list(reversed(rows)),
        "timed": number(found.timed) if found.timed == MAX_TIMED else "",
        "left_out": found.left_out,
        "most": MAX_TOOLS,
    }
    return _show(request, "admin/health.html", context, span, spans)


@require_safe
def usage(request: HttpRequest) -> HttpResponse:
    """What was used: `?span=` is 7d, 30d or 90d; `?person=` or `?model=` leaves out the others."""
    if not request.user.has_perm("chat.view_usageentry"):
        raise PermissionDenied
    spans = (WEEK, MONTH, QUARTER)
    span = chosen(request.GET.get("span", ""), spans)
    person = _person(request.GET.get("person", ""))
    model_name = request.GET.get("model", "")
    found = usage_of(span, person=person.pk if person else None, model_name=model_name)
    context = {
        "title": _("Usage"),
        "found": found,
        "charts": _per_day(found),
        "days": [figures for _slot, figures in reversed(found.days)],
        "people_chart": _compared(found.people, _("Tokens by person")),
        "models_chart": _compared(found.models, _("Tokens by model")),
        "person": person,
        "model_name": model_name,
    }
    kept = {"person": person.pk if person else "", "model": model_name}
    return _show(request, "admin/usage.html", context, span, spans, kept)


def _show(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    span: Span,
    spans: tuple[Span, ...],
    kept: dict[str, Any] | None = None,
) -> HttpResponse:
    query = {name: value for name, value in (kept or {}).items() if value}
    links = [(f"?{urlencode({'span': each.name, **query})}", each) for each in spans]
    here = {"span": span, "spans": links, **admin.site.each_context(request)}
    return render(request, template, {**here, **context})


def _person(key: str) -> Any:
    if not key:
        return None
    found = get_user_model().objects.filter(pk=key).first() if key.isdecimal() else None
    if found is None:
        raise Http404
    return found


def _calls(found: ToolHealth) -> Chart:
    says = _("{slot}: {total}, failed {failed}")
    values = [
        (says.format(slot=slot.label, total=number(calls), failed=number(failed)), calls, failed)
        for slot, calls, failed in found.days
    ]
    total, failed = sum(day[1] for day in found.days), sum(day[2] for day in found.days)
    about = _("{total} tool calls, {failed} of them failed")
    return Chart(
        title=_("Tool calls"),
        about=about.format(total=number(total), failed=number(failed)),
        bars=bars_of(values),
        highest=number(max(day[1] for day in found.days)),
        first=found.days[0][0].label,
        last=found.days[-1][0].label,
    )


def _per_day(found: UsageOf) -> list[Chart]:
    """Answers, tokens and cost."""
    shown = (
        (_("Answers"), lambda day: day.runs, lambda day: 0, number),
        (_("Tokens"), lambda day: day.tokens, lambda day: day.written or 0, number),
        (_("Cost"), lambda day: day.cost or 0.0, lambda day: 0, dollars),
    )
    charts = []
    for title, value, part, write in shown:
        values = [
            (f"{slot.label}: {write(value(day))}", value(day), part(day))
            for slot, day in found.days
        ]
        about = _("{total} in all").format(total=write(value(found.total)))
        charts.append(
            Chart(
                title=title,
                about=about,
                bars=bars_of(values),
                highest=write(max(height for _title, height, _part in values)),
                first=found.days[0][0].label,
                last=found.days[-1][0].label,
            )
        )
    return charts


def _compared(found: list[Figures], title: str) -> Chart:
    """Those who used most beside each other, as their table has them."""
    values = [
        (f"{each.name}: {number(each.tokens)}", each.tokens, each.written or 0)
        for each in found[:BARS]
    ]
    return Chart(
        title=title,
        about=_("{total} in all").format(total=number(sum(each.tokens for each in found))),
        bars=bars_of(values),
        highest=number(max((each.tokens for each in found[:BARS]), default=0)),
        first=found[0].name if found else "",
        last=found[:BARS][-1].name if len(found) > 1 else "",
    )
