"""When no worker should try: Mailgun asked for patience, or nothing goes out at all.

The pause is one key in Redis, seen by all workers before each claim; its life is Redis's own clock. Each
process also remembers what it saw itself, so with Redis down the rule still holds process by process.
After a fault (not after a plain "slow down") one single mail is tried first: the probe.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

import structlog
from django.core.cache import cache

logger = structlog.get_logger(__name__)

FAULT_PAUSE_SECONDS = 60.0
NETWORK_PAUSE_SECONDS = 15.0
REFUSALS_IN_A_ROW = 5
PROBE_MEMORY_SECONDS = 3600

_PAUSE_KEY = "mail:pause"
_PROBE_KEY = "mail:probe"
_LIFTED_KEY = "mail:pause:lifted"
LIFT_MEMORY_SECONDS = 3600

_paused_until = 0.0
_is_probing = False
_refusals = 0
_lift_seen: str | None = None


@dataclass(frozen=True)
class Pause:
    """Why nothing is sent (``provider_limit``, ``misconfigured`` or ``unreachable``), and for how much longer."""

    why: str
    seconds: int


def is_paused() -> bool:
    return (time.monotonic() < _paused_until and not _was_lifted()) or bool(cache.get(_PAUSE_KEY))


def pause() -> Pause | None:
    """The pause all workers keep, or None. With Redis down it cannot be seen from outside a worker."""
    why = cache.get(_PAUSE_KEY)
    return Pause(str(why), cache.ttl(_PAUSE_KEY) or 0) if why else None  # type: ignore[attr-defined]


def is_stopped_here() -> bool:
    """Whether this process itself has been told to stop: asked by sender threads, without a look at Redis."""
    return time.monotonic() < _paused_until


def is_probing() -> bool:
    """Whether the next claim should take one mail only.

    Remembered here, too, so that this process takes the sign away when its own mail is answered: whoever put
    it there may be dead.
    """
    global _is_probing
    _is_probing = _is_probing or bool(cache.get(_PROBE_KEY))
    return _is_probing


def slow_down(seconds: float) -> None:
    """Mailgun said when it wants to hear from us again."""
    _pause(seconds, "provider_limit")


def misconfigured(detail: str) -> None:
    """Key, billing, domain or region is wrong: stop, loudly, and try one mail a minute."""
    if not is_stopped_here():  # said once, not by each thread whose post was on its way
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
    """Forget everything this process and Redis know."""
    global _refusals, _is_probing, _paused_until
    _refusals, _is_probing, _paused_until = 0, False, 0.0
    cache.delete_many([_PAUSE_KEY, _PROBE_KEY])


def lift() -> None:
    """End the pause in every process: for staff who have mended the cause."""
    reset()
    cache.set(_LIFTED_KEY, uuid.uuid4().hex, timeout=LIFT_MEMORY_SECONDS)


def _was_lifted() -> bool:
    """Whether staff ended the pause after this process began it; then it forgets the pause, too."""
    global _paused_until, _refusals
    lifted = cache.get(_LIFTED_KEY)
    if lifted is None or lifted == _lift_seen:
        return False
    _paused_until, _refusals = 0.0, 0
    return True


def _fault(seconds: float, why: str) -> None:
    global _refusals, _is_probing
    _refusals = 0
    _is_probing = True
    cache.set(_PROBE_KEY, 1, timeout=PROBE_MEMORY_SECONDS)
    _pause(seconds, why)


def _pause(seconds: float, why: str) -> None:
    global _paused_until, _lift_seen
    _lift_seen = cache.get(_LIFTED_KEY)
    _paused_until = max(_paused_until, time.monotonic() + seconds)
    # A shorter pause, from a post that was on its way, must not end a longer one in the other processes.
    if (cache.ttl(_PAUSE_KEY) or 0) < seconds:  # type: ignore[attr-defined]
        cache.set(_PAUSE_KEY, why, timeout=max(1, round(seconds)))
    logger.warning("mail_paused", seconds=round(seconds), why=why)
