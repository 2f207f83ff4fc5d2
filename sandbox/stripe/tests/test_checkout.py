"""Checkout Sessions: what is refused, and what paying does."""

from __future__ import annotations

import time
from typing import Any

import pytest
import stripe

from sandbox.stripe import checkout, subscriptions
from sandbox.stripe.tests.conftest import Shop, item_of

REFUSED = [
    ({"mode": None}, "Missing required param: mode.", "mode"),
    ({"success_url": None}, "Missing required param: success_url.", "success_url"),
    ({"success_url": "/done/"}, "Not a valid URL", "success_url"),
    ({"line_items": None}, "Missing required param: line_items.", "line_items"),
    ({"line_items": [{"price": "price_x", "quantity": 1}]}, "No such price: 'price_x'", "line_items[0][price]"),
    ({"payment_intent_data": {"description": "x"}}, "You can not pass `payment_intent_data`", "payment_intent_data"),
    ({"expires_at": int(time.time()) + 900}, "at least 30 minutes", "expires_at"),
    ({"expires_at": int(time.time()) + 100_000}, "less than 24 hours", "expires_at"),
    ({"customer": "cus_x"}, "No such customer: 'cus_x'", "customer"),
    ({"ui_mode": "hosted"}, "Invalid ui_mode: must be one of", "ui_mode"),
    ({"payment_method_types": ["card"]}, "Received unknown parameter: payment_method_types", "payment_method_types"),
    ({"client_reference_id": "x" * 201}, "at most 200 characters", "client_reference_id"),
    ({"discounts": [{"coupon": "none"}]}, "does not play", "discounts in `subscription` mode"),
    ({"metadata": {"x" * 41: "y"}}, "Metadata keys can only be 40 characters long", "metadata"),
    ({"metadata": {"x": "y" * 501}}, "Metadata values can have up to 500 characters", "metadata[x]"),
    ({"metadata": {f"x{number}": "y" for number in range(51)}}, "up to 50 metadata keys", "metadata"),
]


@pytest.mark.parametrize(("changes", "words", "param"), REFUSED)
def test_a_session_that_makes_no_sense_is_refused(shop: Shop, changes: Any, words: str, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.session(**changes)
    assert caught.value.http_status == 400
    assert words in str(caught.value)
    assert caught.value.param == param


def test_customer_and_email_exclude_each_other(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="only specify one of these parameters"):
        shop.session(customer=shop.customer(), customer_email="a@example.com")


def test_discounts_and_promotion_codes_exclude_each_other(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="only specify one of these parameters"):
        shop.session(allow_promotion_codes=True, discounts=[{"coupon": "x"}])


def test_a_recurring_price_needs_the_subscription_mode(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="passed a recurring price"):
        shop.session(mode="payment", subscription_data=None)


def test_the_subscription_mode_needs_a_recurring_price(shop: Shop) -> None:
    item: Any = {"price_data": {"currency": "usd", "unit_amount": 500, "product_data": {"name": "Hat"}}, "quantity": 1}
    with pytest.raises(stripe.InvalidRequestError):
        shop.session(line_items=[item])


def test_a_retired_price_cannot_be_bought(shop: Shop) -> None:
    shop.v1.prices.update(shop.basic, {"active": False})
    with pytest.raises(stripe.InvalidRequestError, match="The price specified is inactive"):
        shop.session()


def test_a_sum_too_large_to_charge_is_refused(shop: Shop) -> None:
    assert shop.once(99_999_999).amount_total == 99_999_999
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.once(100_000_000)
    assert caught.value.code == "amount_too_large"


def test_whoever_pays_gives_an_email(shop: Shop) -> None:
    session = shop.once(customer_email=None)
    for email in ("", "@", "nobody"):
        assert shop.pay(session, email=email).message == "Please give your email."
    assert shop.pay(session, email="somebody@example.com").ok


@pytest.mark.parametrize("cents", [1, 49])
def test_a_sum_too_small_to_charge_is_refused(shop: Shop, cents: int) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.once(cents)
    assert caught.value.code == "amount_too_small"


def test_a_new_session_is_open_and_has_an_address(shop: Shop) -> None:
    session = shop.session()
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 4900)
    assert session.url == f"http://stripe.example/c/pay/{session.id}"


# --- a plan -------------------------------------------------------------------------------------------
def test_paying_for_a_plan_tells_its_story_in_order(shop: Shop) -> None:
    session = shop.session(customer=shop.customer())
    assert shop.pay(session).ok
    wanted = {
        "customer.subscription.created",
        "invoice.paid",
        "customer.subscription.updated",
        "checkout.session.completed",
    }
    events = [event for event in shop.letters.events if event["type"] in wanted]
    assert [(event["type"], event["data"]["object"]["status"]) for event in events] == [
        ("customer.subscription.created", "incomplete"),
        ("invoice.paid", "paid"),
        ("customer.subscription.updated", "active"),
        ("checkout.session.completed", "complete"),
    ]
    assert events[2]["data"]["previous_attributes"] == {"status": "incomplete"}


