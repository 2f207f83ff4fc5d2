"""Stripe down, slow, or cut off before or after it did what was asked, at each step of buying and changing.

Each time: a refusal in words, nothing lost, and a later press goes on to the same end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from accounts.tests.factories import make_user
from billing import exceptions, gateway
from billing.gateway import client
from billing.gateway.client import call
from billing.models import (
    ChangeState,
    Checkout,
    CheckoutState,
    Payment,
    PaymentKind,
    Plan,
    PlanChange,
    UserSubscription,
)
from billing.services import catalogue, changes, checkout, syncing
from billing.tests.buying import buy
from billing.tests.factories import make_plan
from emails.models import EmailJob
from sandbox.stripe import Fault, StandIn, faults

pytestmark = pytest.mark.django_db

FAULTS: dict[str, Fault | int] = {
    "down": 503,
    "too_busy": 429,
    "cut_before": faults.reset(),
    "cut_after": faults.accept_then_reset(),
    "slow": faults.slow(1.5),
    "nonsense": faults.not_json(),
}
KINDS = pytest.mark.parametrize("kind", FAULTS)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits eight seconds here."""
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.75)


@pytest.fixture
def user() -> User:
    return make_user(name="Margaret Ellis")


@pytest.fixture
def plan(stripe: StandIn) -> Plan:
    return offered(make_plan(name="standard", price_in_cents=9900))


@pytest.fixture
def premium(stripe: StandIn) -> Plan:
    return offered(make_plan(name="premium", display_name="Premium", price_in_cents=19900))


@pytest.fixture
def basic(stripe: StandIn) -> Plan:
    return offered(make_plan(name="basic", display_name="Basic", price_in_cents=4900))


@pytest.fixture
def own(stripe: StandIn, user: User, plan: Plan) -> UserSubscription:
    number = buy(stripe, user, plan)
    syncing.sync_invoice(gateway.invoices_of(number)[0].id)
    return UserSubscription.objects.get()


def offered(plan: Plan) -> Plan:
    catalogue.current_price(plan)
    return plan


def refused(act: Callable[[], Any]) -> exceptions.StripeUnavailable:
    with pytest.raises(exceptions.StripeUnavailable) as refusal:
        act()
    return refusal.value


def made() -> tuple[int, int]:
    """Customers, and pages that are open."""
    people = call(lambda v1: v1.customers.list({}))["data"]
    pages = call(lambda v1: v1.checkout.sessions.list({"status": "open"}))["data"]
    return len(people), len(pages)


# --- Buying ---------------------------------------------------------------------------------------------
@KINDS
@pytest.mark.parametrize("step", ["POST /v1/customers", "POST /v1/checkout/sessions"])
def test_a_first_press_is_refused_and_a_later_one_goes_on(
    stripe: StandIn, user: User, plan: Plan, step: str, kind: str
) -> None:
    stripe.answers(FAULTS[kind], on=step)

    refusal = refused(lambda: checkout.begin_plan(user=user, plan=plan))
    assert "Nothing was taken" in refusal.message
    url = checkout.begin_plan(user=user, plan=plan)

    assert stripe.answers_left == 0
    assert made() == (1, 1)
    row = Checkout.objects.get()
    assert gateway.session(str(row.stripe_session_id)).url == url


@KINDS
def test_a_price_that_has_to_be_made_first_is_made_once(stripe: StandIn, user: User, kind: str) -> None:
    plan = make_plan(name="standard", price_in_cents=9900)
    for step in ("GET /v1/prices", "POST /v1/products", "POST /v1/prices"):
        stripe.answers(FAULTS[kind], on=step)
        refused(lambda: checkout.begin_plan(user=user, plan=plan))

    checkout.begin_plan(user=user, plan=plan)

    plan.refresh_from_db()
    assert len(gateway.prices_of(plan.stripe_product_id)) == 1
    assert len(call(lambda v1: v1.products.list({}))["data"]) == 1


