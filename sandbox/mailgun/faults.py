"""The bad days a test can order of Mailgun, beside those of every vendor (``lib/faults.py``)."""

from __future__ import annotations

import json
import operator
from dataclasses import replace

from sandbox.lib.faults import Fault, Script, accept_then_reset, not_json, reset, slow, usual

__all__ = [
    "Fault", "accept_then", "accept_then_reset", "magnificent", "not_json", "reset", "script", "slow", "status",
    "too_many", "usual",
]  # fmt: skip

GROUPS = ("messages", "events", "logs", "suppressions", "stored")
TEXTS: dict[int, str] = {
    400: "'to' parameter is not a valid address. please check documentation",
    401: "Forbidden",
    402: "Payment is required for this account",
    403: "Domain is disabled",
    404: "Domain not found: example.invalid",
    413: "Request entity too large",
    429: "Domain is not allowed to send: recipient limit exceeded, try again after 30 seconds",
    500: "Internal Server Error",
    502: "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
    503: "<html><head><title>503 Service Unavailable</title></head><body></body></html>",
    504: "<html><head><title>504 Gateway Time-out</title></head><body></body></html>",
}
_PLAIN = {401, 502, 503, 504}


def status(code: int, text: str | None = None, *, headers: dict[str, str] | None = None) -> Fault:
    """Refuse with this status. ``text`` becomes Mailgun's JSON ``message`` (plain text for 401 and gateways)."""
    words = TEXTS.get(code, "Something went wrong") if text is None else text
    body = words if code in _PLAIN else json.dumps({"message": words})
    return Fault(status=code, body=body, headers=tuple((headers or {}).items()))


def too_many(seconds: int = 30, *, retry_after: bool = False) -> Fault:
    """429 with the waiting time in the text, as Mailgun words it, and in a header only when asked for."""
    text = f"Domain is not allowed to send: recipient limit exceeded, try again after {seconds} seconds"
    return status(429, text, headers={"Retry-After": str(seconds)} if retry_after else None)


def accept_then(code: int = 500, text: str | None = None) -> Fault:
    """Accept, then answer ``code``: seen in production with 500 and 502."""
    return replace(status(code, text), accept=True)


def magnificent() -> Fault:
    """What Mailgun answers to a wrong path: 200 with a text that is not JSON."""
    return Fault(status=200, body="Mailgun Magnificent API")


def script() -> Script:
    return Script(operator.eq, status, GROUPS)
