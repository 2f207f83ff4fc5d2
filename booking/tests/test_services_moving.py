"""Every rule of moving, of staff acting for a caller, and of what ends from below."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.actors import Actor
from audit.models import AdminActionAudit
from billing.models import SubscriptionStatus, UserSubscription, VisitUse
from billing.services import renewals, subscriptions
from billing.tests.factories import make_subscriber
from booking import exceptions, services
from booking.models import Attendance, Booking, CalendarEvent
from booking.tests.factories import make_booking, make_event
from booking.tests.rows import HOUR, allowance_used, booked_count, in_hours, mails, staff
from emails.models import EmailStatus

pytestmark = pytest.mark.django_db


# --- Moving ---------------------------------------------------------------------------------------------
def test_moving_keeps_the_visit_and_passes_the_calendar_on() -> None:
    user = make_subscriber()
    old_event, new_event = make_event(), make_event(start_time=in_hours(100))
    old = services.book_event(user=user, event=old_event, topic="printer", contact_phone="1")
    uid, use = old.calendar_uid, old.visit_use_id

    live = services.move_booking(booking=old, event=new_event)

    old.refresh_from_db()
    live.refresh_from_db()
    assert (live.event_id, live.is_confirmed, live.topic, live.visit_use_id) == (new_event.pk, True, "printer", use)
    assert (live.calendar_uid, live.calendar_sequence) == (uid, 1)
    assert (old.is_confirmed, old.moved_to_id, old.visit_use_id) == (False, live.pk, None)
    assert old.calendar_uid != uid
    assert (booked_count(old_event), booked_count(new_event)) == (0, 1)
    assert allowance_used(user) == 1
    assert VisitUse.objects.count() == 1
    assert len(mails("booking_moved")) == 1
    assert not mails("booking_cancelled")


def test_moving_twice_by_a_double_press_changes_nothing() -> None:
    old_event, new_event = make_event(), make_event(start_time=in_hours(100))
    old = services.book_event(user=make_subscriber(), event=old_event)
    live = services.move_booking(booking=old, event=new_event)

    again = services.move_booking(booking=old, event=new_event)

    assert again.pk == live.pk
    assert len(mails("booking_moved")) == 1


def test_moving_back_revives_the_first_row() -> None:
    user = make_subscriber()
    first_event, second_event = make_event(), make_event(start_time=in_hours(100))
    first = services.book_event(user=user, event=first_event)
    uid = first.calendar_uid
    second = services.move_booking(booking=first, event=second_event)

    back = services.move_booking(booking=second, event=first_event)

    back.refresh_from_db()
    second.refresh_from_db()
    assert back.pk == first.pk
    assert (back.calendar_uid, back.calendar_sequence, back.moved_to_id) == (uid, 2, None)
    assert second.moved_to_id == first.pk
    assert allowance_used(user) == 1
    assert len(mails("booking_moved")) == 2


def test_a_moved_session_can_be_cancelled_and_gives_its_visit_back() -> None:
    user = make_subscriber()
    old = services.book_event(user=user, event=make_event())
    live = services.move_booking(booking=old, event=make_event(start_time=in_hours(100)))

    services.cancel_booking(booking=live)

    assert allowance_used(user) == 0


def test_moving_to_a_full_session_keeps_the_old_place() -> None:
    user = make_subscriber()
    full = make_event(start_time=in_hours(100), capacity=1)
    make_booking(event=full)
    booking = services.book_event(user=user, event=make_event())

    with pytest.raises(exceptions.EventFull):
        services.move_booking(booking=booking, event=full)

    booking.refresh_from_db()
    assert booking.is_confirmed
    assert booked_count(booking.event) == 1


def test_moving_is_refused_after_the_cut_off() -> None:
    booking = services.book_event(user=make_subscriber(), event=make_event(start_time=in_hours(23)))

    with pytest.raises(exceptions.TooLateToMove):
        services.move_booking(booking=booking, event=make_event(start_time=in_hours(100)))


def test_a_cancelled_session_cannot_be_moved() -> None:
    booking = services.book_event(user=make_subscriber(), event=make_event())
    services.cancel_booking(booking=booking)

    with pytest.raises(exceptions.NotBooked):
        services.move_booking(booking=booking, event=make_event(start_time=in_hours(100)))


def test_moving_into_an_overlap_is_refused_unless_it_is_with_itself() -> None:
    user = make_subscriber()
    start = in_hours(72)
    booking = services.book_event(user=user, event=make_event(start_time=start))
    services.book_event(user=user, event=make_event(start_time=in_hours(100)))

    with pytest.raises(exceptions.ClashesWithOwn):
        services.move_booking(booking=booking, event=make_event(start_time=in_hours(100)))
    assert services.move_booking(booking=booking, event=make_event(start_time=start + HOUR / 2)).is_confirmed


def test_moving_to_a_session_one_already_has_is_refused() -> None:
    user = make_subscriber()
    booking = services.book_event(user=user, event=make_event())
    other = services.book_event(user=user, event=make_event(start_time=in_hours(100)))

    with pytest.raises(exceptions.AlreadyBooked):
        services.move_booking(booking=booking, event=other.event)


def test_moving_needs_notice_too() -> None:
    booking = services.book_event(user=make_subscriber(), event=make_event())

    with pytest.raises(exceptions.TooSoonToBook):
        services.move_booking(booking=booking, event=make_event(start_time=in_hours(1)))


def test_a_session_without_a_plan_can_be_moved() -> None:
    booking = make_booking()

    live = services.move_booking(booking=booking, event=make_event(start_time=in_hours(100)))

    assert live.visit_use_id is None


# --- Staff ----------------------------------------------------------------------------------------------
def test_staff_book_for_a_caller_inside_the_notice_and_it_is_written_down() -> None:
    user, event, actor = make_subscriber(), make_event(start_time=in_hours(1)), staff()

    booking = services.book_event(user=user, event=event, actor=actor)

    assert booking.booked_by == actor.user
    (row,) = AdminActionAudit.objects.filter(action="booking_made")
    assert (row.admin, row.target_user_id, row.object_id) == (actor.user, user.pk, booking.pk)


def test_staff_are_bound_by_the_places() -> None:
    event = make_event(capacity=1)
    make_booking(event=event)

    with pytest.raises(exceptions.EventFull):
        services.book_event(user=make_subscriber(), event=event, actor=staff())


def test_staff_may_waive_the_cut_off_with_a_reason() -> None:
    user, event = make_subscriber(), make_event(start_time=in_hours(23))
    booking = services.book_event(user=user, event=event)

    services.cancel_booking(booking=booking, actor=staff(), override_reason="In hospital.")

    assert allowance_used(user) == 0
    (row,) = AdminActionAudit.objects.filter(action="booking_cancelled")
    assert row.details == {"event": event.pk, "visit_returned": True, "reason_given": True}


def test_without_a_reason_the_cut_off_holds_for_staff_too() -> None:
    user, event = make_subscriber(), make_event(start_time=in_hours(23))
    booking = services.book_event(user=user, event=event)

    with pytest.raises(exceptions.TooLateToMove):
        services.move_booking(booking=booking, event=make_event(start_time=in_hours(99)), actor=staff())
    services.cancel_booking(booking=booking, actor=staff())

    assert allowance_used(user) == 1


def test_a_customer_cannot_waive_the_cut_off() -> None:
    user, event = make_subscriber(), make_event(start_time=in_hours(23))
    booking = services.book_event(user=user, event=event)

    services.cancel_booking(booking=booking, actor=Actor(user=user), override_reason="please")

    assert allowance_used(user) == 1


def test_staff_move_late_with_a_reason() -> None:
    booking = services.book_event(user=make_subscriber(), event=make_event(start_time=in_hours(23)))

    live = services.move_booking(
        booking=booking, event=make_event(start_time=in_hours(99)), actor=staff(), override_reason="Snow."
    )

    assert live.is_confirmed
    assert AdminActionAudit.objects.filter(action="booking_moved").count() == 1


def test_attendance_is_noted_once_the_session_has_begun() -> None:
    coming = make_booking()
    begun = make_booking(event=make_event(start_time=in_hours(-2)))

    with pytest.raises(exceptions.NotYetOver):
        services.mark_attendance(booking=coming, attendance=Attendance.ATTENDED, actor=staff())
    services.mark_attendance(booking=begun, attendance=Attendance.NO_SHOW, actor=staff())

    begun.refresh_from_db()
    assert begun.attendance == Attendance.NO_SHOW


# --- Endings from below ---------------------------------------------------------------------------------
def test_a_plan_that_ends_takes_its_later_sessions_along() -> None:
    user = make_subscriber()
    booking = services.book_event(user=user, event=make_event())

    subscriptions.end_plan(
        subscription=UserSubscription.objects.get(user=user), actor=staff(), reason="The person moved away."
    )

    booking.refresh_from_db()
    assert not booking.is_confirmed
    (mail,) = mails("booking_cancelled")
    assert "plan has ended" in mail.content["context"]["reason"]


def test_sessions_still_to_come_are_cancelled_when_an_unpaid_plan_gives_nothing_any_more() -> None:
    user = make_subscriber()
    booking = services.book_event(user=user, event=make_event())
    long_ago = timezone.now() - timedelta(days=30)
    UserSubscription.objects.update(
        status=SubscriptionStatus.PAST_DUE, past_due_since=long_ago, current_period_end=long_ago
    )

    assert renewals.end_grace() == 1

    booking.refresh_from_db()
    assert not booking.is_confirmed
    (mail,) = mails("booking_cancelled")
    assert "did not go through" in mail.content["context"]["reason"]


def test_a_closed_account_loses_its_coming_sessions_without_a_mail() -> None:
    user = make_subscriber()
    booking = services.book_event(user=user, event=make_event())

    assert services.cancel_visits_of_person(user) == 1

    booking.refresh_from_db()
    assert not booking.is_confirmed
    assert not mails("booking_cancelled")


def test_a_reminder_that_waits_is_taken_back_with_the_session() -> None:
    event = make_event(start_time=in_hours(30))
    user = make_subscriber()
    booking = services.book_event(user=user, event=event)
    CalendarEvent.objects.filter(pk=event.pk).update(start_time=in_hours(20))
    Booking.objects.update(booked_at=in_hours(-48))
    assert services.send_due_reminders() == 1

    services.cancel_booking(booking=booking)

    assert [mail.status for mail in mails("booking_reminder")] == [EmailStatus.CANCELLED]