@KINDS
@pytest.mark.parametrize("step", ["GET /v1/checkout/sessions/", "POST /v1/checkout/sessions/"])
def test_a_press_for_another_plan_is_refused_and_a_later_one_goes_on(
    stripe: StandIn, user: User, plan: Plan, premium: Plan, step: str, kind: str
) -> None:
    checkout.begin_plan(user=user, plan=plan)
    stripe.answers(FAULTS[kind], on=step)

    refused(lambda: checkout.begin_plan(user=user, plan=premium))
    checkout.begin_plan(user=user, plan=premium)

    assert made() == (1, 1)
    assert Checkout.objects.open().get().plan == premium


@KINDS
@pytest.mark.parametrize(
    "step",
    [
        "GET /v1/checkout/sessions/",
        "GET /v1/invoices/",
        "GET /v1/subscriptions/",
        "GET /v1/invoice_payments",
        "GET /v1/payment_intents/",
    ],
)
def test_coming_back_is_refused_and_looking_again_finds_the_plan(
    stripe: StandIn, user: User, plan: Plan, step: str, kind: str
) -> None:
    checkout.begin_plan(user=user, plan=plan)
    number = str(Checkout.objects.get().stripe_session_id)
    stripe.pay(number)
    stripe.answers(FAULTS[kind], on=step)

    refused(lambda: checkout.fulfil(number, user=user))
    assert Checkout.objects.get().state == CheckoutState.OPEN
    found = checkout.fulfil(number, user=user)

    assert (found.state, found.subscription) == (CheckoutState.PAID, UserSubscription.objects.get())
    assert Payment.objects.get().amount_cents == 9900
    assert EmailJob.objects.count() == 1


def test_a_page_gives_up_in_time(stripe: StandIn, user: User, plan: Plan) -> None:
    stripe.always(faults.slow(0.5), on="POST /v1/customers")

    with gateway.within(0.2):
        refused(lambda: checkout.begin_plan(user=user, plan=plan))


# --- Changing -------------------------------------------------------------------------------------------
def invoices(row: UserSubscription) -> int:
    return len(gateway.invoices_of(str(row.stripe_subscription_id)))


@KINDS
@pytest.mark.parametrize("step", ["GET /v1/subscriptions/", "POST /v1/invoices/create_preview"])
def test_sums_that_cannot_be_had_are_said_so(
    stripe: StandIn, user: User, own: UserSubscription, premium: Plan, step: str, kind: str
) -> None:
    stripe.answers(FAULTS[kind], on=step)

    refused(lambda: changes.preview(user=user, plan=premium))

    assert changes.preview(user=user, plan=premium).due_now_cents > 9900


@KINDS
def test_an_upgrade_that_was_not_answered_is_not_known_and_is_made_once(
    stripe: StandIn, user: User, own: UserSubscription, premium: Plan, kind: str
) -> None:
    shown = changes.preview(user=user, plan=premium)

    def press() -> PlanChange:
        return changes.change(user=user, plan=premium, token=shown.token)

    stripe.answers(FAULTS[kind], on="POST /v1/subscriptions/")
    assert isinstance(refused(press), exceptions.OutcomeUnknown)
    assert PlanChange.objects.get().state == ChangeState.ASKED
    # Down again at the next press: by now nobody can say that nothing was taken.
    stripe.answers(503, on="GET /v1/subscriptions/")
    assert isinstance(refused(press), exceptions.OutcomeUnknown)

    assert press().state == ChangeState.DONE
    own.refresh_from_db()
    assert own.plan == premium
    assert invoices(own) == 2
    assert Payment.objects.get(kind=PaymentKind.PLAN_CHANGE).amount_cents == shown.due_now_cents


