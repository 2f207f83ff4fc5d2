"""People at the same time, each on a connection of their own.

Every race has a twin that takes its guard away and shows that without it the damage is done.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.db.models import F

from accounts.tests.factories import make_admin
from audit.actors import Actor
from billing.exceptions import VisitsUsedUp
from billing.models import VisitUse
from billing.services import subscriptions
from billing.tests.factories import make_plan, make_subscriber
from booking import exceptions, services
from booking.models import Booking, CalendarEvent, EventStatus
from booking.services import bookings as bookings_module
from booking.services import events as events_module
from booking.services import places
from booking.tests.factories import make_booking, make_event
from booking.tests.racing import (
    HOUR,
    WAIT_SECONDS,
    all_before_counting,
    assert_all_is_well,
    booking_of,
    cancelling_of,
    in_hours,
    kinds,
    moving_of,
    race,
    rows_of,
    without_constraint,
)
from emails.models import EmailJob

pytestmark = pytest.mark.django_db(transaction=True)


# --- Twenty people, two places ----------------------------------------------------------------------------
def test_twenty_people_get_two_places() -> None:
    event = make_event(capacity=2)
    people = [make_subscriber() for _ in range(20)]

    outcomes = race([booking_of(person, event) for person in people])

    assert kinds(outcomes) == {"Booking": 2, "EventFull": 18}
    assert rows_of(event) == 2
    assert EmailJob.objects.filter(template_type="booking_confirmed").count() == 2
    assert_all_is_well()


def test_twenty_people_without_the_lock_get_more(without_event_lock: pytest.MonkeyPatch) -> None:
    event = make_event(capacity=2)
    all_before_counting(without_event_lock, 6, event)
    people = [make_subscriber() for _ in range(6)]

    race([booking_of(person, event) for person in people])

    assert rows_of(event) > 2


# --- One person, two presses ------------------------------------------------------------------------------
def test_one_person_pressing_twice_gets_one_place() -> None:
    event = make_event(capacity=5)
    person = make_subscriber(plan=make_plan(session_limit=1))

    outcomes = race([booking_of(person, event)] * 4)

    assert kinds(outcomes) == {"Booking": 4}
    assert len({booking.pk for booking in outcomes}) == 1
    assert rows_of(event) == 1
    assert_all_is_well()


def test_one_person_reviving_a_place_twice_revives_it_once() -> None:
    event = make_event()
    person = make_subscriber()
    services.cancel_booking(booking=services.book_event(user=person, event=event))

    outcomes = race([booking_of(person, event)] * 3)

    assert kinds(outcomes) == {"Booking": 3}
    assert Booking.objects.get().revision == 3
    assert_all_is_well()


def test_one_person_pressing_twice_without_the_constraint_gets_two() -> None:
    event = make_event(capacity=5)
    person = make_subscriber()
    gate = threading.Barrier(2)
    real = places.look

    def look(event_id: str, user_id: int) -> Any:
        found = real(event_id, user_id)
        gate.wait(WAIT_SECONDS)
        return found

    with without_constraint("bookings", "booking_once_per_person"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(bookings_module, "look", look)
        race([booking_of(person, event)] * 2)
        assert rows_of(event) == 2


def test_the_last_visit_of_a_plan_is_used_once() -> None:
    person = make_subscriber(plan=make_plan(session_limit=1))
    times = [make_event(start_time=in_hours(72 + 2 * number)) for number in range(4)]

    outcomes = race([booking_of(person, event) for event in times])

    assert kinds(outcomes) == {"Booking": 1, VisitsUsedUp.__name__: 3}
    assert_all_is_well()


@pytest.mark.usefixtures("without_plan_lock")
def test_the_last_visit_without_the_lock_is_used_twice() -> None:
    person = make_subscriber(plan=make_plan(session_limit=1))
    times = [make_event(start_time=in_hours(72 + 2 * number)) for number in range(2)]

    race([booking_of(person, event) for event in times])

    assert VisitUse.objects.filter(user=person, returned_at__isnull=True).count() == 2


def test_one_person_cannot_be_in_two_places_at_once() -> None:
    person = make_subscriber()
    start = in_hours(72)
    times = [make_event(start_time=start + HOUR * number / 4) for number in range(3)]

    outcomes = race([booking_of(person, event) for event in times])

    assert kinds(outcomes) == {"Booking": 1, "ClashesWithOwn": 2}
    assert_all_is_well()


@pytest.mark.usefixtures("without_plan_lock")
def test_without_the_plans_lock_one_person_is_in_two_places_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    person = make_subscriber()
    start = in_hours(72)
    times = [make_event(start_time=start), make_event(start_time=start)]
    gate = threading.Barrier(2)
    real = bookings_module._store_confirmed

    def store(booking: Booking, *, revives: int) -> None:
        gate.wait(WAIT_SECONDS)
        real(booking, revives=revives)

    monkeypatch.setattr(bookings_module, "_store_confirmed", store)
    # Storing the count locks the same row, later than the guard does: only the insert is left.
    monkeypatch.setattr(subscriptions, "_USE", subscriptions._USE[subscriptions._USE.index("INSERT") :])
    race([booking_of(person, event) for event in times])

    assert Booking.objects.confirmed().of(person.pk).count() == 2


def test_moving_into_the_time_of_a_session_being_booked_is_refused() -> None:
    person = make_subscriber()
    booking = services.book_event(user=person, event=make_event())
    start = in_hours(100)
    one, other = make_event(start_time=start), make_event(start_time=start)

    outcomes = race([moving_of(booking, one), booking_of(person, other)])

    assert kinds(outcomes) == {"Booking": 1, "ClashesWithOwn": 1}
    assert_all_is_well()


# --- Cancel against book ----------------------------------------------------------------------------------
def test_cancelling_against_booking_keeps_the_count() -> None:
    event = make_event(capacity=2)
    leaving = [services.book_event(user=make_subscriber(), event=event) for _ in range(2)]
    coming = [make_subscriber() for _ in range(4)]

    outcomes = race(
        [
            *(cancelling_of(booking) for booking in leaving),
            *(booking_of(person, event) for person in coming),
        ]
    )

    assert set(kinds(outcomes)) <= {"Booking", "EventFull"}
    assert_all_is_well()


def test_cancelling_against_booking_without_the_lock_miscounts(without_event_lock: pytest.MonkeyPatch) -> None:
    event = make_event(capacity=3)
    leaving = services.book_event(user=make_subscriber(), event=event)
    all_before_counting(without_event_lock, 2, event)

    race([cancelling_of(leaving), booking_of(make_subscriber(), event)])

    event.refresh_from_db()
    assert event.booked_count != rows_of(event)


def test_pressing_cancel_twice_gives_back_once() -> None:
    person = make_subscriber()
    booking = services.book_event(user=person, event=make_event())

    race([cancelling_of(booking)] * 4)

    assert EmailJob.objects.filter(template_type="booking_cancelled").count() == 1
    assert_all_is_well()


# --- Moves ------------------------------------------------------------------------------------------------
def test_of_many_moves_to_the_last_place_one_succeeds() -> None:
    target = make_event(start_time=in_hours(100), capacity=1)
    bookings = [
        services.book_event(user=make_subscriber(), event=make_event(start_time=in_hours(72 + 2 * number)))
        for number in range(5)
    ]

    outcomes = race([moving_of(booking, target) for booking in bookings])

    assert kinds(outcomes) == {"Booking": 1, "EventFull": 4}
    assert Booking.objects.confirmed().count() == 5
    assert EmailJob.objects.filter(template_type="booking_moved").count() == 1
    assert_all_is_well()


def test_moves_to_the_last_place_without_the_lock_oversell(without_event_lock: pytest.MonkeyPatch) -> None:
    target = make_event(start_time=in_hours(100), capacity=1)
    bookings = [services.book_event(user=make_subscriber(), event=make_event()) for _ in range(2)]
    all_before_counting(without_event_lock, 2, target)

    race([moving_of(booking, target) for booking in bookings])

    assert rows_of(target) == 2


def test_two_moves_of_one_booking_end_in_one_place() -> None:
    booking = services.book_event(user=make_subscriber(), event=make_event())
    targets = [make_event(start_time=in_hours(100)), make_event(start_time=in_hours(104))]

    outcomes = race([moving_of(booking, target) for target in targets])

    assert kinds(outcomes) == {"Booking": 1, "NotBooked": 1}
    assert Booking.objects.confirmed().count() == 1
    assert_all_is_well()


def _swap(rounds: int) -> list[Any]:
    """Pairs of people who move into each other's session, again and again."""
    one, other = make_event(capacity=4), make_event(start_time=in_hours(100), capacity=4)
    pairs = [
        (services.book_event(user=make_subscriber(), event=one), other),
        (services.book_event(user=make_subscriber(), event=other), one),
    ]

    def back_and_forth(booking: Booking, target: CalendarEvent) -> Booking:
        home = booking.event
        for _ in range(rounds):
            booking = services.move_booking(booking=booking, event=target)
            target, home = home, target
        return booking

    return race([partial(back_and_forth, *pair) for pair in pairs])


