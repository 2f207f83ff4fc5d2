"""Posting events to the product, signed and retried as Mailgun does it."""

from __future__ import annotations

import json

from sandbox.lib import webhooks
from sandbox.lib.webhooks import Event, Written
from sandbox.mailgun import events
from sandbox.mailgun.config import Config

FINAL = (200, 406)  # every other answer, 204 and redirects included, is tried again
_HEADERS = {"Content-Type": "application/json", "User-Agent": "Go-http-client/2.0"}


class Sender(webhooks.Sender):
    def __init__(self, config: Config) -> None:
        super().__init__(
            config.webhook_url, config.retry_seconds, copies=config.webhook_copies, shuffle=config.webhook_shuffle
        )
        self._signing_key = config.signing_key

    def write(self, event: Event) -> Written:
        return Written(json.dumps(events.signed(event, self._signing_key)).encode(), _HEADERS)

    def is_final(self, status: int) -> bool:
        return status in FINAL

    def is_retried(self, event: Event) -> bool:
        """Mailgun's manual exempts delivery notices from the retries: a receiver must not count on them."""
        return bool(event["event"] != "delivered")
