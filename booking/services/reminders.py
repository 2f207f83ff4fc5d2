"""Reminders, decided when they fall due from the booking as it then is; nothing is queued days ahead."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from booking.models import Booking, EventStatus
from booking.services import mails
from emails.exceptions import InvalidRecipient
from settings_app.services import value

logger = structlog.get_logger(__name__)

BATCH_SIZE = 100
MOST_BATCHES = 200


def send_due_reminders() -> int:
    """Queue a reminder for each session that begins soon: one per revision. Returns how many were queued.

    Two runs at once find other rows or none. A session booked or moved after its reminder would have been due
    gets none: the confirmation has just said it all.
    """
    queued = 0
    for _ in range(MOST_BATCHES):
        found, sent = _send_batch()
        queued += sent
        if found < BATCH_SIZE:
            break
    return queued


@transaction.atomic
def _send_batch() -> tuple[int, int]:
    now = timezone.now()
    ahead = timedelta(hours=value("reminder_hours_before"))
    due = (
        Booking.objects.confirmed()
        .filter(
            Q(reminded_revision__isnull=True) | ~Q(reminded_revision=F("revision")),
            event__status=EventStatus.OPEN,
            event__start_time__gt=now,
            event__start_time__lte=now + ahead,
            booked_at__lte=F("event__start_time") - ahead,
            user__deleted_at__isnull=True,
        )
        .select_related("event__deputy", "user")
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
        .order_by("event__start_time", "pk")[:BATCH_SIZE]
    )
    bookings = list(due)
    sent = 0
    for booking in bookings:
        try:
            mails.send_reminder(booking, booking.event, booking.user)
            sent += 1
        except InvalidRecipient:
            # An address from the old site that cannot be written to must not keep the others waiting.
            logger.warning("reminder_without_address", booking_id=booking.pk)
    Booking.objects.filter(pk__in=[booking.pk for booking in bookings]).update(
        reminded_revision=F("revision"), updated_at=now
    )
    return len(bookings), sent
