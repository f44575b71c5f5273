"""Django's cache where there is a Redis: shared by all processes.

While Redis is away each process keeps its own: limits then hold per process, and nobody is kept
from signing in. It is asked again every few seconds: each question to one that is silent takes 2 s.
"""

import logging
import time
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

logger = logging.getLogger(__name__)

AWAY_SECONDS = 5


# Of all threads: each has a cache object of its own.
_away = {"until": 0.0}


class SharedCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._own = LocMemCache("while Redis is away", {})

    def _either(self, what: str, *args: Any, **options: Any) -> Any:
        if time.monotonic() >= _away["until"]:
            try:
                return getattr(super(), what)(*args, **options)
            except Exception as error:  # What is no Redis may answer anything.
                logger.warning("Redis is away, so this process counts by itself: %s", error)
                _away["until"] = time.monotonic() + AWAY_SECONDS
        return getattr(self._own, what)(*args, **options)

    def add(self, *args: Any, **options: Any) -> Any:
        return self._either("add", *args, **options)

    def get(self, *args: Any, **options: Any) -> Any:
        return self._either("get", *args, **options)

    def set(self, *args: Any, **options: Any) -> Any:
        return self._either("set", *args, **options)

    def delete(self, *args: Any, **options: Any) -> Any:
        return self._either("delete", *args, **options)
