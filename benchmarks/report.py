"""The report of one run: three tables with a verdict in each line, and docs/performance.md."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.bookings import BookingResults
from benchmarks.measure import Series
from benchmarks.pages import PageResults
from benchmarks.shape import CONNECTIONS, RACE_CONNECTIONS, RACE_PLACES, Windows
from benchmarks.stats import median, number
from benchmarks.table import Target, markdown, verdict

TIMES = " ×"


@dataclass
class Facts:
    """What was found outside the windows."""

    statements: dict[str, dict[str, int]]
    booking_statements: int
    log_in: Series
    rows: dict[str, int]
    bookings_expected: int
    bookings_found: int
    server_errors: int
    requests: int
    unexpected: list[str]
    seconds_to_answer: float
    memory: float
    memory_after_log_ins: float


def timings(series: Series) -> list[str]:
    names = ("per_second", "p50", "p95", "web_cpu", "postgres_cpu")
    return [number(series.middle(name)) for name in names]


def page_table(results: PageResults, statements: dict[str, dict[str, int]]) -> tuple[str, list[Target]]:
    head = ["page", "/s", "p50 ms", "p95 ms", "CPU ms", "+ PG ms", "cost", "at most", "statements", "at most", "target"]
    rows = [["view with one query (the yardstick)", *timings(results.one_query), "1 ×", "–", "1", "–", "–"]]
    all_targets = []
    for page in results.pages:
        counted = float("nan")
        if not page.cold:
            counted = statements["signed_in" if page.signed_in else "signed_out"][page.path]
        cost = Target(f"{page.name}: cost", page.series.ratio, at_most=page.most_cost, unit=TIMES)
        queries = Target(f"{page.name}: statements", counted, at_most=page.most_statements)
        targets = [cost, queries]
        shown = "–" if page.cold else f"{counted:.0f}"
        bounds = [cost.shown, cost.bound, shown, queries.bound]
        rows.append([page.name, *timings(page.series), *bounds, verdict(targets)])
        all_targets += targets
    return markdown(head, rows), all_targets


def booking_table(results: BookingResults) -> tuple[str, list[Target]]:
    head = ["booking", "/s", "p50 ms", "p95 ms", "CPU ms", "+ PG ms", "cost of mini", "at most", "target"]
    raw = [
        [name, number(median(r.per_second for r in found)), "–", number(1000 * median(r.p95_seconds for r in found))]
        + ["–"] * 5
        for name, found in (
            ("raw transaction (pgbench), spread", results.raw_spread),
            ("raw transaction (pgbench), one hot slot", results.raw_hot),
        )
    ]
    spread = Target("booking POST, spread: cost", results.spread.ratio, at_most=1.5, unit=TIMES)
    hot = Target("booking POST, hot slot: cost", results.hot.ratio, at_most=1.5, unit=TIMES)
    full = Target("booking POST, full slot: cost", results.full.ratio, unit=TIMES)
    rows = []
    for name, series, mini, target in (
        ("spread over 200 slots", results.spread, results.mini_spread, spread),
        ("one hot slot", results.hot, results.mini_hot, hot),
        ("full slot, answered 409", results.full, results.mini_full, full),
    ):
        rows.append([f"mini all rules, {name}", *timings(mini), "1 ×", "–", "–"])
        rows.append([f"**booking POST, {name}**", *timings(series), target.shown, target.bound, verdict([target])])
    return markdown(head, [*rows, *raw]), [spread, hot]


def other_targets(pages: PageResults, bookings: BookingResults, facts: Facts) -> list[Target]:
    tails = [page.series.middle("p95") / page.series.middle("p50") for page in pages.pages]
    races = sum(taken != RACE_PLACES for taken in bookings.race_accepted)
    return [
        Target("bookings over HTTP, of the raw transaction, spread", 100 * bookings.share_of_raw(), None, 3, " %"),
        Target("hot slot, of the spread rate", bookings.hot_to_spread(), at_least=0.6, unit=TIMES),
        Target("full slot, of a booking's cost", bookings.full_to_booking(), at_most=0.7, unit=TIMES),
        Target("booking POST, statements", facts.booking_statements, at_most=15),
        Target("log-ins a second", facts.log_in.middle("per_second"), at_least=25, unit=" /s"),
        Target("p95 / p50, worst page", max(tails), at_most=2.5, unit=TIMES),
        Target("cold start to /livez", facts.seconds_to_answer, at_most=3, unit=" s"),
        Target("memory (PSS) of a web process after the pages", facts.memory, at_most=100, unit=" MB"),
        Target("the same after everything, log-ins included", facts.memory_after_log_ins, at_most=100, unit=" MB"),
        Target(f"races of {RACE_CONNECTIONS} for {RACE_PLACES} places that did not end with {RACE_PLACES}", races, 0),
        *(Target(words, found, at_most=0) for words, found in facts.rows.items()),
        Target("bookings more or fewer than answers", abs(facts.bookings_found - facts.bookings_expected), at_most=0),
        Target(f"answers of 500 and above, of {facts.requests:,}", facts.server_errors, at_most=0),
    ]


def target_table(targets: Sequence[Target]) -> str:
    rows = [[target.what, target.shown, target.bound, verdict([target])] for target in targets]
    return markdown(["what", "measured", "target", ""], rows)


def machine() -> str:
    """Cores and versions, nothing that ages by itself."""
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.is_file() else None
    names = {"Django": "django", "psycopg": "psycopg", "gunicorn": "gunicorn"}
    packages = ", ".join(f"{name} {version(package)}" for name, package in names.items())
    return (
        f"{os.cpu_count()} cores ({model[1].strip() if model else platform.machine()}), {platform.system()}; "
        f"Python {platform.python_version()}, {packages}"
    )


def postgres_version(program: Path) -> str:
    words = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout
    return words.strip().removeprefix("postgres ").strip("()").replace(") ", " ")


@dataclass
class Report:
    pages: str
    bookings: str
    others: str
    targets: list[Target]
    mail: str = ""

    @property
    def missed(self) -> list[Target]:
        return [target for target in self.targets if target.met is False]


def make_report(pages: PageResults, bookings: BookingResults, facts: Facts) -> Report:
    first, page_targets = page_table(pages, facts.statements)
    second, booking_targets = booking_table(bookings)
    third = other_targets(pages, bookings, facts)
    return Report(first, second, target_table(third), [*page_targets, *booking_targets, *third])


def document(report: Report, windows: Windows, postgres: str) -> str:
    missed = [f"- {target.what}: {target.shown}, wanted {target.bound}" for target in report.missed]
    verdict_words = "Every target is met." if not missed else "Not met:\n\n" + "\n".join(missed)
    return f"""# How fast it is

