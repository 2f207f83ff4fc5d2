"""Sessions as calendar files (RFC 5545): a stable UID, a rising SEQUENCE, times in UTC, an alarm one hour before.

A mailed file says REQUEST or CANCEL (RFC 5546), by which a calendar program puts the session in or takes it out
again; a downloaded one says PUBLISH, since nobody is invited by it.

Written line by line: every booking makes one, and a library that builds it as a tree took an eighth of a booking.
The tests read them back with that library.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from booking import words
from booking.models import Booking, CalendarEvent
from settings_app.services import business_zone, value

PRODUCT = "-//The Tech Deputies//Sessions//EN"
FILE_NAME = "session.ics"
LONGEST_LINE = 75
_CONTROLS = dict.fromkeys((*range(32), 127))
_ESCAPES = _CONTROLS | str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_NOT_IN_QUOTES = _CONTROLS | {ord('"'): None}


def calendar_file(booking: Booking, event: CalendarEvent, *, user: User, url: str, method: str) -> str:
    """The file for one booking. ``method`` is REQUEST, CANCEL or PUBLISH; ``event`` comes with its deputy."""
    facts = words.facts(event, business_zone(), phone=booking.contact_phone or user.phone)
    is_cancelled = method == "CANCEL"
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{_text(booking.calendar_uid)}",
        f"SEQUENCE:{booking.calendar_sequence}",
        f"DTSTAMP:{_utc(timezone.now())}",
        f"DTSTART:{_utc(event.start_time)}",
        f"DTEND:{_utc(event.end_time)}",
        f"SUMMARY:{_text(f'Tech Deputies: {event.title}')}",
        f"STATUS:{'CANCELLED' if is_cancelled else 'CONFIRMED'}",
        f"URL:{url}",
        f"DESCRIPTION:{_text(_description(facts, url, is_cancelled=is_cancelled))}",
    ]
    if facts.place:
        lines.append(f"LOCATION:{_text(facts.place)}")
    if method != "PUBLISH":
        lines.append(f"ORGANIZER;CN={_name(value('business_name'))}:mailto:{value('business_email')}")
        name = _name(user.name or user.email)
        lines.append(f"ATTENDEE;CN={name};PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:{user.email}")
    if not is_cancelled:
        alarm = _text(f"Your session with {facts.deputy} is in one hour.")
        lines += ["BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{alarm}", "TRIGGER:-PT1H", "END:VALARM"]
    lines += ["END:VEVENT", "END:VCALENDAR"]
    return "".join([_folded(line) for line in lines])


def attachment(booking: Booking, event: CalendarEvent, *, user: User, url: str, method: str) -> dict[str, str]:
    """The file as the outbox takes it."""
    return {
        "filename": FILE_NAME,
        "content_type": f"text/calendar; method={method}; charset=utf-8",
        "content": calendar_file(booking, event, user=user, url=url, method=method),
    }


def session_url(booking: Booking) -> str:
    """The session's own page, as mails and calendar files name it."""
    return site_url(reverse("booking:booking_detail", args=[booking.pk]))


def site_url(path: str) -> str:
    return f"{settings.SITE_URL}{path}"


def _description(facts: words.Facts, url: str, *, is_cancelled: bool) -> str:
    phone = value("business_phone")
    if is_cancelled:
        return f"This session is cancelled.\nQuestions? Call {phone}.\n{url}"
    return (
        f"{facts.how}\n{facts.when}, {facts.zone}.\n\n"
        f"To change or cancel it: {url}\nOr call us: {phone}\n\n"
        "We never ask for a password by email or phone."
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(words_of_people: str) -> str:
    """A TEXT value (RFC 5545 §3.3.11): its own marks escaped, control characters gone."""
    return words_of_people.translate(_ESCAPES)


def _name(words_of_people: str) -> str:
    """A quoted parameter; a quote or a control character inside would end it."""
    return f'"{words_of_people.translate(_NOT_IN_QUOTES)}"'


def _folded(line: str) -> str:
    """The line with its end, folded at 75 bytes (§3.1) and never inside a character."""
    if line.isascii() and len(line) <= LONGEST_LINE:
        return f"{line}\r\n"
    parts, length = [], 0
    for sign in line:
        size = len(sign.encode())
        if length + size > LONGEST_LINE:
            parts.append("\r\n ")
            length = 1
        parts.append(sign)
        length += size
    return "".join(parts) + "\r\n"
