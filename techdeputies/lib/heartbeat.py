"""Whether the workers live: a task of the clock leaves a key that dies by the cache's own clock."""

from __future__ import annotations

from django.core.cache import cache

LATE_AFTER_SECONDS = 120

_KEY = "workers:heartbeat"


def beat() -> None:
    cache.set(_KEY, 1, timeout=LATE_AFTER_SECONDS)


def is_heard() -> bool:
    return bool(cache.get(_KEY))
