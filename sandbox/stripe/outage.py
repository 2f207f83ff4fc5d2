"""Stripe out of reach for a while: the API alone, so that the pages can still end it."""

from __future__ import annotations

import time


class Outage:
    def __init__(self) -> None:
        self._until = 0.0

    def begin(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def end(self) -> None:
        self._until = 0.0

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._until - time.monotonic())
