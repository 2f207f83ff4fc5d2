"""Plans given by staff, and the sessions counted from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.tests.factories import make_admin, make_user
from audit.actors import Actor
from audit.models import AdminActionAudit
from billing import entitlements
from billing.exceptions import NoActivePlan, PlanAlreadyActive, PlanAlreadyEnded, PlanPaused, VisitsUsedUp
from billing.models import SubscriptionStatus, UserSubscription, VisitUse
from billing.services import subscriptions
from billing.tests.factories import make_plan, make_subscriber, make_subscription

pytestmark = pytest.mark.django_db


def use(user, cause):  # type: ignore[no-untyped-def]
    with transaction.atomic():
        return subscriptions.use_visit(user=user, cause=cause)


def test_a_person_has_one_active_plan_but_any_number_of_ended_ones() -> None:
    user = make_user()
    make_subscription(user=user, status=SubscriptionStatus.CANCELLED)
    make_subscription(user=user, status=SubscriptionStatus.CANCELLED)
    make_subscription(user=user)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_subscription(user=user)


def test_each_session_is_counted_until_none_is_left() -> None:
    user = make_subscriber(plan=make_plan(session_limit=2))
    use(user, "booking:a:1")
    use(user, "booking:b:1")

    with pytest.raises(VisitsUsedUp) as refusal:
        use(user, "booking:c:1")

    assert "You have used your 2 sessions for this month" in refusal.value.message
    assert UserSubscription.objects.get(user=user).session_booked_this_month == 2
    assert VisitUse.objects.count() == 2


def test_a_plan_without_limit_never_runs_out() -> None:
    user = make_subscriber(plan=make_plan(session_limit=0))

    for number in range(12):
        use(user, f"booking:{number}:1")

    assert entitlements.for_user(user).can_book


def test_a_returned_session_can_be_used_again_and_returning_twice_changes_nothing() -> None:
    user = make_subscriber(plan=make_plan(session_limit=1))
    taken = use(user, "booking:a:1")

    for _ in range(2):
        with transaction.atomic():
            subscriptions.return_visit(use=taken)

    assert UserSubscription.objects.get(user=user).session_booked_this_month == 0
    use(user, "booking:a:3")
    assert UserSubscription.objects.get(user=user).session_booked_this_month == 1


def test_a_session_returned_after_a_renewal_is_credited_to_the_present_period() -> None:
    user = make_subscriber(plan=make_plan(session_limit=1))
    taken = use(user, "booking:a:1")
    UserSubscription.objects.filter(user=user).update(current_period_start=timezone.now(), session_booked_this_month=0)

    with transaction.atomic():
        subscriptions.return_visit(use=taken)

    assert entitlements.for_user(user).visits_left == 2
    use(user, "booking:b:1")
    use(user, "booking:c:1")
    with pytest.raises(VisitsUsedUp):
        use(user, "booking:d:1")


def test_the_same_cause_is_never_counted_twice() -> None:
    user = make_subscriber()
    use(user, "booking:a:1")

    with pytest.raises(IntegrityError), transaction.atomic():
        subscriptions.use_visit(user=user, cause="booking:a:1")

    assert UserSubscription.objects.get(user=user).session_booked_this_month == 1


def test_without_a_plan_and_after_its_end_there_is_nothing_to_use() -> None:
    with pytest.raises(NoActivePlan):
        use(make_user(), "booking:a:1")

    user = make_user()
    make_subscription(user=user, current_period_end=timezone.now() - timedelta(minutes=1))
    with pytest.raises(NoActivePlan) as refusal:
        use(user, "booking:b:1")
    assert "has ended" in refusal.value.message
    assert not entitlements.for_user(user).can_book


def test_a_plan_whose_payment_failed_takes_no_new_sessions() -> None:
    user = make_user()
    make_subscription(user=user, status=SubscriptionStatus.PAST_DUE)

    with pytest.raises(PlanPaused):
        use(user, "booking:a:1")
    assert entitlements.for_user(user).why_not == PlanPaused.message


def test_staff_give_a_plan_once_and_it_is_written_down() -> None:
    actor = Actor(user=make_admin(), ip_address="203.0.113.9", user_agent="Test")
    user, plan = make_user(), make_plan()

    granted = subscriptions.grant_plan(user=user, plan=plan, actor=actor, reason="Goodwill")

    assert granted.is_granted
    assert AdminActionAudit.objects.get().action == "plan_granted"
    with pytest.raises(PlanAlreadyActive):
        subscriptions.grant_plan(user=user, plan=plan, actor=actor, reason="Again")


def test_ending_a_plan_stops_it_now_and_only_once() -> None:
    actor = Actor(user=make_admin(), ip_address="203.0.113.9", user_agent="Test")
    user = make_subscriber()
    subscription = UserSubscription.objects.get(user=user)

    subscriptions.end_plan(subscription=subscription, actor=actor, reason="Moved away")

    assert not entitlements.for_user(user).has_plan
    with pytest.raises(PlanAlreadyEnded):
        subscriptions.end_plan(subscription=subscription, actor=actor, reason="Again")


def test_given_plans_end_by_themselves_and_bought_ones_are_left_to_stripe() -> None:
    yesterday = timezone.now() - timedelta(days=1)
    given = make_subscription(current_period_end=yesterday)
    bought = make_subscription(current_period_end=yesterday, stripe_subscription_id="sub_1")

    assert subscriptions.end_lapsed_plans() == 1

    given.refresh_from_db()
    bought.refresh_from_db()
    assert given.status == SubscriptionStatus.EXPIRED
    assert bought.status == SubscriptionStatus.ACTIVE


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2027, 1, 31, 9, tzinfo=UTC), datetime(2027, 2, 28, 9, tzinfo=UTC)),
        (datetime(2026, 12, 15, 9, tzinfo=UTC), datetime(2027, 1, 15, 9, tzinfo=UTC)),
        (datetime(2028, 1, 30, 9, tzinfo=UTC), datetime(2028, 2, 29, 9, tzinfo=UTC)),
    ],
)
def test_a_month_ends_on_the_same_day_or_the_last_one(start: datetime, end: datetime) -> None:
    assert subscriptions.a_month_after(start) == end


def test_what_a_person_may_do_is_answered_in_two_statements(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    user = make_subscriber(plan=make_plan(session_limit=5))
    use(user, "booking:a:1")

    with django_assert_num_queries(2):
        answer = entitlements.for_user(user)

    assert (answer.visits_used, answer.visits_left, answer.can_book) == (1, 4, True)
