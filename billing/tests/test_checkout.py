"""Buying a plan: one Checkout, one customer, one page, whatever happens on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from accounts.exceptions import NotVerified
from accounts.models import User
from accounts.tests.factories import make_user
from billing import exceptions, gateway
from billing.gateway.client import call
from billing.models import (
    Checkout,
    CheckoutState,
    FamilyMember,
    Payment,
    Plan,
    SubscriptionStatus,
    UserSubscription,
)
from billing.services import catalogue, checkout
from billing.tests.crashes import Crash, crash
from billing.tests.factories import make_subscription
from billing.tests.paying import begin, customers, only_session, overdue, paid_session, sessions
from emails.models import EmailJob
from sandbox.stripe import StandIn

pytestmark = pytest.mark.django_db
racing = pytest.mark.django_db(transaction=True)

WAIT_SECONDS = 10.0
DECLINED = "4000000000000002"


# --- The first press ------------------------------------------------------------------------------------
def test_a_press_leads_to_a_page_for_the_right_person_plan_and_sum(stripe: StandIn, user: User, plan: Plan) -> None:
    url = begin(user, plan)

    row = Checkout.objects.get()
    session = only_session()
    user.refresh_from_db()
    assert url == session.url
    assert f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" == stripe.site
    assert (row.user, row.plan, row.amount_cents, row.state) == (user, plan, 9900, CheckoutState.OPEN)
    assert (row.stripe_session_id, row.stripe_customer_id) == (session.id, user.stripe_customer_id)
    assert (session.amount_cents, session.customer_id) == (9900, user.stripe_customer_id)
    assert session.client_reference_id == str(user.pk)
    assert session.metadata == {"kind": "plan", "user_id": str(user.pk), "plan": "standard", "checkout": row.pk}
    assert abs(session.expires_at - timezone.now() - checkout.OPEN_FOR) < timedelta(seconds=10)
    assert not UserSubscription.objects.exists()


def test_the_way_back_holds_the_number_that_stripe_fills_in(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)

    (made,) = call(lambda v1: v1.checkout.sessions.list({}))["data"]
    assert made["success_url"] == "http://testserver/billing/return/?session_id={CHECKOUT_SESSION_ID}"
    assert made["cancel_url"] == "http://testserver/billing/return/"


def test_a_second_press_leads_to_the_same_page(stripe: StandIn, user: User, plan: Plan) -> None:
    assert begin(user, plan) == begin(user, plan)

    assert Checkout.objects.count() == len(customers()) == len(sessions()) == 1


def test_another_plan_closes_the_page_of_the_first(stripe: StandIn, user: User, plan: Plan, premium: Plan) -> None:
    begin(user, plan)

    url = begin(user, premium)

    (still_open,) = sessions("open")
    assert (still_open.url, still_open.amount_cents) == (url, 19900)
    assert len(sessions("expired")) == 1
    assert list(Checkout.objects.order_by("created_at").values_list("state", flat=True)) == ["expired", "open"]
    assert len(customers()) == 1


def test_another_price_closes_the_page_of_the_old_one(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)
    Plan.objects.update(price_in_cents=10900)

    begin(user, plan)

    assert [session.amount_cents for session in sessions("open")] == [10900]


def test_a_page_with_little_time_left_is_not_given_out_again(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)
    Checkout.objects.update(expires_at=timezone.now() + timedelta(minutes=4))

    begin(user, plan)

    assert len(sessions("open")) == len(sessions("expired")) == 1


def test_a_page_that_stripe_has_closed_is_replaced(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)
    stripe.expire(only_session().id)

    url = begin(user, plan)

    assert [session.url for session in sessions("open")] == [url]
    assert Checkout.objects.filter(state=CheckoutState.EXPIRED, finished_at__isnull=False).count() == 1


def test_somebody_known_at_stripe_is_not_made_again_but_brought_up_to_date(
    stripe: StandIn, user: User, plan: Plan
) -> None:
    begin(user, plan)
    checkout.close_open(user=user)
    User.objects.update(email="new@example.com", name="")

    begin(user, plan)

    (customer,) = customers()
    assert (customer["email"], customer["name"] or "") == ("new@example.com", "")


def test_a_customer_deleted_at_stripe_is_made_anew(stripe: StandIn, user: User, plan: Plan) -> None:
    gone = gateway.create_customer(email="a@example.com", name="", user_id=user.pk, key="old")
    gateway.delete_customer(gone)
    User.objects.update(stripe_customer_id=gone)

    begin(user, plan)

    user.refresh_from_db()
    assert user.stripe_customer_id not in (None, gone)
    assert len(sessions("open")) == 1
    assert Checkout.objects.open().count() == 1


# --- Refusals -------------------------------------------------------------------------------------------
def refused(user: User, plan: Plan, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        begin(user, plan)
    assert not Checkout.objects.exists()


def test_unproven_and_departed_people_cannot_buy(stripe: StandIn, plan: Plan) -> None:
    refused(make_user(email_verified=False), plan, NotVerified)
    refused(make_user(deleted_at=timezone.now()), plan, NotVerified)
    refused(make_user(deletion_asked_at=timezone.now()), plan, exceptions.AccountLeaves)
    assert sessions() == customers() == []


def test_a_plan_that_is_off_offer_cannot_be_bought(stripe: StandIn, user: User, plan: Plan) -> None:
    Plan.objects.update(is_offered=False)

    refused(user, plan, exceptions.PlanNotOffered)


@pytest.mark.parametrize("status", [SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE])
def test_who_has_a_plan_cannot_buy_another(stripe: StandIn, plan: Plan, premium: Plan, status: str) -> None:
    owner = make_user()
    make_subscription(user=owner, plan=plan, status=status)

    refused(owner, plan, exceptions.HasPlanAlready)
    refused(owner, premium, exceptions.HasPlanAlready)


@pytest.mark.parametrize("status", [SubscriptionStatus.CANCELLED, SubscriptionStatus.EXPIRED])
def test_who_had_a_plan_can_buy_again(stripe: StandIn, user: User, plan: Plan, status: str) -> None:
    make_subscription(user=user, plan=plan, status=status)

    assert begin(user, plan)


def test_who_shares_a_plan_has_to_leave_it_first(stripe: StandIn, user: User, plan: Plan) -> None:
    member = FamilyMember.objects.create(subscription=make_subscription(plan=plan), user=user)
    refused(user, plan, exceptions.SharesPlanAlready)

    member.ended_at = timezone.now()
    member.save()

    assert begin(user, plan)


def test_an_address_that_is_not_stripes_is_never_given_out(
    stripe: StandIn, user: User, plan: Plan, settings: Any
) -> None:
    settings.STRIPE_HOSTED_ORIGINS = ("https://checkout.stripe.com",)

    with pytest.raises(exceptions.StripeUnavailable):
        begin(user, plan)


# --- Paid -----------------------------------------------------------------------------------------------
def test_coming_back_makes_the_plan_at_once(stripe: StandIn, user: User, plan: Plan) -> None:
    number = paid_session(stripe, user, plan)
    assert not UserSubscription.objects.exists()

    found = checkout.fulfil(number, user=user)

    row = UserSubscription.objects.get()
    assert (found.state, found.subscription) == (CheckoutState.PAID, row)
    assert (row.user, row.plan, row.status) == (user, plan, SubscriptionStatus.ACTIVE)
    assert Payment.objects.get().amount_cents == 9900
    assert [job.template_type for job in EmailJob.objects.all()] == ["plan_started"]


def test_coming_back_again_and_stripes_post_change_nothing(stripe: StandIn, user: User, plan: Plan) -> None:
    number = paid_session(stripe, user, plan)
    first = checkout.fulfil(number, user=user)
    before = len(stripe.calls)

    again = [checkout.fulfil(number, user=user), checkout.fulfil(number)]

    assert again == [first, first]
    assert len(stripe.calls) == before
    assert UserSubscription.objects.count() == Payment.objects.count() == EmailJob.objects.count() == 1


def test_coming_back_without_having_paid_changes_nothing(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)
    stripe.pay(only_session().id, card=DECLINED)

    found = checkout.fulfil(only_session().id, user=user)

    assert (found.state, found.subscription) == (CheckoutState.OPEN, None)
    assert not UserSubscription.objects.exists()
    # The page is still there, and a good card ends it well.
    assert begin(user, plan) == only_session().url
    assert stripe.pay(only_session().id).ok
    assert checkout.fulfil(only_session().id, user=user).state == CheckoutState.PAID


def test_an_expired_page_closes_the_row(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)
    stripe.expire(only_session().id)

    assert checkout.fulfil(only_session().id).state == CheckoutState.EXPIRED
    assert checkout.fulfil(only_session().id).state == CheckoutState.EXPIRED


def test_paying_and_pressing_again_before_the_news_has_come(
    stripe: StandIn, user: User, plan: Plan, premium: Plan
) -> None:
    paid_session(stripe, user, plan)

    for wanted in (premium, plan):
        with pytest.raises(exceptions.HasPlanAlready):
            begin(user, wanted)

    assert UserSubscription.objects.get().plan == plan
    assert Checkout.objects.get().state == CheckoutState.PAID
    assert len(sessions()) == 1


@pytest.mark.parametrize("session_id", ["", "cs_", "cs_test_nobody", "cs_test_../../v1/customers", "x" * 300, "cs_é"])
def test_a_number_that_is_no_checkout_is_not_found(stripe: StandIn, user: User, session_id: str) -> None:
    with pytest.raises(exceptions.CheckoutNotYours):
        checkout.fulfil(session_id, user=user)


def test_somebody_elses_checkout_is_not_found_and_not_touched(stripe: StandIn, user: User, plan: Plan) -> None:
    number = paid_session(stripe, user, plan)
    stranger = make_user()

    with pytest.raises(exceptions.CheckoutNotYours):
        checkout.fulfil(number, user=stranger)
    Checkout.objects.update(stripe_session_id=None)
    with pytest.raises(exceptions.CheckoutNotYours):
        checkout.fulfil(number, user=stranger)

    assert not UserSubscription.objects.exists()
    assert Checkout.objects.get().state == CheckoutState.OPEN


def test_a_session_that_somebody_else_made_at_stripe_is_not_ours(stripe: StandIn, user: User, plan: Plan) -> None:
    customer = gateway.create_customer(email="x@example.com", name="", user_id=0, key="x")
    foreign = gateway.create_plan_session(
        checkout_id="unknown",
        customer_id=customer,
        user_id=user.pk,
        price_id=catalogue.current_price(plan).stripe_price_id,
        plan_name="standard",
        expires_at=timezone.now() + timedelta(minutes=35),
        success_url="http://testserver/",
        cancel_url="http://testserver/",
        key="foreign",
    )

    for somebody in (user, None):
        with pytest.raises(exceptions.CheckoutNotYours):
            checkout.fulfil(foreign.id, user=somebody)


def test_stripe_down_on_the_way_back_loses_nothing(stripe: StandIn, user: User, plan: Plan) -> None:
    number = paid_session(stripe, user, plan)

    with stripe.refusing(), pytest.raises(exceptions.StripeUnavailable):
        checkout.fulfil(number, user=user)

    gateway.client.breaker.success()
    assert checkout.fulfil(number, user=user).state == CheckoutState.PAID


def test_what_a_person_pays_after_leaving_is_stopped(stripe: StandIn, user: User, plan: Plan) -> None:
    number = paid_session(stripe, user, plan)
    User.objects.update(deleted_at=timezone.now())

    assert checkout.fulfil(number).state == CheckoutState.PAID

    current = gateway.subscription(gateway.session(number).subscription_id)
    assert current.status == "canceled"
    assert not UserSubscription.objects.live().exists()


# --- Closing --------------------------------------------------------------------------------------------
def test_the_sweep_closes_what_stripe_has_closed(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)
    overdue()
    stripe.expire(only_session().id)

    assert checkout.close_due() == 1
    assert Checkout.objects.get().state == CheckoutState.EXPIRED
    assert checkout.close_due() == 0


def test_the_sweep_leaves_what_stripe_still_shows(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)
    overdue()

    assert checkout.close_due() == 0
    assert Checkout.objects.get().state == CheckoutState.OPEN


def test_the_sweep_finds_money_that_nobody_told_of(stripe: StandIn, user: User, plan: Plan) -> None:
    paid_session(stripe, user, plan)
    overdue()

    assert checkout.close_due() == 1
    assert Checkout.objects.get().state == CheckoutState.PAID
    assert UserSubscription.objects.get().user == user


def test_the_sweep_leaves_others_in_peace(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)
    before = len(stripe.calls)

    assert checkout.close_due() == 0
    assert len(stripe.calls) == before


def test_the_sweep_waits_while_stripe_is_down(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)
    overdue()
    stripe.expire(only_session().id)

    with stripe.refusing():
        assert checkout.close_due() == 0

    gateway.client.breaker.success()
    assert checkout.close_due() == 1


def test_what_cannot_be_closed_does_not_hold_up_the_rest(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "BATCH", 1)
    begin(user, plan)
    other = make_user()
    begin(other, plan)
    overdue()
    stripe.expire(str(Checkout.objects.get(user=other).stripe_session_id))

    assert sum(checkout.close_due() for _ in range(3)) == 1
    assert Checkout.objects.get(user=other).state == CheckoutState.EXPIRED


def test_the_sweep_ends_a_row_that_never_got_a_page(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in ("create_customer", "create_plan_session"):
        with crash(monkeypatch, gateway, step, "before"), pytest.raises(Crash):
            begin(user, plan)
        overdue()
        assert checkout.close_due() == 1

    assert {row.state for row in Checkout.objects.all()} <= {CheckoutState.EXPIRED, CheckoutState.FAILED}
    assert sessions() == []


def test_closing_for_somebody_who_leaves_ends_the_page_at_once(stripe: StandIn, user: User, plan: Plan) -> None:
    begin(user, plan)

    checkout.close_open(user=user)

    assert only_session().status == "expired"
    assert Checkout.objects.get().state == CheckoutState.EXPIRED


def test_a_press_that_comes_too_late_does_not_close_what_another_has_opened(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    with crash(monkeypatch, gateway, "create_plan_session", "before"), pytest.raises(Crash):
        begin(user, plan)
    seen_early = Checkout.objects.select_related("user", "plan").get()
    url = begin(user, plan)

    checkout._give_up(seen_early, exceptions.StripeRefused())

    assert begin(user, plan) == url
    assert Checkout.objects.get().state == CheckoutState.OPEN


def test_late_news_does_not_undo_a_payment(stripe: StandIn, user: User, plan: Plan) -> None:
    number = paid_session(stripe, user, plan)
    seen_early = Checkout.objects.select_related("user", "plan").get()
    checkout.fulfil(number)

    assert checkout._finish(seen_early, CheckoutState.EXPIRED).state == CheckoutState.PAID
    assert Checkout.objects.get().state == CheckoutState.PAID
