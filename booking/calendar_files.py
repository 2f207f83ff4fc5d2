"""Sessions as calendar files (RFC 5545): a stable UID, a rising SEQUENCE, times in UTC, an alarm one hour before.

A mailed file says REQUEST or CANCEL (RFC 5546), by which a calendar program puts the session in or takes it out
again; a downloaded one says PUBLISH, since nobody is invited by it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from icalendar import Alarm, Calendar, Event, vCalAddress, vText

from accounts.models import User
from booking import words
from booking.models import Booking, CalendarEvent
from settings_app.services import business_zone, value

PRODUCT = "-//The Tech Deputies//Sessions//EN"
FILE_NAME = "session.ics"
ALARM = timedelta(hours=1)


def calendar_file(booking: Booking, event: CalendarEvent, *, user: User, url: str, method: str) -> str:
    """The file for one booking. ``method`` is REQUEST, CANCEL or PUBLISH; ``event`` comes with its deputy."""
    facts = words.facts(event, business_zone(), phone=booking.contact_phone or user.phone)
    item = Event()
    item.add("uid", booking.calendar_uid)
    item.add("sequence", booking.calendar_sequence)
    item.add("dtstamp", _utc(timezone.now()))
    item.add("dtstart", _utc(event.start_time))
    item.add("dtend", _utc(event.end_time))
    item.add("summary", f"Tech Deputies: {event.title}")
    item.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    item.add("url", url)
    if facts.place:
        item.add("location", facts.place)
    item.add("description", _description(facts, url, is_cancelled=method == "CANCEL"))
    # Asked for by RFC 5546 in every method, PUBLISH too (its tables 3.2.1, 3.2.2 and 3.2.5).
    item.add("organizer", _address(value("business_email"), value("business_name")))
    if method != "PUBLISH":
        attendee = _address(user.email, user.name or user.email)
        attendee.params["partstat"] = vText("ACCEPTED")
        attendee.params["rsvp"] = vText("FALSE")
        item.add("attendee", attendee)
    if method != "CANCEL":
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", f"Your session with {facts.deputy} is in one hour.")
        alarm.add("trigger", -ALARM)
        item.add_component(alarm)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    calendar.add_component(item)
    return calendar.to_ical().decode()


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


def _address(email: str, name: str) -> vCalAddress:
    address = vCalAddress(f"mailto:{email}")
    # A quote or a control character inside a parameter would end it.
    address.params["cn"] = vText("".join(sign for sign in name if sign.isprintable() and sign not in '"'))
    return address


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
