"""Products, prices, coupons, customers and the portal's settings."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from sandbox.stripe import customers
from sandbox.stripe.tests.conftest import Shop

FEATURES: Any = {
    "customer_update": {"enabled": False},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True},
    "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
    "subscription_pause": {"enabled": False},
    "subscription_update": {"enabled": False},
}


def test_a_lookup_key_is_handed_over_when_asked_for(shop: Shop) -> None:
    product = shop.v1.prices.retrieve(shop.basic).product
    params: Any = {
        "product": product,
        "currency": "usd",
        "unit_amount": 5900,
        "recurring": {"interval": "month"},
        "lookup_key": "basic_monthly",
    }
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        shop.v1.prices.create(params)
    params["transfer_lookup_key"] = True
    made = shop.v1.prices.create(params)
    assert [price.id for price in shop.v1.prices.list({"lookup_keys": ["basic_monthly"]}).data] == [made.id]
    assert shop.v1.prices.retrieve(shop.basic).lookup_key is None
    assert shop.types() == ["price.updated", "price.created"]


def test_prices_are_found_by_product_and_state(shop: Shop) -> None:
    shop.v1.prices.update(shop.basic, {"active": False})
    product = str(shop.v1.prices.retrieve(shop.basic).product)
    assert [price.id for price in shop.v1.prices.list({"product": product}).data] == [shop.basic]
    assert shop.v1.prices.list({"product": product, "active": True}).data == []
    assert len(shop.v1.prices.list({"recurring": {"interval": "month"}}).data) == 2
    assert shop.v1.prices.list({"type": "one_time"}).data == []


def test_an_amount_is_a_decimal_too(shop: Shop) -> None:
    assert str(shop.v1.prices.retrieve(shop.basic).unit_amount_decimal) == "4900"


@pytest.mark.parametrize(
    "params",
    [
        {"currency": "usd", "unit_amount": 5},
        {"currency": "usd", "unit_amount": 5, "product": "prod_x"},
        {"currency": "usd", "unit_amount": -5, "product_data": {"name": "X"}},
        {"currency": "usd", "product_data": {"name": "X"}},
    ],
)
def test_a_price_needs_a_product_and_an_amount(shop: Shop, params: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.prices.create(params)
    assert shop.types() == []


@pytest.mark.parametrize(("interval", "count"), [("month", 0), ("month", -1), ("month", 37), ("year", 4)])
def test_a_period_has_a_length(shop: Shop, interval: str, count: int) -> None:
    product: Any = shop.v1.prices.retrieve(shop.basic).product
    length = {"interval": interval, "interval_count": count}
    params: Any = {"currency": "usd", "unit_amount": 500, "product": product, "recurring": length}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.prices.create(params)
    assert caught.value.param == "recurring[interval_count]"


def test_a_product_is_renamed(shop: Shop) -> None:
    product = str(shop.v1.prices.retrieve(shop.basic).product)
    shop.v1.products.update(product, {"name": "Starter", "description": "", "default_price": shop.basic})
    found = shop.v1.products.retrieve(product)
    assert (found.name, found.description, found.default_price) == ("Starter", None, shop.basic)
    with pytest.raises(stripe.InvalidRequestError, match="does not belong"):
        shop.v1.products.update(product, {"default_price": shop.standard})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"amount_off": 5, "percent_off": 5, "currency": "usd"},
        {"amount_off": 5},
        {"percent_off": 101},
        {"percent_off": 5, "duration": "repeating"},
        {"percent_off": 5, "redeem_by": 5},
    ],
)
def test_a_coupon_that_makes_no_sense_is_refused(shop: Shop, params: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.coupons.create({"duration": "once", **params})


def test_a_deleted_coupon_is_gone(shop: Shop) -> None:
    made = shop.v1.coupons.create({"percent_off": 25, "duration": "once", "id": "SPRING"})
    assert shop.v1.coupons.retrieve("SPRING").percent_off == 25
    assert shop.once(discounts=[{"coupon": "SPRING"}]).amount_total == 3750
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        shop.v1.coupons.create({"percent_off": 25, "duration": "once", "id": "SPRING"})
    assert shop.v1.coupons.delete(made.id).deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such coupon"):
        shop.v1.coupons.retrieve("SPRING")


def test_a_customer_is_changed_and_emptied(shop: Shop) -> None:
    customer = shop.customer()
    changed: Any = shop.v1.customers.update(customer, {"name": "", "metadata": {"user_id": "", "more": "1"}})
    assert (changed.name, changed.metadata.to_dict()) == (None, {"more": "1"})
    event = shop.letters.events[-1]
    assert event["type"] == "customer.updated"
    assert event["data"]["previous_attributes"] == {"name": "Jordan Rivera", "metadata": {"user_id": "42"}}
    assert [item.id for item in shop.v1.customers.list({"email": "jordan@example.com"}).data] == [customer]


def test_a_change_that_changes_nothing_is_no_event(shop: Shop) -> None:
    customer = shop.customer()
    shop.types()
    shop.v1.customers.update(customer, {"name": "Jordan Rivera"})
    assert shop.types() == []


def test_a_new_card_pays_from_now_on(shop: Shop) -> None:
    plan = shop.subscribed()
    method = customers.set_card(shop.account, plan.customer, "5555555555554444")
    found: Any = shop.v1.customers.retrieve(plan.customer, {"expand": ["invoice_settings.default_payment_method"]})
    assert found.invoice_settings.default_payment_method.card.brand == "mastercard"
    assert shop.v1.subscriptions.retrieve(plan.id).default_payment_method == method["id"]
    assert shop.types() == ["payment_method.attached", "customer.updated", "customer.subscription.updated"]
    with pytest.raises(Exception, match="declined"):
        customers.set_card(shop.account, plan.customer, "4000000000000002")


def test_a_card_of_somebody_else_cannot_be_used(shop: Shop) -> None:
    mine, other = shop.subscribed(), shop.subscribed()
    card = str(other.default_payment_method)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method with the ID"):
        shop.v1.subscriptions.update(mine.id, {"default_payment_method": card})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method with the ID"):
        shop.v1.customers.update(mine.customer, {"invoice_settings": {"default_payment_method": card}})
    own = str(mine.default_payment_method)
    shop.v1.customers.update(mine.customer, {"invoice_settings": {"default_payment_method": own}})
    assert shop.v1.subscriptions.update(mine.id, {"default_payment_method": own}).default_payment_method == own


# --- the portal ---------------------------------------------------------------------------------------
def test_the_portal_needs_settings(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No configuration provided"):
        shop.v1.billing_portal.sessions.create({"customer": shop.customer()})


def test_settings_are_merged(shop: Shop) -> None:
    made = shop.v1.billing_portal.configurations.create(
        {"features": FEATURES, "business_profile": {"privacy_policy_url": "https://shop.example/privacy/"}}
    )
    changed = shop.v1.billing_portal.configurations.update(
        made.id, {"name": "Shop", "features": {"invoice_history": {"enabled": False}}}
    )
    assert (changed.name, changed.features.invoice_history.enabled) == ("Shop", False)
    assert changed.features.payment_method_update.enabled
    assert changed.features.subscription_cancel.mode == "at_period_end"
    assert changed.business_profile.privacy_policy_url == "https://shop.example/privacy/"
    assert [item.id for item in shop.v1.billing_portal.configurations.list({"active": True}).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError, match="features"):
        shop.v1.billing_portal.configurations.create({"name": "X"})  # type: ignore[typeddict-item]


def test_changing_plans_in_the_portal_needs_products(shop: Shop) -> None:
    update: Any = {"subscription_update": {"enabled": True, "default_allowed_updates": ["price"]}}
    with pytest.raises(stripe.InvalidRequestError, match="products"):
        shop.v1.billing_portal.configurations.create({"features": update})


def test_a_portal_session_has_an_address_and_opens_one_step(shop: Shop) -> None:
    made = shop.v1.billing_portal.configurations.create({"features": FEATURES})
    plan = shop.subscribed()
    customer = str(plan.customer)
    plain = shop.v1.billing_portal.sessions.create({"customer": customer, "return_url": "https://shop.example/"})
    assert plain.url == f"http://stripe.example/p/session/{plain.id}"
    assert (plain.flow, plain.configuration, plain.return_url) == (None, made.id, "https://shop.example/")
    card: Any = shop.v1.billing_portal.sessions.create(
        {"customer": customer, "configuration": made.id, "flow_data": {"type": "payment_method_update"}}
    )
    assert card.flow.type == "payment_method_update"
    ending: Any = {"type": "subscription_cancel", "subscription_cancel": {"subscription": plan.id}}
    flow: Any = shop.v1.billing_portal.sessions.create({"customer": customer, "flow_data": ending}).flow
    assert flow.subscription_cancel.subscription == plan.id


@pytest.mark.parametrize(
    "flow",
    [
        {"type": "subscription_update", "subscription_update": {"subscription": "sub_x"}},
        {"type": "subscription_cancel"},
        {"type": "subscription_cancel", "subscription_cancel": {"subscription": "sub_x"}},
        {"type": "dance"},
    ],
)
def test_a_step_that_makes_no_sense_is_refused(shop: Shop, flow: Any) -> None:
    shop.v1.billing_portal.configurations.create({"features": FEATURES})
    params: Any = {"customer": shop.customer(), "flow_data": flow}
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.billing_portal.sessions.create(params)


def test_the_portal_needs_a_customer_that_is_there(shop: Shop) -> None:
    shop.v1.billing_portal.configurations.create({"features": FEATURES})
    for params in ({}, {"customer": "cus_x"}, {"customer": shop.customer(), "configuration": "bpc_x"}):
        given: Any = params
        with pytest.raises(stripe.InvalidRequestError) as caught:
            shop.v1.billing_portal.sessions.create(given)
        assert caught.value.http_status == 400