def test_a_paid_plan_can_be_followed_from_the_session_to_the_charge(shop: Shop) -> None:
    session = shop.session(customer=shop.customer())
    shop.pay(session)
    expand = ["subscription.latest_invoice.payments", "line_items", "customer"]
    found: Any = shop.v1.checkout.sessions.retrieve(session.id, {"expand": expand})
    assert (found.status, found.payment_status, found.url, found.payment_intent) == ("complete", "paid", None, None)
    assert found.customer.email == "jordan@example.com"
    plan = found.subscription
    assert (plan.status, plan.metadata["plan"], item_of(plan).price.id) == ("active", "basic", shop.basic)
    assert found.invoice == plan.latest_invoice.id
    assert plan.latest_invoice.parent.subscription_details.metadata["plan"] == "basic"
    payment = plan.latest_invoice.payments.data[0]
    assert (payment.status, payment.amount_paid) == ("paid", 4900)
    intent: Any = shop.v1.payment_intents.retrieve(payment.payment.payment_intent, {"expand": ["latest_charge"]})
    assert intent.latest_charge.payment_method_details.card.last4 == "4242"
    by_payment: Any = {"payment": {"type": "payment_intent", "payment_intent": intent.id}}
    assert shop.v1.invoice_payments.list(by_payment).data[0].invoice == found.invoice
    assert shop.v1.invoice_payments.list({"invoice": found.invoice, "status": "open"}).data == []
    assert found.line_items.data[0].description == "Basic"


def test_a_plan_without_a_customer_makes_one(shop: Shop) -> None:
    session = shop.session()
    assert shop.pay(session).message == "Please give your email."
    assert shop.pay(session, email="new@example.com", name="New Person").ok
    customer = shop.v1.checkout.sessions.retrieve(session.id).customer
    assert shop.v1.customers.retrieve(str(customer)).email == "new@example.com"


# --- cards --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("4000000000000002", "Your card was declined."),
        ("4000 0000 0000 9995", "Your card has insufficient funds."),
        ("4242424242424241", "Your card number is incorrect."),
        ("", "Your card number is incorrect."),
        ("4111111111111111", "Your request was in test mode"),
    ],
)
@pytest.mark.parametrize("kind", ["session", "once"])
def test_a_card_that_does_not_pay_leaves_the_session_open(shop: Shop, kind: str, card: str, words: str) -> None:
    session = getattr(shop, kind)(**({"customer": shop.customer()} if kind == "session" else {}))
    outcome = shop.pay(session, card)
    assert not outcome.ok
    assert words in outcome.message
    found = shop.v1.checkout.sessions.retrieve(session.id)
    assert (found.status, found.payment_status, found.subscription, found.payment_intent) == (
        "open", "unpaid", None, None,
    )  # fmt: skip
    assert shop.pay(session).ok


def test_a_bank_may_ask_first(shop: Shop) -> None:
    session = shop.once()
    outcome = shop.pay(session, "4000002500003155")
    assert (outcome.ok, outcome.asks) == (False, True)
    assert shop.types() == []
    assert shop.pay(session, "4000002500003155", confirmed=True).ok


def test_a_declined_attempt_and_the_next_share_a_payment_intent(shop: Shop) -> None:
    session = shop.once()
    shop.pay(session, "4000000000000002")
    failed = next(event for event in shop.letters.events if event["type"] == "payment_intent.payment_failed")
    assert failed["data"]["object"]["last_payment_error"]["decline_code"] == "generic_decline"
    shop.pay(session)
    intent: Any = shop.v1.payment_intents.retrieve(failed["data"]["object"]["id"])
    assert (intent.status, intent.last_payment_error) == ("succeeded", None)


# --- once ---------------------------------------------------------------------------------------------
def test_a_guest_pays_without_becoming_a_customer(shop: Shop) -> None:
    session = shop.once()
    assert shop.pay(session).ok
    assert shop.types() == ["charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"]
    found: Any = shop.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert found.customer is None
    assert found.customer_details.email == "guest@example.com"
    assert found.payment_intent.metadata["kind"] == "gift_card"
    assert found.payment_intent.latest_charge.metadata["kind"] == "gift_card"


def test_nothing_to_pay_needs_no_card(shop: Shop) -> None:
    coupon = shop.v1.coupons.create({"amount_off": 5000, "currency": "usd", "duration": "once"})
    session = shop.once(discounts=[{"coupon": coupon.id}])
    assert shop.pay(session, "").ok
    found = shop.v1.checkout.sessions.retrieve(session.id)
    assert (found.payment_status, found.payment_intent) == ("no_payment_required", None)


