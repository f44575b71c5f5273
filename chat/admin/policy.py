"""The policy of tools: its rules in their order, and what would happen to a person's call."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.admin.shown import state_mark
from chat.models import MCPTool, ToolRule
from chat.policy import Decision
from chat.runs.tools.policy import policy_for, tool_of
from chat.runs.tools.servers import servers_for

SHAPES = {Decision.ALLOW: "ok", Decision.ASK: "changed", Decision.DENY: "denied"}


def decision_mark(decision: str) -> str:
    """As a shape and a word."""
    return state_mark(SHAPES[Decision(decision)], ToolRule.Decisions(decision).label)


class TryForm(forms.Form):
    """A person and a tool."""

    username = forms.CharField(label=_("Person"), max_length=150)
    tool = forms.ModelChoiceField(MCPTool.objects.none(), label=_("Tool"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tools: Any = self.fields["tool"]
        tools.queryset = MCPTool.objects.filter(is_listed=True).select_related("server")
        tools.label_from_instance = lambda tool: f"{tool.server} · {tool.name}"

    def clean_username(self) -> Any:
        people = get_user_model().objects
        if person := people.filter(username=self.cleaned_data["username"]).first():
            return person
        raise forms.ValidationError(_("There is nobody of that name."))

    def outcome(self) -> dict[str, Any]:
        """What a call of the tool by this person would come to, and why."""
        person, row = self.cleaned_data["username"], self.cleaned_data["tool"]
        verdict = policy_for(person.pk).verdict_on(tool_of(row))
        return {"decision": decision_mark(verdict.decision), "rule": verdict.rule} | {
            "obstacle": _obstacle(person, row)
        }


def _obstacle(person: Any, tool: MCPTool) -> str:
    """Why the model would not be offered it at all, whatever the rules say."""
    if not person.is_active:
        return gettext("This person cannot sign in.")
    if tool.server not in servers_for(person.pk):
        return gettext("Its server is switched off, or not for this person.")
    if not tool.is_offered:
        return gettext("It is switched off, broken, or waits for a review.")
    return ""


@admin.register(ToolRule)
class ToolRuleAdmin(admin.ModelAdmin):
    list_display = ("shown", "position", "tool", "of_server", "hint", "for_group")
    list_editable = ("position",)
    list_select_related = ("server", "group")
    fields = ("position", "decision", "tool", "server", "hint", "group")
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [path("try/", wrap(self.try_out), name="chat_toolrule_try"), *super().get_urls()]

    def try_out(self, request: HttpRequest) -> HttpResponse:
        """The form, and with ?username=&tool= what would happen."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = TryForm(request.GET or None)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("What would happen?"),
            "opts": self.opts,
            "form": form,
            "outcome": form.outcome() if form.is_bound and form.is_valid() else None,
        }
        return render(request, "admin/chat/toolrule/try.html", context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ToolRule]:
        return super().get_queryset(request).order_by("position", "pk")

    @admin.display(description=_("decision"))
    def shown(self, rule: ToolRule) -> str:
        return decision_mark(rule.decision)

    @admin.display(description=_("server"))
    def of_server(self, rule: ToolRule) -> str:
        return str(rule.server) if rule.server else gettext("any")

    @admin.display(description=_("group"))
    def for_group(self, rule: ToolRule) -> str:
        return format_html("{}", rule.group) if rule.group else gettext("everybody")
