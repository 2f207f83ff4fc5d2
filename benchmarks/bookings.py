"""What a booking costs beside the least that keeps every rule, and beside the transaction alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg

from benchmarks.load import request
from benchmarks.measure import Meter, Series
from benchmarks.people import Visitors
from benchmarks.raw import Pgbench, RawResult
from benchmarks.shape import PEOPLE, RACE_CONNECTIONS, READERS, SLOTS, Windows
from benchmarks.stage import WebServer
from benchmarks.stats import median

DONE = frozenset({302})
REFUSED = frozenset({409})


@dataclass
class BookingResults:
    mini_spread: Series = field(default_factory=Series)
    mini_hot: Series = field(default_factory=Series)
    mini_full: Series = field(default_factory=Series)
    spread: Series = field(default_factory=Series)
    hot: Series = field(default_factory=Series)
    full: Series = field(default_factory=Series)
    raw_spread: list[RawResult] = field(default_factory=list)
    raw_hot: list[RawResult] = field(default_factory=list)
    accepted: int = 0
    race_accepted: list[int] = field(default_factory=list)

    def share_of_raw(self) -> float:
        """Bookings a second over HTTP, of the transaction's own rate in the same round."""
        pairs = zip(self.spread.samples, self.raw_spread, strict=True)
        return median(sample.per_second / raw.per_second for sample, raw in pairs)

    def hot_to_spread(self) -> float:
        pairs = zip(self.hot.samples, self.spread.samples, strict=True)
        return median(hot.per_second / spread.per_second for hot, spread in pairs)

    def full_to_booking(self) -> float:
        pairs = zip(self.full.samples, self.spread.samples, strict=True)
        return median(full.cost / spread.cost for full, spread in pairs)


class MiniVisitors:
    """The yardstick's own people."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.cookie: str = facts["cookie"]
        self.sessions: list[str] = facts["sessions"]
        self.spread_numbers = count()

    def book(self, slot: str, who: int) -> bytes:
        return request(f"/book/{slot}/", cookies={self.cookie: self.sessions[who]}, form={"topic": ""})

    def spread(self) -> Iterator[bytes]:
        for number in self.spread_numbers:
            yield self.book(f"mini{(number + number // PEOPLE) % SLOTS}", number % PEOPLE)

    def one_slot(self, slot: str) -> Iterator[bytes]:
        for who in range(PEOPLE):
            yield self.book(slot, who)


def measure_bookings(
    meter: Meter,
    visitors: Visitors,
    minis: MiniVisitors,
    *,
    product: WebServer,
    bare: WebServer,
    pgbench: Pgbench,
    windows: Windows,
    say: Callable[[str], None],
) -> BookingResults:
    """Spread, hot and full slots in every round: the yardstick, the product, then the raw transaction."""
    results = BookingResults()
    slots, hot, race = (visitors.facts[name] for name in ("slots", "hot", "race"))
    # The token belongs to the browser, not to the session or the slot, so one form serves everybody.
    fields, csrf = visitors.form(f"/booking/{slots[0][0]}/", READERS)
    csrf = {name: value for name, value in csrf.items() if name == visitors.facts["csrf_cookie"]}

    def book(what: str, messages: Iterator[bytes], expected: frozenset[int] = DONE, **options: Any) -> Any:
        sample = meter.window(product, messages, what=what, expected=expected, **options)
        results.accepted += sample.outcome.statuses[302]
        return sample

    def mini(what: str, messages: Iterator[bytes], expected: frozenset[int] = DONE) -> Any:
        return meter.window(bare, messages, what=what, expected=expected, seconds=windows.booking)

    say("Everybody at once for the last places …")
    for number, slot in enumerate(race):
        first = READERS + number * RACE_CONNECTIONS
        people = range(first, first + RACE_CONNECTIONS)
        messages = visitors.bookings_of(slot, people, fields, csrf)
        sample = book("race", messages, DONE | REFUSED, seconds=20, connections=RACE_CONNECTIONS)
        results.race_accepted.append(sample.outcome.statuses[302])

    book("booking, warm", visitors.bookings(slots, fields, csrf), seconds=windows.warm_up)
    meter.window(bare, minis.spread(), what="mini, warm", expected=DONE, seconds=windows.warm_up)
    for number in range(windows.rounds):
        say(f"Bookings, round {number + 1} of {windows.rounds} …")
        yardstick = mini("mini", minis.spread())
        results.mini_spread.add(yardstick)
        sample = book("booking", visitors.bookings(slots, fields, csrf), seconds=windows.booking)
        results.spread.add(sample, yardstick)
        results.raw_spread.append(pgbench.run(hot=None, seconds=windows.raw))

        yardstick = mini("mini, hot slot", minis.one_slot(f"minihot{number}"))
        results.mini_hot.add(yardstick)
        everybody = visitors.bookings_of(hot[number], range(READERS, PEOPLE), fields, csrf)
        results.hot.add(book("booking, hot slot", everybody, seconds=windows.booking), yardstick)
        results.raw_hot.append(pgbench.run(hot=number, seconds=windows.raw))

        yardstick = mini("mini, full slot", minis.one_slot(f"minifull{number}"), REFUSED)
        results.mini_full.add(yardstick)
        full = book("full slot", visitors.tries(race, fields, csrf), REFUSED, seconds=windows.booking / 2)
        results.full.add(full, yardstick)
    return results


CHECKS = {
    "slots sold beyond their places": """
        SELECT count(*) FROM calendar_events e WHERE booked_count > capacity
            OR (SELECT count(*) FROM bookings b WHERE b.event_id = e.id AND b.status = 'confirmed') > capacity""",
    "slots whose count is not their bookings": """
        SELECT count(*) FROM calendar_events e WHERE booked_count <>
            (SELECT count(*) FROM bookings b WHERE b.event_id = e.id AND b.status = 'confirmed')""",
    "bookings without their mail": """
        SELECT count(*) FROM bookings b WHERE b.status = 'confirmed' AND NOT EXISTS (
            SELECT 1 FROM email_jobs j WHERE j.template_type = 'booking_confirmed'
               AND j.occasion = 'booking:' || b.id || ':' || b.revision)""",
    "plans whose count is not their visits": """
        SELECT count(*) FROM user_subscriptions s WHERE session_booked_this_month <>
            (SELECT count(*) FROM visit_uses u WHERE u.subscription_id = s.id
                AND u.period_start = s.current_period_start AND u.returned_at IS NULL)""",
    "bookings without a visit of a plan": """
        SELECT count(*) FROM bookings b WHERE b.status = 'confirmed' AND b.visit_use_id IS NULL""",
}


def check_rows(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, int]:
    """What must all be nothing after the run."""
    found = {}
    for words, query in CHECKS.items():
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        found[words] = int(row[0])
    return found


def count_bookings(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    row = connection.execute("SELECT count(*) FROM bookings WHERE status = 'confirmed'").fetchone()
    assert row is not None
    return int(row[0])
