"""Taking a place, moving it and giving it back: the one way for site, staff, tasks and receivers."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from audit.actors import Actor
from audit.services import record_admin_action
from billing.exceptions import NoActivePlan
from billing.services import subscriptions
from booking import exceptions
from booking.models import Attendance, Booking, BookingStatus, CalendarEvent, EventStatus
from booking.services import mails
from booking.services.places import (
    check_bookable,
    check_person,
    is_staff_act,
    lock_event_for,
    lock_events,
    look,
    recount,
)
from booking.words import cost_words, is_in_time
from techdeputies.lib.exceptions import DomainError
from techdeputies.lib.ids import new_id

MOST_TRIES = 3


def book_event(
    *,
    user: User,
    event: CalendarEvent,
    actor: Actor | None = None,
    topic: str = "",
    contact_phone: str = "",
    seen_start: datetime | None = None,
) -> Booking:
    """Give ``user`` one place in ``event``, pay it from the plan and queue the confirmation.

    Locks the plan, then the event. A second press changes nothing and returns the booking that stands;
    booking again after cancelling revives the row. ``seen_start`` is the time the person agreed to.

    Raises NotVerified, EventNotOpen, EventStarted, TooSoonToBook, TooFarAhead, EventHasChanged, EventFull or
    ClashesWithOwn, and billing's NoActivePlan, PlanPaused or VisitsUsedUp; a refusal leaves every row as it was.
    """
    check_person(user)
    by_staff = is_staff_act(actor, user.pk)
    seen, own_id = look(event.pk, user.pk)
    standing = Booking.objects.get(pk=own_id) if own_id else None
    if standing is not None and standing.is_confirmed:
        return standing
    _check_seen(seen, seen_start)
    # What can be refused without a lock is refused before one is taken: a full hot slot costs two statements.
    check_bookable(seen, by_staff=by_staff)
    booking = standing or Booking(user=user, event=seen, calendar_sequence=0)
    revives = _confirm(
        booking,
        topic=topic,
        contact_phone=contact_phone,
        booked_by=actor.user if actor is not None and by_staff else None,
    )
    prepared = mails.prepare(booking, seen, user)
    try:
        with transaction.atomic():
            _take_place(booking, user, seen, prepared, by_staff=by_staff, seen_start=seen_start, revives=revives)
            if actor is not None and by_staff:
                record_admin_action(
                    actor=actor, action="booking_made", target=booking, details={"event": booking.event_id}
                )
    except (DomainError, IntegrityError):
        # The same person pressed twice at once: the other press has won, and this one changes nothing.
        other = Booking.objects.confirmed().of(user.pk).filter(event=event.pk).first()
        if other is None:
            raise
        return other
    return booking


def _take_place(
    booking: Booking,
    user: User,
    seen: CalendarEvent,
    prepared: dict[str, Any],
    *,
    by_staff: bool,
    seen_start: datetime | None,
    revives: int,
) -> None:
    booking.visit_use = subscriptions.use_visit(user=user, cause=booking.occasion)
    event, clashes = lock_event_for(seen.pk, user.pk)
    _check_seen(event, seen_start)
    check_bookable(event, by_staff=by_staff)
    if clashes:
        raise exceptions.ClashesWithOwn
    if _has_changed(seen, event):
        prepared = mails.prepare(booking, event, user)
    booking.event = event
    _store_confirmed(booking, revives=revives)
    recount(event)
    mails.send_confirmed(booking, prepared)


def move_booking(
    *,
    booking: Booking,
    event: CalendarEvent,
    actor: Actor | None = None,
    override_reason: str = "",
    seen_start: datetime | None = None,
) -> Booking:
    """Take a place in ``event``, then let the old one go, in one transaction and with one mail.

    The visit stays used, once. Calendar UID and a higher SEQUENCE pass to the live row, which is returned; the
    old row points to it. Staff may move after the cut-off with ``override_reason``. Pressing twice changes nothing.

    Raises NotBooked, VisitHasBegun, TooLateToMove, AlreadyBooked, ClashesWithOwn, and what ``book_event`` raises
    of the event.
    """
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=booking.user_id)
        check_person(user)
        # The plan's lock keeps a booking of the same person out; who has no plan cannot book meanwhile.
        with suppress(NoActivePlan):
            subscriptions.lock_live(user)
        lock_events([booking.event_id, event.pk])
        old = Booking.objects.select_related("event__deputy", "moved_to").get(pk=booking.pk)
        if old.is_confirmed and old.event_id == event.pk:
            return old
        if not old.is_confirmed:
            went_to = old.moved_to
            if went_to is not None and went_to.is_confirmed and went_to.event_id == event.pk:
                return went_to
            raise exceptions.NotBooked
        by_staff = is_staff_act(actor, user.pk)
        _check_may_leave(old, by_staff=by_staff, override_reason=override_reason)
        target, clashes = lock_event_for(event.pk, user.pk, leaving=old.pk)
        _check_seen(target, seen_start)
        check_bookable(target, by_staff=by_staff)
        if clashes:
            raise exceptions.ClashesWithOwn
        live = _pass_on(old, user, target)
        recount(target)
        recount(old.event)
        mails.stop_reminder(old, "The session was moved.")
        mails.send_moved(live, target, user, old_event=old.event)
        if actor is not None and by_staff:
            record_admin_action(
                actor=actor,
                action="booking_moved",
                target=live,
                details={"from": old.event_id, "to": target.pk, "reason_given": bool(override_reason)},
            )
    return live


def cancel_booking(*, booking: Booking, actor: Actor | None = None, override_reason: str = "") -> Booking:
    """Give the place back. In time the session returns to the plan; later it counts as used.

    Staff may give it back after the cut-off with ``override_reason``. A second press changes nothing.
    Raises VisitHasBegun.
    """
    by_staff = is_staff_act(actor, booking.user_id)
    override = by_staff and bool(override_reason)
    for _ in range(MOST_TRIES):
        with transaction.atomic():
            row, returned = release(booking, always_return=override, may_have_begun=override)
            if row is not None:
                words = cost_words(had_visit=row.visit_use is not None, returned=returned)
                mails.send_cancelled(row, row.event, row.user, cost_words=words)
                if actor is not None and by_staff:
                    record_admin_action(
                        actor=actor,
                        action="booking_cancelled",
                        target=row,
                        details={
                            "event": row.event_id,
                            "visit_returned": returned,
                            "reason_given": bool(override_reason),
                        },
                    )
                return row
        now = Booking.objects.get(pk=booking.pk)
        if not now.is_confirmed:
            break
    return now


def release(
    booking: Booking, *, always_return: bool = False, may_have_begun: bool = False, reason: str = ""
) -> tuple[Booking | None, bool]:
    """Within a transaction: lock, cancel, give the session back if it is due, recount. No mail.

    Returns the row and whether the session came back; None when it was cancelled already, or made anew while
    the locks were waited for. Raises VisitHasBegun unless ``may_have_begun``.
    """
    seen = Booking.objects.select_related("visit_use").get(pk=booking.pk)
    if not seen.is_confirmed:
        return None, False
    if seen.visit_use is not None:
        subscriptions.lock(seen.visit_use.subscription_id)
    lock_events([seen.event_id])
    row = Booking.objects.select_related("event__deputy", "user", "visit_use").get(pk=seen.pk)
    # A booking made anew in between hangs on another plan, whose lock would come too late: leave it standing.
    if not row.is_confirmed or row.visit_use_id != seen.visit_use_id:
        return None, False
    event = row.event
    if event.has_started and not may_have_begun:
        raise exceptions.VisitHasBegun
    returned = always_return or event.status == EventStatus.CANCELLED or is_in_time(event)
    if returned and row.visit_use is not None:
        subscriptions.return_visit(use=row.visit_use)
    now = timezone.now()
    row.status = BookingStatus.CANCELLED
    row.cancelled_at = now
    row.cancel_reason = reason
    row.revision += 1
    row.calendar_sequence += 1
    row.save(update_fields=["status", "cancelled_at", "cancel_reason", "revision", "calendar_sequence", "updated_at"])
    recount(event)
    mails.stop_reminder(row, "The session was cancelled.")
    return row, returned


@transaction.atomic
def mark_attendance(*, booking: Booking, attendance: Attendance | None, actor: Actor) -> Booking:
    """Note whether the person came; None takes it back. Raises NotBooked or NotYetOver."""
    row = Booking.objects.select_for_update(of=("self",), no_key=True).select_related("event").get(pk=booking.pk)
    if not row.is_confirmed:
        raise exceptions.NotBooked
    if not row.event.has_started:
        raise exceptions.NotYetOver
    row.attendance = attendance
    row.save(update_fields=["attendance", "updated_at"])
    record_admin_action(
        actor=actor, action="attendance_marked", target=row, details={"attendance": attendance and str(attendance)}
    )
    return row


def check_may_move(booking: Booking) -> None:
    """A look before the picker is shown. Raises NotBooked, VisitHasBegun or TooLateToMove."""
    if not booking.is_confirmed:
        raise exceptions.NotBooked
    _check_may_leave(booking, by_staff=False, override_reason="")


# --- Steps ----------------------------------------------------------------------------------------------
def _check_seen(event: CalendarEvent, seen_start: datetime | None) -> None:
    if seen_start is not None and seen_start != event.start_time:
        raise exceptions.EventHasChanged


def _check_may_leave(booking: Booking, *, by_staff: bool, override_reason: str) -> None:
    """May this place be given up for another one now?"""
    event = booking.event
    if event.status == EventStatus.CANCELLED or (by_staff and override_reason):
        return
    if event.has_started:
        raise exceptions.VisitHasBegun
    if not is_in_time(event):
        raise exceptions.TooLateToMove


def _has_changed(before: CalendarEvent, after: CalendarEvent) -> bool:
    names = ("title", "start_time", "end_time", "deputy_id", "kind", "place", "capacity")
    return any(getattr(before, name) != getattr(after, name) for name in names)


def _confirm(booking: Booking, *, topic: str, contact_phone: str, booked_by: User | None) -> int:
    """Make the row in memory a confirmed one. Returns the revision it is revived from, 0 for a new row."""
    revives = 0 if booking._state.adding else booking.revision
    if revives:
        booking.revision += 1
        booking.calendar_sequence += 1
    booking.status = BookingStatus.CONFIRMED
    booking.booked_at = timezone.now()
    booking.cancelled_at = None
    booking.cancel_reason = ""
    booking.attendance = None
    booking.moved_to = None
    booking.topic = topic
    booking.contact_phone = contact_phone
    booking.booked_by = booked_by
    return revives


_REVIVED = (
    "status",
    "booked_at",
    "cancelled_at",
    "cancel_reason",
    "attendance",
    "moved_to",
    "topic",
    "contact_phone",
    "booked_by",
    "revision",
    "visit_use",
    "calendar_uid",
    "calendar_sequence",
)


def _store_confirmed(booking: Booking, *, revives: int) -> None:
    """Insert the row, or bring back the cancelled one. Raises AlreadyBooked when another press was first."""
    if not revives:
        booking.save(force_insert=True)
        return
    values = {name: getattr(booking, name) for name in _REVIVED}
    changed = Booking.objects.filter(pk=booking.pk, status=BookingStatus.CANCELLED, revision=revives).update(
        updated_at=timezone.now(), **values
    )
    if not changed:
        raise exceptions.AlreadyBooked


def _pass_on(old: Booking, user: User, target: CalendarEvent) -> Booking:
    """Make the row in ``target`` the live one: it inherits the used visit, the words and the calendar's UID."""
    live = Booking.objects.filter(event=target, user=user).first() or Booking(event=target, user=user)
    if not live._state.adding and live.is_confirmed:
        raise exceptions.AlreadyBooked
    revives = _confirm(live, topic=old.topic, contact_phone=old.contact_phone, booked_by=old.booked_by)
    live.event = target
    live.visit_use_id = old.visit_use_id
    live.calendar_uid = old.calendar_uid
    live.calendar_sequence = old.calendar_sequence + 1
    old.status = BookingStatus.CANCELLED
    old.cancelled_at = timezone.now()
    old.revision += 1
    old.visit_use = None
    old.calendar_uid = new_id()
    old.calendar_sequence = 0
    old.moved_to_id = live.pk
    # The UID is unique, so the old row lets go of it first; the foreign key is checked at the commit.
    old.save(
        update_fields=[
            "status",
            "cancelled_at",
            "revision",
            "visit_use",
            "calendar_uid",
            "calendar_sequence",
            "moved_to",
            "updated_at",
        ]
    )
    _store_confirmed(live, revives=revives)
    return live
