"""The bad days a test can order: answers that are not the usual one, each used for one request."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class Fault:
    """One scripted answer. Without any field set the request is handled as usual."""

    status: int | None = None
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    accept: bool = False
    """The request takes effect, whatever is answered."""
    reset: bool = False
    """The connection is reset instead of an answer."""
    delay_seconds: float = 0.0
    """Wait before answering; what is accepted was accepted before the wait."""


def usual() -> Fault:
    """The usual answer: fills a place in the queue."""
    return Fault()


def status(code: int, text: str | None = None, *, headers: dict[str, str] | None = None) -> Fault:
    """Refuse with this status. ``text`` becomes Mailgun's JSON ``message`` (plain text for 401 and gateways)."""
    words = TEXTS.get(code, "Something went wrong") if text is None else text
    body = words if code in _PLAIN else json.dumps({"message": words})
    return Fault(status=code, body=body, headers=tuple((headers or {}).items()))


def too_many(seconds: int = 30, *, retry_after: bool = False) -> Fault:
    """429 with the waiting time in the text, as Mailgun words it, and in a header only when asked for."""
    text = f"Domain is not allowed to send: recipient limit exceeded, try again after {seconds} seconds"
    return status(429, text, headers={"Retry-After": str(seconds)} if retry_after else None)


def reset() -> Fault:
    """Reset the connection; nothing was accepted."""
    return Fault(reset=True)


def accept_then_reset() -> Fault:
    """Accept, then reset the connection: the sender cannot know."""
    return Fault(accept=True, reset=True)


def accept_then(code: int = 500, text: str | None = None) -> Fault:
    """Accept, then answer ``code``: seen in production with 500 and 502."""
    return replace(status(code, text), accept=True)


def slow(seconds: float, then: Fault | None = None) -> Fault:
    """Wait, then answer as usual or as ``then``. What is accepted is accepted before the wait."""
    return replace(then or Fault(accept=True), delay_seconds=seconds)


def magnificent() -> Fault:
    """What Mailgun answers to a wrong path: 200 with a text that is not JSON."""
    return Fault(status=200, body="Mailgun Magnificent API")


def not_json(body: str = "<!doctype html><title>Sign in to the guest network</title>") -> Fault:
    """200 with something a proxy made up."""
    return Fault(status=200, body=body)


class Script:
    """The queue of faults for each group of routes, and a rule that may make up more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, deque[Fault]] = defaultdict(deque)
        self._rules: dict[str, Callable[[], Fault | None]] = {}

    def add(self, on: str, items: tuple[Fault | int, ...]) -> None:
        self._known(on)
        with self._lock:
            self._queues[on].extend(item if isinstance(item, Fault) else status(item) for item in items)

    def always(self, on: str, rule: Callable[[], Fault | None] | Fault | int | None) -> None:
        self._known(on)
        with self._lock:
            if rule is None:
                self._rules.pop(on, None)
            elif callable(rule):
                self._rules[on] = rule
            else:
                fault = rule if isinstance(rule, Fault) else status(rule)
                self._rules[on] = lambda: fault

    def next(self, on: str) -> Fault | None:
        """The queue comes first, then the rule."""
        if not self._queues and not self._rules:
            return None
        with self._lock:
            queue = self._queues.get(on)
            if queue:
                return queue.popleft()
            rule = self._rules.get(on)
        return rule() if rule else None

    def waiting(self) -> int:
        with self._lock:
            return sum(map(len, self._queues.values()))

    def clear(self) -> None:
        with self._lock:
            self._queues.clear()
            self._rules.clear()

    @staticmethod
    def _known(on: str) -> None:
        if on not in GROUPS:
            raise ValueError(f"There is no group of routes named {on!r}. The groups are: {', '.join(GROUPS)}.")
