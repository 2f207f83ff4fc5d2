"""How much of everything there is, and how long each window of load lasts."""

from __future__ import annotations

from dataclasses import dataclass

SLOTS = 200
"""Bookable times in the next two weeks: what the booking page lists."""
HOT_SLOTS = 8
"""Slots of which each round of a run overloads one."""
PEOPLE = 2_000
"""People with an unlimited plan, each signed in on one device."""
READERS = 200
"""The first of the people: they have visits already, and look at pages."""
VISITS_AHEAD, VISITS_BEHIND = 3, 5
"""Visits of each reader."""
RACE_SLOTS, RACE_PLACES, RACE_CONNECTIONS = 6, 5, 64
RAW_PEOPLE = 40_000
"""People of the raw transaction: every booking on one hot slot needs another."""
CONNECTIONS = 16


@dataclass(frozen=True)
class Windows:
    """Rounds, and the seconds of each window in a round."""

    rounds: int
    warm_up: float
    yardstick: float
    page: float
    booking: float
    raw: float
    log_in: float


FULL = Windows(rounds=3, warm_up=1.0, yardstick=0.9, page=1.4, booking=2.5, raw=2.5, log_in=2.5)
QUICK = Windows(rounds=1, warm_up=0.4, yardstick=0.5, page=0.6, booking=1.0, raw=1.0, log_in=1.0)

# A burst of Stripe's events: so many people, each with so many changes at once.
BURST_SUBSCRIPTIONS = 400
BURST_PER_SUBSCRIPTION = 5
QUICK_SUBSCRIPTIONS = 40
