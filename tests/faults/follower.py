"""One who reads an answer to its end in a thread, and comes back whenever the stream breaks."""

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Self

import httpx

from tests.sse import Frame, parse, wait_until

AGAIN_SECONDS = 0.1
END_SECONDS = 90


class Follower:
    """`seen` holds the events, `came` when each of them came, by number; `began`: when it did.

    `breaks` is how often it had to come back.
    """

    def __init__(self, url: str, headers: dict[str, str], run_id: str) -> None:
        self.run_id = run_id
        self.seen: list[Frame] = []
        self.came: dict[int, float] = {}
        self.began = time.monotonic()
        self.breaks = 0
        self._client = httpx.Client(base_url=url, headers=headers, timeout=30)
        self._is_leaving = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_leaving = True
        self._thread.join(END_SECONDS)
        self._client.close()

    @property
    def is_over(self) -> bool:
        return bool(self.seen) and self.seen[-1].event in {"done", "error"}

    def has(self, text: str) -> bool:
        return any(text in frame.data.get("content", "") for frame in list(self.seen))

    def waits_for(self, text: str, seconds: float = 20) -> None:
        wait_until(lambda: self.has(text), seconds, f"{text} of run {self.run_id}")

    def gets_more(self, seconds: float) -> bool:
        """Whether another event comes within so long."""
        with self._news:
            count = len(self.seen)
            return self._news.wait_for(lambda: len(self.seen) > count, seconds)

    def end(self) -> Frame:
        """The last event, once it is there; until then there was each number once."""
        wait_until(lambda: self.is_over, END_SECONDS, f"run {self.run_id} ends")
        assert [frame.id for frame in self.seen] == list(range(1, len(self.seen) + 1))
        return self.seen[-1]

    def _read(self) -> None:
        while True:
            with contextlib.suppress(httpx.TransportError):
                self._read_on()
            if self.is_over or self._is_leaving:
                return
            self.breaks += 1
            time.sleep(AGAIN_SECONDS)

    def _read_on(self) -> None:
        after = str(len(self.seen))
        url = f"/api/runs/{self.run_id}/events/"
        with self._client.stream("GET", url, headers={"Last-Event-ID": after}) as response:
            if response.status_code != 200:
                return
            rest = b""
            for chunk in response.iter_raw():
                *blocks, rest = (rest + chunk).split(b"\n\n")
                self._keep(blocks)
                if self._is_leaving:
                    return

    def _keep(self, blocks: Iterable[bytes]) -> None:
        for block in blocks:
            if not block.startswith(b":"):
                frame = parse(block.decode())
                with self._news:
                    self.came[frame.id] = time.monotonic()
                    self.seen.append(frame)
                    self._news.notify_all()
