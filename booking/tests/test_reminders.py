"""Reminders are decided when due, from the booking as it then is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.tests.factories import make_admin, make_user
from audit.actors import Actor
from billing.tests.factories import make_subscriber
from booking import services, tasks
from booking.models import Booking, EventStatus
from booking.tests.factories import make_booking, make_event
from emails.models import EmailJob
from emails.services import outbox
from settings_app.services import set_value

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def in_hours(hours: float) -> Any:
    return timezone.now().replace(microsecond=0) + timedelta(hours=hours)


def long_booked(hours: float, **fields: Any) -> Booking:
    """A booking made a week ago, for a session so many hours ahead."""
    event = make_event(start_time=in_hours(hours), **fields)
    return make_booking(event=event, booked_at=in_hours(-7 * 24))


def reminders() -> list[EmailJob]:
    return list(EmailJob.objects.filter(template_type="booking_reminder").order_by("pk"))


def test_a_session_of_tomorrow_is_reminded_of_once() -> None:
    booking = long_booked(23.9)

    tasks.send_due_reminders()
    tasks.send_due_reminders()

    (mail,) = reminders()
    assert mail.recipient_email == booking.user.email
    assert mail.expires_at == booking.event.start_time
    assert mail.subject.endswith("your session with Deputy Rosa")
    assert mail.subject.startswith(("Tomorrow at ", "Today at "))
    booking.refresh_from_db()
    assert booking.reminded_revision == booking.revision


@pytest.mark.parametrize("hours", [24.5, -0.5])
def test_what_is_too_far_or_past_is_not_due(hours: float) -> None:
    long_booked(hours)

    assert services.send_due_reminders() == 0


def test_cancelled_sessions_are_not_reminded_of() -> None:
    services.cancel_booking(booking=long_booked(23))
    long_booked(22, status=EventStatus.CANCELLED)

    assert services.send_due_reminders() == 0


def test_people_who_left_are_not_written_to() -> None:
    booking = long_booked(23)
    booking.user.deleted_at = timezone.now()
    booking.user.save()

    assert services.send_due_reminders() == 0


def test_who_books_within_the_last_day_gets_the_confirmation_alone() -> None:
    services.book_event(user=make_subscriber(), event=make_event(start_time=in_hours(20)))

    assert services.send_due_reminders() == 0


def test_a_moved_session_is_reminded_of_at_its_new_time() -> None:
    booking = long_booked(30)
    live = services.move_booking(booking=booking, event=make_event(start_time=in_hours(40)))
    assert services.send_due_reminders() == 0
    Booking.objects.filter(pk=live.pk).update(booked_at=in_hours(-48))
    live.event.start_time, live.event.end_time = in_hours(20), in_hours(21)
    live.event.save()

    assert services.send_due_reminders() == 1


def test_a_session_changed_after_its_reminder_is_not_reminded_of_twice() -> None:
    booking = long_booked(23)
    services.send_due_reminders()
    later = booking.event.start_time + HOUR / 2
    services.change_event(event=booking.event, actor=Actor(user=make_admin()), start_time=later, end_time=later + HOUR)

    assert services.send_due_reminders() == 0
    assert EmailJob.objects.filter(template_type="event_changed").count() == 1


def test_a_session_put_off_for_days_is_reminded_of_again() -> None:
    booking = long_booked(23)
    services.send_due_reminders()
    later = in_hours(72)
    services.change_event(event=booking.event, actor=Actor(user=make_admin()), start_time=later, end_time=later + HOUR)
    booking.event.refresh_from_db()
    booking.event.start_time, booking.event.end_time = in_hours(23), in_hours(24)
    booking.event.save()

    assert services.send_due_reminders() == 1
    assert len(reminders()) == 2


def test_the_hours_are_a_setting() -> None:
    long_booked(40)
    set_value("reminder_hours_before", "48", actor=Actor(user=make_admin()))

    assert services.send_due_reminders() == 1


def test_one_bad_address_does_not_keep_the_others_waiting() -> None:
    event = make_event(start_time=in_hours(20), capacity=3)
    for address in ("one@example.com", "not an address", "two@example.com"):
        make_booking(event=event, user=make_user(email=address), booked_at=in_hours(-99))

    assert services.send_due_reminders() == 2
    assert services.send_due_reminders() == 0


def test_many_are_sent_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("booking.services.reminders.BATCH_SIZE", 3)
    event = make_event(start_time=in_hours(20), capacity=7)
    for _ in range(7):
        make_booking(event=event, booked_at=in_hours(-99))

    assert services.send_due_reminders() == 7
    assert len({mail.occasion for mail in reminders()}) == 7


def test_the_queue_alone_would_stop_a_second_one() -> None:
    booking = long_booked(20)
    services.send_due_reminders()
    Booking.objects.filter(pk=booking.pk).update(reminded_revision=None)

    services.send_due_reminders()

    assert len(reminders()) == 1
    assert outbox.cancel_emails(occasion_prefix=f"reminder:{booking.pk}:", reason="test") == 1
