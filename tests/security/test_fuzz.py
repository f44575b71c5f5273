"""Hypothesis against every route, pages and admin too: nothing that is sent makes it fall over.

FUZZ_EXAMPLES=200 makes a longer run of other examples by hand.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.conf import settings as site_settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.people import Person
from tests.sse import begin, read

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES") or 0)
SECONDS = 10
# What is kept open on purpose is read for so long.
READ_SECONDS = 2
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY", "X")
SAFE = ("GET", "HEAD", "OPTIONS")
NAMES = (
    *("message", "conversation_id", "servers", "approvals", "replaces", "regenerates", "q", "page"),
    *("title", "system_prompt", "decision", "action", "arguments", "content", "format", "after"),
    *("turns", "theme", "language", "name", "message_id", "file", "next", "is_pinned", "o", "p"),
)
TYPES = (
    *("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
    *(
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/plain; charset=utf-7",
        "",
        "/",
    ),
    "application/json; charset=none",
)
TEXT = st.text(max_size=30) | st.sampled_from(["", "\x00", "1e400", "-1", "9" * 30, "../..", "%s"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.dictionaries(st.sampled_from(NAMES) | TEXT, VALUES, max_size=4)
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES) | TEXT, TEXT), max_size=4)
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%b\r\n--x--\r\n'
BODIES = (
    FIELDS.map(lambda it: json.dumps(it).encode())
    | PAIRS.map(lambda it: str(httpx.QueryParams(_sendable(it))).encode())
    | st.binary(max_size=200)
    | st.binary(max_size=100).map(lambda it: PART % it)
    | st.just(b"[" * 100_000)
)
# What an HTTP client can be made to send in a header.
HEADER = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"))
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("Accept-Language", "Cookie", "Idempotency-Key", "Last-Event-ID", "If-None-Match"),
            *("If-Modified-Since", "X-CSRFToken", "Origin", "Referer", "User-Agent", "Range"),
            *("Accept", "Accept-Encoding", "Authorization", "X-Forwarded-For", "X-Request-ID"),
        ]
    ),
    HEADER,
    max_size=3,
)


def _sendable(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (name.encode(errors="replace").decode(), it.encode(errors="replace").decode())
        for name, it in pairs
    ]


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Every route there is, as it is written in the URLconf."""
    for it in (resolver or get_resolver()).url_patterns:
        own = str(it.pattern) if isinstance(it.pattern, RoutePattern) else _plain(it.pattern.regex)
        if isinstance(it, URLResolver):
            yield from routes(it, before + own)
        elif isinstance(it, URLPattern):
            yield before + own


def _plain(regex: re.Pattern[str]) -> str:
    """A regular expression's address, near enough."""
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<str:\1>", regex.pattern).strip("^$").replace("\\Z", "")


def addresses(route: str, ids: list[str]) -> st.SearchStrategy[str]:
    """With something in each place: what there is, what there could be, and what there cannot."""
    known = st.sampled_from(ids) | st.uuids().map(str) | st.integers(0, 1 << 70).map(str)
    anything = known | st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
    parts = re.split(r"<[^>]*>", route)
    filled = st.lists(anything, min_size=len(parts) - 1, max_size=len(parts) - 1)
    return filled.map(lambda them: "/" + "".join(_join(parts, them)))


def _join(parts: list[str], filled: list[str]) -> Iterator[str]:
    for place, part in enumerate(parts):
        yield part
        if place < len(filled):
            yield httpx.QueryParams({"": filled[place]}).__str__()[1:]


@pytest.mark.slow
def test_nothing_that_is_sent_makes_it_fall_over(alice: Person, carol: Person) -> None:
    started = begin(alice.api, "[[call picture]][[then]][[text A ship]]")
    seen = read(alice.api, started["run_id"])
    ids = [started["conversation_id"], started["run_id"], str(len(seen)), "1", "tools"]
    found, said = list(routes()), len(alice.site.log)
    assert len(found) > 150

    with httpx.Client(base_url=alice.site.url, timeout=SECONDS) as client:
        for route in found:
            _attack(client, route, ids, alice, carol)

    assert httpx.get(f"{alice.site.url}/readyz").status_code == 200
    assert "Traceback" not in alice.site.log[said:]


def _attack(client: httpx.Client, route: str, ids: list[str], alice: Person, carol: Person) -> None:
    @settings(
        max_examples=EXAMPLES or 2,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        address=addresses(route, ids),
        method=st.sampled_from(METHODS),
        who=st.sampled_from(["nobody", "token", "session", "staff"]),
        pairs=PAIRS,
        body=BODIES,
        content_type=st.sampled_from(TYPES),
        headers=HEADERS,
    )
    def attack(
        address: str,
        method: str,
        who: str,
        pairs: list[tuple[str, str]],
        body: bytes,
        content_type: str,
        headers: dict[str, str],
    ) -> None:
        # An admin may do harm, to other tests too: they only look.
        verb = method if who != "staff" or method in SAFE else "GET"
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        sent = {"Content-Type": content_type, **encoded, **_credentials(who, alice, carol)}
        content = None if verb in SAFE else body
        status = _send(client, verb, address, _sendable(pairs), content, sent)
        assert status < 500, (verb, address, status)

    attack()


def _credentials(who: str, alice: Person, carol: Person) -> dict[str, str]:
    match who:
        case "nobody":
            return {}
        case "token":
            return alice.headers
    # A session of its own: some addresses end theirs.
    cookie = (
        f"{site_settings.SESSION_COOKIE_NAME}={(carol if who == 'staff' else alice)._session()}"
    )
    token = "a" * 32
    name = site_settings.CSRF_COOKIE_NAME
    return {"Cookie": f"{cookie}; {name}={token}", "X-CSRFToken": token}


def _send(
    client: httpx.Client,
    method: str,
    address: str,
    pairs: list[tuple[str, str]],
    body: bytes | None,
    headers: dict[str, Any],
) -> int:
    """The status, once the answer has ended or was read for long enough."""
    request = client.build_request(method, address, params=pairs, content=body, headers=headers)
    deadline = time.monotonic() + READ_SECONDS
    response = client.send(request, stream=True)
    try:
        for _ in response.iter_raw():
            if time.monotonic() > deadline:
                break
    finally:
        response.close()
    client.cookies.clear()
    return response.status_code
