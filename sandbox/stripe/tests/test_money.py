"""Refunds and disputes."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from sandbox.stripe import disputes, refunds
from sandbox.stripe.tests.conftest import Shop


def _charge(shop: Shop, intent: str) -> Any:
    found: Any = shop.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge.refunds"]})
    return found.latest_charge


def test_a_refund_gives_the_money_back(shop: Shop) -> None:
    intent = shop.bought()
    made = shop.v1.refunds.create({"payment_intent": intent, "metadata": {"checkout": "1"}})
    assert (made.status, made.amount, made.reason) == ("succeeded", 5000, None)
    assert shop.types() == ["refund.created", "charge.refunded"]
    charge = _charge(shop, intent)
    assert (charge.refunded, charge.amount_refunded) == (True, 5000)
    assert [refund.id for refund in charge.refunds.data] == [made.id]
    assert "refunds" not in shop.v1.charges.retrieve(charge.id)
    with pytest.raises(stripe.InvalidRequestError, match="has already been refunded") as caught:
        shop.v1.refunds.create({"payment_intent": intent})
    assert caught.value.code == "charge_already_refunded"


def test_a_part_can_be_refunded_and_no_more_than_is_left(shop: Shop) -> None:
    intent = shop.bought()
    charge = _charge(shop, intent)
    shop.v1.refunds.create({"charge": charge.id, "amount": 2000})
    assert _charge(shop, intent).refunded is False
    with pytest.raises(stripe.InvalidRequestError, match=r"\(\$40\.00\) is greater than unrefunded amount.*\$30\.00"):
        shop.v1.refunds.create({"charge": charge.id, "amount": 4000})
    shop.v1.refunds.create({"charge": charge.id})
    assert _charge(shop, intent).refunded is True
    assert [item.amount for item in shop.v1.refunds.list({"payment_intent": intent}).data] == [3000, 2000]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "One of the following params should be provided"),
        ({"payment_intent": "pi_x"}, "No such payment_intent: 'pi_x'"),
        ({"charge": "ch_x"}, "No such charge: 'ch_x'"),
        ({"charge": "ch_x", "payment_intent": "pi_x"}, "only specify one of these parameters"),
        ({"charge": "ch_x", "reason": "whim"}, "Invalid reason: must be one of"),
    ],
)
def test_a_refund_that_makes_no_sense_is_refused(shop: Shop, params: Any, words: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=words):
        shop.v1.refunds.create(params)


@pytest.mark.parametrize("amount", [0, -5])
def test_a_refund_is_of_something(shop: Shop, amount: int) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid positive integer"):
        shop.v1.refunds.create({"payment_intent": shop.bought(), "amount": amount})


def test_a_payment_that_failed_cannot_be_refunded(shop: Shop) -> None:
    shop.pay(shop.once(), "4000000000000002")
    failed = next(event for event in shop.letters.events if event["type"] == "charge.failed")["data"]["object"]
    for params in ({"charge": failed["id"]}, {"payment_intent": failed["payment_intent"]}):
        given: Any = params
        with pytest.raises(stripe.InvalidRequestError):
            shop.v1.refunds.create(given)


def test_a_refund_may_wait_and_then_succeed(shop: Shop) -> None:
    intent = shop.bought(card="4000000000007726")
    made = shop.v1.refunds.create({"payment_intent": intent})
    assert made.status == "pending"
    shop.types()
    refunds.settle(shop.account, made.id, "succeeded")
    assert shop.v1.refunds.retrieve(made.id).status == "succeeded"
    assert shop.types() == ["refund.updated", "charge.refund.updated"]


def test_a_refund_may_fail_later_and_be_tried_again(shop: Shop) -> None:
    intent = shop.bought(card="4000000000005126")
    made = shop.v1.refunds.create({"payment_intent": intent})
    assert made.status == "succeeded"
    shop.types()
    refunds.settle(shop.account, made.id, "failed", "lost_or_stolen_card")
    assert shop.types() == ["refund.updated", "charge.refund.updated", "refund.failed"]
    assert shop.v1.refunds.retrieve(made.id).failure_reason == "lost_or_stolen_card"
    charge = _charge(shop, intent)
    assert (charge.refunded, charge.amount_refunded) == (False, 0)
    assert shop.v1.refunds.create({"payment_intent": intent}).status == "succeeded"
    with pytest.raises(ValueError, match="failed"):
        refunds.settle(shop.account, made.id, "succeeded")
    with pytest.raises(ValueError, match="succeeds, fails"):
        refunds.settle(shop.account, made.id, "pending")


@pytest.mark.parametrize(
    ("end", "last"), [("won", "charge.dispute.funds_reinstated"), ("lost", "charge.dispute.closed")]
)
def test_a_dispute_is_opened_and_decided(shop: Shop, end: str, last: str) -> None:
    intent = shop.bought()
    charge = _charge(shop, intent)
    made = disputes.open(shop.account, charge.id, "product_not_received")
    assert shop.types() == ["charge.updated", "charge.dispute.created", "charge.dispute.funds_withdrawn"]
    found = shop.v1.disputes.retrieve(made["id"])
    assert (found.reason, found.status, found.payment_intent) == ("product_not_received", "needs_response", intent)
    assert _charge(shop, intent).disputed
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.refunds.create({"payment_intent": intent})
    assert caught.value.code == "charge_disputed"
    with pytest.raises(ValueError, match="only once"):
        disputes.open(shop.account, charge.id)
    disputes.close(shop.account, made["id"], end)
    assert shop.types()[-1] == last
    assert [item.status for item in shop.v1.disputes.list({"charge": charge.id}).data] == [end]
    with pytest.raises(ValueError, match="closed already"):
        disputes.close(shop.account, made["id"], end)


def test_a_plans_payment_is_refunded_through_its_invoice(shop: Shop) -> None:
    plan = shop.subscribed()
    payment: Any = shop.v1.invoice_payments.list({"invoice": plan.latest_invoice}).data[0]
    made = shop.v1.refunds.create({"payment_intent": payment.payment.payment_intent, "amount": 1000})
    assert made.amount == 1000


def test_what_was_refunded_cannot_be_disputed(shop: Shop) -> None:
    intent = shop.bought()
    shop.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(ValueError, match="not refunded"):
        disputes.open(shop.account, _charge(shop, intent).id)
