"""Visits that end because a plan or an account ended. Called inside the transaction that ended it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.models import FamilyMember, UserSubscription
from billing.services import subscriptions
from booking.models import Booking
from booking.services import mails
from booking.services.bookings import release
from booking.services.places import lock_events

PLAN_ENDED = "Your plan has ended, so the sessions booked for after its end are cancelled."
PLAN_NOT_PAID = "The payment for your plan did not go through, so the sessions booked with it are cancelled."
SHARES_NO_MORE = "You do not share the plan any more, so the sessions booked with it are cancelled."


@transaction.atomic
def cancel_visits_of_plan(subscription: UserSubscription, *, reason: str = PLAN_ENDED) -> int:
    """Cancel sessions paid by this plan and dated after its end, each with a mail. Returns how many."""
    bookings = (
        Booking.objects.confirmed()
        .filter(visit_use__subscription=subscription)
        .filter(event__start_time__gt=max(subscription.current_period_end, timezone.now()))
    )
    return _cancel(bookings, reason)


@transaction.atomic
def cancel_visits_of_member(member: FamilyMember) -> int:
    """Cancel the sessions still to come of somebody who shares the plan no more, each with a mail. How many.

    They go back to those who do share it.
    """
    bookings = (
        Booking.objects.confirmed()
        .of(member.user_id)
        .filter(visit_use__subscription=member.subscription_id, event__start_time__gt=timezone.now())
    )
    return _cancel(bookings, SHARES_NO_MORE)


def _cancel(bookings: Iterable[Booking], reason: str) -> int:
    cancelled = 0
    for row in _release_in_order(bookings, reason):
        mails.send_cancelled(row, row.event, row.user, cost_words="You do not pay anything for it.", reason=reason)
        cancelled += 1
    return cancelled


@transaction.atomic
def cancel_visits_of_person(user: User) -> int:
    """Cancel what is still to come of somebody whose account is closed. They are not written to any more."""
    bookings = Booking.objects.confirmed().of(user.pk).filter(event__start_time__gt=timezone.now())
    return len(_release_in_order(bookings, "The account was closed."))


def _release_in_order(bookings: Iterable[Booking], reason: str) -> list[Booking]:
    """Every plan first, then every event, each by primary key: the order of all other paths."""
    found = list(bookings)
    plans = UserSubscription.objects.filter(visit_uses__bookings__in=found).values_list("pk", flat=True)
    for subscription_id in sorted(set(plans)):
        subscriptions.lock(subscription_id)
    lock_events(booking.event_id for booking in found)
    released = (release(booking, always_return=True, reason=reason)[0] for booking in found)
    return [row for row in released if row is not None]
