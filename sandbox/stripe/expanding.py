"""Answers as they are shown: notes left out, and ids replaced by objects where ``expand`` asks for it."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import shapes
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError
from sandbox.stripe.shapes import Object

_MOST_LEVELS = 4


def present(account: Account, thing: Object, paths: list[str]) -> Object:
    """What a route answers, for the eyes of the caller."""
    shown = _shown(account, thing)
    for path in paths:
        steps = path.split(".")
        if len(steps) > _MOST_LEVELS:
            raise ApiError(f"You cannot expand more than 4 levels of a property. Property: {path}", param="expand")
        if steps[0] == "data" and shown["object"] == "list":
            for item in shown["data"]:
                _expand(account, item, steps[1:], path)
        else:
            _expand(account, shown, steps, path)
    return shown


def _shown(account: Account, thing: Object) -> Object:
    shown = shapes.public(thing)
    if shown["object"] == "list":
        shown["data"] = [_shown(account, item) for item in shown["data"]]
    if shown["object"] == "subscription":  # an item shows its price as it is today
        for item in shown["items"]["data"]:
            item["price"] = shapes.public(account.store.get(item["price"]["id"]) or item["price"])
    return shown


def _expand(account: Account, place: Any, steps: list[str], path: str) -> None:
    if isinstance(place, list):
        for item in place:
            _expand(account, item, steps, path)
        return
    if not steps or not isinstance(place, dict):
        return
    name, rest = steps[0], steps[1:]
    if name == "data" and place.get("object") == "list":
        _expand(account, place["data"], rest, path)
        return
    if name not in place:
        lazy = _LAZY.get((str(place.get("object")), name))
        if lazy is None:
            raise ApiError(
                f"This property cannot be expanded ({path}). You may want to try expanding a different property.",
                param="expand",
            )
        place[name] = lazy(account, place)
    elif isinstance(place[name], str):
        found = account.store.get(place[name])
        if found is None:
            raise ApiError(f"This property cannot be expanded ({path}).", param="expand")
        place[name] = _shown(account, found)
    elif isinstance(place[name], list):
        place[name] = [_one(account, item) for item in place[name]]
    _expand(account, place[name], rest, path)


def _one(account: Account, item: Any) -> Any:
    found = account.store.get(item) if isinstance(item, str) else None
    return item if found is None else _shown(account, found)


# --- what is shown only when asked for ----------------------------------------------------------------
def _payments(account: Account, invoice: Object) -> Object:
    found = account.store.find("invoice_payment", {"invoice": invoice["id"]}, limit=10)
    return shapes.listing([_shown(account, item) for item in found], f"/v1/invoice_payments?invoice={invoice['id']}")


def _refunds(account: Account, charge: Object) -> Object:
    found = account.store.find("refund", {"charge": charge["id"]}, limit=10)
    return shapes.listing([_shown(account, item) for item in found], f"/v1/charges/{charge['id']}/refunds")


def _line_items(account: Account, session: Object) -> Object:
    stored = account.store.get(session["id"]) or {}
    return shapes.listing(stored.get("_items", []), f"/v1/checkout/sessions/{session['id']}/line_items")


def _subscriptions(account: Account, customer: Object) -> Object:
    found = account.store.find("subscription", {"customer": customer["id"]})
    live = [_shown(account, item) for item in found if item["status"] != "canceled"]
    return shapes.listing(live[:10], f"/v1/customers/{customer['id']}/subscriptions", has_more=len(live) > 10)


_LAZY = {
    ("invoice", "payments"): _payments,
    ("charge", "refunds"): _refunds,
    ("checkout.session", "line_items"): _line_items,
    ("customer", "subscriptions"): _subscriptions,
}
