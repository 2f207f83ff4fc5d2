"""Every rule of taking a place and giving it back."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.exceptions import NotVerified
from accounts.tests.factories import make_user
from billing.exceptions import NoActivePlan, PlanPaused, VisitsUsedUp
from billing.models import SubscriptionStatus, VisitUse
from billing.tests.factories import make_plan, make_subscriber, make_subscription
from booking import exceptions, services
from booking.models import Booking, BookingStatus, CalendarEvent, EventStatus
from booking.tests.factories import make_booking, make_event
from booking.tests.rows import HOUR, allowance_used, booked_count, in_hours, mails
from emails.models import EmailJob

pytestmark = pytest.mark.django_db


# --- Taking a place -------------------------------------------------------------------------------------
def test_booking_takes_a_place_a_visit_and_queues_one_mail() -> None:
    user, event = make_subscriber(), make_event()

    booking = services.book_event(user=user, event=event, topic="My phone is full.", contact_phone="312 555 0187")

    booking.refresh_from_db()
    assert booking.is_confirmed
    assert (booking.topic, booking.contact_phone) == ("My phone is full.", "312 555 0187")
    assert booked_count(event) == 1
    assert allowance_used(user) == 1
    assert booking.visit_use is not None
    assert booking.visit_use.cause == booking.occasion
    (mail,) = mails("booking_confirmed")
    assert mail.occasion == booking.occasion
    assert mail.recipient_email == user.email
    assert mail.subject.startswith("Your session is booked: ")


def test_second_press_returns_the_same_booking_and_changes_nothing() -> None:
    user, event = make_subscriber(), make_event()
    first = services.book_event(user=user, event=event, topic="first")

    second = services.book_event(user=user, event=event, topic="second")

    assert second.pk == first.pk
    assert Booking.objects.get().topic == "first"
    assert allowance_used(user) == 1
    assert len(mails("booking_confirmed")) == 1


def test_second_press_with_the_last_visit_still_returns_the_booking() -> None:
    user, event = make_subscriber(plan=make_plan(session_limit=1)), make_event()
    first = services.book_event(user=user, event=event)

    assert services.book_event(user=user, event=event).pk == first.pk


def test_unverified_people_cannot_book() -> None:
    user = make_subscriber(email_verified=False)

    with pytest.raises(NotVerified):
        services.book_event(user=user, event=make_event())


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"status": EventStatus.DRAFT}, exceptions.EventNotOpen),
        ({"status": EventStatus.CANCELLED}, exceptions.EventNotOpen),
        ({"hours": -0.5}, exceptions.EventStarted),
        ({"hours": 1.9}, exceptions.TooSoonToBook),
        ({"hours": 61 * 24}, exceptions.TooFarAhead),
    ],
)
def test_a_time_that_cannot_be_booked_is_refused(fields: dict[str, Any], refusal: type[Exception]) -> None:
    hours = fields.pop("hours", 72)
    event = make_event(start_time=in_hours(hours), end_time=in_hours(hours + 1), **fields)
    user = make_subscriber()

    with pytest.raises(refusal):
        services.book_event(user=user, event=event)

    assert allowance_used(user) == 0
    assert not Booking.objects.exists()
    assert not EmailJob.objects.exists()


def test_an_event_that_is_gone_is_refused() -> None:
    event = make_event()
    CalendarEvent.objects.filter(pk=event.pk).delete()

    with pytest.raises(exceptions.EventNotOpen):
        services.book_event(user=make_subscriber(), event=event)


def test_a_full_event_is_refused_and_nothing_is_used() -> None:
    event = make_event(capacity=1)
    make_booking(event=event)
    user = make_subscriber()

    with pytest.raises(exceptions.EventFull):
        services.book_event(user=user, event=event)

    assert allowance_used(user) == 0
    assert VisitUse.objects.count() == 0


def test_a_time_changed_since_the_page_was_opened_is_refused() -> None:
    event = make_event()

    with pytest.raises(exceptions.EventHasChanged):
        services.book_event(user=make_subscriber(), event=event, seen_start=event.start_time - HOUR)


def test_two_sessions_of_one_person_cannot_overlap() -> None:
    user = make_subscriber()
    start = in_hours(72)
    services.book_event(user=user, event=make_event(start_time=start, end_time=start + HOUR))
    overlapping = make_event(start_time=start + HOUR / 2, end_time=start + HOUR * 1.5)
    following = make_event(start_time=start + HOUR, end_time=start + 2 * HOUR)

    with pytest.raises(exceptions.ClashesWithOwn):
        services.book_event(user=user, event=overlapping)

    assert allowance_used(user) == 1
    assert services.book_event(user=user, event=following).is_confirmed


def test_an_overlap_with_a_cancelled_session_is_none() -> None:
    user = make_subscriber()
    start = in_hours(72)
    booking = services.book_event(user=user, event=make_event(start_time=start))
    services.cancel_booking(booking=booking)

    assert services.book_event(user=user, event=make_event(start_time=start)).is_confirmed


def test_without_a_plan_there_is_no_booking() -> None:
    with pytest.raises(NoActivePlan):
        services.book_event(user=make_user(), event=make_event())


def test_a_used_up_plan_refuses() -> None:
    user = make_subscriber(plan=make_plan(session_limit=1))
    services.book_event(user=user, event=make_event())

    with pytest.raises(VisitsUsedUp):
        services.book_event(user=user, event=make_event(start_time=in_hours(100)))


def test_an_unlimited_plan_never_runs_out() -> None:
    user = make_subscriber(plan=make_plan(session_limit=0))

    for number in range(7):
        services.book_event(user=user, event=make_event(start_time=in_hours(72 + 2 * number)))

    assert allowance_used(user) == 7


def test_a_plan_whose_payment_failed_books_nothing_new() -> None:
    user = make_user()
    make_subscription(user=user, status=SubscriptionStatus.PAST_DUE)

    with pytest.raises(PlanPaused):
        services.book_event(user=user, event=make_event())


# --- Cancelling and booking again -----------------------------------------------------------------------
def test_cancelling_in_time_gives_place_and_visit_back() -> None:
    user, event = make_subscriber(), make_event(start_time=in_hours(25))
    booking = services.book_event(user=user, event=event)

    cancelled = services.cancel_booking(booking=booking)

    assert cancelled.status == BookingStatus.CANCELLED
    assert cancelled.cancelled_at is not None
    assert booked_count(event) == 0
    assert allowance_used(user) == 0
    (mail,) = mails("booking_cancelled")
    assert mail.occasion == cancelled.occasion
    assert "back in your plan" in mail.content["context"]["cost_words"]


def test_cancelling_late_counts_as_used() -> None:
    user, event = make_subscriber(), make_event(start_time=in_hours(23))
    booking = services.book_event(user=user, event=event)

    services.cancel_booking(booking=booking)

    assert booked_count(event) == 0
    assert allowance_used(user) == 1
    (mail,) = mails("booking_cancelled")
    assert "counts as used" in mail.content["context"]["cost_words"]


def test_cancelling_twice_changes_nothing() -> None:
    user = make_subscriber()
    booking = services.book_event(user=user, event=make_event())
    first = services.cancel_booking(booking=booking)

    second = services.cancel_booking(booking=booking)

    assert second.revision == first.revision
    assert len(mails("booking_cancelled")) == 1


def test_a_session_that_has_begun_cannot_be_cancelled() -> None:
    booking = make_booking(event=make_event(start_time=in_hours(-0.2)))

    with pytest.raises(exceptions.VisitHasBegun):
        services.cancel_booking(booking=booking)


def test_a_booking_without_a_plan_can_be_cancelled() -> None:
    booking = make_booking()

    assert not services.cancel_booking(booking=booking).is_confirmed
    assert booked_count(booking.event) == 0


def test_booking_again_revives_the_row_with_a_fresh_occasion() -> None:
    user, event = make_subscriber(), make_event()
    first = services.book_event(user=user, event=event)
    first_occasion, uid = first.occasion, first.calendar_uid
    services.cancel_booking(booking=first)

    again = services.book_event(user=user, event=event, topic="again")

    again.refresh_from_db()
    assert again.pk == first.pk
    assert again.is_confirmed
    assert again.cancelled_at is None
    assert again.topic == "again"
    assert again.revision == 3
    assert again.occasion != first_occasion
    assert again.calendar_uid == uid
    assert again.calendar_sequence == 2
    assert allowance_used(user) == 1
    assert booked_count(event) == 1
    assert len(mails("booking_confirmed")) == 2
    assert VisitUse.objects.count() == 2


def test_the_place_given_back_can_be_taken_by_the_next() -> None:
    event = make_event(capacity=1)
    booking = services.book_event(user=make_subscriber(), event=event)
    services.cancel_booking(booking=booking)

    assert services.book_event(user=make_subscriber(), event=event).is_confirmed
