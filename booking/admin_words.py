"""What staff are told about a booking they change for a caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html

from accounts.exceptions import NotVerified
from accounts.models import User
from billing.exceptions import NoActivePlan, PlanFrozen, PlanPaused, VisitsUsedUp
from billing.models import VisitUse
from booking import exceptions
from booking.models import Booking, EventStatus
from booking.words import cutoff_words, is_in_time
from techdeputies.lib.exceptions import DomainError


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


@contextmanager
def refusals_for_staff(user: User) -> Iterator[None]:
    """The refusals of a booking speak to the person; say them anew to the one who books for a caller."""
    try:
        yield
    except DomainError as refusal:
        words = _for_staff(refusal, user)
        raise type(refusal)(words) if words else refusal from None


def _for_staff(refusal: DomainError, user: User) -> str:
    page = reverse("admin:accounts_user_change", args=[user.pk])
    if isinstance(refusal, NoActivePlan):
        grant = f"{reverse('admin:billing_usersubscription_grant')}?{urlencode({'email': user.email})}"
        return format_html('{} has no plan that runs now. <a href="{}">Give them a plan first.</a>', user, grant)
    if isinstance(refusal, NotVerified):
        return format_html(
            "{} has not confirmed the address {}. Ask them to press the button in our mail, or to sign in and have"
            ' it sent again. <a href="{}">Open their page.</a>',
            user,
            user.email,
            page,
        )
    if isinstance(refusal, VisitsUsedUp):
        return format_html('{} has used all sessions of this month. <a href="{}">Open their page.</a>', user, page)
    if isinstance(refusal, PlanPaused):
        return f"The last payment for the plan of {user} did not go through, so it waits. Sort out the payment first."
    if isinstance(refusal, PlanFrozen):
        return f"A payment for the plan of {user} is disputed at the bank, so it waits until that is decided."
    if isinstance(refusal, exceptions.ClashesWithOwn):
        return f"{user} already has another session at that time. Choose a different one."
    if isinstance(refusal, exceptions.EventFull):
        return "Someone else has just taken the last place. Nothing is booked. Choose another time."
    return ""
