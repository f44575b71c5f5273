"""Somebody's answer played again, for those who may read the log of runs. Changes nothing."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path

from chat.admin.shown import LogAdmin
from chat.models import AgentRun, StaffAccess
from chat.views.access import failure
from chat.views.bodies import BadRequest
from chat.views.replay import replay_of
from chat.views.shown import shown_runs
from chat.views.stream import cursor


class ReplayAdmin(LogAdmin):
    """A log of runs with a page to play each of them."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/replay/", wrap(self.replay), name="chat_agentrun_replay"),
            path("<uuid:pk>/replay/events/", wrap(self.replay_events), name="chat_agentrun_events"),
            *super().get_urls(),
        ]

    def replay(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """The question and the answer as they ended, with the button."""
        run = self._find(request, pk)
        self._note(request, run)
        return render(request, "admin/replay.html", {"shown": shown_runs([run])[0]})

    def replay_events(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        run = self._find(request, pk)
        # This address may be opened without that page.
        if not StaffAccess.was_noted(request.user, StaffAccess.What.REPLAY, run.pk):
            self._note(request, run)
        try:
            return replay_of(run, cursor(request))
        except BadRequest as error:
            return failure(str(error), error.code, status=error.status)

    def _note(self, request: HttpRequest, run: AgentRun) -> None:
        what = StaffAccess.What.REPLAY
        StaffAccess.note(request.user, run.owner_id, what, run.conversation, run.pk)

    def _find(self, request: HttpRequest, pk: UUID) -> AgentRun:
        runs = AgentRun.objects.select_related("owner", "message", "answer", "conversation")
        run = get_object_or_404(runs, pk=pk)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        return run
