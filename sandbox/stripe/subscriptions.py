"""The life of a subscription: bought, renewed or not paid, paused, ended."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import errors, invoices, listing, periods, schedules, shapes
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import Params
from sandbox.stripe.schedules import Turn
from sandbox.stripe.shapes import Object

LIVE = ["active", "past_due", "trialing", "unpaid", "incomplete", "paused"]
_UPDATED = "customer.subscription.updated"


# --- bought -------------------------------------------------------------------------------------------
def start(
    account: Account,
    *,
    customer_id: str,
    entries: list[tuple[Object, int]],
    method: Object,
    metadata: dict[str, str],
    description: str | None = None,
) -> Object:
    """A new subscription to these prices and quantities, with its first invoice paid by the card.

    The card must have been looked at before: a first payment that fails is the affair of the page that asks for it.
    """
    now = account.now(customer_id)
    first, _quantity = entries[0]
    subscription = shapes.new(
        "subscription",
        billing_cycle_anchor=now,
        created=now,
        currency=first["currency"],
        customer=customer_id,
        default_payment_method=method["id"],
        description=description,
        metadata=metadata,
        start_date=now,
        status="incomplete",
    )
    subscription["items"] = shapes.listing(
        [_item(subscription, price, quantity, now) for price, quantity in entries],
        f"/v1/subscription_items?subscription={subscription['id']}",
    )
    lines = [
        invoices.period_line(account, subscription, item, item["price"], now, item["current_period_end"])
        for item in items_of(subscription)
    ]
    invoice = invoices.compose(account, subscription, lines, reason="subscription_create", period=(now, now))
    subscription["latest_invoice"] = invoice["id"]
    account.add(subscription, "customer.subscription.created")
    invoices.finalize(account, invoice)
    error = invoices.collect(account, invoice["id"], method, later=False)
    if error is not None:
        raise error
    with account.changing(subscription["id"], _UPDATED) as subscription:
        subscription["status"] = "active"
    return subscription


def _item(subscription: Object, price: Object, quantity: int, now: int) -> Object:
    return shapes.new(
        "subscription_item",
        created=now,
        current_period_end=periods.after(now, price["recurring"], now),
        current_period_start=now,
        price=shapes.public(price),
        quantity=quantity,
        subscription=subscription["id"],
    )


def items_of(subscription: Object) -> list[Object]:
    items: list[Object] = subscription["items"]["data"]
    return items


def period_end(subscription: Object) -> int:
    return int(max(item["current_period_end"] for item in items_of(subscription)))


def must_be(subscription: Object, *states: str) -> None:
    if subscription["status"] not in states:
        raise ValueError(f"The subscription is {subscription['status']}.")


# --- renewed ------------------------------------------------------------------------------------------
def renew(account: Account, subscription_id: str) -> Object:
    """Move the customer's clock to the end of the paid period and do what Stripe does then.

    One that was to end, ends. A price that a schedule holds for the next period is taken. The new period begins and is
    paid, or the subscription becomes past due.
    """
    with account.transaction():
        subscription = account.get("subscription", subscription_id)
        must_be(subscription, "active", "past_due", "trialing", "unpaid")
        boundary = period_end(subscription)
        account.move_clock(subscription["customer"], boundary)
        end = subscription["cancel_at"]
        if end is not None and end <= boundary:
            return end_now(account, subscription_id, reason=None)
        turn = schedules.turn(account, subscription, boundary)
        if turn.ends:
            return end_now(account, subscription_id, reason="")
        return _bill_period(account, subscription_id, boundary, turn)


def _bill_period(account: Account, subscription_id: str, boundary: int, turn: Turn) -> Object:
    before = account.get("subscription", subscription_id)
    start = min(item["current_period_start"] for item in items_of(before))
    invoice_id = shapes.new_id("invoice")
    with account.changing(subscription_id, _UPDATED) as subscription:
        pending = subscription.pop("_pending", [])
        for item, (price_id, quantity) in zip(items_of(subscription), turn.items, strict=False):
            item.update(price=account.get("price", price_id), quantity=quantity)
        subscription["metadata"] = {**subscription["metadata"], **turn.metadata}
        for item in items_of(subscription):
            item["price"] = shapes.public(account.get("price", item["price"]["id"]))
            item["current_period_start"] = boundary
            item["current_period_end"] = periods.after(
                subscription["billing_cycle_anchor"], item["price"]["recurring"], boundary
            )
        subscription["latest_invoice"] = invoice_id
    lines = pending + [
        invoices.period_line(account, subscription, item, item["price"], boundary, item["current_period_end"])
        for item in items_of(subscription)
    ]
    invoices.finalize(
        account,
        invoices.compose(
            account,
            subscription,
            lines,
            reason="subscription_cycle",
            period=(start, boundary),
            invoice_id=invoice_id,
        ),
    )
    error = invoices.collect(account, invoice_id, invoices.method_of(account, subscription))
    with account.changing(subscription_id, _UPDATED) as subscription:
        if error is not None and subscription["status"] == "active":
            subscription["status"] = "past_due"
        elif error is None:  # what Stripe goes by is the latest invoice alone
            subscription["status"] = "active"
    return subscription


def _open_invoices(account: Account, subscription_id: str) -> list[Object]:
    where = {"parent.subscription_details.subscription": subscription_id, "status": "open"}
    return account.store.find("invoice", where)


def retry(account: Account, subscription_id: str) -> Object:
    """Try the newest unpaid invoice again. After the fourth failure the subscription is cancelled."""
    with account.transaction():
        subscription = account.get("subscription", subscription_id)
        unpaid = _open_invoices(account, subscription_id)
        if not unpaid:
            raise ValueError("There is nothing to pay.")
        must_be(subscription, "past_due", "unpaid", "active")
        error = invoices.collect(account, unpaid[0]["id"], invoices.method_of(account, subscription))
        invoice = account.get("invoice", unpaid[0]["id"])
        if error is not None and invoice["attempt_count"] > len(invoices.RETRY_DAYS):
            return end_now(account, subscription_id, reason="payment_failed")
        if error is None and invoice["id"] == subscription["latest_invoice"]:
            with account.changing(subscription_id, _UPDATED) as subscription:
                subscription["status"] = "active"
        return account.get("subscription", subscription_id)


# --- paused and ended ---------------------------------------------------------------------------------
def pause(account: Account, subscription_id: str) -> Object:
    """No invoices and no access until it is resumed."""
    with account.transaction():
        subscription = account.get("subscription", subscription_id)
        must_be(subscription, "active", "trialing", "past_due")
        with account.changing(subscription_id) as subscription:
            subscription["status"] = "paused"
            subscription["status_details"] = {
                "paused": {
                    "subscription": {"type": "pause_requested"},
                    "transitioned_at": account.now(subscription["customer"]),
                    "type": "subscription",
                }
            }
        account.emit("customer.subscription.paused", subscription)
        return subscription


def resume(account: Account, subscription_id: str) -> Object:
    """A paused one goes on, in a new period that is paid at once."""
    with account.transaction():
        subscription = account.get("subscription", subscription_id)
        must_be(subscription, "paused")
        now = account.now(subscription["customer"])
        with account.changing(subscription_id) as subscription:
            subscription["status"] = "active"
            subscription["status_details"] = None
            subscription["billing_cycle_anchor"] = now
        account.emit("customer.subscription.resumed", subscription)
        return _bill_period(account, subscription_id, now, Turn())


def end_now(
    account: Account,
    subscription_id: str,
    *,
    reason: str | None = "cancellation_requested",
    notes: Params | None = None,
) -> Object:
    """End a subscription at once, without giving money back.

    ``reason`` None leaves what the cancellation said when it was asked for; an open invoice is not tried again.
    """
    with account.transaction():
        subscription = account.get("subscription", subscription_id)
        must_be(subscription, *LIVE)
        schedules.let_go(account, subscription, status="canceled")
        now = account.now(subscription["customer"])
        with account.changing(subscription_id) as subscription:
            subscription.update(ended_at=now, schedule=None, status="canceled")
            subscription["canceled_at"] = subscription["canceled_at"] or now
            if reason is not None:
                subscription["cancellation_details"]["reason"] = reason or None
            subscription["cancellation_details"].update(notes or {})
        for invoice in _open_invoices(account, subscription_id):
            with account.changing(invoice["id"], "invoice.updated") as changed:
                changed["auto_advance"] = False
                changed["next_payment_attempt"] = None
        account.emit("customer.subscription.deleted", subscription)
        return subscription


# --- routes -------------------------------------------------------------------------------------------
def retrieve(account: Account, _params: Params, subscription_id: str) -> Object:
    return account.get("subscription", subscription_id)


def list_all(account: Account, params: Params) -> Object:
    """Without a status all that have not ended."""
    status: Any = params.get("status")
    if status is None:
        status = [*LIVE]
    elif status == "all":
        status = None
    elif status == "ended":
        status = ["canceled", "incomplete_expired"]
    where = {"status": status, "items.data[0].price.id": params.get("price")}
    return listing.page(
        account,
        "subscription",
        params,
        "/v1/subscriptions",
        ("collection_method", "customer"),
        handled=("price", "status"),
        where=where,
    )


def cancel(account: Account, params: Params, subscription_id: str) -> Object:
    """DELETE: at once."""
    for name in ("invoice_now", "prorate"):
        if params.get(name):
            raise errors.not_played(name)
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] not in LIVE:
        raise errors.missing("subscription", subscription_id)
    notes = {name: value or None for name, value in (params.get("cancellation_details") or {}).items()}
    return end_now(account, subscription_id, notes=notes)


def pause_route(account: Account, params: Params, subscription_id: str) -> Object:
    for name in ("bill_for", "invoicing_behavior"):
        if name in params:
            raise errors.not_played(name)
    return _worded(lambda: pause(account, account.get("subscription", subscription_id)["id"]))


def resume_route(account: Account, params: Params, subscription_id: str) -> Object:
    for name in ("billing_cycle_anchor", "payment_behavior", "proration_behavior", "proration_date"):
        if name in params:
            raise errors.not_played(name)
    return _worded(lambda: resume(account, account.get("subscription", subscription_id)["id"]))


def _worded(work: Any) -> Object:
    try:
        done: Object = work()
    except ValueError as error:
        raise ApiError(str(error)) from None
    return done
