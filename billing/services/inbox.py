"""Stripe's events: kept as they come in one statement, applied later, each object by one look at Stripe.

Stripe is asked outside any transaction, so a claimed event is not held by a lock but set aside for a minute: a
worker that dies leaves it to the next. Applying twice does no harm, since every look writes what Stripe says now.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DataError, InterfaceError, OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from billing import gateway
from billing.exceptions import NothingToApply, StripeUnavailable
from billing.models import AlertKind, StripeEvent, StripeEventState
from billing.services import alerts, events
from billing.services.events import Event, Look
from techdeputies.lib import waking

logger = structlog.get_logger(__name__)

APPLY_TASK = "billing.tasks.apply_events"

BATCH = 20
RUN_SECONDS = 15.0
"""No look begins later in a run; the task's soft limit is 30."""

LEASE_SECONDS = 60.0
"""Longer than a task may live, so an event is never in two hands unless a worker died."""

TRIES = 3
FIRST_WAIT_SECONDS = 30.0
WAIT_GROWS_BY = 10.0
STRIPE_WAIT_SECONDS = 30.0
BEHIND_WAIT_SECONDS = 5.0
"""Of events behind those that met a Stripe out of reach: shorter, so that next time they come first."""

FAULTS_IN_A_ROW = 3
REASON_LENGTH = 1_000
LATE_AFTER = timedelta(minutes=5)

_STORE = """
INSERT INTO stripe_events (event_id, event_type, object_id, happened_at, api_version, livemode, payload, source,
                           state, processed_at)
VALUES (%s, %s, %s, TO_TIMESTAMP(%s), %s, %s, %s::jsonb, %s,
        %s, CASE WHEN %s THEN NULL ELSE STATEMENT_TIMESTAMP() END)
ON CONFLICT (event_id) DO NOTHING
"""

_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM stripe_events
     WHERE state = 'waiting' AND available_at <= STATEMENT_TIMESTAMP()
     ORDER BY available_at, id
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
UPDATE stripe_events AS event
   SET available_at = STATEMENT_TIMESTAMP() + %(lease)s * INTERVAL '1 second'
  FROM due
 WHERE event.id = due.id
RETURNING event.id, event.event_type, event.object_id, event.api_version, event.livemode, event.source,
          STATEMENT_TIMESTAMP()
"""

# Whatever had arrived before the look began is served by it, events that wait for another try included.
_SETTLE = """
UPDATE stripe_events
   SET state = 'done', processed_at = STATEMENT_TIMESTAMP(), last_error = ''
 WHERE state = 'waiting' AND object_id = %(object)s AND event_type = ANY(%(types)s)
   AND livemode = %(live)s AND received_at <= %(before)s
"""

_IGNORE = """
UPDATE stripe_events SET state = 'ignored', processed_at = STATEMENT_TIMESTAMP(), last_error = %s
 WHERE id = ANY(%s) AND state = 'waiting'
"""

_PUT_OFF = """
UPDATE stripe_events
   SET available_at = STATEMENT_TIMESTAMP() + %s * INTERVAL '1 second',
       last_error = CASE WHEN %s = '' THEN last_error ELSE %s END
 WHERE id = ANY(%s) AND state = 'waiting'
"""

_FAIL = """
UPDATE stripe_events
   SET attempt_count = attempt_count + 1,
       state = CASE WHEN attempt_count + 1 >= %(tries)s THEN 'broken' ELSE state END,
       last_error = %(error)s,
       available_at = STATEMENT_TIMESTAMP() + %(wait)s * POWER(%(grows)s, attempt_count) * INTERVAL '1 second'
 WHERE id = ANY(%(ids)s) AND state = 'waiting'
