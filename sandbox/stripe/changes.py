"""Changes to a running subscription: another price, a card, its end; and what a change would cost."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from sandbox.stripe import catalogue, customers, errors, invoices, periods, shapes, subscriptions
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import Params, merged
from sandbox.stripe.shapes import Object

_UPDATED = "customer.subscription.updated"
_PLAYED = (
    "billing_cycle_anchor", "cancel_at", "cancel_at_period_end", "cancellation_details", "default_payment_method",
    "description", "items", "metadata", "payment_behavior", "proration_behavior", "proration_date",
)  # fmt: skip
_DETAILS = ("billing_cycle_anchor", "items", "proration_behavior", "proration_date")


@dataclass(frozen=True)
class Change:
    """The items after a change, and the lines it costs."""

    items: list[Object]
    lines: list[Object]
    moment: int
    behavior: str


# --- what a change comes to ---------------------------------------------------------------------------
def work_out(account: Account, subscription: Object, params: Params, prefix: str = "") -> Change:
    """The effect of ``items`` with the proration wanted: unused time of the old price back, the new one charged.

    The same for a preview and for the change itself, so that with the same ``proration_date`` both cost the same.
    """
    anchor = params.get("billing_cycle_anchor")
    if anchor and anchor.get("type") != "unchanged":
        raise errors.not_played(f"{prefix}billing_cycle_anchor")
    behavior = params.get("proration_behavior", "create_prorations")
    moment = _moment(account, subscription, params, prefix)
    items = copy.deepcopy(subscriptions.items_of(subscription))
    lines: list[Object] = []
    for place, entry in enumerate(params.get("items") or []):
        name = f"{prefix}[items][{place}]" if prefix else f"items[{place}]"
        catalogue.only(entry, "deleted", "id", "metadata", "price", "quantity")
        old = _find(items, entry, name)
        new = None if entry.get("deleted") else _changed(account, subscription, old, entry, name)
        if behavior != "none":
            lines += _prorations(account, subscription, old, new, moment)
        if old is not None:
            place_of = items.index(old)
            items[place_of : place_of + 1] = [new] if new else []
        elif new is not None:
            items.append(new)
    if not items:
        raise ApiError("A subscription must have at least one active plan. To cancel it, use the cancel endpoint.",
                       param="items")  # fmt: skip
    return Change(items, lines, moment, behavior)


def _moment(account: Account, subscription: Object, params: Params, prefix: str) -> int:
    now = account.now(subscription["customer"])
    moment: int = params.get("proration_date", now)
    first = subscriptions.items_of(subscription)[0]
    if moment < first["current_period_start"]:  # who asks lives by the real clock, the customer may be ahead of it
        moment += now - account.now()
    if not first["current_period_start"] <= moment <= first["current_period_end"]:
        raise ApiError(
            "Cannot specify a `proration_date` that is not in the current billing period.",
            param=f"{prefix}[proration_date]" if prefix else "proration_date",
        )
    return moment


def _find(items: list[Object], entry: Params, name: str) -> Object | None:
    if "id" not in entry:
        return None
    found = next((item for item in items if item["id"] == entry["id"]), None)
    if found is None:
        raise errors.missing("subscription_item", entry["id"], param=f"{name}[id]")
    return found


def _changed(account: Account, subscription: Object, old: Object | None, entry: Params, name: str) -> Object:
    if "price" not in entry and old is None:
        raise errors.missing_param(f"{name}[price]")
    price = account.get("price", entry["price"], param=f"{name}[price]") if "price" in entry else (old or {})["price"]
    first = subscriptions.items_of(subscription)[0]
    if price["recurring"] is None:
        raise ApiError(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=f"{name}[price]",
        )
    if not price["active"] and (old is None or old["price"]["id"] != price["id"]):
        raise ApiError(
            "The price specified is inactive. This field only accepts active prices.", param=f"{name}[price]"
        )
    if price["currency"] != subscription["currency"]:
        raise ApiError(
            f"The price specified only supports `{price['currency']}`. This doesn't match the expected currency:"
            f" `{subscription['currency']}`.",
            param=f"{name}[price]",
        )
    if price["recurring"] != first["price"]["recurring"]:
        raise errors.not_played(f"{name}[price] with another interval")
    if old is not None:
        return {
            **old,
            "price": shapes.public(price),
            "quantity": entry.get("quantity", old["quantity"]),
            "metadata": merged(old["metadata"], entry.get("metadata")),
        }
    taken = [item for item in subscriptions.items_of(subscription) if item["price"]["id"] == price["id"]]
    if taken:
        raise ApiError(
            f"Cannot add multiple subscription items with the same plan: {price['id']}", param=f"{name}[price]"
        )
    return shapes.new(
        "subscription_item",
        created=account.now(subscription["customer"]),
        current_period_end=first["current_period_end"],
        current_period_start=first["current_period_start"],
        metadata=entry.get("metadata") or {},
        price=shapes.public(price),
        quantity=entry.get("quantity", 1),
        subscription=subscription["id"],
    )


def _prorations(
    account: Account, subscription: Object, old: Object | None, new: Object | None, moment: int
) -> list[Object]:
    if old and new and (old["price"]["id"], old["quantity"]) == (new["price"]["id"], new["quantity"]):
        return []
    lines = []
    for item, sign, words in ((old, -1, "Unused time on"), (new, 1, "Remaining time on")):
        if item is None:
            continue
        start, end = item["current_period_start"], item["current_period_end"]
        amount = periods.share(item["price"]["unit_amount"] * item["quantity"], start, end, moment)
        name = invoices.name_of(account, item["price"])
        many = f"{item['quantity']} × " if item["quantity"] > 1 else ""
        lines.append(
            invoices.line(
                subscription,
                item,
                item["price"],
                amount=sign * amount,
                start=moment,
                end=end,
                description=f"{words} {many}{name} after {periods.day(moment)}",
                proration=True,
            )
        )
    return lines


# --- previews -----------------------------------------------------------------------------------------
def preview(account: Account, params: Params) -> Object:
    """What the next invoice would be, with a change or without. Nothing is stored."""
    catalogue.only(params, "customer", "preview_mode", "subscription", "subscription_details")
    if params.get("preview_mode", "next") != "next":
        raise errors.not_played("preview_mode")
    subscription = _previewed(account, params)
    asked: Params = params.get("subscription_details") or {}
    catalogue.only(asked, "cancel_at_period_end", *_DETAILS)
    change = work_out(account, subscription, asked, "subscription_details")
    at_once = bool(change.lines) and change.behavior == "always_invoice"
    first = subscriptions.items_of(subscription)[0]
    start, end = first["current_period_start"], first["current_period_end"]
    if at_once:
        lines, period = change.lines, (change.moment, change.moment)
    else:
        if subscription["cancel_at"] is not None or subscription["status"] not in ("active", "past_due", "trialing"):
            raise _none_upcoming(subscription["customer"])
        lines, period = [*subscription.get("_pending", []), *change.lines], (start, end)
        for item in change.items:
            later = periods.after(subscription["billing_cycle_anchor"], item["price"]["recurring"], end)
            lines.append(invoices.period_line(account, subscription, item, item["price"], end, later))
    made = invoices.compose(
        account,
        subscription,
        lines,
        reason="upcoming",
        period=period,
        invoice_id="upcoming_" + shapes.new_id("invoice"),
    )
    if not at_once:
        made.update(created=end, next_payment_attempt=end + 3600)
    return made


def _previewed(account: Account, params: Params) -> Object:
    customer_id = params.get("customer")
    if "subscription" in params:
        subscription = account.get("subscription", params["subscription"], param="subscription")
        if customer_id and subscription["customer"] != customer_id:
            raise errors.missing("subscription", params["subscription"], param="subscription")
    else:
        if not customer_id:
            raise ApiError("You must provide a customer, a subscription or a schedule to preview an invoice.",
                           code="parameter_missing", param="customer")  # fmt: skip
        account.get("customer", customer_id, param="customer")
        found = account.store.find("subscription", {"customer": customer_id, "status": subscriptions.LIVE}, limit=1)
        if not found:
            raise _none_upcoming(customer_id)
        subscription = found[0]
    if subscription["status"] == "canceled":
        raise _none_upcoming(subscription["customer"])
    return subscription


def _none_upcoming(customer_id: str) -> ApiError:
    return ApiError(f"No upcoming invoices for customer: {customer_id}", status=404, code="invoice_upcoming_none")


# --- changes ------------------------------------------------------------------------------------------
def update(account: Account, params: Params, subscription_id: str) -> Object:
    """What is given changes; a payment that fails under ``error_if_incomplete`` undoes all of it."""
    catalogue.only(params, *_PLAYED)
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] in ("canceled", "incomplete_expired"):
        return _update_ended(account, params, subscription_id)
    if params.get("payment_behavior") in ("default_incomplete", "pending_if_incomplete"):
        raise errors.not_played("payment_behavior")
    if params.get("default_payment_method"):
        customers.own_card(
            account, subscription["customer"], params["default_payment_method"], param="default_payment_method"
        )
    change = work_out(account, subscription, params) if "items" in params else None
    invoice_id = _invoice_of(change)
    with account.changing(subscription_id, _UPDATED) as subscription:
        _set_end(account, subscription, params)
        subscription["metadata"] = merged(subscription["metadata"], params.get("metadata"))
        for name in ("description", "default_payment_method"):
            if name in params:
                subscription[name] = params[name] or None
        for name, value in (params.get("cancellation_details") or {}).items():
            subscription["cancellation_details"][name] = value or None
        if change is not None:
            subscription["items"]["data"] = change.items
            if invoice_id:
                subscription["latest_invoice"] = invoice_id
            elif change.lines:
                subscription["_pending"] = [*subscription.get("_pending", []), *change.lines]
    if change is not None and invoice_id:
        _bill(account, subscription, change, invoice_id, strict=params.get("payment_behavior") == "error_if_incomplete")
    return account.get("subscription", subscription_id)


def _invoice_of(change: Change | None) -> str:
    at_once = change is not None and change.lines and change.behavior == "always_invoice"
    return shapes.new_id("invoice") if at_once else ""


def _bill(account: Account, subscription: Object, change: Change, invoice_id: str, *, strict: bool) -> None:
    period = (change.moment, change.moment)
    invoices.finalize(
        account,
        invoices.compose(
            account, subscription, change.lines, reason="subscription_update", period=period, invoice_id=invoice_id
        ),
    )
    error = invoices.collect(account, invoice_id, invoices.method_of(account, subscription))
    if error is not None and strict:
        raise error
    with account.changing(subscription["id"], _UPDATED) as changed:
        changed["status"] = "active" if error is None else "past_due"


def _update_ended(account: Account, params: Params, subscription_id: str) -> Object:
    if params.keys() - {"cancellation_details", "metadata", "expand"}:
        raise ApiError("A canceled subscription can only update its cancellation_details and metadata.")
    with account.changing(subscription_id, _UPDATED) as subscription:
        subscription["metadata"] = merged(subscription["metadata"], params.get("metadata"))
        for name, value in (params.get("cancellation_details") or {}).items():
            subscription["cancellation_details"][name] = value or None
    return subscription


def _set_end(account: Account, subscription: Object, params: Params) -> None:
    if not {"cancel_at", "cancel_at_period_end"} & params.keys():
        return
    if {"cancel_at", "cancel_at_period_end"} <= params.keys():
        raise ApiError("You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
                       param="cancel_at")  # fmt: skip
    if subscription["schedule"]:
        raise ApiError(
            f"The subscription is managed by the subscription schedule `{subscription['schedule']}`, and updating any"
            " cancelation behavior directly is not allowed. Please update the schedule instead."
        )
    now = account.now(subscription["customer"])
    end: Any = params.get("cancel_at")
    if params.get("cancel_at_period_end") or end in ("min_period_end", "max_period_end"):
        end = subscriptions.period_end(subscription)
    if isinstance(end, int):
        if end <= now:
            raise ApiError("The `cancel_at` must be in the future.", param="cancel_at")
        subscription.update(
            cancel_at=end,
            cancel_at_period_end=params.get("cancel_at_period_end", False),
            canceled_at=subscription["canceled_at"] or now,
        )
        subscription["cancellation_details"]["reason"] = "cancellation_requested"
    elif "cancel_at" in params or subscription["cancel_at_period_end"]:
        subscription.update(cancel_at=None, cancel_at_period_end=False, canceled_at=None)
        subscription["cancellation_details"]["reason"] = None


# --- what the portal does -----------------------------------------------------------------------------
def cancel_in_portal(account: Account, subscription_id: str) -> Object:
    """End with the paid period: in flexible billing the portal sets ``cancel_at`` and nothing else."""
    with account.transaction():
        return update(account, {"cancel_at": "max_period_end"}, subscription_id)


def keep_in_portal(account: Account, subscription_id: str) -> Object:
    """Take a cancellation back."""
    with account.transaction():
        return update(account, {"cancel_at": ""}, subscription_id)


def change_in_portal(account: Account, subscription_id: str, price_id: str) -> Object:
    """Another price at once, with the difference invoiced. ApiError when the card is declined: nothing changed."""
    with account.transaction():
        subscription = account.get("subscription", subscription_id)
        item = subscriptions.items_of(subscription)[0]
        params = {
            "items": [{"id": item["id"], "price": price_id}],
            "payment_behavior": "error_if_incomplete",
            "proration_behavior": "always_invoice",
        }
        return update(account, params, subscription_id)
