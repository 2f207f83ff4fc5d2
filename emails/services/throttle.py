"""How many mails may go out now: one bucket of tokens for all workers of a sender domain, kept in Redis.

The bucket holds one second's worth and fills by Redis's own clock, so no worker's clock counts. A fifth of it is
kept back for high and critical mail. A worker takes tokens before it claims, and gives back what it did not
use. While Redis is down each process goes on with a bucket of its own, at half the rate.
"""

from __future__ import annotations

import threading
import time
from typing import Any, cast

import structlog
from django.conf import settings
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from settings_app import services as site_settings

logger = structlog.get_logger(__name__)

KEPT_BACK = 0.2
LEAST_SHARE = 0.1
"""Fewer than a tenth of a second's worth is not handed out, unless no more was asked for: a claim costs a query."""

ALONE_SECONDS = 5.0
"""How long a process goes by its own bucket before it asks Redis again."""

# A negative wish gives back. Numbers are written out: Lua would round the time to 14 digits.
_BUCKET = """
local rate, burst, wanted, kept, least =
    tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(held[1] or burst), tonumber(held[2] or now)
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local granted = math.min(wanted, math.floor(tokens - kept + 0.000001))
if wanted < 0 then granted = wanted elseif granted < least then granted = 0 end
tokens = math.min(burst, tokens - granted)
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], 60)
return granted
"""


def take(wanted: int, *, urgent: bool = False) -> int:
    """How many of ``wanted`` mails may go out now. ``urgent`` may take from what is kept back."""
    per_second = rate()
    if per_second <= 0 or wanted <= 0:
        return wanted
    return max(_ask(per_second, wanted, urgent), 0)


def give_back(unused: int) -> None:
    """Return tokens that no mail was sent for."""
    per_second = rate()
    if per_second > 0 and unused > 0:
        _ask(per_second, -unused, urgent=True)


def rate() -> float:
    """Mails a second of all workers together; 0 means no limit of ours."""
    return float(site_settings.value("mail_rate_per_second"))


def reset() -> None:
    """Forget the buckets: between tests, and when the clock was stepped."""
    global _alone_until
    _alone_until = 0.0
    _local.clear()
    try:
        _client().delete(_key())
    except RedisError:
        logger.warning("mail_bucket_not_reset")


def _ask(per_second: float, wanted: int, urgent: bool) -> int:
    global _alone_until
    if time.monotonic() >= _alone_until:
        try:
            numbers = _numbers(per_second, wanted, urgent)
            return int(cast(Any, _client().eval(_BUCKET, 1, _key(), *map(repr, numbers))))
        except RedisError as error:
            _alone_until = time.monotonic() + ALONE_SECONDS
            logger.warning("mail_bucket_alone", error=type(error).__name__)
    return _local.ask(*_numbers(per_second / 2, wanted, urgent))


def _numbers(per_second: float, wanted: int, urgent: bool) -> tuple[float, float, int, float, int]:
    burst = max(per_second, 1.0)
    kept = 0.0 if urgent else min(KEPT_BACK * burst, burst - 1)
    least = max(1, min(wanted, int(per_second * LEAST_SHARE)))
    return per_second, burst, wanted, kept, least


def _client() -> Any:
    return get_redis_connection("default")


def _key() -> str:
    return f"{settings.CACHES['default']['KEY_PREFIX']}:mail:bucket:{settings.MAILGUN_SENDER_DOMAIN}"


class _LocalBucket:
    """The same bucket in this process, by its monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: float | None = None
        self._at = 0.0

    def clear(self) -> None:
        with self._lock:
            self._tokens = None

    def ask(self, per_second: float, burst: float, wanted: int, kept: float, least: int) -> int:
        with self._lock:
            now = time.monotonic()
            tokens = burst if self._tokens is None else self._tokens + (now - self._at) * per_second
            tokens = min(burst, tokens)
            granted = wanted
            if wanted > 0:
                granted = min(wanted, int(tokens - kept + 1e-6))
                granted = granted if granted >= least else 0
            self._tokens, self._at = min(burst, tokens - granted), now
            return granted


_local = _LocalBucket()
_alone_until = 0.0
