"""What staff are told about a booking they change for a caller."""

from __future__ import annotations

from billing.models import VisitUse
from booking.models import Booking, EventStatus
from booking.words import cutoff_words, is_in_time


def cancel_note(booking: Booking) -> str:
    """What cancelling does to the plan now, with a reason and without."""
    event = booking.event
    if event.status == EventStatus.CANCELLED:
        return "The session itself is cancelled. It goes back to the plan; you need no reason."
    if event.has_started:
        return (
            "The session has already begun. Without a reason it cannot be cancelled."
            " With a reason it is cancelled, and it goes back to the plan."
        )
    if is_in_time(event):
        return f"The session does not begin within {cutoff_words()}. It goes back to the plan; you need no reason."
    return (
        f"The session begins in less than {cutoff_words()}. Without a reason it counts as used."
        " With a reason it goes back to the plan."
    )


def move_note(booking: Booking) -> str:
    """Whether moving needs a reason now."""
    event = booking.event
    if event.status == EventStatus.CANCELLED or is_in_time(event):
        return "It can be moved without a reason."
    if event.has_started:
        return "The session has already begun. You can move it only with a reason."
    return f"The session begins in less than {cutoff_words()}. You can move it only with a reason."


def cancelled_words(booking: Booking) -> str:
    """What became of a booking that was just cancelled."""
    if booking.visit_use_id is None:
        return "Cancelled. It was not taken from a plan, so nothing goes back. They get a mail."
    if VisitUse.objects.filter(pk=booking.visit_use_id, returned_at__isnull=False).exists():
        return "Cancelled. The session is back in their plan. They get a mail."
    return "Cancelled. The session counts as used. They get a mail."
