"""Reading and changing settings, and counting tries."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db import connection, transaction

from audit.actors import Actor
from audit.masking import CHANGED
from audit.services import record_admin_action
from settings_app import crypto
from settings_app.exceptions import BadSettingValue, CannotDecrypt, UnknownSetting
from settings_app.models import RateLimit, Setting
from settings_app.registry import KNOWN, WINDOW_SECONDS, Known
from techdeputies.lib.times import known_zone

logger = structlog.get_logger(__name__)

CACHE_SECONDS = 3.0

# Every stored value of this process, read in one query and kept for three seconds. Assigned whole, so
# threads see the old set or the new one.
_cache: tuple[float, dict[str, Any]] = (-math.inf, {})


def value(key: str) -> Any:
    """The present value of a known setting, typed. Up to three seconds old; no query while warm."""
    known = KNOWN.get(key)
    if known is None:
        raise UnknownSetting
    read_at, values = _cache
    if time.monotonic() - read_at >= CACHE_SECONDS:
        values = _read_all()
    found = values.get(key, known.default)
    if isinstance(found, CannotDecrypt):
        raise found
    return found


def forget_cache() -> None:
    """Read the table again at the next question: after a change in this process, and between tests."""
    global _cache
    _cache = (-math.inf, {})


def _read_all() -> dict[str, Any]:
    global _cache
    asked_at = time.monotonic()
    values: dict[str, Any] = {}
    for row in Setting.objects.filter(key__in=KNOWN):
        known = KNOWN[row.key]
        if row.value is None:
            continue
        try:
            text = crypto.decrypt(row.value, purpose=known.purpose) if row.encrypted else row.value
            values[row.key] = known.read(text)
        except CannotDecrypt as refusal:
            # Told to whoever asks for this one; the others stay readable.
            logger.error("setting_unreadable", setting=row.key)
            values[row.key] = refusal
        except BadSettingValue:
            # Bounds have become narrower, or someone wrote to the table by hand: the default is safe.
            logger.warning("setting_ignored", setting=row.key)
    _cache = (asked_at, values)
    return values


def stored_text(known: Known) -> str | None:
    """What staff see for editing: the text, None for the default. A secret is never shown."""
    row = Setting.objects.filter(key=known.key).first()
    return None if row is None or known.secret else row.value


@transaction.atomic
def set_value(key: str, text: str, *, actor: Actor) -> None:
    """Keep a new value, given as text, and write it down. Other processes follow within three seconds.

    Raises UnknownSetting or BadSettingValue. The same value again changes nothing and records nothing.
    """
    known = _known(key)
    wanted = known.read(text)
    before = None if known.secret else value(key)
    written = known.write(wanted)
    if not known.secret and before == wanted and Setting.objects.filter(key=key, value=written).exists():
        return
    Setting.objects.update_or_create(
        key=key,
        defaults={
            "value": crypto.encrypt(written, purpose=known.purpose) if known.secret else written,
            "encrypted": known.secret,
        },
    )
    _record(known, actor=actor, before=before, after=wanted)


@transaction.atomic
def reset_value(key: str, *, actor: Actor) -> None:
    """Go back to the default."""
    known = _known(key)
    before = None if known.secret else value(key)
    deleted, _ = Setting.objects.filter(key=key).delete()
    if deleted:
        _record(known, actor=actor, before=before, after=known.default)


def _known(key: str) -> Known:
    if key not in KNOWN:
        raise UnknownSetting
    return KNOWN[key]


def _record(known: Known, *, actor: Actor, before: Any, after: Any) -> None:
    details = CHANGED if known.secret else {"before": known.write(before), "after": known.write(after)}
    record_admin_action(
        actor=actor,
        action="setting_changed",
        target=Setting(key=known.key),
        details={known.key: details},
    )
    # Now for this transaction, and once more when it is committed or another thread has read in between.
    forget_cache()
    transaction.on_commit(forget_cache)


def business_zone() -> ZoneInfo:
    """The zone the business lives by."""
    found: ZoneInfo = value("business_time_zone")
    return found


def zone_for(user: Any) -> ZoneInfo:
    """The zone a person chose, else the business's. Takes anyone, signed in or not."""
    chosen = getattr(user, "time_zone", "")
    return (known_zone(chosen) if chosen else None) or business_zone()


@dataclass(frozen=True)
class Hit:
    """One counted try. ``retry_after_seconds`` is 0 while allowed, else the true wait."""

    allowed: bool
    retry_after_seconds: int


