"""How many mails, and how long they may take."""

from __future__ import annotations

from dataclasses import dataclass

TEMPLATE = "booking_confirmed"
STOPPED = 1_000
"""Addresses on the suppression list."""
STOPPED_SHARE = 100
"""One mail in so many goes to one of them, and is not sent."""
WORKERS = 2
DELAYS_MS = (0, 50)
MOST_CONNECTIONS = 64
CLAIM = 32
GROWTH = (1_000, 100_000)
GROWTH_MOST = 5_000_000
WAITING = 1_000
"""Mails that wait while the claim is measured."""


@dataclass(frozen=True)
class Load:
    rounds: int
    jobs: int
    bare: dict[int, int]
    """Mails of the bare loop by delay: with one connection a mail takes at least that long."""
    bare_threads: int
    faulty: int
    kill_seconds: float
    rough: int
    """Mails while a server is stopped."""
    longest: float = 400.0


FULL = Load(3, 5_000, {0: 3_000, 50: 60}, 3_000, faulty=10_000, kill_seconds=5.0, rough=3_000)
QUICK = Load(1, 1_500, {0: 600, 50: 20}, 1_000, faulty=1_000, kill_seconds=5.0, rough=1_000)
