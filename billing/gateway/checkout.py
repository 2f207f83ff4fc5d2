"""Customers and Checkout Sessions."""

from __future__ import annotations

from datetime import datetime

from billing.exceptions import StripeMissing
from billing.gateway.client import call, options
from billing.gateway.shapes import StripeSession


def create_customer(*, email: str, name: str, user_id: int, key: str) -> str:
    """Make a customer; the id."""
    params: dict[str, object] = {"email": email, "metadata": {"user_id": str(user_id)}}
    if name:
        params["name"] = name
    return str(call(lambda v1: v1.customers.create(params, options(key)))["id"])


def update_customer(*, customer_id: str, email: str, name: str) -> None:
    call(lambda v1: v1.customers.update(customer_id, {"email": email, "name": name}))


def customer_exists(customer_id: str) -> bool:
    """False for one that was deleted or never was."""
    try:
        return not call(lambda v1: v1.customers.retrieve(customer_id)).get("deleted", False)
    except StripeMissing:
        return False


def delete_customer(customer_id: str) -> None:
    """Remove the customer and the saved cards; all their subscriptions end. It cannot be undone."""
    call(lambda v1: v1.customers.delete(customer_id))


def create_plan_session(
    *,
    checkout_id: str,
    customer_id: str,
    user_id: int,
    price_id: str,
    plan_name: str,
    expires_at: datetime,
    success_url: str,
    cancel_url: str,
    key: str,
) -> StripeSession:
    """The payment page for the first month of a plan. ``success_url`` may hold ``{CHECKOUT_SESSION_ID}``."""
    metadata = {"kind": "plan", "user_id": str(user_id), "plan": plan_name, "checkout": checkout_id}
    made = call(
        lambda v1: v1.checkout.sessions.create(
            {
                "mode": "subscription",
                "customer": customer_id,
                "client_reference_id": str(user_id),
                "line_items": [{"price": price_id, "quantity": 1}],
                "allowed_payment_method_types": ["card"],
                "expires_at": int(expires_at.timestamp()),
                "success_url": success_url,
                "cancel_url": cancel_url,
                "metadata": metadata,
                "subscription_data": {"metadata": metadata},
            },
            options(key),
        )
    )
    return StripeSession.read(made)


def session(session_id: str) -> StripeSession:
    """Raises StripeMissing."""
    return StripeSession.read(call(lambda v1: v1.checkout.sessions.retrieve(session_id)))


def expire_session(session_id: str) -> StripeSession:
    """Close an open session. Raises StripeRefused when it is not open any more."""
    return StripeSession.read(call(lambda v1: v1.checkout.sessions.expire(session_id)))
