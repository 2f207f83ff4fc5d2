"""Checkout Sessions: what they are asked for, and what Stripe refuses."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from sandbox.stripe import catalogue, checkout, listing, shapes
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError, missing_param, not_played
from sandbox.stripe.params import Params
from sandbox.stripe.shapes import Object

_SHORTEST, _LONGEST = 30 * 60, 24 * 3600
_LEAST_TOTAL, _MOST_TOTAL = 50, 99_999_999
_PLAYED = (
    "allowed_payment_method_types", "cancel_url", "client_reference_id", "customer", "customer_creation",
    "customer_email", "customer_update", "discounts", "expires_at", "integration_identifier", "invoice_creation",
    "line_items", "locale", "metadata", "mode", "payment_intent_data", "payment_method_collection",
    "saved_payment_method_options", "submit_type", "subscription_data", "success_url", "ui_mode",
)  # fmt: skip
_INTENT_DATA = ("description", "metadata", "receipt_email", "setup_future_usage", "statement_descriptor",
                "statement_descriptor_suffix")  # fmt: skip


def create(account: Account, params: Params) -> Object:
    _exclusive(params, "customer", "customer_email")
    _exclusive(params, "allow_promotion_codes", "discounts")
    _exclusive(params, "allowed_payment_method_types", "excluded_payment_method_types")
    catalogue.only(params, *_PLAYED)
    mode = _mode(params)
    _check_addresses(params)
    customer = account.get("customer", params["customer"], param="customer") if "customer" in params else None
    if len(params.get("client_reference_id", "")) > 200:
        raise ApiError("Invalid string: must be at most 200 characters", param="client_reference_id")
    now = int(time.time())
    expires_at = _expiry(params, now)
    items = _items(account, params, mode)
    discount, discounts = _discount(account, params, items)
    subtotal = sum(item["amount_subtotal"] for item in items)
    total = subtotal - discount
    if 0 < total < _LEAST_TOTAL:
        raise ApiError(
            f"The Checkout Session's total amount must convert to at least 50 cents. ${total / 100:.2f} converts to"
            f" approximately ${total / 100:.2f}.",
            code="amount_too_small",
        )
    if total > _MOST_TOTAL:
        raise ApiError("The Checkout Session's total amount due must be no more than $999,999.99.",
                       code="amount_too_large")  # fmt: skip
    email = customer["email"] if customer else params.get("customer_email")
    made = shapes.new(
        "checkout.session",
        allowed_payment_method_types=params.get("allowed_payment_method_types"),
        amount_subtotal=subtotal,
        amount_total=total,
        cancel_url=params.get("cancel_url"),
        client_reference_id=params.get("client_reference_id"),
        created=now,
        currency=items[0]["currency"],
        customer=customer["id"] if customer else None,
        customer_email=params.get("customer_email"),
        discounts=discounts,
        expires_at=expires_at,
        integration_identifier=params.get("integration_identifier"),
        locale=params.get("locale"),
        metadata={key: value for key, value in (params.get("metadata") or {}).items() if value != ""},
        mode=mode,
        submit_type=params.get("submit_type"),
        success_url=params["success_url"],
        _asked={name: params.get(name) or {} for name in ("payment_intent_data", "subscription_data")},
        _items=items,
    )
    if email:
        made["customer_details"] = checkout.details(email)
    if mode == "payment":
        made["payment_method_collection"] = "if_required"
        made["customer_creation"] = None if customer else params.get("customer_creation", "if_required")
        made["invoice_creation"] = {
            "enabled": False,
            "invoice_data": {
                "account_tax_ids": None, "custom_fields": None, "description": None, "footer": None, "issuer": None,
                "metadata": {}, "rendering_options": None,
            },
        }  # fmt: skip
    else:
        made["payment_method_collection"] = params.get("payment_method_collection", "always")
    if customer is None:
        made["saved_payment_method_options"] = None
    made["total_details"]["amount_discount"] = discount
    made["url"] = f"{account.site}/c/pay/{made['id']}"
    return account.add(made)


# --- what is refused ----------------------------------------------------------------------------------
def _exclusive(params: Params, *names: str) -> None:
    if all(name in params for name in names):
        raise ApiError(f"You may only specify one of these parameters: {', '.join(names)}.", param=names[-1])


def _mode(params: Params) -> str:
    mode = params.get("mode")
    if mode is None:
        raise missing_param("mode")
    if mode == "setup":
        raise not_played("mode=setup")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise not_played("ui_mode")
    barred = {
        "payment": ("subscription_data",),
        "subscription": ("payment_intent_data", "customer_creation", "invoice_creation", "submit_type"),
    }[mode]
    for name in barred:
        if name in params:
            raise ApiError(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if params.get("invoice_creation", {}).get("enabled"):
        raise not_played("invoice_creation[enabled]")
    if "payment_method_collection" in params and mode == "payment":
        raise ApiError("You can only set `payment_method_collection` if `mode` is set to `subscription`.",
                       param="payment_method_collection")  # fmt: skip
    catalogue.only(params.get("subscription_data") or {}, "description", "metadata")
    catalogue.only(params.get("payment_intent_data") or {}, *_INTENT_DATA)
    return str(mode)


def _check_addresses(params: Params) -> None:
    if "success_url" not in params:
        raise missing_param("success_url")
    for name in ("success_url", "cancel_url"):
        if name not in params:
            continue
        parts = urlsplit(params[name])
        if parts.scheme not in ("http", "https") or not parts.hostname or len(params[name]) > 5000:
            raise ApiError("Not a valid URL", code="url_invalid", param=name)


def _expiry(params: Params, now: int) -> int:
    expires_at: int = params.get("expires_at", now + _LONGEST)
    if expires_at - now < _SHORTEST:
        raise ApiError(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.", param="expires_at"
        )
    if expires_at - now > _LONGEST:
        raise ApiError(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.", param="expires_at"
        )
    return expires_at


# --- what is bought -----------------------------------------------------------------------------------
def _items(account: Account, params: Params, mode: str) -> list[Object]:
    given = params.get("line_items")
    if not given:
        raise missing_param("line_items")
    items = [_item(account, entry, mode, f"line_items[{place}]") for place, entry in enumerate(given)]
    if mode == "subscription" and not any(item["price"]["recurring"] for item in items):
        raise ApiError(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
            param="line_items",
        )
    if len({item["currency"] for item in items}) > 1:
        raise ApiError("All line items must have the same currency.", param="line_items")
    return items


def _item(account: Account, entry: Params, mode: str, name: str) -> Object:
    catalogue.only(entry, "metadata", "price", "price_data", "quantity")
    if ("price" in entry) == ("price_data" in entry):
        if "price" in entry:
            raise ApiError(
                f"You may only specify one of these parameters: {name}[price], {name}[price_data].", param=name
            )
        raise missing_param(f"{name}[price]")
    price = _price(account, entry, name)
    if price["recurring"] is not None and mode == "payment":
        raise ApiError(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use"
            " only one-time prices."
        )
    if price["recurring"] is None and mode == "subscription":
        raise not_played(f"{name}[price] that is paid once")
    quantity = entry.get("quantity")
    if quantity is None:
        raise ApiError(f"Quantity is required. Add `quantity` to `{name}`", param=name)
    if quantity < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{name}[quantity]",
        )
    amount = price["unit_amount"] * quantity
    product = account.get("product", price["product"])
    return shapes.new(
        "item",
        amount_subtotal=amount,
        amount_total=amount,
        currency=price["currency"],
        description=product["name"],
        metadata=entry.get("metadata") or {},
        price=shapes.public(price),
        quantity=quantity,
    )


def _price(account: Account, entry: Params, name: str) -> Object:
    if "price" in entry:
        price = account.get("price", entry["price"], param=f"{name}[price]")
        for what, thing in (("price", price), ("product", account.get("product", price["product"]))):
            if not thing["active"]:
                raise ApiError(
                    f"The {what} specified is inactive. This field only accepts active {what}s.", param=f"{name}[price]"
                )
        return price
    data: Any = entry["price_data"]
    catalogue.only(data, "currency", "product", "product_data", "recurring", "tax_behavior", "unit_amount",
                   "unit_amount_decimal")  # fmt: skip
    if "product" in data:
        product_id = account.get("product", data["product"], param=f"{name}[price_data][product]")["id"]
    elif "product_data" in data:
        product_id = catalogue.create_product(account, {**data["product_data"], "active": False})["id"]
    else:
        raise missing_param(f"{name}[price_data][product]")
    return catalogue.add_price(account, {**data, "active": False}, product_id)


def _discount(account: Account, params: Params, items: list[Object]) -> tuple[int, list[Object]]:
    given = params.get("discounts") or []
    if not given:
        return 0, []
    if params["mode"] == "subscription":
        raise not_played("discounts in `subscription` mode")
    if len(given) > 1:
        raise ApiError("You can only apply one discount to a Checkout Session.", param="discounts")
    if "coupon" not in catalogue.only(given[0], "coupon"):
        raise missing_param("discounts[0][coupon]")
    coupon = catalogue.coupon(account, given[0]["coupon"], param="discounts[0][coupon]")
    if not coupon["valid"]:
        raise ApiError(
            f"Coupon {coupon['id']} is expired and cannot be applied.",
            code="coupon_expired",
            param="discounts[0][coupon]",
        )
    subtotal = sum(item["amount_subtotal"] for item in items)
    if coupon["amount_off"] is not None:
        if coupon["currency"] != items[0]["currency"]:
            raise ApiError("The coupon's currency is not that of the line items.", param="discounts[0][coupon]")
        amount = min(coupon["amount_off"], subtotal)
    else:
        amount = round(subtotal * coupon["percent_off"] / 100)
    left = amount
    for item in items:  # each item bears what it can, the first ones first
        item["amount_discount"] = min(left, item["amount_subtotal"])
        item["amount_total"] = item["amount_subtotal"] - item["amount_discount"]
        left -= item["amount_discount"]
    return amount, [{"coupon": coupon["id"], "promotion_code": None}]


# --- routes -------------------------------------------------------------------------------------------
def retrieve(account: Account, _params: Params, session_id: str) -> Object:
    return account.get("checkout.session", session_id)


def list_all(account: Account, params: Params) -> Object:
    fields = ("customer", "payment_intent", "status", "subscription")
    return listing.page(account, "checkout.session", params, "/v1/checkout/sessions", fields)


def line_items(account: Account, _params: Params, session_id: str) -> Object:
    session = account.get("checkout.session", session_id)
    return shapes.listing(session["_items"], f"/v1/checkout/sessions/{session_id}/line_items")


def expire(account: Account, _params: Params, session_id: str) -> Object:
    session = account.get("checkout.session", session_id)
    if session["status"] != "open":
        raise ApiError(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of'
            f" `{session['status']}`."
        )
    return checkout.expire(account, session_id)
