"""Products, prices and the portal's configuration."""

from __future__ import annotations

from billing.gateway.client import call, each, options
from billing.gateway.shapes import StripePrice


def save_product(*, product_id: str, name: str, plan_name: str, key: str) -> str:
    """Make the product, or give the known one its present name; its id."""
    if product_id:
        call(lambda v1: v1.products.update(product_id, {"name": name}))
        return product_id
    made = call(lambda v1: v1.products.create({"name": name, "metadata": {"plan": plan_name}}, options(key)))
    return str(made["id"])


def price_of(lookup_key: str) -> StripePrice | None:
    """The price that carries this key now."""
    found = call(lambda v1: v1.prices.list({"lookup_keys": [lookup_key], "limit": 1}))["data"]
    return StripePrice.read(found[0]) if found else None


def create_monthly_price(*, product_id: str, amount_cents: int, lookup_key: str, key: str) -> StripePrice:
    """A new price a month in US dollars; it takes the lookup key over from the one before."""
    made = call(
        lambda v1: v1.prices.create(
            {
                "product": product_id,
                "currency": "usd",
                "unit_amount": amount_cents,
                "recurring": {"interval": "month"},
                "lookup_key": lookup_key,
                "transfer_lookup_key": True,
            },
            options(key),
        )
    )
    return StripePrice.read(made)


def retire_price(price_id: str) -> None:
    """No new subscription can take it; those that have it keep it."""
    call(lambda v1: v1.prices.update(price_id, {"active": False}))


def save_portal(*, configuration_id: str, privacy_url: str, terms_url: str, return_url: str) -> str:
    """Bring the portal's configuration up to date; its id.

    Changing the plan stays on our own pages, which show both sums first.
    """
    params = {
        "name": "The Tech Deputies",
        "business_profile": {"privacy_policy_url": privacy_url, "terms_of_service_url": terms_url},
        "default_return_url": return_url,
        "features": {
            "customer_update": {"enabled": False},
            "invoice_history": {"enabled": True},
            "payment_method_update": {"enabled": True},
            "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
            "subscription_pause": {"enabled": False},
            "subscription_update": {"enabled": False},
        },
    }
    if configuration_id:
        saved = call(lambda v1: v1.billing_portal.configurations.update(configuration_id, params))
    else:
        saved = call(lambda v1: v1.billing_portal.configurations.create(params))
    return str(saved["id"])


def portal_url(*, customer_id: str, return_url: str, configuration_id: str, flow: str = "") -> str:
    """A fresh address of the portal for this customer; never stored or mailed. ``flow`` opens one step of it."""
    params: dict[str, object] = {"customer": customer_id, "return_url": return_url}
    if configuration_id:
        params["configuration"] = configuration_id
    if flow:
        params["flow_data"] = {"type": flow}
    return str(call(lambda v1: v1.billing_portal.sessions.create(params))["url"])


def prices_of(product_id: str) -> list[StripePrice]:
    """Every price of this product, the retired ones too."""
    return [StripePrice.read(item) for item in each(lambda v1, params: v1.prices.list(params), {"product": product_id})]
