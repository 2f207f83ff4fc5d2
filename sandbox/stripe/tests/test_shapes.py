"""Objects and events have the fields of the payloads that were checked against Stripe's own description."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stripe

from sandbox.stripe import changes, checkout, customers, disputes, refunds, shapes, subscriptions
from sandbox.stripe.tests.conftest import Shop, change

DATA = Path(__file__).parent / "data"


def _golden(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return event


def _differences(ours: Any, golden: Any, where: str = "") -> list[str]:
    """Fields that only one of two values has. Metadata is free, and an empty value says nothing of its fields."""
    if isinstance(ours, dict) and isinstance(golden, dict):
        if where.endswith("metadata"):
            return []
        found = [f"{where}.{name}: only ours" for name in ours.keys() - golden.keys()]
        found += [f"{where}.{name}: missing" for name in golden.keys() - ours.keys()]
        for name in ours.keys() & golden.keys():
            found += _differences(ours[name], golden[name], f"{where}.{name}")
        return found
    if isinstance(ours, list) and isinstance(golden, list):
        return _differences(ours[0], golden[0], f"{where}[0]") if ours and golden else []
    if (ours is None) != (golden is None) or (ours is not None and type(ours) is not type(golden)):
        return [f"{where}: {ours!r} instead of {golden!r}"]
    return []


def _plan(shop: Shop) -> Any:
    customer = shop.customer()
    session = shop.session(customer=customer, client_reference_id="42")
    shop.pay(session)
    return shop.v1.subscriptions.list({"customer": customer}).data[0]


def _expired(shop: Shop) -> None:
    checkout.expire(shop.account, shop.session(customer=shop.customer(), client_reference_id="42").id)


def _gift_card(shop: Shop) -> None:
    shop.pay(shop.once(client_reference_id="chk_1"), name="Jordan Rivera")


def _course(shop: Shop) -> None:
    coupon = shop.v1.coupons.create({"amount_off": 5000, "currency": "usd", "duration": "once", "max_redemptions": 1})
    discounts = [{"coupon": coupon.id}]
    course = shop.once(
        7900, customer=shop.customer(), customer_email=None, client_reference_id="42", discounts=discounts
    )
    shop.pay(course)


def _free(shop: Shop) -> None:
    coupon = shop.v1.coupons.create({"amount_off": 5000, "currency": "usd", "duration": "once"})
    discounts = [{"coupon": coupon.id}]
    shop.pay(
        shop.once(5000, customer=shop.customer(), customer_email=None, client_reference_id="42", discounts=discounts)
    )


def _by_bank(shop: Shop) -> Any:
    session = shop.once(2900, customer=shop.customer(), customer_email=None, client_reference_id="42")
    assert checkout.pay_by_bank(shop.account, session.id, name="Jordan Rivera").ok
    return session


def _bank_pays(shop: Shop) -> None:
    checkout.settle_bank(shop.account, _by_bank(shop).id, arrives=True)


def _bank_fails(shop: Shop) -> None:
    checkout.settle_bank(shop.account, _by_bank(shop).id, arrives=False)


def _upgraded(shop: Shop) -> None:
    plan = _plan(shop)
    moment = shop.account.now() + 10 * 86400
    params = change(plan, shop.standard, proration_date=moment, metadata={"plan": "standard"})
    shop.v1.subscriptions.update(plan.id, params, {"idempotency_key": "plan:42"})


def _renewed(shop: Shop) -> None:
    subscriptions.renew(shop.account, _plan(shop).id)


def _unpaid(shop: Shop) -> Any:
    plan = _plan(shop)
    customers.set_card(shop.account, plan.customer, "4000000000000341")
    subscriptions.renew(shop.account, plan.id)
    return plan


def _recovered(shop: Shop) -> None:
    plan = _unpaid(shop)
    customers.set_card(shop.account, plan.customer, "4242424242424242")
    subscriptions.retry(shop.account, plan.id)


def _cancelled(shop: Shop) -> Any:
    plan = _plan(shop)
    changes.cancel_in_portal(shop.account, plan.id)
    return plan


def _ended(shop: Shop) -> None:
    subscriptions.renew(shop.account, _cancelled(shop).id)


def _course_charge(shop: Shop) -> Any:
    _course(shop)
    session = shop.v1.checkout.sessions.list({"status": "complete", "expand": ["data.payment_intent"]}).data[0]
    return session.payment_intent


def _refunded(shop: Shop) -> Any:
    params: Any = {"payment_intent": _course_charge(shop).id, "reason": "requested_by_customer"}
    return shop.v1.refunds.create(params, {"idempotency_key": "refund:1"})


def _refund_failed(shop: Shop) -> None:
    refunds.settle(shop.account, _refunded(shop).id, "failed", "expired_or_canceled_card")


def _disputed(shop: Shop) -> None:
    disputes.open(shop.account, _course_charge(shop).latest_charge)


def _deleted(shop: Shop) -> None:
    shop.v1.customers.delete(_plan(shop).customer)


PLAYS: dict[str, Callable[[Shop], Any]] = {
    "charge.dispute.created": _disputed,
    "charge.refunded": _refunded,
    "checkout.session.async_payment_failed": _bank_fails,
    "checkout.session.async_payment_succeeded": _bank_pays,
    "checkout.session.completed--course_part_gift_card": _course,
    "checkout.session.completed--gift_card": _gift_card,
    "checkout.session.completed--nothing_to_pay": _free,
    "checkout.session.completed--plan": _plan,
    "checkout.session.completed--unpaid": _by_bank,
    "checkout.session.expired": _expired,
    "customer.deleted": _deleted,
    "customer.subscription.created": _plan,
    "customer.subscription.deleted": _ended,
    "customer.subscription.updated--active": _plan,
    "customer.subscription.updated--cancel_scheduled": _cancelled,
    "customer.subscription.updated--past_due": _unpaid,
    "customer.subscription.updated--plan_change": _upgraded,
    "customer.subscription.updated--recovered": _recovered,
    "customer.subscription.updated--renewal": _renewed,
    "invoice.paid--first": _plan,
    "invoice.paid--proration": _upgraded,
    "invoice.paid--renewal": _renewed,
    "invoice.payment_failed": _unpaid,
    "payment_intent.succeeded--gift_card": _gift_card,
    "refund.created": _refunded,
    "refund.failed": _refund_failed,
}


@pytest.mark.parametrize("name", PLAYS)
def test_an_event_has_the_fields_of_the_payload_that_was_checked(shop: Shop, name: str) -> None:
    PLAYS[name](shop)
    golden = _golden(name)
    ours = [event for event in shop.letters.events if event["type"] == golden["type"]][-1]
    if name.endswith("--renewal") and golden["type"] == "invoice.paid":
        assert ours["data"]["object"]["billing_reason"] == "subscription_cycle"
    assert _differences(ours, golden) == []


def test_every_checked_payload_is_played() -> None:
    assert set(PLAYS) == {file.stem for file in DATA.glob("*.json")} - {"index"}


TYPES: dict[str, type] = {
    "billing_portal.configuration": stripe.billing_portal.Configuration,
    "billing_portal.session": stripe.billing_portal.Session,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "coupon": stripe.Coupon,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "item": stripe.LineItem,
    "line_item": stripe.InvoiceLineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "price": stripe.Price,
    "product": stripe.Product,
    "refund": stripe.Refund,
    "schedule_phase": stripe.SubscriptionSchedule.Phase,
    "subscription": stripe.Subscription,
    "subscription_item": stripe.SubscriptionItem,
    "subscription_schedule": stripe.SubscriptionSchedule,
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_shape_has_no_field_the_package_does_not_name(kind: str) -> None:
    assert set(shapes.part(kind)) - set(TYPES[kind].__annotations__) == set()


def test_no_object_shows_the_notes_of_the_stand_in(shop: Shop) -> None:
    _upgraded(shop)
    _refunded(shop)
    assert '"_' not in json.dumps(shop.letters.events)


def test_a_shape_takes_no_field_the_api_does_not_have() -> None:
    with pytest.raises(ValueError, match="has no paid"):
        shapes.new("invoice", paid=True)
