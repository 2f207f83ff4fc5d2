"""Calendar files, read back by a strict parser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from icalendar import Calendar

from accounts.models import User
from accounts.tests.factories import make_admin
from audit.actors import Actor
from billing.tests.factories import make_subscriber
from booking import services
from booking.models import EventKind
from booking.tests.factories import make_booking, make_event
from emails.models import EmailJob

pytestmark = pytest.mark.django_db


def mailed(template: str, number: int = 0) -> tuple[dict[str, str], Calendar, Any]:
    """(attachment, calendar, its one session) of a queued mail."""
    job = EmailJob.objects.filter(template_type=template).order_by("pk")[number]
    (attachment,) = job.content["attachments"]
    return (attachment, *parsed(attachment["content"]))


def parsed(text: str) -> tuple[Calendar, Any]:
    calendar = Calendar.from_ical(text)
    (event,) = calendar.walk("VEVENT")
    assert not event.errors
    return calendar, event


def download(user: User, booking: Any) -> Any:
    client = Client()
    client.force_login(user)
    return client.get(reverse("booking:booking_calendar", args=[booking.pk]))


def test_the_confirmation_asks_the_calendar_to_put_the_session_in() -> None:
    user = make_subscriber(name="Margaret Ellis")
    event = make_event(title="Email, photos; and more")
    booking = services.book_event(user=user, event=event, contact_phone="(312) 555-0187")

    attachment, calendar, item = mailed("booking_confirmed")

    assert attachment["content_type"] == "text/calendar; method=REQUEST; charset=utf-8"
    assert (calendar["METHOD"], calendar["VERSION"]) == ("REQUEST", "2.0")
    assert (item["UID"], item["SEQUENCE"], item["STATUS"]) == (booking.calendar_uid, 0, "CONFIRMED")
    assert item["SUMMARY"] == "Tech Deputies: Email, photos; and more"
    assert (item.decoded("DTSTART"), item.decoded("DTEND")) == (event.start_time, event.end_time)
    assert item["DTSTART"].to_ical().endswith(b"Z")
    assert "(312) 555-0187" in item["DESCRIPTION"]
    assert "(312) 555-0142" in item["DESCRIPTION"]
    assert f"/booking/visits/{booking.pk}/" in item["DESCRIPTION"]
    assert item["ATTENDEE"] == f"mailto:{user.email}"
    (alarm,) = item.walk("VALARM")
    assert alarm.decoded("TRIGGER") == timedelta(hours=-1)


def test_cancelling_takes_it_out_and_booking_again_puts_the_same_one_in() -> None:
    user, event = make_subscriber(), make_event()
    booking = services.book_event(user=user, event=event)
    services.cancel_booking(booking=booking)
    services.book_event(user=user, event=event)

    _, cancelled_calendar, cancelled = mailed("booking_cancelled")
    _, _, again = mailed("booking_confirmed", 1)

    assert (cancelled_calendar["METHOD"], cancelled["STATUS"]) == ("CANCEL", "CANCELLED")
    assert not cancelled.walk("VALARM")
    assert cancelled["UID"] == again["UID"] == booking.calendar_uid
    assert (cancelled["SEQUENCE"], again["SEQUENCE"]) == (1, 2)


def test_a_move_keeps_the_uid_and_raises_the_sequence() -> None:
    booking = services.book_event(user=make_subscriber(), event=make_event())
    target = make_event(start_time=datetime.now(UTC).replace(microsecond=0) + timedelta(days=5))
    uid = booking.calendar_uid
    services.move_booking(booking=booking, event=target)

    _, calendar, item = mailed("booking_moved")

    assert calendar["METHOD"] == "REQUEST"
    assert (item["UID"], item["SEQUENCE"]) == (uid, 1)
    assert item.decoded("DTSTART") == target.start_time


def test_a_changed_event_raises_the_sequence_for_everybody_in_it() -> None:
    event = make_event()
    booking = services.book_event(user=make_subscriber(), event=event)
    later = event.start_time + timedelta(hours=1)
    services.change_event(
        event=event, actor=Actor(user=make_admin()), start_time=later, end_time=later + timedelta(hours=1)
    )

    _, _, item = mailed("event_changed")

    assert (item["UID"], item["SEQUENCE"]) == (booking.calendar_uid, 1)
    assert item.decoded("DTSTART") == later


def test_the_download_is_published_and_private() -> None:
    user = make_subscriber()
    booking = services.book_event(user=user, event=make_event())

    answer = download(user, booking)

    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert "session.ics" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    calendar, item = parsed(answer.text)
    assert calendar["METHOD"] == "PUBLISH"
    assert item["UID"] == booking.calendar_uid
    assert "ATTENDEE" not in item


def test_the_download_of_a_cancelled_session_takes_it_out() -> None:
    user = make_subscriber()
    booking = services.book_event(user=user, event=make_event())
    services.cancel_booking(booking=booking)

    calendar, item = parsed(download(user, booking).text)

    assert (calendar["METHOD"], item["STATUS"]) == ("CANCEL", "CANCELLED")


def test_the_place_is_named_where_people_meet() -> None:
    booking = make_booking(event=make_event(kind=EventKind.IN_PERSON, place="120 Badge Street, Chicago"))

    _, item = parsed(download(booking.user, booking).text)

    assert item["LOCATION"] == "120 Badge Street, Chicago"


@pytest.mark.parametrize(
    "words",
    ['A"quote; CN=evil:mailto:x@y.z', "line\r\nATTENDEE:mailto:evil@example.com", "name\x0b\x85\u2028end", "é" * 200],
)
def test_words_of_people_cannot_break_out_of_their_line(words: str) -> None:
    user = make_subscriber(name=words[:250])
    deputy = make_admin(name=words[:250])
    services.book_event(user=user, event=make_event(title=words[:250], deputy=deputy), contact_phone="312 555 0187")

    attachment, calendar, item = mailed("booking_confirmed")

    assert len(calendar.walk("VEVENT")) == 1
    assert item["ATTENDEE"] == f"mailto:{user.email}"
    assert not any(line.startswith("ATTENDEE:mailto:evil") for line in attachment["content"].splitlines())
    assert all(len(line.encode()) <= 75 for line in attachment["content"].split("\r\n"))


def test_odd_words_are_read_back_as_they_were_and_no_line_is_too_long() -> None:
    title = 'Émail; photos, "more" \\ 😀 and\na second line, ' * 4
    event = make_event(title=title[:200])
    user = make_subscriber(name='Rosa "Rosie" Müller; DEPUTY, and a very long family name that has to be folded')
    services.book_event(user=user, event=event)

    attachment, _, item = mailed("booking_confirmed")

    assert item["SUMMARY"] == f"Tech Deputies: {title[:200]}"
    assert (
        item["ATTENDEE"].params["CN"] == "Rosa Rosie Müller; DEPUTY, and a very long family name that has to be folded"
    )
    assert max(len(line.encode()) for line in attachment["content"].split("\r\n")) <= 75
