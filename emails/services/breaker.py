"""When no worker should try: Mailgun asked for patience, or nothing goes out at all.

The pause is one key in Redis, seen by all workers before each claim; its life is Redis's own clock. Each
process also remembers what it saw itself, so with Redis down the rule still holds process by process.
After a fault (not after a plain "slow down") one single mail is tried first: the probe.
"""

from __future__ import annotations

import time

import structlog
from django.core.cache import cache

logger = structlog.get_logger(__name__)

FAULT_PAUSE_SECONDS = 60.0
NETWORK_PAUSE_SECONDS = 15.0
REFUSALS_IN_A_ROW = 5
PROBE_MEMORY_SECONDS = 3600

_PAUSE_KEY = "mail:pause"
_PROBE_KEY = "mail:probe"

_paused_until = 0.0
_is_probing = False
_refusals = 0


def is_paused() -> bool:
    return time.monotonic() < _paused_until or bool(cache.get(_PAUSE_KEY))


def is_stopped_here() -> bool:
    """Whether this process itself has been told to stop: asked by sender threads, without a look at Redis."""
    return time.monotonic() < _paused_until


def is_probing() -> bool:
    """Whether the next claim should take one mail only."""
    return _is_probing or bool(cache.get(_PROBE_KEY))


def slow_down(seconds: float) -> None:
    """Mailgun said when it wants to hear from us again."""
    _pause(seconds, "provider_limit")


def misconfigured(detail: str) -> None:
    """Key, billing, domain or region is wrong: stop, loudly, and try one mail a minute."""
    logger.error("mail_misconfigured", detail=detail)
    _fault(FAULT_PAUSE_SECONDS, "misconfigured")


def refused_connection() -> None:
    """No connection came about. Five in a row stop all workers for a while."""
    global _refusals
    _refusals += 1
    if _refusals >= REFUSALS_IN_A_ROW:
        _fault(NETWORK_PAUSE_SECONDS, "unreachable")


def answered() -> None:
    """Mailgun answered sensibly: close the breaker."""
    global _refusals, _is_probing
    _refusals = 0
    if _is_probing:
        _is_probing = False
        cache.delete(_PROBE_KEY)


def reset() -> None:
    """Forget everything: between tests, and for staff who have mended the cause."""
    global _refusals, _is_probing, _paused_until
    _refusals, _is_probing, _paused_until = 0, False, 0.0
    cache.delete_many([_PAUSE_KEY, _PROBE_KEY])


def _fault(seconds: float, why: str) -> None:
    global _refusals, _is_probing
    _refusals = 0
    _is_probing = True
    cache.set(_PROBE_KEY, 1, timeout=PROBE_MEMORY_SECONDS)
    _pause(seconds, why)


def _pause(seconds: float, why: str) -> None:
    global _paused_until
    _paused_until = max(_paused_until, time.monotonic() + seconds)
    cache.set(_PAUSE_KEY, why, timeout=max(1, round(seconds)))
    logger.warning("mail_paused", seconds=round(seconds), why=why)
