"""The mails about sessions, each queued in the transaction of its cause."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from accounts.models import User
from booking import calendar_files, words
from booking.models import Booking, CalendarEvent
from emails.models import EmailJob
from emails.services.outbox import cancel_emails, enqueue_email
from settings_app.services import zone_for


def prepare(booking: Booking, event: CalendarEvent, user: User, *, method: str = "REQUEST") -> dict[str, Any]:
    """Everything a mail about ``booking`` says, and its calendar file, as ``enqueue_email`` takes them.

    A booking prepares it before it takes a lock: wording and file cost more time than the statements do.
    """
    zone = zone_for(user)
    url = calendar_files.session_url(booking)
    facts = words.facts(event, zone, phone=booking.contact_phone or user.phone)
    return {
        "to": user.email,
        "name": user.name or "",
        "context": {
            "first_name": user.first_name_words,
            "title": facts.title,
            "day": facts.day,
            "when": facts.when,
            "hours": facts.hours,
            "zone": facts.zone,
            "elsewhere": facts.elsewhere,
            "deputy": facts.deputy,
            "how": facts.how,
            "free_words": words.free_words(event, zone),
            "button_url": url,
            "button_text": "See my session",
        },
        "attachments": [calendar_files.attachment(booking, event, user=user, url=url, method=method)],
    }


def send_confirmed(booking: Booking, prepared: dict[str, Any]) -> EmailJob:
    return enqueue_email(template="booking_confirmed", occasion=booking.occasion, **prepared)


def send_moved(booking: Booking, event: CalendarEvent, user: User, *, old_event: CalendarEvent) -> EmailJob:
    prepared = prepare(booking, event, user)
    prepared["context"]["old_when"] = words.short_when(old_event.start_time, zone_for(user))
    return enqueue_email(template="booking_moved", occasion=booking.occasion, **prepared)


def send_cancelled(
    booking: Booking, event: CalendarEvent, user: User, *, cost_words: str, reason: str = ""
) -> EmailJob:
    """``cost_words`` says what became of the session in the plan; ``reason`` is empty when the person cancelled."""
    prepared = _goodbye(booking, event, user)
    prepared["context"] |= {"cost_words": cost_words, "reason": reason}
    return enqueue_email(template="booking_cancelled", occasion=booking.occasion, **prepared)


def send_event_cancelled(
    booking: Booking, event: CalendarEvent, user: User, *, cost_words: str, reason: str
) -> EmailJob:
    """We cancelled the whole session."""
    prepared = _goodbye(booking, event, user)
    prepared["context"] |= {"cost_words": cost_words, "reason": reason}
    return enqueue_email(template="event_cancelled", occasion=booking.occasion, **prepared)


def send_event_changed(booking: Booking, event: CalendarEvent, user: User, *, old_when: str) -> EmailJob:
    """``old_when`` is empty when the time stayed as it was."""
    prepared = prepare(booking, event, user)
    prepared["context"]["old_when"] = old_when
    return enqueue_email(template="event_changed", occasion=booking.occasion, **prepared)


def send_reminder(booking: Booking, event: CalendarEvent, user: User) -> EmailJob:
    """Worth nothing once the session has begun."""
    zone = zone_for(user)
    prepared = prepare(booking, event, user)
    prepared["context"]["near_day"] = words.near_day(event.start_time, zone)
    prepared["context"]["clock"] = words.short_when(event.start_time, zone).rpartition(" at ")[2]
    return enqueue_email(
        template="booking_reminder",
        occasion=_reminder_occasion(booking),
        expires_at=event.start_time,
        **prepared,
    )


def stop_reminder(booking: Booking, reason: str) -> None:
    """Take back a reminder that still waits in the queue."""
    cancel_emails(occasion_prefix=f"reminder:{booking.pk}:", reason=reason)


def _reminder_occasion(booking: Booking) -> str:
    return f"reminder:{booking.pk}:{booking.revision}"


def _goodbye(booking: Booking, event: CalendarEvent, user: User) -> dict[str, Any]:
    prepared = prepare(booking, event, user, method="CANCEL")
    context = prepared["context"]
    for name in ("how", "free_words"):
        del context[name]
    context["button_url"] = calendar_files.site_url(reverse("booking:event_list"))
    context["button_text"] = "Book another time"
    return prepared
