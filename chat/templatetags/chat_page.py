"""What templates need to print times, sizes, icons and markdown."""

import json
from typing import Any

from django import template
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import translation
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from chat import markdown
from chat.language import number, told, words_for_scripts
from chat.views.rail import STATES

register = template.Library()

# Drawn on a grid of 24 with a line of 1.75; the only markup here, and all of it constant.
ICONS = {
    "plus": "M12 5v14M5 12h14",
    "search": "M4.5 11a6.5 6.5 0 1 0 13 0 6.5 6.5 0 1 0-13 0m15.5 9-4.3-4.3",
    "menu": "M4 7h16M4 12h16M4 17h10",
    "close": "m6 6 12 12M18 6 6 18",
    "back": "m15 6-6 6 6 6",
    "chevron": "m9 6 6 6-6 6",
    "copy": "M11 9h7a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2"
    "M5 15V6a2 2 0 0 1 2-2h8",
    "again": "M20 11a8 8 0 1 0-2.3 6.2M20 5v6h-6",
    "down": "M12 5v13M6 12l6 6 6-6",
    "up": "M12 19V6M6 12l6-6 6 6",
    "moon": "M20 14a8 8 0 0 1-10-10 8 8 0 1 0 10 10z",
    "sun": "M8 12a4 4 0 1 0 8 0 4 4 0 1 0-8 0M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7"
    "M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4",
    "system": "M4 5h16v11H4zM9 20h6M12 16v4",
    "tools": "M14.5 6.5a4 4 0 0 0-5.3 5L4 16.7 7.3 20l5.2-5.2a4 4 0 0 0 5-5.3L15 12l-3-3z",
    "activity": "M4 6h10M4 12h16M4 18h7M16.6 6a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0"
    "M13.6 18a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0",
    "play": "M8 5.5v13l10-6.5z",
    "more": "M5.5 12h.01M12 12h.01M18.5 12h.01",
    "pencil": "M5 19l1-4L16.5 4.5l3 3L9 18zM14 7l3 3",
    "tune": "M4 7h9M17 7h3M4 17h3M11 17h9M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0"
    "M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
    "pin": "M9 4h6l-1 6 3 3v2H7v-2l3-3zM12 15v5",
    "archive": "M4 5h16v4H4zM5.5 9v10h13V9M10 13h4",
    "export": "M12 4v11M7.5 10.5 12 15l4.5-4.5M5 20h14",
    "import": "M12 15V4M7.5 8.5 12 4l4.5 4.5M5 20h14",
    "bin": "M4.5 7h15M9 7V4.5h6V7M6.5 7l1 13h9l1-13M10 11v5M14 11v5",
    "leave": "M14 4H6v16h8M11 12h10M17 8l4 4-4 4",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    return format_html(
        '<svg class="icon icon-{}" viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>',
        name,
        ICONS[name],
    )


@register.simple_tag
def tool_states() -> str:
    """State → shape and word, for the script that draws the same cards."""
    return json.dumps(STATES, cls=DjangoJSONEncoder)


@register.simple_tag
def script_words() -> SafeString | str:
    """What static/js/words.js looks up. English pages need none."""
    words = words_for_scripts(translation.get_language() or "")
    return json_script(words, "words") if words else ""


register.filter(told)
register.filter(number)


@register.simple_tag
def prose(text: str, *, is_final: bool) -> SafeString:
    """The text of an answer. While it is being written its code has no colours yet."""
    words = (gettext("Code"), gettext("Table"))
    html = markdown.render(text, highlight=is_final, words=words)
    return mark_safe(html)  # noqa: S308 - see chat.markdown


@register.filter
def duration(milliseconds: float | str | None) -> str:
    """38 ms, 1.2 s, 2 min 5 s. The same as `duration` in static/js/format.js."""
    if not isinstance(milliseconds, int | float):
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{number(milliseconds / 1000, 1)} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"


@register.filter
def size(count: int) -> str:
    """850 B, 2.1 KB, 3.4 MB. The same as `size` in static/js/format.js."""
    if count < 1024:
        return f"{count} B"
    if count < 1024**2:
        return f"{number(count / 1024, 1)} KB"
    return f"{number(count / 1024**2, 1)} MB"


@register.filter
def initials(user: Any) -> str:
    """Two letters for a person."""
    words = (user.get_full_name() or user.get_username()).split()
    return "".join(word[0] for word in words[:2])


@register.filter
def pieces(text: str) -> list[tuple[str, bool]]:
    """What stands between backticks is code; each piece of the text with whether it is that."""
    return [(piece, place % 2 == 1) for place, piece in enumerate(text.split("`"))]
