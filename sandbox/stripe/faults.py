"""The bad days a test can order of Stripe, beside those of every vendor (``lib/faults.py``).

A group of calls is the beginning of "METHOD /path": "POST /v1/refunds", "GET /v1/checkout/sessions/", "POST"; the
empty one is every call.
"""

from __future__ import annotations

import json
from dataclasses import replace

from sandbox.lib.faults import Fault, Script, accept_then_reset, not_json, reset, slow, usual

__all__ = [
    "Fault", "accept_then", "accept_then_reset", "not_json", "reset", "script", "slow", "status", "usual",
]  # fmt: skip

_ERRORS: dict[int, tuple[str, str, str]] = {
    400: ("invalid_request_error", "", "The request is not valid."),
    401: ("invalid_request_error", "", "Invalid API Key provided: sk_test_********"),
    402: ("card_error", "card_declined", "Your card was declined."),
    403: ("invalid_request_error", "", "The provided key does not have the required permissions for this endpoint."),
    404: ("invalid_request_error", "resource_missing", "No such object."),
    409: (
        "invalid_request_error",
        "lock_timeout",
        "This object cannot be accessed right now because another API request or Stripe process is currently accessing"
        " it. If you see this error intermittently, retry the request.",
    ),
    429: ("invalid_request_error", "rate_limit", "Too many requests hit the API too quickly."),
}
_TROUBLE = ("api_error", "", "An unknown error occurred.")


def status(code: int, message: str = "", *, headers: dict[str, str] | None = None) -> Fault:
    """Refuse with this status, in the shape Stripe gives its errors."""
    kind, error_code, words = _ERRORS.get(code, _TROUBLE)
    error = {"type": kind, "message": message or words, **({"code": error_code} if error_code else {})}
    return Fault(status=code, body=json.dumps({"error": error}), headers=tuple((headers or {}).items()))


def accept_then(code: int = 500) -> Fault:
    """Carry the request out, then answer ``code``."""
    return replace(status(code), accept=True)


def script() -> Script:
    return Script(lambda on, call: call.startswith(on), status)
