"""Calendar parts as a mail carries them: sent over HTTP, read back from what arrived, and held to RFC 5546."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from icalendar import Calendar

from accounts.tests.factories import make_admin
from audit.actors import Actor
from billing.tests.factories import make_subscriber
from booking import services
from booking.models import Booking
from booking.tests.factories import make_event
from booking.tests.test_calendar_files import download
from emails import wording
from emails.models import EmailJob
from emails.services import breaker, delivery
from sandbox.mailgun import StandIn
from settings_app.services import value

pytestmark = pytest.mark.django_db

# RFC 5546, tables 3.2.2 (REQUEST), 3.2.5 (CANCEL) and 3.2.1 (PUBLISH): how often each property stands in the event.
ONCE = ("UID", "DTSTAMP", "ORGANIZER", "SEQUENCE", "DTSTART", "DTEND", "SUMMARY", "STATUS")
TIMES = {"REQUEST": {"ATTENDEE": 1}, "CANCEL": {"ATTENDEE": 1}, "PUBLISH": {"ATTENDEE": 0}}
NEVER = ("RRULE", "DURATION", "REQUEST-STATUS", "EXDATE", "RECURRENCE-ID")


@pytest.fixture(scope="module")
def mailgun_server() -> Iterator[StandIn]:
    with StandIn() as server:
        yield server


@pytest.fixture
def mailgun(mailgun_server: StandIn, settings: Any) -> Iterator[StandIn]:
    mailgun_server.clear()
    settings.MAILGUN_API_URL = mailgun_server.url
    settings.MAILGUN_READ_API_KEY = mailgun_server.config.read_api_key
    settings.MAILGUN_SENDER_DOMAIN = mailgun_server.config.domain
    settings.ANYMAIL = mailgun_server.anymail
    wording.forget()
    breaker.reset()
    yield mailgun_server
    breaker.reset()


def arrived(mailgun: StandIn, to: str) -> list[tuple[str, Any]]:
    """(method, session) of each calendar part that reached ``to``, in the order of their causes.

    Mails of one batch travel side by side, so the order of arrival is not theirs: SEQUENCE is there for that.
    """
    EmailJob.objects.update(available_at=timezone.now() - timedelta(seconds=1))
    delivery.drain()
    found = []
    for mail in sorted(mailgun.messages(to), key=lambda mail: int(mail.variables["job_id"])):
        (part,) = mail.attachments
        kind = email.message_from_string(f"Content-Type: {part.content_type}\n\n")
        assert kind.get_content_type() == "text/calendar"
        assert str(kind.get_content_charset()).lower() == "utf-8"
        assert part.filename == "session.ics"
        assert [
            (piece.get_param("method"), piece.get_payload(decode=True))
            for piece in email.message_from_string(mail.raw).walk()
            if piece.get_content_type() == "text/calendar"
        ] == [(kind.get_param("method"), part.content)]
        method = str(kind.get_param("method"))
        found.append((method, strictly_parsed(part.content, method)))
    return found


def strictly_parsed(raw: bytes, method: str) -> Any:
    """The one session of the file, after every rule that calendars of this world are known to insist on."""
    text = raw.decode("utf-8")
    assert raw.endswith(b"END:VCALENDAR\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    lines = text.split("\r\n")
    assert all(len(line.encode()) <= 75 for line in lines)
    assert "\r\n\r\n" not in text

    calendar = Calendar.from_ical(raw)
    assert isinstance(calendar, Calendar)
    for name in ("PRODID", "VERSION", "METHOD", "CALSCALE"):
        assert len([line for line in lines if line.startswith(f"{name}:")]) == 1
    assert (calendar["VERSION"], calendar["METHOD"], calendar["CALSCALE"]) == ("2.0", method, "GREGORIAN")
    session: Any
    (session,) = calendar.walk("VEVENT")
    assert not [part.errors for part in calendar.walk() if part.errors]
    own = [name for name, _ in session.property_items(recursive=False)]
    for name in ONCE:
        assert own.count(name) == 1
    for name, count in TIMES[method].items():
        assert own.count(name) == count
    assert not set(NEVER).intersection(own)
    for name in ("DTSTAMP", "DTSTART", "DTEND"):
        moment = session.decoded(name)
        assert isinstance(moment, datetime)
        assert moment.utcoffset() == timedelta(0)
        assert re.fullmatch(rb"\d{8}T\d{6}Z", session[name].to_ical())
    assert session.decoded("DTSTART") < session.decoded("DTEND")
    assert abs(session.decoded("DTSTAMP") - datetime.now(UTC)) < timedelta(minutes=5)
    assert re.fullmatch(r"[\x21-\x7e]{10,255}", session["UID"])
    assert session["SEQUENCE"] >= 0
    assert session["ORGANIZER"] == f"mailto:{value('business_email')}"
    assert session["STATUS"] == ("CANCELLED" if method == "CANCEL" else "CONFIRMED")
    assert len(session.walk("VALARM")) == (0 if method == "CANCEL" else 1)
    for alarm in session.walk("VALARM"):
        assert (alarm["ACTION"], alarm.decoded("TRIGGER")) == ("DISPLAY", timedelta(hours=-1))
        assert alarm["DESCRIPTION"]
    return session


def story(parts: list[tuple[str, Any]]) -> list[tuple[str, int]]:
    return [(method, int(session["SEQUENCE"])) for method, session in parts]


def later_event(days: int) -> Any:
    return make_event(start_time=timezone.now().replace(microsecond=0) + timedelta(days=days))


def test_a_session_from_booking_by_a_move_to_cancelling(mailgun: StandIn) -> None:
    user = make_subscriber(name="Margaret Ellis")
    booking = services.book_event(user=user, event=later_event(4))
    first = arrived(mailgun, user.email)
    live = services.move_booking(booking=booking, event=later_event(6))
    services.cancel_booking(booking=live)
    parts = arrived(mailgun, user.email)

    assert story(first) == [("REQUEST", 0)]
    assert story(parts) == [("REQUEST", 0), ("REQUEST", 1), ("CANCEL", 2)]
    assert len({session["UID"] for _, session in parts}) == 1
    for _, session in parts:
        assert session["ATTENDEE"] == f"mailto:{user.email}"
        assert session["ATTENDEE"].params["CN"] == "Margaret Ellis"
        assert session["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"
    assert parts[1][1].decoded("DTSTART") == live.event.start_time == parts[2][1].decoded("DTSTART")
    assert parts[0][1].decoded("DTSTART") == booking.event.start_time


def test_booking_the_same_time_again_puts_the_same_session_back(mailgun: StandIn) -> None:
    user, event = make_subscriber(), later_event(4)
    services.cancel_booking(booking=services.book_event(user=user, event=event))
    services.book_event(user=user, event=event)
    parts = arrived(mailgun, user.email)

    assert story(parts) == [("REQUEST", 0), ("CANCEL", 1), ("REQUEST", 2)]
    assert len({session["UID"] for _, session in parts}) == 1


def test_moving_there_and_back_never_gives_one_uid_to_two_sessions(mailgun: StandIn) -> None:
    user, first, second = make_subscriber(), later_event(4), later_event(6)
    booking = services.book_event(user=user, event=first)
    there = services.move_booking(booking=booking, event=second)
    services.move_booking(booking=there, event=first)
    parts = arrived(mailgun, user.email)

    assert story(parts) == [("REQUEST", 0), ("REQUEST", 1), ("REQUEST", 2)]
    assert len({session["UID"] for _, session in parts}) == 1
    uids = list(Booking.objects.filter(user=user).values_list("calendar_uid", flat=True))
    assert len(set(uids)) == len(uids) == 2


def test_what_we_change_and_cancel_reaches_everybody_in_the_session(
    mailgun: StandIn, django_capture_on_commit_callbacks: Any
) -> None:
    people, event, staff = [make_subscriber(), make_subscriber()], later_event(4), Actor(user=make_admin())
    for user in people:
        services.book_event(user=user, event=event)
    start = event.start_time + timedelta(hours=1)
    services.change_event(event=event, actor=staff, start_time=start, end_time=start + timedelta(hours=1))
    with django_capture_on_commit_callbacks(execute=True):
        services.cancel_event(event=event, actor=staff, reason="Deputy Rosa is ill.")
    parts = [arrived(mailgun, user.email) for user in people]

    assert [story(own) for own in parts] == [[("REQUEST", 0), ("REQUEST", 1), ("CANCEL", 2)]] * 2
    assert all(own[1][1].decoded("DTSTART") == start for own in parts)
    assert len({own[0][1]["UID"] for own in parts}) == 2


def test_the_reminder_repeats_the_session_as_it_stands(mailgun: StandIn) -> None:
    user = make_subscriber()
    event = make_event(start_time=timezone.now().replace(microsecond=0) + timedelta(hours=20))
    services.book_event(user=user, event=event)
    Booking.objects.update(created_at=timezone.now() - timedelta(days=3))
    services.send_due_reminders()
    parts = arrived(mailgun, user.email)

    assert {method for method, _ in parts} == {"REQUEST"}
    assert {(session["UID"], int(session["SEQUENCE"])) for _, session in parts} == {(parts[0][1]["UID"], 0)}


def test_a_name_of_odd_signs_and_a_long_title_arrive_whole(mailgun: StandIn) -> None:
    user = make_subscriber(name="Zoë O’Brien-Müller; née “Kim”, 김")
    title = "Fotos, E-Mail; und »mehr« \\ 📷 " * 5
    services.book_event(user=user, event=make_event(title=title[:200]))
    ((_, session),) = arrived(mailgun, user.email)

    assert session["SUMMARY"] == f"Tech Deputies: {title[:200]}"
    assert session["ATTENDEE"].params["CN"] == "Zoë O’Brien-Müller; née “Kim”, 김"


def test_the_downloads_keep_the_same_rules() -> None:
    user = make_subscriber()
    booking = services.book_event(user=user, event=later_event(4))
    strictly_parsed(download(user, booking).content, "PUBLISH")
    services.cancel_booking(booking=booking)

    strictly_parsed(download(user, booking).content, "CANCEL")