def test_swapping_places_does_not_deadlock() -> None:
    outcomes = _swap(rounds=6)

    assert kinds(outcomes) == {"Booking": 2}
    assert_all_is_well()


def test_swapping_places_deadlocks_without_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Barrier(2)

    def lock_as_given(event_ids: Sequence[str]) -> None:
        first, second = event_ids
        CalendarEvent.objects.locked(first)
        gate.wait(WAIT_SECONDS)
        CalendarEvent.objects.locked(second)

    monkeypatch.setattr(bookings_module, "lock_events", lock_as_given)

    assert OperationalError.__name__ in kinds(_swap(rounds=1))


# --- Staff against customers ------------------------------------------------------------------------------
@pytest.mark.parametrize("round_number", range(3))
def test_fewer_places_against_booking(round_number: int) -> None:
    event = make_event(capacity=3)
    make_booking(event=event)
    actor = Actor(user=make_admin())

    outcomes = race(
        [
            lambda: services.change_event(event=event, actor=actor, capacity=1),
            booking_of(make_subscriber(), event),
            booking_of(make_subscriber(), event),
        ]
    )

    assert set(kinds(outcomes)) <= {"CalendarEvent", "Booking", "EventFull", "CapacityBelowBookings"}
    assert_all_is_well()


def test_fewer_places_against_booking_without_the_lock_oversells(without_event_lock: pytest.MonkeyPatch) -> None:
    event = make_event(capacity=2)
    make_booking(event=event)
    actor = Actor(user=make_admin())
    checked, booked = threading.Event(), threading.Event()
    real = events_module._check_room

    def check_room(row: CalendarEvent) -> None:
        real(row)
        checked.set()
        booked.wait(WAIT_SECONDS)

    without_event_lock.setattr(events_module, "_check_room", check_room)

    def book_when_checked() -> None:
        checked.wait(WAIT_SECONDS)
        services.book_event(user=make_subscriber(), event=event)
        booked.set()

    shrink = lambda: services.change_event(event=event, actor=actor, capacity=1)  # noqa: E731
    assert IntegrityError.__name__ in kinds(race([shrink, book_when_checked]))
    # The constraint is the last guard; without that one, too, there are more people than places.
    Booking.objects.filter(visit_use__isnull=False).delete()
    CalendarEvent.objects.filter(pk=event.pk).update(booked_count=1)
    checked.clear()
    booked.clear()
    with without_constraint("calendar_events", "event_never_oversold"):
        race([shrink, book_when_checked])
        assert CalendarEvent.objects.filter(pk=event.pk, capacity__lt=F("booked_count")).exists()


