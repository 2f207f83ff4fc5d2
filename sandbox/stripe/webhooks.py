"""Posting events to the product, signed and retried as Stripe does it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from sandbox.lib import webhooks
from sandbox.lib.webhooks import Event, Written
from sandbox.stripe.config import Config


class Sender(webhooks.Sender):
    def __init__(self, config: Config) -> None:
        super().__init__(
            config.webhook_url, config.retry_seconds, copies=config.webhook_copies, shuffle=config.webhook_shuffle
        )
        self._secret = config.webhook_secret

    def write(self, event: Event) -> Written:
        body = json.dumps(event, indent=2).encode()
        return Written(
            body,
            {
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
                "Stripe-Signature": signature(body, self._secret),
            },
        )

    def is_final(self, status: int) -> bool:
        """Every 2xx is; a redirect is a failure."""
        return 200 <= status < 300


def signature(body: bytes, secret: str, moment: int | None = None) -> str:
    """The value of ``Stripe-Signature``. It carries the real time, whatever the account's clock says."""
    at = int(time.time()) if moment is None else moment
    sealed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={sealed.hexdigest()}"
