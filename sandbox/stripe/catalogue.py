"""What is sold: products, prices, coupons."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.stripe import errors, listing, periods, shapes
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError, missing_param
from sandbox.stripe.params import Params, merged
from sandbox.stripe.shapes import Object

_PRODUCT = ("active", "description", "images", "name", "shippable", "statement_descriptor", "unit_label", "url")
_PRICE = ("active", "lookup_key", "nickname", "tax_behavior")
_COUPON = ("amount_off", "currency", "duration", "duration_in_months", "max_redemptions", "name", "percent_off",
           "redeem_by")  # fmt: skip


def only(params: Params, *names: str) -> Params:
    """The given parameters of these names; refuses what nothing would act on."""
    for name in params:
        if name not in (*names, "expand"):
            raise errors.not_played(name)
    return {name: params[name] for name in names if name in params}


def _set(thing: Object, params: Params, names: tuple[str, ...]) -> None:
    for name in names:
        if name in params:
            thing[name] = None if params[name] == "" else params[name]
    if "metadata" in params:
        thing["metadata"] = merged(thing["metadata"], params["metadata"])


# --- products -----------------------------------------------------------------------------------------
def create_product(account: Account, params: Params) -> Object:
    only(params, *_PRODUCT, "id", "metadata", "type")
    if "id" in params and account.store.get(params["id"]):
        raise ApiError("Product already exists.", code="resource_already_exists", param="id")
    now = account.now()
    made = shapes.new("product", created=now, updated=now, **({"id": params["id"]} if "id" in params else {}))
    _set(made, params, _PRODUCT)
    return account.add(made, "product.created")


def retrieve_product(account: Account, _params: Params, product_id: str) -> Object:
    return account.get("product", product_id)


def update_product(account: Account, params: Params, product_id: str) -> Object:
    only(params, *_PRODUCT, "default_price", "metadata")
    account.get("product", product_id)
    if "default_price" in params:
        price = account.get("price", params["default_price"], param="default_price")
        if price["product"] != product_id:
            raise ApiError("The price specified does not belong to the product.", param="default_price")
    with account.changing(product_id, "product.updated") as product:
        _set(product, params, (*_PRODUCT, "default_price"))
        product["updated"] = account.now()
    return product


def list_products(account: Account, params: Params) -> Object:
    where = {"id": params.get("ids")}
    return listing.page(account, "product", params, "/v1/products", ("active",), handled=("ids",), where=where)


# --- prices -------------------------------------------------------------------------------------------
def create_price(account: Account, params: Params) -> Object:
    only(params, *_PRICE, "currency", "metadata", "product", "product_data", "recurring", "transfer_lookup_key",
         "unit_amount", "unit_amount_decimal", "billing_scheme")  # fmt: skip
    if ("product" in params) == ("product_data" in params):
        if "product" in params:
            raise ApiError("You may only specify one of these parameters: product, product_data.", param="product_data")
        raise missing_param("product")
    if "product" in params:
        product_id = account.get("product", params["product"], param="product")["id"]
    else:
        product_id = create_product(account, params["product_data"])["id"]
    return add_price(account, params, product_id)


def add_price(account: Account, params: Params, product_id: str) -> Object:
    """A price of a product, from the parameters of a price or of a line item's ``price_data``."""
    amount = _amount(params)
    recurring = params.get("recurring")
    if recurring is not None:
        periods.check_length(recurring, "recurring")
        recurring = {
            "interval": recurring["interval"],
            "interval_count": recurring.get("interval_count", 1),
            "meter": None,
            "usage_type": recurring.get("usage_type", "licensed"),
        }
    _take_lookup_key(account, params)
    made = shapes.new(
        "price",
        created=account.now(),
        currency=params["currency"].lower(),
        product=product_id,
        recurring=recurring,
        type="recurring" if recurring else "one_time",
        unit_amount=amount,
        unit_amount_decimal=str(amount),
    )
    _set(made, params, _PRICE)
    return account.add(made, "price.created")


