"""The list of tool calls: filters in a form of its own, pages that begin where another one ended.

Django's list would count all calls, twice, and offer orders that no index has.
"""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext

from chat.language import number
from chat.ledger.filters import read
from chat.ledger.find import Count, Ledger, Place, Window
from chat.ledger.search import known_tools
from chat.models import ToolRun

TOOLS_OFFERED = 300


class LedgerList(ChangeList):
    """As Django's own, for its templates; `form`, `newer` and `older` are what is different."""

    show_full_result_count = show_admin_actions = can_show_all = False
    newer = older = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.form = read(request.GET)
        self.window = Window(
            before=Place.read(request.GET.get("before", "")),
            after=Place.read(request.GET.get("after", "")),
        )
        return ToolRun.objects.none()

    def get_results(self, request: HttpRequest) -> None:
        rows: list[ToolRun] = []
        self.count = Count(number=0)
        if self.form.is_valid():
            ledger = Ledger(self.form.filters)
            rows = ledger.page(self.list_per_page + 1, self.window)
            is_all = self.window == Window() and len(rows) <= self.list_per_page
            self.count = Count(number=len(rows)) if is_all else ledger.count()
        self.result_count = self.count.number
        self.multi_page = len(rows) > self.list_per_page
        self.result_list = self._paged(rows)

    def _paged(self, rows: list[ToolRun]) -> list[ToolRun]:
        """Without the one too many, which tells that there are more in that direction."""
        is_upwards = self.window.after is not None
        shown = rows[-self.list_per_page :] if is_upwards else rows[: self.list_per_page]
        if shown and (is_upwards or self.multi_page):
            self.older = self._address(before=_place(shown[-1]))
        if shown and (self.multi_page if is_upwards else self.window.before):
            self.newer = self._address(after=_place(shown[0]))
        return shown

    def _address(self, **place: Place) -> str:
        parts = [self.form.address, urlencode({name: str(at) for name, at in place.items()})]
        return "?" + "&".join(part for part in parts if part)

    @property
    def is_filtered(self) -> bool:
        return bool(self.form.address)

    @property
    def tools(self) -> list[str]:
        return known_tools(TOOLS_OFFERED)

    @property
    def counted(self) -> str:
        counts = {"count": number(self.count.number)}
        if self.count.is_more:
            return gettext("More than %(count)s tool runs") % counts
        if self.count.is_about:
            return gettext("About %(count)s tool runs") % counts
        return ngettext("%(count)s tool run", "%(count)s tool runs", self.count.number) % counts


def _place(row: ToolRun) -> Place:
    return Place(row.created_at, row.pk)