Written by `make bench` from one run; do not edit by hand.

Machine: {machine()}; {postgres} with fsync on.

Server, database and load share the cores, so **rates are for orientation and cost ratios are the result**: they hold
within ± 15–25 % whatever else the machine does.

{verdict_words}

## Pages

{report.pages}

*Cost* is CPU time of the web processes and of PostgreSQL a request, beside a bare Django view with one ORM query,
measured right before it. *Statements* are counted with warm fragments, without BEGIN and COMMIT. *Rendered each time*
is the same server with its kept fragments forgotten before every request.

## Bookings

{report.bookings}

*Mini all rules* is the least Django that keeps the rules: session, person, then in one transaction the plan's row
locked, the slot read, the clash check, the booking inserted, the plan's uses counted and stored, the mail row
inserted, and the slot's place taken last. The *raw transaction* is the slot's UPDATE, the INSERT of the booking, the
INSERT of the mail and COMMIT, prepared, on the yardstick's tables. Cost is CPU of the web processes and PostgreSQL.

## The other targets

{report.others}

{report.mail}
## Method

- One run starts everything itself on free loopback ports: an embedded PostgreSQL and Valkey with a fresh data folder,
  the product as in production (DEBUG off, collected static files, no reload) and the bare project
  (`benchmarks/bare/`), each under gunicorn with 2 gthread workers of 4 threads. No mail worker runs beside pages and bookings: their
  mails stay queued. The mail runs come last, when both servers have stopped.
- Data: 200 times in one week, the next, which is what the booking page opens with; 14 later ones for the hot and the
  full slots; 2,000 people with an unlimited plan, each signed in on one device; 200 of them have 8 sessions booked,
  and look at the signed-in pages.
- Load: a client of one thread ({CONNECTIONS} kept connections, half of them on each worker) on loopback, with the
  headers of a proxy that ended TLS. A booking is the POST alone; its form was fetched before. Limits per account and
  address are raised through the settings table, and are counted as always.
- Product and yardstick take turns: {windows.rounds} rounds, in each of which every row is measured for
  {windows.page:g} s (bookings {windows.booking:g} s) right after its yardstick. A row shows the median of the rounds;
  ratios are taken within a round.
- CPU is read from /proc for the whole process trees (gunicorn's master and workers; PostgreSQL with its background
  processes and ended backends) before and after each window.
- After it all, the rows are compared: places, counts, mails, plans.

## Repeat it

    make bench                               # about 12 minutes; rewrites this page
    make bench ARGS=--growth                 # with 5,000,000 finished mails, some minutes more
    make bench ARGS=--quick                  # a few minutes, one short round, writes nothing
    make bench ARGS="--only mail"            # mail alone, writes nothing; with --quick or --growth, too
    make bench ARGS="--only webhooks"        # posts of Mailgun and Stripe alone
    make bench ARGS="--only growth --growth" # the claim alone, up to 5,000,000 finished mails

Close other programs first: the tail of a page (p95 / p50) and the rates feel them, the costs hardly.
"""