_A_TRY = "(%s, %s, 1, clock_timestamp())"
_COUNT_TRIES = """
INSERT INTO rate_limits AS r (ip_address, endpoint, attempts, window_start)
VALUES {tries}
ON CONFLICT (ip_address, endpoint) DO UPDATE SET
    attempts = CASE WHEN r.window_start + {window} * interval '1 second' <= clock_timestamp()
        THEN 1 ELSE LEAST(r.attempts, 2000000000) + 1 END,
    window_start = CASE WHEN r.window_start + {window} * interval '1 second' <= clock_timestamp()
        THEN clock_timestamp() ELSE r.window_start END
RETURNING endpoint, attempts,
    EXTRACT(EPOCH FROM window_start + {window} * interval '1 second' - clock_timestamp())
"""


@dataclass(frozen=True)
class _Try:
    """One try to be counted: who, at what, and how many may pass."""

    endpoint: str
    subject: str
    limit: int


def hit_limit(*, endpoint: str, subject: str, limit: int, window_seconds: int) -> Hit:
    """Count one try of ``subject`` (an address or ``user:<id>``) and say whether it may go on.

    One statement on the database's clock, so processes share the count and of any number of parallel tries
    exactly ``limit`` pass in a window. The window opens with the first try and does not slide, so the wait
    told is true. Call it outside a transaction that may roll back: the count would go with it.
    """
    return _count([_Try(endpoint, subject, limit)], window_seconds)


def hit_known_limit(key: str, *, subject: str) -> Hit:
    """``hit_limit`` with the number from the settings and the window from the registry: ``limit_login_per_account``."""
    return hit_known_limits({key: subject})


def hit_known_limits(subjects: Mapping[str, str]) -> Hit:
    """One try counted under several known limits of one window, in one statement and one commit.

    Keys to subjects. Refused when any of them is full, with the longest wait. Give them in one order
    everywhere (address before account), since each row is locked until the last is counted.
    """
    (window,) = {WINDOW_SECONDS[key] for key in subjects}
    return _count([_Try(key, subject, value(key)) for key, subject in subjects.items()], window)


def _count(tries: Sequence[_Try], window_seconds: int) -> Hit:
    sql = _COUNT_TRIES.format(tries=", ".join([_A_TRY] * len(tries)), window=int(window_seconds))
    limits = {one.endpoint[:255]: one for one in tries}
    values = [text for one in tries for text in (one.subject[:64], one.endpoint[:255])]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows = cursor.fetchall()
    wait = 0
    for endpoint, attempts, left in rows:
        one = limits[endpoint]
        if attempts > one.limit:
            logger.warning("limit_reached", endpoint=endpoint, subject=one.subject, attempts=attempts)
            wait = max(wait, 1, math.ceil(left))
    return Hit(allowed=wait == 0, retry_after_seconds=wait)


def remaining_wait(key: str, *, subject: str) -> int:
    """Seconds until a blocked subject may try again; 0 when it may now. Counts nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXTRACT(EPOCH FROM window_start + %s * interval '1 second' - clock_timestamp())"
            " FROM rate_limits WHERE ip_address = %s AND endpoint = %s AND attempts >= %s",
            [WINDOW_SECONDS[key], subject[:64], key, value(key)],
        )
        row = cursor.fetchone()
    return max(0, math.ceil(row[0])) if row else 0


def clear_limit(key: str, *, subject: str) -> None:
    """Forget the tries of one subject, for instance after the right password."""
    RateLimit.objects.filter(endpoint=key, ip_address=subject[:64]).delete()


def forget_old_limits() -> int:
    """Drop counters whose window is long over. Returns how many."""
    longest = max(WINDOW_SECONDS.values())
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM rate_limits WHERE window_start < clock_timestamp() - %s * interval '1 second'", [2 * longest]
        )
        return cursor.rowcount


@transaction.atomic
def rotate_keys(*, actor: Actor) -> int:
    """Seal every encrypted setting anew under the first key. Raises CannotDecrypt, and then changes nothing."""
    rows = list(Setting.objects.select_for_update().filter(encrypted=True, value__isnull=False).order_by("key"))
    for row in rows:
        row.value = crypto.rotate(row.value or "")
        row.save(update_fields=["value", "updated_at"])
    record_admin_action(actor=actor, action="setting_keys_rotated", details={"count": len(rows)})
    return len(rows)
