"""Sessions that a shared plan pays for: booked by those who share it, and gone with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.tests.factories import make_admin
from audit.actors import Actor
from billing.exceptions import VisitsUsedUp
from billing.models import UserSubscription, VisitUse
from billing.services import family, subscriptions
from billing.tests.factories import make_member, make_plan, make_subscription
from booking import services
from booking.models import Booking, BookingStatus, CalendarEvent
from booking.tests.factories import make_booking, make_event
from booking.tests.racing import assert_all_is_well, in_hours
from emails.models import EmailJob

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription() -> UserSubscription:
    return make_subscription(plan=make_plan(session_limit=3, family_size=3))


def event_in(hours: float) -> CalendarEvent:
    return make_event(start_time=in_hours(hours))


def test_all_book_from_one_pool(subscription: UserSubscription) -> None:
    member = make_member(subscription).user

    for number, person in enumerate((subscription.user, member, member)):
        booking = services.book_event(user=person, event=event_in(72 + 2 * number))
        assert booking.visit_use is not None
        assert (booking.visit_use.subscription, booking.visit_use.user) == (subscription, person)

    with pytest.raises(VisitsUsedUp):
        services.book_event(user=subscription.user, event=event_in(96))
    assert_all_is_well()


def test_a_member_moves_and_cancels_as_the_owner_does(subscription: UserSubscription) -> None:
    member = make_member(subscription).user
    booking = services.book_event(user=member, event=event_in(72))

    moved = services.move_booking(booking=booking, event=event_in(80))
    services.cancel_booking(booking=moved)

    subscription.refresh_from_db()
    assert subscription.session_booked_this_month == 0
    assert_all_is_well()


@pytest.mark.parametrize("how", ["removed", "left", "too small"])
def test_whoever_shares_no_more_loses_what_is_to_come_and_the_pool_gets_it_back(
    subscription: UserSubscription, how: str
) -> None:
    membership = make_member(subscription)
    member, stays = membership.user, make_member(subscription, joined_at=timezone.now() - timedelta(days=1)).user
    soon = services.book_event(user=member, event=event_in(3))  # too late to cancel oneself
    later = services.book_event(user=member, event=event_in(72))
    of_the_other = services.book_event(user=stays, event=later.event)

    if how == "removed":
        family.remove(owner=subscription.user, member=membership)
    elif how == "left":
        family.leave(user=member)
    else:
        subscription.plan = make_plan(session_limit=3, family_size=2)
        subscription.save()
        with transaction.atomic():
            family.fit_to_plan(subscription)

    for booking in (soon, later):
        booking.refresh_from_db()
        assert booking.status == BookingStatus.CANCELLED
        assert booking.cancel_reason.startswith("You do not share the plan any more")
    of_the_other.refresh_from_db()
    assert of_the_other.is_confirmed
    told = EmailJob.objects.filter(template_type="booking_cancelled").values_list("recipient_email", flat=True)
    assert list(told) == [member.email] * 2
    subscription.refresh_from_db()
    assert subscription.session_booked_this_month == 1
    assert_all_is_well()


def test_what_is_over_or_paid_otherwise_stays(subscription: UserSubscription) -> None:
    membership = make_member(subscription)
    begun, other = event_in(72), event_in(90)
    past = services.book_event(user=membership.user, event=begun)
    CalendarEvent.objects.filter(pk=begun.pk).update(
        start_time=timezone.now() - timedelta(hours=1), end_time=timezone.now()
    )
    unpaid = make_booking(user=membership.user, event=other)

    family.leave(user=membership.user)

    assert set(Booking.objects.confirmed()) == {past, unpaid}
    assert VisitUse.objects.standing().count() == 1


def test_the_end_of_the_plan_cancels_the_sessions_of_all_who_share_it(subscription: UserSubscription) -> None:
    member = make_member(subscription).user
    people = [subscription.user, member]
    for number, person in enumerate(people):
        services.book_event(user=person, event=event_in(72 + 2 * number))

    subscriptions.end_plan(subscription=subscription, actor=Actor(user=make_admin()), reason="x")

    assert not Booking.objects.confirmed().exists()
    told: Any = EmailJob.objects.filter(template_type="booking_cancelled").values_list("recipient_email", flat=True)
    assert sorted(told) == sorted(person.email for person in people)
