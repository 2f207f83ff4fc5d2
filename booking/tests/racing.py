"""People at the same time, each in a thread with a connection of its own; and what must be true afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from accounts.models import User
from billing.models import UserSubscription, VisitUse
from booking import services
from booking.models import Booking, CalendarEvent
from booking.services import bookings as bookings_module
from booking.services import places
from emails.models import EmailJob

HOUR = timedelta(hours=1)
WAIT_SECONDS = 10.0


def in_hours(hours: float) -> Any:
    return timezone.now().replace(microsecond=0) + timedelta(hours=hours)


def race(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all at once, each in a thread with its own connection; what each returned or raised, in order."""
    start = threading.Barrier(len(acts))
    outcomes: list[Any] = [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        try:
            start.wait(WAIT_SECONDS)
            outcomes[number] = act()
        except Exception as error:
            outcomes[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(6 * WAIT_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


def kinds(outcomes: Sequence[Any]) -> dict[str, int]:
    names = [type(outcome).__name__ for outcome in outcomes]
    return {name: names.count(name) for name in names}


def booking_of(user: User, event: CalendarEvent) -> Callable[[], Booking]:
    return lambda: services.book_event(user=user, event=event)


def moving_of(booking: Booking, target: CalendarEvent) -> Callable[[], Booking]:
    return lambda: services.move_booking(booking=booking, event=target)


def cancelling_of(booking: Booking) -> Callable[[], Booking]:
    return lambda: services.cancel_booking(booking=booking)


def rows_of(event: CalendarEvent) -> int:
    return Booking.objects.confirmed().filter(event=event).count()


def assert_all_is_well() -> None:
    """Places, counts and allowances all follow from the rows."""
    for event in CalendarEvent.objects.all():
        assert event.booked_count == rows_of(event) <= event.capacity
    for plan in UserSubscription.objects.select_related("plan"):
        used = VisitUse.objects.filter(subscription=plan, returned_at__isnull=True).count()
        assert plan.session_booked_this_month == used
        assert plan.plan.is_unlimited or used <= plan.plan.session_limit
    paid = Booking.objects.confirmed().filter(visit_use__isnull=False)
    assert paid.filter(visit_use__returned_at__isnull=True).count() == paid.count()
    assert paid.values("visit_use").distinct().count() == paid.count()
    for booking in Booking.objects.confirmed():
        mails = EmailJob.objects.filter(occasion=booking.occasion)
        assert booking.visit_use_id is None or mails.count() == 1


def all_before_counting(monkeypatch: pytest.MonkeyPatch, number: int, of: CalendarEvent) -> None:
    """Nobody counts the places of an event before everybody has written."""
    gate = threading.Barrier(number)
    real = places.recount

    def recount(event: CalendarEvent) -> int:
        if event.pk == of.pk:
            gate.wait(WAIT_SECONDS)
        return real(event)

    monkeypatch.setattr(bookings_module, "recount", recount)


@contextmanager
def without_constraint(table: str, name: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
        (definition,) = cursor.fetchone()
        cursor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE bookings, calendar_events CASCADE")
            cursor.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {definition}')
