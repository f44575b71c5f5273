"""What one reader sees of one stream: cheap while it reads, thorough when it is over."""

import json
import re
import time
from dataclasses import dataclass, field
from itertools import pairwise

TOKEN = re.compile(rb"<(\d+) (\d+) (\d+)> ")


@dataclass(slots=True)
class Seen:
    """`arrivals`: frames as they came, each with its time in nanoseconds."""

    asked_at: int = 0
    error: str = ""
    arrivals: list[tuple[int, bytes]] = field(default_factory=list)
    _rest: bytes = b""

    def add(self, data: bytes) -> None:
        now = time.monotonic_ns()
        *frames, self._rest = (self._rest + data).split(b"\n\n")
        self.arrivals += [(now, frame) for frame in frames]

    def relayed(self) -> list[tuple[int, int]]:
        """When each token was written and when it was here, in nanoseconds."""
        return [
            (int(match[3]), at)
            for at, frame in self.arrivals
            if b"event: content\n" in frame
            for match in TOKEN.finditer(frame)
        ]

    def is_right(self, tokens: int) -> bool:
        """All tokens of one answer, in order, none doubled, nothing else; and all that was told at
        the end again. Where frames have numbers, those too are without a hole.
        """
        frames = [frame for _, frame in self.arrivals if not frame.startswith(b":")]
        texts = [data_of(frame)["content"] for frame in frames if b"event: content\n" in frame]
        text = "".join(texts)
        found = TOKEN.findall(text.encode())
        ids = [int(match[1]) for frame in frames if (match := re.match(rb"id: (\d+)\n", frame))]
        return (
            [int(number) for _, number, _ in found] == list(range(1, tokens + 1))
            and len({answer for answer, _, _ in found}) == 1
            and "".join(f"<{b' '.join(parts).decode()}> " for parts in found) == text
            and b"event: done\n" in frames[-1]
            and data_of(frames[-1])["content"] == text
            and all(right == left + 1 for left, right in pairwise([0, *ids]))
        )


def data_of(frame: bytes) -> dict[str, str]:
    return dict(json.loads(frame.partition(b"data: ")[2]))
