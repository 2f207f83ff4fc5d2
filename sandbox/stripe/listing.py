"""Lists, page by page."""

from __future__ import annotations

from sandbox.stripe import errors, shapes
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import Params
from sandbox.stripe.shapes import Object
from sandbox.stripe.store import Where

_USUAL, _MOST = 10, 100
_EVERYWHERE = ("created", "ending_before", "expand", "limit", "starting_after")


def page(
    account: Account,
    kind: str,
    params: Params,
    url: str,
    fields: tuple[str, ...] = (),
    *,
    handled: tuple[str, ...] = (),
    where: Where | None = None,
) -> Object:
    """The objects of a kind that meet the conditions, newest first, from the cursor on.

    ``fields`` are the filters that are fields of the object; ``handled`` those the caller made into ``where``. Any
    other filter is refused: leaving it out would answer with too much.
    """
    for name in params:
        if name not in (*_EVERYWHERE, *fields, *handled):
            raise errors.not_played(name)
    limit = params.get("limit", _USUAL)
    if not 1 <= limit <= _MOST:
        words = "Limit must be at least 1" if limit < 1 else f"Limit cannot exceed {_MOST}"
        raise ApiError(words, code="parameter_invalid_integer", param="limit")
    conditions = {"created": params.get("created"), **{name: params.get(name) for name in fields}, **(where or {})}
    before, after = (_cursor(account, kind, params, name) for name in ("starting_after", "ending_before"))
    if before is not None and after is not None:
        raise ApiError("You can only use one of starting_after and ending_before.", param="ending_before")
    found = account.store.find(
        kind, conditions, limit=limit + 1, before=before, after=after, oldest_first=after is not None
    )
    shown = found[:limit]
    if after is not None:
        shown.reverse()
    return shapes.listing(shown, url, has_more=len(found) > limit)


def _cursor(account: Account, kind: str, params: Params, name: str) -> int | None:
    if name not in params:
        return None
    number = account.store.number_of(kind, params[name])
    if number is None:
        raise errors.missing(kind, params[name], param=name)
    return number
