"""Looking up what happened."""

from __future__ import annotations

from sandbox.stripe import listing
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError, not_played
from sandbox.stripe.params import Params
from sandbox.stripe.shapes import Object

_MOST_TYPES = 20
KEPT_SECONDS = 30 * 86400


def retrieve(account: Account, _params: Params, event_id: str) -> Object:
    return account.get("event", event_id)


def list_all(account: Account, params: Params) -> Object:
    """Newest first. ``type`` may end in ``*``; Stripe lists events of the last 30 days."""
    if "type" in params and "types" in params:
        raise ApiError("You may only specify one of these parameters: type, types.", param="types")
    types = params.get("types")
    if types is not None and len(types) > _MOST_TYPES:
        raise ApiError(f"You may specify at most {_MOST_TYPES} types.", param="types")
    one = params.get("type")
    if one and "*" in one:
        if one.rstrip("*").count("*") or not one.endswith("*"):
            raise not_played("type with * in the middle")
        types = sorted({kind for kind in account.store.kinds_of_events() if kind.startswith(one[:-1])}) or [one]
        one = None
    oldest = account.now() - KEPT_SECONDS
    created = params.get("created")
    where = {"type": one if one else types, "created": {"gte": oldest} if created is None else created}
    return listing.page(account, "event", params, "/v1/events", handled=("type", "types"), where=where)
