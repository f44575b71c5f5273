"""How the admin shows things. Data is never marked safe: everything goes through format_html."""

import json
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from pygments.lexers.data import JsonLexer
from pygments.token import STANDARD_TYPES

from chat.admin.difference import seen_and_unseen
from chat.language import number
from chat.models import StaffAccess

MAX_SHOWN_CHARACTERS = 20_000
EXCERPT_CHARACTERS = 80
GOOD = frozenset({"ok", "completed", "ready", "offered", "allowed"})
WAITING = frozenset({"changed", "unauthorised", "awaiting_approval", "open"})
# What somebody stopped has not failed.
IDLE = frozenset({"off", "gone", "cancelled"})
GOING = frozenset({"requested", "running", "queued", "connecting", "unknown"})


class LogAdmin(admin.ModelAdmin):
    """A log is read: nobody adds to it, changes it or deletes from it here.

    Opening one row of what has an owner is on record as `noted_as`.
    """

    show_full_result_count = False
    list_per_page = 50
    noted_as: StaffAccess.What | None = None

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **more: Any
    ) -> HttpResponse:
        response = super().change_view(request, object_id, *args, **more)
        if self.noted_as and response.status_code == 200:
            found: Any = self.get_object(request, unquote(object_id))
            if found is None:
                # What cannot be noted is not shown.
                raise Http404
            StaffAccess.note(request.user, found.owner_id, self.noted_as, found, found.pk)
        return response

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def state_mark(state: str, label: str | Promise) -> SafeString:
    """A state as a shape and a word: the shape tells without colour."""
    kinds = {"good": GOOD, "going": GOING, "waiting": WAITING, "idle": IDLE}
    kind = next((kind for kind, states in kinds.items() if state in states), "bad")
    return format_html('<span class="state {}">{}</span>', kind, label)


def duration(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    return f"{number(milliseconds / 1000, 1)} s"


def link_to(target: Model | None, text: str = "") -> str:
    """A link to the target's own page in the admin."""
    if target is None:
        return "–"
    meta = target._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[target.pk])
    return format_html('<a href="{}">{}</a>', url, text or str(target))


def excerpt(text: str) -> str:
    """One short line of a text."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT_CHARACTERS else line[: EXCERPT_CHARACTERS - 1] + "…"


def revealed(text: str) -> SafeString:
    """Untrusted text in which nothing stays unseen: what would, is an escape and looks like one."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html('<b class="unseen">{}</b>', part) if is_unseen else part,)
            for is_unseen, part in seen_and_unseen(text)
        ),
    )


def preformatted(text: str) -> SafeString:
    """Plain text, up to MAX_SHOWN_CHARACTERS."""
    return format_html('<pre class="out" tabindex="0">{}</pre>{}', *_capped(text))


def laid_open(text: str) -> SafeString:
    """As `preformatted`, but as `revealed` shows it."""
    shown, note = _capped(text)
    return format_html('<pre class="out" tabindex="0">{}</pre>{}', revealed(shown), note)


def pretty_json(value: Any) -> SafeString:
    """JSON with Pygments' classes for its parts, up to MAX_SHOWN_CHARACTERS."""
    text, note = _capped(json.dumps(value, indent=2, ensure_ascii=False))
    tokens = JsonLexer(ensurenl=False).get_tokens(text)
    parts = format_html_join(
        "", '<span class="{}">{}</span>', ((STANDARD_TYPES.get(kind, ""), t) for kind, t in tokens)
    )
    return format_html('<pre class="out" tabindex="0">{}</pre>{}', parts, note)


def _capped(text: str) -> tuple[str, str]:
    if len(text) <= MAX_SHOWN_CHARACTERS:
        return text, ""
    counts = {"shown": number(MAX_SHOWN_CHARACTERS), "all": number(len(text))}
    note = gettext("The first %(shown)s of %(all)s characters.") % counts
    return text[:MAX_SHOWN_CHARACTERS], note