RETURNING event_id, event_type, state
"""


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    event_type: str
    object_id: str
    api_version: str
    livemode: bool
    source: str
    claimed_at: datetime


@dataclass
class Report:
    """One run in figures; ``has_more`` when its time was over before the events were."""

    claimed: int = 0
    looks: int = 0
    failed: int = 0
    put_off: int = 0
    has_more: bool = False


def store(event: Event, *, source: str = "post") -> bool:
    """Keep an event; False when it is known. One statement, so it needs no transaction, and must not be in one.

    Of a type that needs nothing it is done at once, unless its mode or version must be told to staff.
    """
    try:
        return _insert(event, event.payload, source)
    except DataError:
        # PostgreSQL knows a reason against this payload (a NUL in a text, half a character); the hint is enough.
        return _insert(event, None, source)


def wake() -> None:
    """Ask for a run that applies what waits. Never raises."""
    waking.ask_for(APPLY_TASK)


def apply_waiting(*, seconds: float = RUN_SECONDS, batch: int = BATCH) -> Report:
    """Apply what waits, oldest first, for ``seconds`` at most. Any number of workers may do so at once."""
    deadline = time.monotonic() + seconds
    report = Report()
    while time.monotonic() < deadline:
        claimed = _claim(batch)
        if len(claimed) == batch and report.claimed == 0:
            # More than one hand is needed: whoever is free joins in.
            wake()
        report.claimed += len(claimed)
        if not _apply(claimed, deadline, report) or (len(claimed) < batch and time.monotonic() < deadline):
            return report
    report.has_more = True
    return report


def try_again(event: StripeEvent) -> None:
    """Staff let an event be applied anew. Raises NothingToApply unless it was set aside."""
    changed = StripeEvent.objects.filter(pk=event.pk, state=StripeEventState.BROKEN).update(
        state=StripeEventState.WAITING, attempt_count=0, available_at=Now(), processed_at=None
    )
    if not changed:
        raise NothingToApply
    transaction.on_commit(wake, robust=True)


def seconds_late() -> int:
    """For how long the oldest waiting event has waited, when that is too long; else 0. Told in the log."""
    now = timezone.now()
    late = StripeEvent.objects.filter(state=StripeEventState.WAITING, received_at__lt=now - LATE_AFTER)
    oldest = late.order_by("available_at", "id").values_list("received_at", flat=True).first()
    if oldest is None:
        return 0
    seconds = round((now - oldest).total_seconds())
    logger.error("stripe_events_wait_too_long", seconds=seconds)
    return seconds


# --- Inside ---------------------------------------------------------------------------------------------


def _insert(event: Event, payload: str | None, source: str) -> bool:
    is_waiting = event.is_handled or not event.is_ours or _is_other_version(event.api_version, source)
    state = StripeEventState.WAITING if is_waiting else StripeEventState.IGNORED
    values: list[Any] = [event.event_id, event.event_type, event.object_id, event.created, event.api_version]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [*values, event.livemode, payload, source, state.value, is_waiting])
        return cursor.rowcount == 1


def _claim(limit: int) -> list[_Claimed]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"limit": limit, "lease": LEASE_SECONDS})
        return sorted((_Claimed(*row) for row in cursor.fetchall()), key=lambda event: event.id)


def _apply(claimed: list[_Claimed], deadline: float, report: Report) -> bool:
    """Look at each object once; False when Stripe cannot be reached, so that going on is no use."""
    waiting = _grouped(_sorted_out(claimed))
    faults = 0
    try:
        while waiting and faults < FAULTS_IN_A_ROW and time.monotonic() < deadline:
            (look, object_id), group = waiting.popitem()
            faults = faults + 1 if not _look(look, object_id, group, report) else 0
    finally:
        rest = [event.id for group in waiting.values() for event in group]
        if rest:
            report.put_off += len(rest)
            _put_off(rest, BEHIND_WAIT_SECONDS if faults >= FAULTS_IN_A_ROW else 0)
    return faults < FAULTS_IN_A_ROW


def _sorted_out(claimed: list[_Claimed]) -> list[_Claimed]:
    """Those to be applied. Of another mode or version staff are told; of another mode nothing is applied."""
    strange: list[_Claimed] = []
    needless: list[_Claimed] = []
    for event in claimed:
        if event.livemode != events.is_live():
            strange.append(event)
        elif event.event_type not in events.LOOKS:
            needless.append(event)
        if event.livemode == events.is_live() and _is_other_version(event.api_version, event.source):
            _tell_of_version(event.api_version)
    if strange:
        _tell_of_mode()
        _ignore(strange, "Of the other mode (test or live); not applied.")
    _ignore(needless, "")
    left_out = {event.id for event in (*strange, *needless)}
    return [event for event in claimed if event.id not in left_out]


def _grouped(claimed: Iterable[_Claimed]) -> dict[tuple[Look, str], list[_Claimed]]:
    """By what one look serves; the oldest last, which is where it is taken from."""
    groups: dict[tuple[Look, str], list[_Claimed]] = {}
    for event in claimed:
        groups.setdefault((events.LOOKS[event.event_type], event.object_id), []).append(event)
    return dict(reversed(groups.items()))


def _look(look: Look, object_id: str, group: list[_Claimed], report: Report) -> bool:
    """Ask Stripe about one object; False when it could not be reached."""
    try:
        look.act(object_id)
    except StripeUnavailable:
        report.put_off += len(group)
        _put_off([event.id for event in group], STRIPE_WAIT_SECONDS, "Stripe could not be reached.")
        return False
    except Exception as error:
        if _is_our_trouble(error):
            _put_off_if_possible(group)
            raise
        report.failed += len(group)
        _fail(group, error)
        return True
    report.looks += 1
    with connection.cursor() as cursor:
        cursor.execute(
            _SETTLE,
            {
                "object": object_id,
                "types": list(look.types),
                "live": events.is_live(),
                "before": group[0].claimed_at,
            },
        )
    return True


def _fail(group: list[_Claimed], error: Exception) -> None:
    words = f"{type(error).__name__}: {error}".replace("\0", "")[:REASON_LENGTH]
    values: dict[str, Any] = {
        "ids": [event.id for event in group],
        "tries": TRIES,
        "error": words,
        "wait": FIRST_WAIT_SECONDS,
        "grows": WAIT_GROWS_BY,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FAIL, values)
        outcomes = cursor.fetchall()
        for event_id, event_type, state in outcomes:
            if state == StripeEventState.BROKEN:
                alerts.raise_alert(
                    kind=AlertKind.STRIPE_EVENT,
                    cause=f"event:{event_id}",
                    words=f"Stripe told us of {event_type} ({event_id}), and {TRIES} tries to act on it failed. "
                    "Please look at the event on the staff desk, and let it be tried again.",
                )
    logger.exception("stripe_event_failed", events=[event_id for event_id, _type, _state in outcomes])


def _ignore(group: list[_Claimed], reason: str) -> None:
    if group:
        with connection.cursor() as cursor:
            cursor.execute(_IGNORE, [reason, [event.id for event in group]])


def _put_off(ids: list[int], seconds: float, reason: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute(_PUT_OFF, [seconds, reason, reason, ids])


def _put_off_if_possible(group: list[_Claimed]) -> None:
    """The lease would free them as well, a minute later."""
    try:
        _put_off([event.id for event in group], 0)
    except (OperationalError, InterfaceError):
        logger.warning("stripe_events_left_to_their_lease")


def _is_other_version(api_version: str, source: str) -> bool:
    """Listed events carry the version of the account, posted ones that of our endpoint; only that is ours to set."""
    return source == "post" and api_version != gateway.API_VERSION


def _tell_of_version(api_version: str) -> None:
    alerts.raise_alert(
        kind=AlertKind.STRIPE_VERSION,
        cause=f"stripe_version:{api_version}:{timezone.now():%Y-%m-%d}",
        words=f"Stripe's posts come in API version {api_version or 'unknown'}, and this site speaks "
        f"{gateway.API_VERSION}. Please set the version of the webhook endpoint in Stripe's dashboard.",
    )


def _tell_of_mode() -> None:
    theirs, ours = ("test", "live") if events.is_live() else ("live", "test")
    alerts.raise_alert(
        kind=AlertKind.STRIPE_MODE,
        cause=f"stripe_mode:{theirs}:{timezone.now():%Y-%m-%d}",
        words=f"Stripe's posts come from {theirs} mode, and this site runs in {ours} mode. They were kept and not "
        "applied. Please look at the key and the webhook endpoint.",
    )


def _is_our_trouble(error: Exception) -> bool:
    """No fault of an event: the database is gone, or the worker is being stopped."""
    if isinstance(error, SoftTimeLimitExceeded):
        return True
    return isinstance(error, OperationalError | InterfaceError) and not connection.is_usable()
