"""Locks and counts that every path to a place shares.

The order of locks: person, plan, event, booking; events among themselves by primary key. A plan's row is also
what keeps one person's bookings in line: each of them takes it before it looks for a clash.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from accounts.exceptions import NotVerified
from accounts.models import User
from audit.actors import Actor
from booking import exceptions, version
from booking.models import CalendarEvent, EventStatus
from settings_app.services import value
from techdeputies.lib import rows

_RECOUNT = """
UPDATE calendar_events
   SET booked_count = taken.places, updated_at = STATEMENT_TIMESTAMP()
  FROM (SELECT count(*) AS places FROM bookings WHERE event_id = %(event)s AND status = 'confirmed') AS taken
 WHERE id = %(event)s AND taken.places <= capacity
RETURNING booked_count
"""


def recount(event: CalendarEvent) -> int:
    """Store the number of places taken, counted from the rows. Only under the event's lock. Raises EventFull.

    One statement of its own, so that it sees what was committed while the lock was waited for; as few round
    trips as can be, since a hot slot is bound by how long its lock is held.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RECOUNT, {"event": event.pk})
        row = cursor.fetchone()
    if row is None:
        raise exceptions.EventFull
    event.booked_count = row[0]
    version.bump_on_commit()
    return event.booked_count


def lock_event(event_id: str) -> CalendarEvent:
    """The event, locked until the transaction ends."""
    return CalendarEvent.objects.locked(event_id)


_LOOK = f"""
SELECT {rows.columns(CalendarEvent, "e")}, {rows.columns(User, "d")},
       (SELECT id FROM bookings WHERE event_id = e.id AND user_id = %(user)s)
  FROM calendar_events e JOIN users d ON d.id = e.admin_id
 WHERE e.id = %(event)s
"""


def look(event_id: str, user_id: int) -> tuple[CalendarEvent, str | None]:
    """The event with its deputy, and the id of the person's own row in it. No lock. Raises EventNotOpen."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, {"event": event_id, "user": user_id})
        row = cursor.fetchone()
    if row is None:
        raise exceptions.EventNotOpen
    event = rows.instance(CalendarEvent, row[: rows.width(CalendarEvent)])
    event.deputy = rows.instance(User, row[rows.width(CalendarEvent) : -1])
    return event, row[-1]


# FOR NO KEY UPDATE, as ``CalendarEventQuerySet.locked`` says.
LOCK = "FOR NO KEY UPDATE OF e"
_LOCK_FOR = f"""
SELECT {rows.columns(CalendarEvent, "e")},
       EXISTS (SELECT 1 FROM bookings b JOIN calendar_events o ON o.id = b.event_id
                WHERE b.user_id = %(user)s AND b.status = 'confirmed' AND b.id <> %(leaving)s
                  AND o.id <> e.id AND o.status = 'open'
                  AND o.start_time < e.end_time AND o.end_time > e.start_time)
  FROM calendar_events e
 WHERE e.id = %(event)s
"""


def lock_event_for(event_id: str, user_id: int, *, leaving: str = "") -> tuple[CalendarEvent, bool]:
    """The event, locked, and whether the person has another visit at that time.

    The clash may be asked in the locking statement itself: it hangs on the person's own rows, which the plan's
    lock already holds still. ``leaving`` is the booking that a move gives up. Raises EventNotOpen.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_FOR + LOCK, {"event": event_id, "user": user_id, "leaving": leaving})
        row = cursor.fetchone()
    if row is None:
        raise exceptions.EventNotOpen
    return rows.instance(CalendarEvent, row[:-1]), row[-1]


def lock_events(event_ids: Iterable[str]) -> None:
    """Several events in the one order that every transaction keeps, so that two moves cannot wait in a ring."""
    events = CalendarEvent.objects.filter(pk__in=set(event_ids)).order_by("pk").select_for_update(no_key=True)
    list(events.values_list("pk", flat=True))


def is_staff_act(actor: Actor | None, user_id: int) -> bool:
    """Does a member of staff act for somebody else?"""
    return actor is not None and actor.user is not None and actor.user.is_staff and actor.user.pk != user_id


def check_person(user: User) -> None:
    """Raises NotVerified."""
    if not user.email_verified:
        raise NotVerified


def check_bookable(event: CalendarEvent, *, by_staff: bool) -> None:
    """May a place in this event be taken now? Raises the reason why not, EventFull last.

    Notice and horizon bind the website; on the phone, staff answer for both.
    """
    now = timezone.now()
    if event.status != EventStatus.OPEN:
        raise exceptions.EventNotOpen
    if event.start_time <= now:
        raise exceptions.EventStarted
    if not by_staff:
        if event.start_time < now + timedelta(hours=value("booking_notice_hours")):
            raise exceptions.TooSoonToBook
        if event.start_time > now + timedelta(days=value("booking_horizon_days")):
            raise exceptions.TooFarAhead
    if event.booked_count >= event.capacity:
        raise exceptions.EventFull
