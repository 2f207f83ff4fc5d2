"""Changing a plan, cut off half-way or pressed twice at once: one end, paid once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import User, UserQuerySet
from accounts.tests.helpers import race
from billing import exceptions, gateway
from billing.models import (
    ChangeState,
    Payment,
    PaymentKind,
    Plan,
    PlanChange,
    UserSubscription,
)
from billing.services import catalogue, changes, checkout
from billing.tests.changing import at_stripe, invoices, moved, schedules
from billing.tests.crashes import Crash, crash, without_constraint

pytestmark = pytest.mark.django_db
racing = pytest.mark.django_db(transaction=True)

WAIT_SECONDS = 10.0


# --- Dying on the way -----------------------------------------------------------------------------------
UPGRADE_STEPS = [
    (changes, "_write_wish"),
    (gateway, "change_now"),
    (PlanChange, "save"),
    (changes, "_bring_up_to_date"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "step"), UPGRADE_STEPS, ids=[step for _, step in UPGRADE_STEPS])
def test_an_upgrade_that_died_is_taken_up_again(
    user: User,
    own: UserSubscription,
    premium: Plan,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    step: str,
    when: str,
) -> None:
    shown = changes.preview(user=user, plan=premium)
    with crash(monkeypatch, module, step, when), pytest.raises(Crash):
        changes.change(user=user, plan=premium, token=shown.token)

    wish = changes.change(user=user, plan=premium, token=shown.token)

    if (step, when) != ("_bring_up_to_date", "before"):  # that one is brought by Stripe's post
        own.refresh_from_db()
        assert own.plan == premium
        assert Payment.objects.get(kind=PaymentKind.PLAN_CHANGE).amount_cents == shown.due_now_cents
    assert wish.state == PlanChange.objects.get().state == ChangeState.DONE
    assert len(invoices(own)) == 2


def test_one_key_takes_the_difference_once(user: User, own: UserSubscription, premium: Plan) -> None:
    price = catalogue.current_price(premium).stripe_price_id
    current = at_stripe(own)

    numbers = {
        gateway.change_now(current=current, price_id=price, priced_at=current.period_start, key="one") for _ in range(3)
    }

    assert len(numbers) == 1
    assert len(invoices(own)) == 2


DOWNGRADE_STEPS = [
    (changes, "_write_wish"),
    (gateway, "change_at_period_end"),
    (PlanChange, "save"),
    (changes, "_bring_up_to_date"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "step"), DOWNGRADE_STEPS, ids=[step for _, step in DOWNGRADE_STEPS])
def test_a_downgrade_that_died_is_taken_up_again(
    user: User, own: UserSubscription, basic: Plan, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, when: str
) -> None:
    token = changes.preview(user=user, plan=basic).token
    with crash(monkeypatch, module, step, when), pytest.raises(Crash):
        changes.change(user=user, plan=basic, token=token)

    changes.change(user=user, plan=basic, token=token)

    assert len(schedules()) == 1
    assert at_stripe(own).next_price_id == catalogue.current_price(basic).stripe_price_id
    assert PlanChange.objects.get().state == ChangeState.DONE


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["release_schedule", "cancel_at_period_end"])
def test_a_stop_that_died_is_taken_up_again(
    user: User, own: UserSubscription, basic: Plan, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    moved(user, basic)
    with crash(monkeypatch, gateway, step, when), pytest.raises(Crash):
        changes.cancel(user=user)

    row = changes.cancel(user=user)

    assert (row.ends_at, row.next_plan) == (own.current_period_end, None)
    assert at_stripe(own).schedule_id == ""


def test_wishes_nobody_can_press_again_are_settled(
    user: User, own: UserSubscription, premium: Plan, basic: Plan
) -> None:
    wishes: dict[Plan, PlanChange] = {}
    for plan in (premium, basic):
        wishes[plan] = PlanChange.objects.create(
            subscription=own,
            from_plan=own.plan,
            to_plan=plan,
            stripe_price_id="price",
            priced_at=timezone.now(),
            due_now_cents=0,
            acts_at=timezone.now(),
        )
    assert changes.close_wishes() == 0
    PlanChange.objects.update(created_at=timezone.now() - timedelta(hours=2))
    UserSubscription.objects.update(next_plan=basic)

    assert changes.close_wishes() == 2

    states = {wish.to_plan_id: wish.state for wish in PlanChange.objects.all()}
    assert states == {premium.pk: ChangeState.REFUSED, basic.pk: ChangeState.DONE}


# --- At the same time -----------------------------------------------------------------------------------
@racing
def test_two_presses_of_an_upgrade_at_once_make_one(user: User, own: UserSubscription, premium: Plan) -> None:
    shown = changes.preview(user=user, plan=premium)

    outcomes = race(lambda _: changes.change(user=user, plan=premium, token=shown.token), range(4))

    assert {type(outcome) for outcome in outcomes} == {PlanChange}
    assert PlanChange.objects.count() == 1
    assert len(invoices(own)) == 2
    assert Payment.objects.get(kind=PaymentKind.PLAN_CHANGE).amount_cents == shown.due_now_cents


@racing
def test_without_the_lock_and_the_constraint_two_presses_are_two_wishes(
    user: User, own: UserSubscription, premium: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: nobody writes a wish before everybody has looked for one. Each would have a key of its own."""
    token = changes.preview(user=user, plan=premium).token
    gate = threading.Barrier(2)
    real = PlanChange.save

    def save(self: PlanChange, *args: Any, **kwargs: Any) -> None:
        if self._state.adding:
            gate.wait(WAIT_SECONDS)
        real(self, *args, **kwargs)

    monkeypatch.setattr(UserQuerySet, "select_for_update", lambda self, **_: self)
    monkeypatch.setattr(PlanChange, "save", save)
    with without_constraint("plan_changes", "plan_change_once_per_preview"):
        race(lambda _: changes.change(user=user, plan=premium, token=token), range(2))
        assert PlanChange.objects.count() == 2


