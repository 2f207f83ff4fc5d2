"""Posting events to the product: one at a time, retried, and on request several times, out of order or held back."""

from __future__ import annotations

import heapq
import http.client
import itertools
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

SHUFFLE_SECONDS = 0.3
"""How far apart two posts may be and still change places."""

_NOT_RETRIED = 99
_KEPT_POSTS = 10_000

Event = dict[str, Any]


@dataclass(frozen=True)
class Written:
    """A post as it goes out, signature included."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Posted:
    """A post that was made, and what was answered; 0 when nothing was."""

    event: Event
    status: int


class _Letter:
    """An event on its way, written when it is first posted: a signature must not grow old in the queue."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.written: Written | None = None


class Sender(ABC):
    """One thread that posts events in the order they are due. Without an address nothing is started."""

    def __init__(self, url: str, retry_seconds: Sequence[float], *, copies: int, shuffle: int | None) -> None:
        self.url = url
        self.delay_seconds = 0.0
        """How long each coming event waits before it is posted."""
        self.posted: deque[Posted] = deque(maxlen=_KEPT_POSTS)
        self._retry_seconds = tuple(retry_seconds)
        self._due: list[tuple[float, int, int, _Letter]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._busy = False
        self._held = False
        self._thread: threading.Thread | None = None
        self.disorder(copies, shuffle)

    # --- what a vendor decides ------------------------------------------------------------------------
    @abstractmethod
    def write(self, event: Event) -> Written:
        """The post of an event, signed now."""

    @abstractmethod
    def is_final(self, status: int) -> bool:
        """Whether this answer ends the attempts."""

    def is_retried(self, event: Event) -> bool:
        """Whether an event is posted again when nobody took it."""
        return True

    # --- sending --------------------------------------------------------------------------------------
    def disorder(self, copies: int, shuffle: int | None) -> None:
        """Post every event ``copies`` times; ``shuffle`` is the seed of their order, None for the order they happen in."""
        if copies < 1:
            raise ValueError("Each event is posted at least once.")
        self._copies = copies
        self._random = None if shuffle is None else random.Random(shuffle)

    def send(self, event: Event) -> None:
        """Post an event. Of its copies every second one repeats the very same post, the others are signed anew."""
        if not self.url:
            return
        first = _Letter(event)
        self._add(self._moment(), 0, first)
        for number in range(1, self._copies):
            self._add(self._moment(), _NOT_RETRIED, first if number % 2 else _Letter(event))

    def send_again(self, events: Iterable[Event], *, seed: int | None = None) -> None:
        """Post events once more, each once; with a ``seed`` in another order."""
        again = list(events)
        if seed is not None:
            random.Random(seed).shuffle(again)
        if self.url:
            for event in again:
                self._add(time.monotonic(), 0, _Letter(event))

    def hold(self) -> None:
        """Keep back what is to be posted until ``release``."""
        with self._changed:
            self._held = True

    def release(self) -> None:
        with self._changed:
            self._held = False
            self._changed.notify_all()

    @property
    def is_holding(self) -> bool:
        return self._held

    @property
    def waiting(self) -> int:
        """How many posts are still to be made, retries included."""
        return len(self._due)

    def wait_until_quiet(self, timeout: float) -> bool:
        """Wait until every event has been posted or given up, or is held back; False when that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy and (self._held or not self._due), timeout)

    def forget(self) -> None:
        """Drop what is still to be posted, and the list of what was."""
        with self._changed:
            self._due.clear()
            self._held = False
            self._changed.notify_all()
        self.posted.clear()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()

    # --- the thread -----------------------------------------------------------------------------------
    def _moment(self) -> float:
        return time.monotonic() + self.delay_seconds + (self._random.uniform(0, SHUFFLE_SECONDS) if self._random else 0)

    def _add(self, due: float, attempt: int, letter: _Letter) -> None:
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._due, (due, next(self._order), attempt, letter))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._closed and (wait := self._seconds_to_wait()) != 0:
                    self._changed.wait(wait)
                if self._closed:
                    return
                _due, _order, attempt, letter = heapq.heappop(self._due)
                self._busy = True
            if letter.written is None:
                letter.written = self.write(letter.event)
            status = self._post(letter.written)
            self.posted.append(Posted(letter.event, status))
            if self.is_final(status) or not self.is_retried(letter.event):
                continue
            if attempt < len(self._retry_seconds):
                self._add(time.monotonic() + self._retry_seconds[attempt], attempt + 1, _Letter(letter.event))

    def _seconds_to_wait(self) -> float | None:
        """0 when a post is due, None when nothing is until somebody says so."""
        if self._held or not self._due:
            return None
        return max(0.0, self._due[0][0] - time.monotonic())

    def _post(self, written: Written) -> int:
        address = urlsplit(self.url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=10)
        target = address.path + (f"?{address.query}" if address.query else "")
        try:
            connection.request("POST", target or "/", written.body, dict(written.headers))
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
