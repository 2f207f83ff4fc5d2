"""Customers and their saved cards."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import cards, catalogue, listing, payments, shapes, subscriptions
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import Params, merged
from sandbox.stripe.shapes import Object

_PLAIN = ("description", "email", "name", "phone")


def add(account: Account, params: Params) -> Object:
    """A new customer. Refuses an address that is none."""
    catalogue.only(params, *_PLAIN, "metadata", "preferred_locales")
    made = shapes.new("customer", created=account.now(), invoice_prefix=shapes.letters(8).upper(), _deleted=False)
    _set(made, params)
    return account.add(made, "customer.created")


def _set(customer: Object, params: Params) -> None:
    for name in _PLAIN:
        if name in params:
            customer[name] = params[name] or None
    email = customer["email"]
    if email and ("@" not in email.strip("@") or len(email) > 512):
        raise ApiError(f"Invalid email address: {email}", code="email_invalid", param="email")
    if "metadata" in params:
        customer["metadata"] = merged(customer["metadata"], params["metadata"])
    if "preferred_locales" in params:
        customer["preferred_locales"] = params["preferred_locales"]


def set_card(account: Account, customer_id: str, card: str) -> Object:
    """A new card for everything this customer pays from now on, as the portal saves it."""
    with account.transaction():
        customer = account.get("customer", customer_id)
        found = cards.look_up(card)
        refusal = cards.refusal(found.nature, later=False)
        if refusal is not None:
            raise refusal
        method = payments.save_card(
            account, found, customer_id=customer_id, email=customer["email"] or "", name=customer["name"] or ""
        )
        with account.changing(customer_id, "customer.updated") as customer:
            customer["invoice_settings"]["default_payment_method"] = method["id"]
        for plan in account.store.find("subscription", {"customer": customer_id, "status": subscriptions.LIVE}):
            with account.changing(plan["id"], "customer.subscription.updated") as changed:
                changed["default_payment_method"] = method["id"]
        return method


def own_card(account: Account, customer_id: str, method_id: str, *, param: str) -> Object:
    """A card that is saved with this customer, or the refusal that it is not."""
    method = account.get("payment_method", method_id, param=param)
    if method["customer"] != customer_id:
        raise ApiError(
            f"The customer does not have a payment method with the ID {method_id}. The payment method must be attached"
            " to the customer.",
            code="resource_missing",
            param=param,
        )
    return method


def delete(account: Account, customer_id: str) -> Object:
    """Remove a customer: every subscription ends at once, saved cards go. It cannot be undone."""
    with account.transaction():
        account.get("customer", customer_id)
        for plan in account.store.find("subscription", {"customer": customer_id, "status": subscriptions.LIVE}):
            subscriptions.end_now(account, plan["id"], reason="")
        for method in account.store.find("payment_method", {"customer": customer_id}):
            with account.changing(method["id"], "payment_method.detached") as changed:
                changed["customer"] = None
        customer = account.get("customer", customer_id)
        account.emit("customer.deleted", customer)
        customer["_deleted"] = True
        account.store.put(customer)
    return {"id": customer_id, "object": "customer", "deleted": True}


# --- routes -------------------------------------------------------------------------------------------
def create(account: Account, params: Params) -> Object:
    return add(account, params)


def retrieve(account: Account, _params: Params, customer_id: str) -> Object:
    found = account.store.get(customer_id)
    if found is not None and found["object"] == "customer" and found["_deleted"]:
        return {"id": customer_id, "object": "customer", "deleted": True}
    return account.get("customer", customer_id)


def update(account: Account, params: Params, customer_id: str) -> Object:
    catalogue.only(params, *_PLAIN, "invoice_settings", "metadata", "preferred_locales")
    account.get("customer", customer_id)
    settings: dict[str, Any] = params.get("invoice_settings") or {}
    method_id = catalogue.only(settings, "default_payment_method").get("default_payment_method")
    if method_id:
        own_card(account, customer_id, method_id, param="invoice_settings[default_payment_method]")
    with account.changing(customer_id, "customer.updated") as customer:
        _set(customer, params)
        if method_id is not None:
            customer["invoice_settings"]["default_payment_method"] = method_id or None
    return customer


def remove(account: Account, _params: Params, customer_id: str) -> Object:
    return delete(account, customer_id)


def list_all(account: Account, params: Params) -> Object:
    return listing.page(account, "customer", params, "/v1/customers", ("email",), where={"_deleted": False})


def retrieve_method(account: Account, _params: Params, method_id: str) -> Object:
    return account.get("payment_method", method_id)


def retrieve_intent(account: Account, _params: Params, intent_id: str) -> Object:
    return account.get("payment_intent", intent_id)


def retrieve_charge(account: Account, _params: Params, charge_id: str) -> Object:
    return account.get("charge", charge_id)
