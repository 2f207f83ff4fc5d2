"""What a plan gives, in every state it can be in, to the person whose plan it is and to those who share it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.tests.factories import make_user
from billing import entitlements
from billing.exceptions import NoActivePlan, PlanFrozen, PlanPaused, VisitsUsedUp
from billing.models import CourseInclusion, FamilyMember, SubscriptionStatus, SupportTier, VisitUse
from billing.services import subscriptions
from billing.tests.factories import make_member, make_plan, make_subscription

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def use(user: Any, cause: str) -> VisitUse:
    with transaction.atomic():
        return subscriptions.use_visit(user=user, cause=cause)


def ago(span: timedelta) -> Any:
    return timezone.now() - span


def plan_of(**fields: Any) -> Any:
    return make_subscription(plan=make_plan(course_inclusion=CourseInclusion.FULL), **fields)


BOUGHT = {"stripe_subscription_id": "sub_1"}
UNPAID = {"status": SubscriptionStatus.PAST_DUE, "current_period_end": ago(DAY), **BOUGHT}


@pytest.mark.parametrize("is_shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize(
    ("fields", "books", "learns"),
    [
        ({}, True, True),
        ({"current_period_end": ago(HOUR)}, False, False),
        (BOUGHT, True, True),
        ({**BOUGHT, "current_period_end": ago(23 * HOUR)}, True, True),
        ({**BOUGHT, "current_period_end": ago(25 * HOUR)}, False, False),
        ({**BOUGHT, "current_period_end": ago(HOUR), "ends_at": ago(HOUR)}, False, False),
        ({**BOUGHT, "frozen_at": ago(HOUR)}, False, False),
        ({**UNPAID, "past_due_since": ago(6 * DAY)}, False, True),
        ({**UNPAID, "past_due_since": ago(8 * DAY)}, False, False),
        ({**UNPAID, "past_due_since": ago(DAY), "grace_ended_at": ago(HOUR)}, False, False),
        ({**UNPAID, "past_due_since": ago(DAY), "stripe_status": "unpaid"}, False, False),
        ({**UNPAID, "past_due_since": ago(DAY), "frozen_at": ago(HOUR)}, False, False),
        ({"status": SubscriptionStatus.CANCELLED}, False, False),
    ],
    ids=[
        "given",
        "given and over",
        "bought",
        "the word of renewal is hours late",
        "the word of renewal is a day late",
        "bought and stopped",
        "disputed",
        "in the days of grace",
        "after the days of grace",
        "grace was ended",
        "given up by Stripe",
        "in grace and disputed",
        "ended",
    ],
)
def test_sessions_courses_and_help_in_every_state(
    fields: dict[str, Any], books: bool, learns: bool, is_shared: bool
) -> None:
    subscription = plan_of(**fields)
    user = make_member(subscription).user if is_shared else subscription.user

    answer = entitlements.for_user(user)

    assert answer.can_book == books
    assert answer.courses == (CourseInclusion.FULL if learns else CourseInclusion.NONE)
    assert answer.support == (SupportTier.PRIORITY if learns else None)
    if books:
        assert use(user, "booking:a:1").user == user
    else:
        assert answer.why_not
        with pytest.raises((NoActivePlan, PlanPaused, PlanFrozen)):
            use(user, "booking:a:1")
        assert not VisitUse.objects.exists()


def test_each_reason_has_its_own_words() -> None:
    paused = plan_of(**UNPAID, past_due_since=ago(DAY))
    frozen = plan_of(frozen_at=ago(HOUR))
    late = plan_of(stripe_subscription_id="sub_2", current_period_end=ago(30 * HOUR))

    assert entitlements.for_user(paused.user).why_not == PlanPaused.message
    assert entitlements.for_user(make_member(paused).user).why_not == PlanPaused.shared
    assert entitlements.for_user(frozen.user).why_not == PlanFrozen.message
    assert entitlements.for_user(make_member(frozen).user).why_not == PlanFrozen.shared
    assert entitlements.for_user(late.user).why_not == entitlements.NOT_HEARD_YET
    assert entitlements.for_user(make_user()).why_not == NoActivePlan.message


def test_a_plan_that_is_on_hold_or_not_paid_is_still_shown() -> None:
    for fields in ({"frozen_at": ago(HOUR)}, {**UNPAID, "past_due_since": ago(9 * DAY)}):
        answer = entitlements.for_user(plan_of(**fields).user)
        assert (answer.has_plan, answer.in_grace_until) == (True, None)


def test_the_days_of_grace_are_told_while_they_run(settings: Any) -> None:
    since = ago(2 * DAY)
    answer = entitlements.for_user(plan_of(**UNPAID, past_due_since=since).user)

    assert answer.in_grace_until == since + 7 * DAY


def test_everything_about_the_plan_is_told() -> None:
    ends = timezone.now() + 20 * DAY
    subscription = plan_of(**BOUGHT, ends_at=ends, current_period_end=ends, next_plan=make_plan(display_name="Basic"))
    use(subscription.user, "booking:a:1")

    answer = entitlements.for_user(subscription.user)

    assert answer == entitlements.Entitlement(
        plan_name="Standard",
        tier="standard",
        status="active",
        visit_limit=5,
        visits_used=1,
        visits_left=4,
        period_start=subscription.current_period_start,
        period_end=ends,
        ends_at=ends,
        next_plan_name="Basic",
        courses=CourseInclusion.FULL,
        support=SupportTier.PRIORITY,
        is_bought=True,
    )


def test_a_given_plan_ends_with_its_period_and_a_bought_one_does_not() -> None:
    given, bought = plan_of(), plan_of(**BOUGHT)

    assert entitlements.for_user(given.user).ends_at == given.current_period_end
    assert entitlements.for_user(bought.user).ends_at is None


class TestSharing:
    def test_a_member_has_what_the_owner_has_in_two_statements(self, django_assert_num_queries: Any) -> None:
        owner = make_user(name="Margaret Ellis")
        subscription = make_subscription(user=owner)
        member = make_member(subscription).user
        own, shared = entitlements.for_user(owner), None

        with django_assert_num_queries(2):
            shared = entitlements.for_user(member)

        assert (shared.is_shared, shared.owner_first_name) == (True, "Margaret")
        assert (own.is_shared, own.owner_first_name) == (False, "")
        assert (shared.courses, shared.support, shared.visits_left) == (own.courses, own.support, own.visits_left)

    def test_the_live_plan_is_found_in_one_statement_locked_or_not(self, django_assert_num_queries: Any) -> None:
        member = make_member(make_subscription()).user

        with django_assert_num_queries(1):
            assert subscriptions.live(member) is not None
        with transaction.atomic(), django_assert_num_queries(1):
            assert subscriptions.live(member, locked=True) is not None

    def test_all_take_from_one_pool_and_each_use_says_whose_it_was(self) -> None:
        subscription = make_subscription(plan=make_plan(session_limit=2))
        member = make_member(subscription).user

        first, second = use(member, "booking:a:1"), use(subscription.user, "booking:b:1")

        assert (first.user, first.subscription) == (member, subscription)
        assert second.user == subscription.user
        subscription.refresh_from_db()
        assert subscription.session_booked_this_month == 2
        with pytest.raises(VisitsUsedUp) as refusal:
            use(member, "booking:c:1")
        assert refusal.value.message.startswith("The plan you share has used its 2 sessions for this month.")

    def test_taking_a_session_costs_a_member_no_more_statements_than_the_owner(
        self, django_assert_num_queries: Any
    ) -> None:
        subscription = make_subscription()
        member = make_member(subscription).user

        with transaction.atomic(), django_assert_num_queries(3):
            subscriptions.use_visit(user=subscription.user, cause="booking:a:1")
        with transaction.atomic(), django_assert_num_queries(3):
            subscriptions.use_visit(user=member, cause="booking:b:1")

    def test_nobody_takes_from_a_plan_they_have_left(self) -> None:
        subscription = make_subscription()
        membership = make_member(subscription)
        FamilyMember.objects.filter(pk=membership.pk).update(ended_at=timezone.now())

        assert not entitlements.for_user(membership.user).has_plan
        with pytest.raises(NoActivePlan):
            use(membership.user, "booking:a:1")

    def test_a_plan_of_ones_own_comes_first(self) -> None:
        own = make_subscription(plan=make_plan(display_name="Basic"))
        make_member(make_subscription(), user=own.user)

        answer = entitlements.for_user(own.user)

        assert (answer.plan_name, answer.is_shared) == ("Basic", False)

    def test_an_ended_plan_of_ones_own_does_not_hide_the_shared_one(self) -> None:
        own = make_subscription(status=SubscriptionStatus.EXPIRED)
        make_member(make_subscription(), user=own.user)

        assert entitlements.for_user(own.user).is_shared
