"""Posting events to the product: signed, one at a time, retried as Mailgun retries.

On request each event is posted several times, and events overtake each other, as Mailgun's own posts do on a bad day.
"""

from __future__ import annotations

import heapq
import http.client
import itertools
import json
import random
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from sandbox.mailgun import events
from sandbox.mailgun.config import Config

FINAL = (200, 406)  # every other answer, 204 and redirects included, is tried again
SHUFFLE_SECONDS = 0.3
"""How far apart two posts may be and still change places."""

_NOT_RETRIED = 99


class Sender:
    """One thread that posts events in the order they are due. Without an address nothing is started."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._due: list[tuple[float, int, int, dict[str, Any], bytes]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._busy = False
        self._thread: threading.Thread | None = None
        self.disorder(config.webhook_copies, config.webhook_shuffle)

    def disorder(self, copies: int, shuffle: int | None) -> None:
        """Post every event ``copies`` times; ``shuffle`` is the seed of their order, None for the order they happen in."""
        if copies < 1:
            raise ValueError("Each event is posted at least once.")
        self._copies = copies
        self._random = None if shuffle is None else random.Random(shuffle)

    def send(self, event: dict[str, Any]) -> None:
        """Post an event. Of its copies every second one repeats the very same body, the others are signed anew."""
        if not self._config.webhook_url:
            return
        body = self._signed(event)
        self._add(self._moment(), 0, event, body)
        for number in range(1, self._copies):
            self._add(self._moment(), _NOT_RETRIED, event, body if number % 2 else self._signed(event))

    def _moment(self) -> float:
        return time.monotonic() + (self._random.uniform(0, SHUFFLE_SECONDS) if self._random else 0.0)

    def _signed(self, event: dict[str, Any]) -> bytes:
        return json.dumps(events.signed(event, self._config.signing_key)).encode()

    def _add(self, due: float, attempt: int, event: dict[str, Any], body: bytes) -> None:
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._due, (due, next(self._order), attempt, event, body))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mailgun-webhooks", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait_until_quiet(self, timeout: float) -> bool:
        """Wait until every event has been posted or given up; False when that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._busy, timeout)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._closed and (not self._due or self._due[0][0] > time.monotonic()):
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._closed:
                    return
                _due, _order, attempt, event, body = heapq.heappop(self._due)
                self._busy = True
            if self._post(body) in FINAL:
                continue
            # Mailgun's manual exempts delivery notices from the retries: a receiver must not count on them.
            if event["event"] != "delivered" and attempt < len(self._config.retry_seconds):
                due = time.monotonic() + self._config.retry_seconds[attempt]
                self._add(due, attempt + 1, event, self._signed(event))

    def _post(self, body: bytes) -> int:
        address = urlsplit(self._config.webhook_url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=10)
        target = address.path + (f"?{address.query}" if address.query else "")
        headers = {"Content-Type": "application/json", "User-Agent": "Go-http-client/2.0"}
        try:
            connection.request("POST", target or "/", body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
