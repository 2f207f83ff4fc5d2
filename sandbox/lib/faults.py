"""The bad days a test can order: answers that are not the usual one, each used for one request."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace


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


def reset() -> Fault:
    """Reset the connection; nothing was accepted."""
    return Fault(reset=True)


def accept_then_reset() -> Fault:
    """Accept, then reset the connection: the sender cannot know."""
    return Fault(accept=True, reset=True)


def slow(seconds: float, then: Fault | None = None) -> Fault:
    """Wait, then answer as usual or as ``then``. What is accepted is accepted before the wait."""
    return replace(then or Fault(accept=True), delay_seconds=seconds)


def not_json(body: str = "<!doctype html><title>Sign in to the guest network</title>") -> Fault:
    """200 with something a proxy made up."""
    return Fault(status=200, body=body)


class Script:
    """The queue of faults for each group of calls, and a rule that may make up more.

    ``covers(on, call)`` tells whether the group ``on`` holds ``call``; ``refuse`` words a refusal with a status as the
    vendor does; ``groups`` are the names there are, where not every name makes sense.
    """

    def __init__(
        self,
        covers: Callable[[str, str], bool],
        refuse: Callable[[int], Fault],
        groups: tuple[str, ...] = (),
    ) -> None:
        self._covers, self._refuse, self._groups = covers, refuse, groups
        self._lock = threading.Lock()
        self._queues: dict[str, deque[Fault]] = {}
        self._rules: dict[str, Callable[[], Fault | None]] = {}

    def add(self, *items: Fault | int, on: str, times: int = 1) -> None:
        """Script the next answers of a group, one each and all of them ``times``; a number is a refusal."""
        self._known(on)
        with self._lock:
            queue = self._queues.setdefault(on, deque())
            queue.extend([item if isinstance(item, Fault) else self._refuse(item) for item in items] * times)

    def always(self, rule: Callable[[], Fault | None] | Fault | int | None, *, on: str) -> None:
        """Give every call of a group this answer, or what ``rule()`` returns; None ends it."""
        self._known(on)
        with self._lock:
            if rule is None:
                self._rules.pop(on, None)
            elif callable(rule):
                self._rules[on] = rule
            else:
                fault = rule if isinstance(rule, Fault) else self._refuse(rule)
                self._rules[on] = lambda: fault

    def next(self, call: str) -> Fault | None:
        """The fault for a call: from a queue first, then from a rule."""
        if not self._queues and not self._rules:
            return None
        with self._lock:
            for on, queue in self._queues.items():
                if queue and self._covers(on, call):
                    return queue.popleft()
            rule = next((rule for on, rule in self._rules.items() if self._covers(on, call)), None)
        return rule() if rule else None

    def waiting(self) -> int:
        with self._lock:
            return sum(map(len, self._queues.values()))

    def clear(self) -> None:
        with self._lock:
            self._queues.clear()
            self._rules.clear()

    def _known(self, on: str) -> None:
        if self._groups and on not in self._groups:
            raise ValueError(f"There is no group of routes named {on!r}. The groups are: {', '.join(self._groups)}.")
