"""A person's sessions: the browsers they are signed in with, and the end of each."""

from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from chat.models import Session
from chat.runs.pool import in_pool, in_writer

# The first that is found counts: most browsers claim to be others as well.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSession:
    """One browser; `name` stands for it in addresses."""

    name: str
    browser: str
    seen_at: datetime
    is_this: bool


def sessions_of(request: HttpRequest) -> list[ShownSession]:
    """This one first, then those that were seen last."""
    own_key = request.session.session_key
    shown = [
        ShownSession(
            name=session.name,
            browser=in_words(session.user_agent),
            seen_at=session.seen_at,
            is_this=session.session_key == own_key,
        )
        for session in Session.live_of(request.user).order_by("-seen_at", "pk")
    ]
    return sorted(shown, key=lambda session: not session.is_this)


def in_words(user_agent: str) -> str:
    """Firefox on Linux; as far as that can be told."""
    browser = next((name for sign, name in BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in SYSTEMS if sign in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("An unknown browser")


async def end(request: HttpRequest, name: str) -> None:
    """What it has open ends within 30 s: chat/runs/readers.py. Raises Http404."""
    live = await in_pool(lambda: list(Session.live_of(request.user)))
    keys = [session.session_key for session in live if session.name == name]
    if not keys:
        raise Http404
    await in_writer(Session.objects.filter(session_key__in=keys).delete)


async def end_others(request: HttpRequest) -> None:
    """All but the one of this request."""
    others = Session.live_of(request.user).exclude(session_key=request.session.session_key)
    await in_writer(others.delete)
