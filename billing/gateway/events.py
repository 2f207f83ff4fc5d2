"""Events: is a post genuine, and what did we miss?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import stripe

from billing.gateway.client import each

API_VERSION: str = stripe.api_version or ""
"""What this package speaks, and what the endpoint at Stripe must be set to."""


def is_signed(body: str, header: str, secrets: Sequence[str], *, tolerance_seconds: int) -> bool:
    """Whether one of our secrets signed this body, not longer ago than that. The future is not bounded here."""
    for secret in secrets:
        try:
            if stripe.WebhookSignature.verify_header(body, header, secret, tolerance_seconds):
                return True
        except stripe.SignatureVerificationError:
            continue
    return False


def events_since(since: datetime, types: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Events of these types as Stripe lists them (30 days at most), newest first, page by page."""
    asked = {"types": list(types), "created": {"gte": int(since.timestamp())}}
    yield from each(lambda v1, params: v1.events.list(params), asked)
