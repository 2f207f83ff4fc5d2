"""What each object looks like before anything is known of it, and what of it is shown to others.

``shapes.json`` holds one empty object of each kind with every field the API version names. A field whose name begins
with an underscore is the stand-in's own note (which test card it was, what a session was asked for): it is stored
with the object and never shown.
"""

from __future__ import annotations

import copy
import json
import secrets
import string
from pathlib import Path
from typing import Any

Object = dict[str, Any]

_SHAPES: dict[str, Object] = json.loads((Path(__file__).parent / "shapes.json").read_text())
_LETTERS = string.ascii_letters + string.digits

_IDS = {
    "billing_portal.configuration": ("bpc_1", 23),
    "billing_portal.session": ("bps_1", 23),
    "charge": ("ch_1", 23),
    "checkout.session": ("cs_test_a1", 56),
    "coupon": ("", 8),
    "customer": ("cus_", 14),
    "dispute": ("du_1", 23),
    "event": ("evt_1", 23),
    "invoice": ("in_1", 23),
    "invoice_payment": ("inpay_1", 23),
    "item": ("li_1", 23),
    "line_item": ("il_1", 23),
    "payment_intent": ("pi_1", 23),
    "payment_method": ("pm_1", 23),
    "price": ("price_1", 23),
    "product": ("prod_", 14),
    "refund": ("re_1", 23),
    "subscription": ("sub_1", 23),
    "subscription_item": ("si_", 14),
    "subscription_schedule": ("sub_sched_1", 23),
}


def letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def new_id(kind: str) -> str:
    prefix, count = _IDS[kind]
    return prefix + letters(count)


def part(name: str, /, **values: Any) -> Object:
    """A shape that has no id of its own, such as an address. ValueError for a field the API does not have."""
    made = copy.deepcopy(_SHAPES[name])
    strange = {key for key in values if key not in made and not key.startswith("_")}
    if strange:
        raise ValueError(f"A {name} has no {', '.join(sorted(strange))}.")
    made.update(values)
    return made


def new(kind: str, /, **values: Any) -> Object:
    """A new object with an id, unless one is given."""
    return part(kind, **{"id": new_id(kind), **values})


def public(thing: Object) -> Object:
    """A copy as the API shows it."""
    return copy.deepcopy({name: value for name, value in thing.items() if not name.startswith("_")})


def listing(data: list[Object], url: str, *, has_more: bool = False) -> Object:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
