"""The account a stand-in plays: its keys, what it remembers, and who may do what."""

from __future__ import annotations

import hmac
import re
from email.utils import parsedate_to_datetime
from typing import Any

from sandbox.mailgun import events
from sandbox.mailgun.config import Config
from sandbox.mailgun.mail import Mail
from sandbox.mailgun.store import Store
from sandbox.mailgun.webhooks import Sender
from sandbox.mailgun.wire import Refused, Request

_LISTED: dict[str, dict[str, Any]] = {
    "permanent_fail": {"code": "550", "error": "5.1.1 The email account that you tried to reach does not exist"},
    "unsubscribed": {"tags": ["*"]},
    "complained": {},
}


class Account:
    """What every route works on."""

    def __init__(self, config: Config, store: Store, webhooks: Sender) -> None:
        self.config = config
        self.store = store
        self.webhooks = webhooks
        self.index_lag = 0.0
        self.host = ""

    def record(self, mail: Mail, kind: str, recipients: list[str] | None = None) -> None:
        """Note an event for each recipient, keep the suppression lists as Mailgun keeps them, and post it."""
        addresses = mail.recipients if recipients is None else recipients
        bodies = [events.build(mail, address, kind, host=self.host) for address in addresses]
        self.store.add_events(mail, bodies)
        if kind in events.LIST_OF:
            entries = [(address, _LISTED[kind]) for address in addresses]
            self.store.suppress(mail.domain, events.LIST_OF[kind], entries)
        for body in bodies:
            self.webhooks.send(body)


# --- who may do what ----------------------------------------------------------------------------------
def _same(given: str, key: str) -> bool:
    return bool(key) and hmac.compare_digest(given.encode(), key.encode())


def require_key(account: Account, request: Request, *, right: str) -> None:
    """Refuse a key without this right: ``send``, ``read`` or ``write`` (of the suppression lists)."""
    given = request.password or ""
    if _same(given, account.config.api_key):
        if right == "send":
            return
    elif _same(given, account.config.read_api_key):
        if right == "read" or account.config.read_role == "developer":
            return
        raise Refused(403, "Forbidden")
    raise Refused(401, "Forbidden")


def require_domain(account: Account, domain: str) -> None:
    if domain.lower() != account.config.domain.lower():
        raise Refused(404, f"Domain not found: {domain}")


def parse_moment(value: str, name: str) -> float:
    """Seconds since 1970 from a number or an RFC 2822 date."""
    try:
        return float(value) if re.fullmatch(r"\d{1,11}(\.\d+)?", value) else parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        raise Refused(400, f"'{name}' parameter is not a valid date") from None
