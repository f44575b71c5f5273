"""Reading event streams as a careful client does: raw bytes, cut at blank lines."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

MOST_SECONDS = 180
# What each event is held against; conftest.py fills it, once there is Django.
CHECKS: list[Callable[[str, dict[str, Any]], None]] = []


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it came, `raw` without the blank line that ends it."""

    id: int
    event: str
    data: dict[str, Any]
    raw: str


def frames(response: httpx.Response) -> Iterator[Frame]:
    """The events of a stream as they arrive; comments are passed over.

    Fails after MOST_SECONDS: signs of life would keep it open for as long as a person is asked.
    """
    rest, deadline = b"", time.monotonic() + MOST_SECONDS
    for chunk in response.iter_raw():
        assert time.monotonic() < deadline, f"the stream was open for {MOST_SECONDS} s"
        *blocks, rest = (rest + chunk).split(b"\n\n")
        for block in blocks:
            if not block.startswith(b":"):
                yield parse(block.decode())
    assert rest == b"", f"the stream ended within a frame: {rest!r}"


def parse(raw: str) -> Frame:
    lines = raw.split("\n")
    assert [line.partition(": ")[0] for line in lines] == ["id", "event", "data"], raw
    number, event, data = (line.partition(": ")[2] for line in lines)
    frame = Frame(int(number), event, json.loads(data), raw)
    for check in CHECKS:
        check(event, frame.data)
    return frame


def ask(client: httpx.Client, message: str, **body: str) -> list[Frame]:
    """POST /chat/stream and read to the end."""
    body = {"message": message, **body}
    with client.stream("POST", "/chat/stream", json=body) as response:
        assert response.status_code == 200, response.read()
        return list(frames(response))


def begin(client: httpx.Client, message: str, **body: str) -> dict[str, str]:
    """Start a run in a new conversation without reading it."""
    response = client.post("/api/conversations/", json={"message": message, **body})
    assert response.status_code == 201, response.text
    return dict(response.json())


def read(
    client: httpx.Client, run_id: str, after: int = 0, until: Callable[[Frame], bool] | None = None
) -> list[Frame]:
    """Follow a run to its end, or hang up once `until` is true of a frame."""
    seen: list[Frame] = []
    with client.stream("GET", f"/api/runs/{run_id}/events/?after={after}") as response:
        if response.status_code == 204:
            return seen
        assert response.status_code == 200, response.read()
        for frame in frames(response):
            seen.append(frame)
            if until and until(frame):
                break
    return seen


def text_of(seen: list[Frame]) -> str:
    return "".join(frame.data["content"] for frame in seen if frame.event == "content")


def wait_until(condition: Callable[[], Any], seconds: float = 20, what: str = "") -> Any:
    """The condition's first true value; fails, saying what was awaited, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.02)
    return value