def test_before_anything_is_asked_for_it_is_said_that_nothing_was_taken(
    stripe: StandIn, user: User, own: UserSubscription, premium: Plan
) -> None:
    token = changes.preview(user=user, plan=premium).token
    stripe.answers(503, on="GET /v1/subscriptions/")

    refusal = refused(lambda: changes.change(user=user, plan=premium, token=token))

    assert not isinstance(refusal, exceptions.OutcomeUnknown)


@KINDS
def test_an_upgrade_that_nobody_presses_again_is_found_by_a_look(
    stripe: StandIn, user: User, own: UserSubscription, premium: Plan, kind: str
) -> None:
    token = changes.preview(user=user, plan=premium).token
    stripe.answers(FAULTS[kind], on="POST /v1/subscriptions/")
    refused(lambda: changes.change(user=user, plan=premium, token=token))

    syncing.sync_subscription(str(own.stripe_subscription_id))

    own.refresh_from_db()
    was_made = gateway.subscription(str(own.stripe_subscription_id)).price_cents == 19900
    assert (own.plan == premium) == was_made
    if not was_made:
        changes.change(user=user, plan=premium, token=changes.preview(user=user, plan=premium).token)
    assert invoices(own) == 2


@KINDS
@pytest.mark.parametrize("step", ["POST /v1/subscription_schedules", "POST /v1/subscription_schedules/"])
def test_a_downgrade_that_was_not_answered_is_planned_once(
    stripe: StandIn, user: User, own: UserSubscription, basic: Plan, step: str, kind: str
) -> None:
    token = changes.preview(user=user, plan=basic).token
    stripe.answers(FAULTS[kind], on=step)

    refused(lambda: changes.change(user=user, plan=basic, token=token))
    changes.change(user=user, plan=basic, token=token)

    own.refresh_from_db()
    assert own.next_plan == basic
    assert len(call(lambda v1: v1.subscription_schedules.list({}))["data"]) == 1


@KINDS
@pytest.mark.parametrize("step", ["POST /v1/subscription_schedules/", "POST /v1/subscriptions/"])
def test_a_stop_that_was_not_answered_stops_once(
    stripe: StandIn, user: User, own: UserSubscription, basic: Plan, step: str, kind: str
) -> None:
    changes.change(user=user, plan=basic, token=changes.preview(user=user, plan=basic).token)
    stripe.answers(FAULTS[kind], on=step)

    assert isinstance(refused(lambda: changes.cancel(user=user)), exceptions.OutcomeUnknown)
    row = changes.cancel(user=user)

    assert (row.ends_at, row.next_plan) == (own.current_period_end, None)


@KINDS
def test_a_plan_that_is_kept_is_kept_although_the_answer_was_lost(
    stripe: StandIn, user: User, own: UserSubscription, kind: str
) -> None:
    changes.cancel(user=user)
    stripe.answers(FAULTS[kind], on="POST /v1/subscriptions/")

    refused(lambda: changes.keep(user=user))
    with contextlib.suppress(exceptions.NothingToKeep):  # the first press may have arrived
        changes.keep(user=user)

    own.refresh_from_db()
    assert own.ends_at is None


@KINDS
def test_a_change_that_was_made_is_not_called_a_failure_when_the_look_after_it_fails(
    stripe: StandIn, user: User, own: UserSubscription, premium: Plan, kind: str
) -> None:
    token = changes.preview(user=user, plan=premium).token
    stripe.answers(FAULTS[kind], on="GET /v1/invoices/")

    assert changes.change(user=user, plan=premium, token=token).state == ChangeState.DONE

    syncing.sync_subscription(str(own.stripe_subscription_id))
    own.refresh_from_db()
    assert own.plan == premium


@KINDS
def test_the_portal_that_does_not_answer_is_said_so(
    stripe: StandIn, user: User, own: UserSubscription, kind: str
) -> None:
    stripe.answers(FAULTS[kind], on="POST /v1/billing_portal/sessions")

    refused(lambda: changes.portal(user=user))

    assert changes.portal(user=user).startswith(stripe.site)