@pytest.mark.parametrize("round_number", range(3))
def test_cancelling_the_event_against_booking_leaves_nobody_behind(round_number: int) -> None:
    event = make_event(capacity=5)
    actor = Actor(user=make_admin())
    services.book_event(user=make_subscriber(), event=event)

    outcomes = race(
        [
            *(booking_of(make_subscriber(), event) for _ in range(3)),
            lambda: services.cancel_event(event=event, actor=actor, reason="Snow."),
        ]
    )
    services.finish_cancelled_events()

    assert set(kinds(outcomes)) <= {"CalendarEvent", "Booking", exceptions.EventNotOpen.__name__}
    assert rows_of(event) == 0
    released = Booking.objects.filter(event=event).count()
    assert EmailJob.objects.filter(template_type="event_cancelled").count() == released
    assert_all_is_well()


def test_cancelling_the_event_without_the_lock_leaves_somebody_behind(
    without_event_lock: pytest.MonkeyPatch,
) -> None:
    event = make_event()
    actor = Actor(user=make_admin())
    looked, cancelled = threading.Event(), threading.Event()
    real = bookings_module._store_confirmed

    def store(booking: Booking, *, revives: int) -> None:
        looked.set()
        cancelled.wait(WAIT_SECONDS)
        real(booking, revives=revives)

    without_event_lock.setattr(bookings_module, "_store_confirmed", store)

    def cancel() -> None:
        looked.wait(WAIT_SECONDS)
        services.cancel_event(event=event, actor=actor, reason="Snow.")
        cancelled.set()

    race([booking_of(make_subscriber(), event), cancel])

    event.refresh_from_db()
    assert event.status == EventStatus.CANCELLED
    assert rows_of(event) == 1


def test_reminders_of_two_clocks_are_sent_once() -> None:
    event = make_event(start_time=in_hours(20), capacity=30)
    for _ in range(30):
        make_booking(event=event, booked_at=in_hours(-99))

    counts = race([services.send_due_reminders] * 3)

    assert sum(counts) == 30
    assert EmailJob.objects.filter(template_type="booking_reminder").count() == 30


def test_a_reminder_and_a_cancelling_do_not_cross() -> None:
    booking = make_booking(event=make_event(start_time=in_hours(20)), booked_at=in_hours(-99))

    race([services.send_due_reminders, cancelling_of(booking)])

    waiting = EmailJob.objects.queued().filter(template_type="booking_reminder")
    assert not waiting.exists()