def _amount(params: Params) -> int:
    if "unit_amount" in params and "unit_amount_decimal" in params:
        raise ApiError(
            "You may only specify one of these parameters: unit_amount, unit_amount_decimal.", param="unit_amount"
        )
    if "unit_amount" not in params and "unit_amount_decimal" not in params:
        raise ApiError(
            "Prices require an `unit_amount` or `unit_amount_decimal` parameter to be set.", code="parameter_missing"
        )
    given: Any = params.get("unit_amount", params.get("unit_amount_decimal"))
    amount = Decimal(given)
    if amount != int(amount):
        raise errors.not_played("unit_amount_decimal")
    if amount < 0:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param="unit_amount")
    return int(amount)


def _take_lookup_key(account: Account, params: Params) -> None:
    """A lookup key belongs to one active price: it is handed over when asked for, else refused."""
    key = params.get("lookup_key")
    if not key:
        return
    for other in account.store.find("price", {"lookup_key": key}):
        if not params.get("transfer_lookup_key"):
            raise ApiError(
                f"A price (`{other['id']}`) already uses that lookup key.",
                code="resource_already_exists",
                param="lookup_key",
            )
        with account.changing(other["id"], "price.updated") as changed:
            changed["lookup_key"] = None


def retrieve_price(account: Account, _params: Params, price_id: str) -> Object:
    return account.get("price", price_id)


def update_price(account: Account, params: Params, price_id: str) -> Object:
    only(params, *_PRICE, "metadata", "transfer_lookup_key")
    price = account.get("price", price_id)
    if params.get("lookup_key") != price["lookup_key"]:
        _take_lookup_key(account, params)
    with account.changing(price_id, "price.updated") as price:
        _set(price, params, _PRICE)
    return price


def list_prices(account: Account, params: Params) -> Object:
    recurring = params.get("recurring") or {}
    where = {
        "lookup_key": params.get("lookup_keys"),
        **{f"recurring.{name}": value for name, value in recurring.items()},
    }
    fields = ("active", "currency", "product", "type")
    handled = ("lookup_keys", "recurring")
    return listing.page(account, "price", params, "/v1/prices", fields, handled=handled, where=where)


# --- coupons ------------------------------------------------------------------------------------------
def create_coupon(account: Account, params: Params) -> Object:
    only(params, *_COUPON, "id", "metadata")
    if ("amount_off" in params) == ("percent_off" in params):
        raise ApiError("You must pass exactly one of `percent_off` or `amount_off` when creating a coupon.")
    if "amount_off" in params:
        if "currency" not in params:
            raise ApiError("You must pass currency when passing amount_off", param="currency")
        if params["amount_off"] <= 0:
            raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param="amount_off")
    elif not 0 < params["percent_off"] <= 100:
        raise ApiError("Invalid percent_off: must be greater than 0 and at most 100", param="percent_off")
    if ("duration_in_months" in params) != (params.get("duration") == "repeating"):
        raise ApiError(
            "duration_in_months goes with a repeating duration, and only with it", param="duration_in_months"
        )
    if params.get("redeem_by", account.now() + 1) <= account.now():
        raise ApiError("redeem_by must be in the future", param="redeem_by")
    if "id" in params and account.store.get(params["id"]):
        raise ApiError("Coupon already exists.", code="resource_already_exists", param="id")
    made = shapes.new("coupon", created=account.now(), **({"id": params["id"]} if "id" in params else {}))
    _set(made, params, _COUPON)
    return account.add(made, "coupon.created")


def coupon(account: Account, coupon_id: str, *, param: str = "id") -> Object:
    """A coupon with ``valid`` as it is now."""
    found = account.get("coupon", coupon_id, param=param)
    used_up = found["max_redemptions"] is not None and found["times_redeemed"] >= found["max_redemptions"]
    too_late = found["redeem_by"] is not None and found["redeem_by"] <= account.now()
    return {**found, "valid": not (used_up or too_late)}


def retrieve_coupon(account: Account, _params: Params, coupon_id: str) -> Object:
    return coupon(account, coupon_id)


def delete_coupon(account: Account, _params: Params, coupon_id: str) -> Object:
    """No new purchase can use it; what was discounted stays so."""
    found = account.get("coupon", coupon_id)
    account.store.delete(coupon_id)
    account.emit("coupon.deleted", found)
    return {"id": coupon_id, "object": "coupon", "deleted": True}
