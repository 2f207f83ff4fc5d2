"""Products, prices and the portal's configuration."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from billing.exceptions import StripeMissing
from billing.gateway.client import call, each, hosted, options
from billing.gateway.shapes import StripePrice, StripeProduct


def product(product_id: str) -> StripeProduct:
    """Raises StripeMissing."""
    return StripeProduct.read(call(lambda v1: v1.products.retrieve(product_id)))


def create_product(*, name: str, plan_name: str, key: str) -> StripeProduct:
    made = call(lambda v1: v1.products.create({"name": name, "metadata": {"plan": plan_name}}, options(key)))
    return StripeProduct.read(made)


def save_product(*, product_id: str, name: str) -> None:
    """Give the product its present name, and put it on offer."""
    call(lambda v1: v1.products.update(product_id, {"name": name, "active": True}))


def price_of(lookup_key: str) -> StripePrice | None:
    """The price that carries this key now, retired or not."""
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


def save_portal(*, configuration_id: str, privacy_url: str, terms_url: str, return_url: str) -> tuple[str, bool]:
    """Bring the portal's configuration up to date; its id, and whether anything had to be changed.

    Changing the plan stays on our own pages, which show both sums first.
    """
    wanted = {
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
    known = _portal(configuration_id) if configuration_id else None
    if known is None:
        # From the words themselves: a run that died before it had stored the id gets the same one again.
        key = f"portal:{hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:32]}"
        made = call(lambda v1: v1.billing_portal.configurations.create(wanted, options(key)))
        return str(made["id"]), True
    if _holds(known, wanted | {"active": True}):
        return configuration_id, False
    call(lambda v1: v1.billing_portal.configurations.update(configuration_id, wanted | {"active": True}))
    return configuration_id, True


def _portal(configuration_id: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = call(lambda v1: v1.billing_portal.configurations.retrieve(configuration_id))
    except StripeMissing:
        return None
    return found


def _holds(found: Any, wanted: Any) -> bool:
    """Whether what Stripe has agrees with ours, as far as ours goes."""
    if not isinstance(wanted, dict):
        return bool(found == wanted)
    return isinstance(found, dict) and all(_holds(found.get(name), value) for name, value in wanted.items())


def portal_url(*, customer_id: str, return_url: str, configuration_id: str, flow: str = "") -> str:
    """A fresh address of the portal for this customer; never stored or mailed. ``flow`` opens one step of it.

    Raises StripeMissing when the customer or the configuration is gone.
    """
    params: dict[str, object] = {"customer": customer_id, "return_url": return_url}
    if configuration_id:
        params["configuration"] = configuration_id
    if flow:
        params["flow_data"] = {"type": flow}
    return hosted(str(call(lambda v1: v1.billing_portal.sessions.create(params))["url"]))


def prices_of(product_id: str) -> list[StripePrice]:
    """Every price of this product, the retired ones too."""
    return [StripePrice.read(item) for item in each(lambda v1, params: v1.prices.list(params), {"product": product_id})]
