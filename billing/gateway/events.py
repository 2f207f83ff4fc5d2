"""Events: is a post genuine, and what did we miss?"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import stripe

from billing.gateway.client import each

API_VERSION: str = stripe.api_version or ""
"""What this package speaks, and what the endpoint at Stripe must be set to."""

MOST_TYPES = 20
"""Stripe lists so many kinds of events at once."""

_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Seal:
    """The header ``Stripe-Signature``: when a post was signed, and the signatures over that moment and the body."""

    moment: str
    signatures: tuple[bytes, ...]

    @property
    def signed_at(self) -> int:
        """Unix seconds, by Stripe's clock."""
        return int(self.moment)

    @classmethod
    def read(cls, header: str) -> Seal | None:
        """``t=<seconds>,v1=<hex>[,v1=<hex>…]``; other schemes are passed over. None for anything else."""
        moment, signatures = "", []
        for item in header.split(","):
            name, _, content = item.partition("=")
            if name == "t" and not moment:
                moment = content
            elif name == "v1":
                signatures.append(content.encode("utf-8", "replace"))
        if not signatures or not _SECONDS.fullmatch(moment):
            return None
        return cls(moment, tuple(signatures))


def is_signed(body: bytes, seal: Seal, secrets: Sequence[str]) -> bool:
    """Whether one of our secrets made one of the signatures, compared in constant time.

    The same rule as the package's ``WebhookSignature``, which would make text of the body, and look only back in
    time: the caller bounds the moment on both sides.
    """
    signed = seal.moment.encode("ascii") + b"." + body
    wanted = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode() for secret in secrets if secret]
    matches = [hmac.compare_digest(ours, theirs) for ours in wanted for theirs in seal.signatures]
    return any(matches)


def events_since(since: datetime, types: Sequence[str], *, after: str = "") -> Iterator[dict[str, Any]]:
    """Events of these types as Stripe lists them (30 days at most), newest first, beginning behind event ``after``."""
    asked: dict[str, Any] = {"types": list(types), "created": {"gte": int(since.timestamp())}}
    if after:
        asked["starting_after"] = after
    yield from each(lambda v1, params: v1.events.list(params), asked)
