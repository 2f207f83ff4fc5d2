"""What staff do with the times they offer. Each of these leaves a line in the audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from audit.actors import Actor
from audit.services import record_admin_action
from booking import exceptions, version
from booking.models import Booking, CalendarEvent, EventKind, EventStatus
from booking.services import mails
from booking.services.bookings import release
from booking.services.places import lock_event
from booking.words import cost_words, short_when
from settings_app.services import value, zone_for

logger = structlog.get_logger(__name__)

CHANGEABLE = frozenset(
    {"title", "description", "start_time", "end_time", "capacity", "deputy", "kind", "place", "status"}
)
TOLD = frozenset({"start_time", "end_time", "deputy", "kind", "place"})
"""Changes that people with a place hear about."""
SWEEP_SIZE = 50


def create_event(
    *,
    actor: Actor,
    title: str,
    start_time: datetime,
    end_time: datetime,
    deputy: User,
    kind: str = EventKind.PHONE,
    capacity: int = 2,
    description: str = "",
    place: str = "",
    status: str = EventStatus.OPEN,
) -> CalendarEvent:
    """Offer a time. Raises EndsBeforeStart, StartsInThePast, CapacityTooSmall, DeputyNotStaff or DeputyBusy."""
    event = CalendarEvent(
        title=title,
        description=description or None,
        start_time=start_time,
        end_time=end_time,
        capacity=capacity,
        deputy=deputy,
        kind=kind,
        place=place,
        status=status,
    )
    _check(event)
    if start_time <= timezone.now():
        raise exceptions.StartsInThePast
    with _deputy_must_be_free():
        event.save(force_insert=True)
        record_admin_action(actor=actor, action="event_created", target=event, details=_plain(event))
        version.bump_on_commit()
    return event


def change_event(*, event: CalendarEvent, actor: Actor, **changes: Any) -> CalendarEvent:
    """Change what is named in ``CHANGEABLE``; everybody with a place hears of a new time, deputy or place.

    Each of their calendar entries gets a higher SEQUENCE. Raises EventIsCancelled, CapacityBelowBookings (with
    the names), and what ``create_event`` raises.
    """
    unknown = set(changes) - CHANGEABLE
    if unknown:
        raise TypeError(f"These cannot be changed: {sorted(unknown)}")
    with _deputy_must_be_free():
        row = lock_event(event.pk)
        if row.status == EventStatus.CANCELLED:
            raise exceptions.EventIsCancelled
        changed = {name for name, wanted in changes.items() if getattr(row, name) != wanted}
        if not changed:
            return row
        old_start = row.start_time
        for name in changed:
            setattr(row, name, changes[name])
        _check(row)
        if "start_time" in changed and row.start_time <= timezone.now():
            raise exceptions.StartsInThePast
        _check_room(row)
        row.save(update_fields=[*sorted(changed), "updated_at"])
        if changed & TOLD:
            _tell_of_change(row, old_start)
        record_admin_action(
            actor=actor, action="event_changed", target=row, details={"fields": sorted(changed), **_plain(row)}
        )
        version.bump_on_commit()
    return row


def cancel_event(*, event: CalendarEvent, actor: Actor, reason: str) -> CalendarEvent:
    """Cancel a whole session: each person gets one mail with the reason, and the session back.

    One short transaction marks it, so that nobody books any more; then each booking has its own, since each
    needs the lock of another plan first. ``finish_cancelled_events`` completes what a crash left.
    A second call changes nothing.
    """
    with transaction.atomic():
        row = lock_event(event.pk)
        if row.status != EventStatus.CANCELLED:
            row.status = EventStatus.CANCELLED
            row.cancelled_at = timezone.now()
            row.cancel_reason = reason
            row.save(update_fields=["status", "cancelled_at", "cancel_reason", "updated_at"])
            record_admin_action(
                actor=actor, action="event_cancelled", target=row, details={"booked_count": row.booked_count}
            )
            version.bump_on_commit()
        # After the commit, also where the caller holds a transaction: its lock on the event must be gone by then.
        transaction.on_commit(partial(_release_all, row))
    return row


def finish_cancelled_events() -> int:
    """Release whoever still has a place in a cancelled event. Returns how many people that were."""
    unfinished = CalendarEvent.objects.filter(
        status=EventStatus.CANCELLED, cancelled_at__isnull=False, booked_count__gt=0
    )
    return sum(_release_all(event) for event in list(unfinished.order_by("cancelled_at")[:SWEEP_SIZE]))


def _release_all(event: CalendarEvent) -> int:
    released = 0
    for booking in list(Booking.objects.confirmed().filter(event=event).order_by("pk")):
        try:
            released += _release_one(booking, event.cancel_reason)
        except Exception:
            # One row in trouble must not keep the others waiting; the sweep comes back to it.
            logger.exception("booking_not_released", booking_id=booking.pk)
    return released


@transaction.atomic
def _release_one(booking: Booking, reason: str) -> bool:
    row, _ = release(booking, always_return=True, may_have_begun=True, reason=reason)
    if row is None:
        return False
    words = cost_words(had_visit=row.visit_use is not None, returned=True)
    mails.send_event_cancelled(row, row.event, row.user, cost_words=words, reason=reason)
    return True


def _tell_of_change(event: CalendarEvent, old_start: datetime) -> None:
    """One mail to each person with a place, and a higher SEQUENCE for their calendar."""
    reminder_is_due = event.start_time <= timezone.now() + timedelta(hours=value("reminder_hours_before"))
    for booking in Booking.objects.confirmed().filter(event=event).select_related("user").order_by("pk"):
        booking.revision += 1
        booking.calendar_sequence += 1
        # So near the start, this mail is the reminder.
        booking.reminded_revision = booking.revision if reminder_is_due else None
        booking.save(update_fields=["revision", "calendar_sequence", "reminded_revision", "updated_at"])
        mails.stop_reminder(booking, "The session was changed.")
        moved = event.start_time != old_start
        old_when = short_when(old_start, zone_for(booking.user)) if moved else ""
        mails.send_event_changed(booking, event, booking.user, old_when=old_when)


def _check(event: CalendarEvent) -> None:
    if event.end_time <= event.start_time:
        raise exceptions.EndsBeforeStart
    if event.capacity < 1:
        raise exceptions.CapacityTooSmall
    if not event.deputy.is_staff:
        raise exceptions.DeputyNotStaff


def _check_room(event: CalendarEvent) -> None:
    """Under the event's lock: nobody may lose a place by a smaller number or by going back to a draft."""
    people = list(Booking.objects.confirmed().filter(event=event).select_related("user").order_by("booked_at"))
    names = ", ".join(str(booking.user) for booking in people)
    if len(people) > event.capacity:
        count = "1 person is" if len(people) == 1 else f"{len(people)} people are"
        raise exceptions.CapacityBelowBookings(
            f"{count} booked: {names}. Please move or cancel some of them first, or keep enough places."
        )
    if people and event.status == EventStatus.DRAFT:
        raise exceptions.HasBookings(f"These people are booked: {names}. Please cancel the session instead.")


def _plain(event: CalendarEvent) -> dict[str, Any]:
    return {
        "start_time": event.start_time,
        "end_time": event.end_time,
        "capacity": event.capacity,
        "deputy": event.deputy_id,
        "kind": str(event.kind),
        "status": str(event.status),
    }


@contextmanager
def _deputy_must_be_free() -> Iterator[None]:
    """A transaction in which the database's refusal of an overlap is worded."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        if getattr(diagnosis, "constraint_name", "") == "event_no_overlap_for_one_deputy":
            raise exceptions.DeputyBusy from error
        raise