@racing
def test_two_presses_of_a_downgrade_at_once_make_one(user: User, own: UserSubscription, basic: Plan) -> None:
    token = changes.preview(user=user, plan=basic).token

    outcomes = race(lambda _: changes.change(user=user, plan=basic, token=token), range(4))

    assert {type(outcome) for outcome in outcomes} == {PlanChange}
    assert len(schedules()) == PlanChange.objects.count() == 1
    assert at_stripe(own).next_price_id == catalogue.current_price(basic).stripe_price_id


@racing
def test_two_looks_and_two_presses_at_once_are_paid_once(user: User, own: UserSubscription, premium: Plan) -> None:
    first = changes.preview(user=user, plan=premium)
    with time_machine.travel(timezone.now() + timedelta(seconds=2)):
        second = changes.preview(user=user, plan=premium)

    race(lambda shown: changes.change(user=user, plan=premium, token=shown.token), [first, second])

    assert at_stripe(own).price_cents == 19900
    assert sum(invoice.amount_paid_cents for invoice in invoices(own)) - 9900 in (
        first.due_now_cents,
        second.due_now_cents,
    )


def _acts(user: User) -> list[Callable[[], Any]]:
    return [lambda: changes.cancel(user=user), lambda: changes.keep(user=user)]


@racing
def test_stopping_and_keeping_at_once_ends_as_stripe_says(user: User, own: UserSubscription) -> None:
    race(lambda act: act(), _acts(user))

    own.refresh_from_db()
    assert own.ends_at == at_stripe(own).ends_at


def test_a_checkout_is_refused_while_a_plan_is_live(user: User, own: UserSubscription, premium: Plan) -> None:
    with pytest.raises(exceptions.HasPlanAlready):
        checkout.begin_plan(user=user, plan=premium)
