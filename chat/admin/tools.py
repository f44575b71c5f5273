"""Tools of MCP servers: what they claim to be, and who has accepted that."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from chat.admin import difference
from chat.admin.health import TOOL_STATE, ToolState, waiting_tools
from chat.admin.shown import excerpt, laid_open, revealed, state_mark
from chat.language import told
from chat.mcp.check import hints
from chat.models import MCPTool
from chat.text import say

SHORT_FINGERPRINT = 12
# Those are shown word by word; everything else line by line.
TEXTS = ("title", "description")


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in reversed(ToolState)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(shown_state=self.value()) if self.value() else queryset


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What a reviewer reads. `fingerprint` is that of the new definition, as it is shown."""

    fingerprint: str
    texts: list[tuple[str, list[tuple[str, SafeString]]]]
    lines: list[tuple[str, SafeString]]

    @classmethod
    def of(cls, tool: MCPTool) -> "Review":
        old, new = tool.accepted_definition, tool.definition
        changed = [name for name in TEXTS if (old.get(name) or "") != (new.get(name) or "")]
        rest = [{k: v for k, v in side.items() if k not in TEXTS} for side in (old, new)]
        return cls(
            fingerprint=tool.fingerprint,
            texts=[
                (name, _shown(difference.words(old.get(name) or "", new.get(name) or "")))
                for name in changed
            ],
            lines=_shown(difference.lines(*rest)) if rest[0] != rest[1] else [],
        )


def _shown(pieces: list[difference.Piece]) -> list[tuple[str, SafeString]]:
    return [(piece.kind, revealed(piece.text)) for piece in pieces]


@admin.register(MCPTool)
class MCPToolAdmin(admin.ModelAdmin):
    list_display = ("name_shown", "server", "state", "is_enabled", "changed_at")
    list_editable = ("is_enabled",)
    list_filter = (StateFilter, "server")
    list_select_related = ("server",)
    list_per_page = 50
    search_fields = ("name", "server__name")
    show_full_result_count = False
    # One by one: an acceptance says that somebody has read the difference.
    actions = None
    change_form_template = "admin/chat/mcptool/change_form.html"
    fields = (
        *("name_shown", "server", "state", "is_enabled", "title", "description", "hints_shown"),
        *("input_schema", "output_schema", "fingerprint_shown"),
        *("first_seen_at", "changed_at", "reviewed"),
    )
    readonly_fields = tuple(name for name in fields if name != "is_enabled")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: MCPTool | None = None) -> bool:
        # What is forgotten would be new the next time, and accepted unseen.
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[MCPTool]:
        return super().get_queryset(request).annotate(shown_state=TOOL_STATE)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.review))
        return [path("<uuid:pk>/reviews/", view, name="chat_mcptool_reviews"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **more: Any
    ) -> HttpResponse:
        tool = self.get_object(request, object_id)
        if tool and state_of(tool) == ToolState.CHANGED:
            extra = {"review": Review.of(tool), "may_review": self.has_change_permission(request)}
            more["extra_context"] = extra | (more.get("extra_context") or {})
        return super().change_view(request, object_id, *args, **more)

    def review(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Accept the definition that was shown, or switch the tool off."""
        tool = get_object_or_404(MCPTool, pk=pk)
        if not self.has_change_permission(request, tool):
            raise PermissionDenied
        fingerprint = request.POST.get("fingerprint", "")
        if request.POST.get("decision") == "switch_off":
            MCPTool.objects.filter(pk=pk).update(is_enabled=False)
            self._decided(request, tool, say("Switched off."))
        elif tool.accept(fingerprint, int(request.user.pk or 0)):
            short = fingerprint[:SHORT_FINGERPRINT]
            definition = say("Accepted the definition {fingerprint}.", fingerprint=short)
            self._decided(request, tool, definition)
        else:
            said = gettext(
                "The tool %(tool)s has changed again since it was shown. Please read it anew."
            )
            messages.error(request, said % {"tool": tool})
            return redirect("admin:chat_mcptool_change", pk)
        if waiting_tools().exists():
            return redirect(reverse("admin:chat_mcptool_changelist", query={"state": "changed"}))
        return redirect("admin:chat_mcptool_change", pk)

    @staticmethod
    def _decided(request: HttpRequest, tool: MCPTool, what: str) -> None:
        LogEntry.objects.log_actions(
            int(request.user.pk or 0), [tool], CHANGE, change_message=what, single_object=True
        )
        sentence = gettext("The tool %(tool)s of %(server)s: %(what)s")
        names = {"tool": tool, "server": tool.server, "what": told(what)}
        messages.success(request, sentence % names)

    @admin.display(description=_("tool"), ordering="name")
    def name_shown(self, tool: MCPTool) -> str:
        return revealed(tool.name)

    @admin.display(description=_("state"))
    def state(self, tool: MCPTool) -> str:
        state = state_of(tool)
        broken = _("broken: %(problem)s") % {"problem": excerpt(tool.problem)}
        return state_mark(state, str(broken) if state == ToolState.BROKEN else str(state.label))

    @admin.display(description=_("title"))
    def title(self, tool: MCPTool) -> str:
        return revealed(str(tool.definition.get("title") or "–"))

    @admin.display(description=_("description"))
    def description(self, tool: MCPTool) -> str:
        return laid_open(str(tool.definition.get("description") or "–"))

    @admin.display(description=_("hints of the server"))
    def hints_shown(self, tool: MCPTool) -> str:
        return ", ".join(hints(tool.definition.get("annotations") or {})) or gettext("none")

    @admin.display(description=_("input"))
    def input_schema(self, tool: MCPTool) -> SafeString:
        return laid_open(difference.pretty(tool.definition.get("inputSchema") or {}))

    @admin.display(description=_("output"))
    def output_schema(self, tool: MCPTool) -> SafeString:
        schema = tool.definition.get("outputSchema")
        return laid_open(difference.pretty(schema) if schema else gettext("free text"))

    @admin.display(description=_("fingerprint"))
    def fingerprint_shown(self, tool: MCPTool) -> str:
        return tool.fingerprint[:SHORT_FINGERPRINT] or "–"

    @admin.display(description=_("reviewed"))
    def reviewed(self, tool: MCPTool) -> str:
        if tool.reviewed_at is None:
            return gettext("by nobody: the first definition is accepted as it comes")
        who = tool.reviewed_by or gettext("somebody who left")
        at = f"{tool.reviewed_at:%Y-%m-%d %H:%M}"
        return gettext("%(time)s by %(who)s") % {"time": at, "who": who}


def state_of(tool: MCPTool) -> ToolState:
    return ToolState(vars(tool)["shown_state"])
