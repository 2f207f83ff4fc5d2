"""Buying a plan, cut off half-way or in two tabs at once: one Checkout, one customer, one plan."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.utils import timezone

from accounts.exceptions import NotVerified
from accounts.models import User, UserQuerySet
from accounts.tests.helpers import race
from billing import gateway
from billing.models import (
    Checkout,
    CheckoutState,
    Payment,
    Plan,
    PlanPrice,
    UserSubscription,
)
from billing.models.payments import CheckoutQuerySet
from billing.services import catalogue, checkout
from billing.tests.crashes import Crash, crash, without_constraint
from billing.tests.paying import begin, customers, only_session, paid_session, sessions
from emails.models import EmailJob
from sandbox.stripe import StandIn

pytestmark = pytest.mark.django_db
racing = pytest.mark.django_db(transaction=True)

WAIT_SECONDS = 10.0
DECLINED = "4000000000000002"


# --- Dying on the way -----------------------------------------------------------------------------------
BEGIN_STEPS = [
    (gateway, "create_customer"),
    (checkout, "_store_customer"),
    (gateway, "create_plan_session"),
    (checkout, "_store_session"),
    (gateway, "hosted"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "step"), BEGIN_STEPS, ids=[step for _, step in BEGIN_STEPS])
def test_a_press_that_died_is_taken_up_again(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, when: str
) -> None:
    with crash(monkeypatch, module, step, when), pytest.raises(Crash):
        begin(user, plan)

    url = begin(user, plan)

    user.refresh_from_db()
    assert only_session().url == url
    assert [customer["id"] for customer in customers()] == [user.stripe_customer_id]
    assert Checkout.objects.get().stripe_session_id == only_session().id


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "step"), BEGIN_STEPS, ids=[step for _, step in BEGIN_STEPS])
def test_a_press_that_died_and_one_for_another_plan(
    stripe: StandIn,
    user: User,
    plan: Plan,
    premium: Plan,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    step: str,
    when: str,
) -> None:
    with crash(monkeypatch, module, step, when), pytest.raises(Crash):
        begin(user, plan)

    url = begin(user, premium)

    assert len(customers()) == 1
    assert [session.url for session in sessions("open")] == [url]
    assert Checkout.objects.open().get().plan == premium


def test_without_our_keys_a_press_that_died_makes_everything_twice(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: it is the keys that hold the two tests above."""
    monkeypatch.setattr("billing.gateway.checkout.options", lambda key="": {})
    with crash(monkeypatch, checkout, "_store_customer", "before"), pytest.raises(Crash):
        begin(user, plan)
    with crash(monkeypatch, checkout, "_store_session", "before"), pytest.raises(Crash):
        begin(user, plan)

    begin(user, plan)

    assert len(customers()) == len(sessions("open")) == 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("module", "step"),
    [(checkout.syncing, "sync_invoice"), (checkout, "_finish")],
    ids=["sync_invoice", "_finish"],
)
def test_a_return_that_died_is_taken_up_again(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, when: str
) -> None:
    number = paid_session(stripe, user, plan)
    with crash(monkeypatch, module, step, when), pytest.raises(Crash):
        checkout.fulfil(number, user=user)

    found = checkout.fulfil(number, user=user)

    assert found.subscription == UserSubscription.objects.get()
    assert Payment.objects.count() == EmailJob.objects.count() == 1


def test_money_for_a_page_whose_number_was_never_written_down(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    with crash(monkeypatch, checkout, "_store_session", "before"), pytest.raises(Crash):
        begin(user, plan)
    stripe.pay(only_session().id)

    found = checkout.fulfil(only_session().id)

    assert (found.state, found.stripe_session_id) == (CheckoutState.PAID, only_session().id)


# --- At the same time -----------------------------------------------------------------------------------
@racing
def test_two_tabs_at_once_get_one_page(stripe: StandIn, user: User, plan: Plan) -> None:
    outcomes = race(lambda _: begin(user, plan), range(4))

    assert outcomes == [only_session().url] * 4
    assert Checkout.objects.count() == len(customers()) == 1
    assert PlanPrice.objects.count() == 1


@racing
def test_two_tabs_for_different_plans_leave_one_page_open(
    stripe: StandIn, user: User, plan: Plan, premium: Plan
) -> None:
    race(lambda one: begin(user, one), [plan, premium])

    (still_open,) = sessions("open")
    row = Checkout.objects.open().get()
    assert row.stripe_session_id == still_open.id
    assert len(customers()) == 1
    for wanted in (plan, premium):
        begin(user, wanted)
        assert len(sessions("open")) == 1


@racing
def test_without_the_persons_lock_and_the_constraint_two_tabs_get_two_pages(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: everybody looks for an open Checkout before anybody has made one."""
    catalogue.current_price(plan)
    gate = threading.Barrier(2)
    real = CheckoutQuerySet.create

    def create(self: Any, **fields: Any) -> Checkout:
        gate.wait(WAIT_SECONDS)
        return real(self, **fields)

    monkeypatch.setattr(UserQuerySet, "select_for_update", lambda self, **_: self)
    monkeypatch.setattr(CheckoutQuerySet, "create", create)
    with without_constraint("checkouts", "checkout_one_open_plan_per_person"):
        race(lambda _: begin(user, plan), range(2))
        assert Checkout.objects.open().count() == len(sessions("open")) == 2


@racing
def test_the_constraint_alone_still_keeps_the_second_one_out(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.current_price(plan)
    monkeypatch.setattr(UserQuerySet, "select_for_update", lambda self, **_: self)

    race(lambda _: begin(user, plan), range(4))

    assert Checkout.objects.count() == len(sessions()) == 1


@racing
def test_the_return_page_and_stripes_post_at_once_make_one_plan(stripe: StandIn, user: User, plan: Plan) -> None:
    number = paid_session(stripe, user, plan)

    outcomes = race(lambda person: checkout.fulfil(number, user=person), [user, None, user, None])

    assert [outcome.state for outcome in outcomes] == [CheckoutState.PAID] * 4
    assert UserSubscription.objects.count() == Payment.objects.count() == EmailJob.objects.count() == 1


@racing
def test_paying_while_another_plan_is_asked_for_ends_in_one_plan(
    stripe: StandIn, user: User, plan: Plan, premium: Plan
) -> None:
    begin(user, plan)
    first = only_session().id

    race(lambda act: act(), [lambda: stripe.pay(first), lambda: begin(user, premium)])
    checkout.fulfil(first)

    was_paid = gateway.session(first).is_paid
    assert UserSubscription.objects.count() == int(was_paid)
    assert len(sessions("open")) == int(not was_paid)


def test_somebody_who_leaves_while_the_page_is_made_gets_none(
    stripe: StandIn, user: User, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gateway.create_plan_session

    def leaving(**asked: Any) -> gateway.StripeSession:
        with monkeypatch.context() as patch:
            patch.setattr(gateway, "create_plan_session", real)
            User.objects.update(deleted_at=timezone.now())
            checkout.close_open(user=user)
        return real(**asked)

    monkeypatch.setattr(gateway, "create_plan_session", leaving)

    with pytest.raises(NotVerified):
        begin(user, plan)

    assert sessions("open") == []
    assert not Checkout.objects.open().exists()