def test_a_coupon_must_be_there(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such coupon: 'none'") as caught:
        shop.once(discounts=[{"coupon": "none"}])
    assert caught.value.param == "discounts[0][coupon]"


def test_a_coupon_is_used_up(shop: Shop) -> None:
    coupon = shop.v1.coupons.create({"amount_off": 2000, "currency": "usd", "duration": "once", "max_redemptions": 1})
    session = shop.once(discounts=[{"coupon": coupon.id}])
    assert (session.amount_subtotal, session.amount_total, session.total_details.amount_discount) == (5000, 3000, 2000)
    shop.pay(session)
    assert not shop.v1.coupons.retrieve(coupon.id).valid
    with pytest.raises(stripe.InvalidRequestError, match="is expired and cannot be applied"):
        shop.once(discounts=[{"coupon": coupon.id}])


def test_a_card_that_is_disputed_opens_a_dispute(shop: Shop) -> None:
    intent = shop.bought(card="4000000000000259")
    dispute = shop.v1.disputes.list({"payment_intent": intent}).data[0]
    assert (dispute.status, dispute.amount) == ("needs_response", 5000)


# --- by bank ------------------------------------------------------------------------------------------
def test_money_by_bank_arrives_later(shop: Shop) -> None:
    session = shop.once()
    assert checkout.pay_by_bank(shop.account, session.id).ok
    assert shop.types() == ["payment_intent.processing", "checkout.session.completed"]
    found: Any = shop.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (found.status, found.payment_status, found.payment_intent.status) == ("complete", "unpaid", "processing")
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        shop.v1.refunds.create({"payment_intent": found.payment_intent.id})
    checkout.settle_bank(shop.account, session.id, arrives=True)
    assert shop.types() == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]
    found = shop.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert found.payment_status == "paid"
    assert found.payment_intent.latest_charge.payment_method_details.us_bank_account.last4 == "6789"
    with pytest.raises(ValueError, match="No money is on its way"):
        checkout.settle_bank(shop.account, session.id, arrives=False)


def test_money_by_bank_may_not_arrive(shop: Shop) -> None:
    session = shop.once()
    checkout.pay_by_bank(shop.account, session.id)
    shop.types()
    checkout.settle_bank(shop.account, session.id, arrives=False)
    assert shop.types()[-1] == "checkout.session.async_payment_failed"
    found: Any = shop.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (found.status, found.payment_status) == ("complete", "unpaid")
    assert found.payment_intent.status == "requires_payment_method"
    with pytest.raises(ValueError, match="No money is on its way"):
        checkout.settle_bank(shop.account, session.id, arrives=True)


def test_only_what_is_paid_once_and_may_be_is_paid_by_bank(shop: Shop) -> None:
    for session in (shop.session(customer=shop.customer()), shop.once(allowed_payment_method_types=["card"])):
        assert checkout.pay_by_bank(shop.account, session.id).message == "This cannot be paid by bank."


# --- not twice, not too late --------------------------------------------------------------------------
def test_a_session_is_paid_once(shop: Shop) -> None:
    session = shop.once()
    shop.pay(session)
    again = shop.pay(session)
    assert (again.ok, again.message) == (False, "This has been paid already.")
    with pytest.raises(stripe.InvalidRequestError, match="has a status of `complete`"):
        shop.v1.checkout.sessions.expire(session.id)


def test_an_expired_session_cannot_be_paid(shop: Shop) -> None:
    session = shop.once()
    expired = shop.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert shop.types() == ["checkout.session.expired"]
    assert "expired" in shop.pay(session).message
    with pytest.raises(stripe.InvalidRequestError, match="has a status of `expired`"):
        shop.v1.checkout.sessions.expire(session.id)


def test_a_session_expires_by_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    session = shop.once()
    later = time.time() + 2500
    monkeypatch.setattr(time, "time", lambda: later)
    assert shop.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert shop.types() == ["checkout.session.expired"]
    checkout.expire_due(shop.account)
    assert shop.types() == []


def test_a_customers_clock_does_not_close_checkouts(shop: Shop) -> None:
    plan = shop.subscribed()
    open_session = shop.once()
    subscriptions.renew(shop.account, plan.id)
    assert shop.v1.checkout.sessions.retrieve(open_session.id).status == "open"
    assert shop.session(customer=plan.customer).status == "open"


def test_the_session_is_named_where_the_buyer_returns(shop: Shop) -> None:
    session = shop.session()
    stored = shop.account.get("checkout.session", session.id)
    assert checkout.success_address(stored) == f"https://shop.example/done/?session_id={session.id}"


def test_who_was_deleted_cannot_pay(shop: Shop) -> None:
    customer = shop.customer()
    session = shop.session(customer=customer)
    shop.v1.customers.delete(customer)
    shop.types()
    outcome = shop.pay(session)
    assert (outcome.ok, outcome.message) == (False, "This account is not there any more.")
    assert shop.types() == []
