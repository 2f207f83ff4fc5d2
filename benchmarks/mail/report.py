"""The mail part of the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.mail.faults import Faulty
from benchmarks.mail.shape import CLAIM, MOST_CONNECTIONS, STOPPED_SHARE, WAITING, WORKERS, Load
from benchmarks.mail.speed import Speed
from benchmarks.stats import number
from benchmarks.table import Target, markdown, verdict

AIMS = {0: 1_000, 50: 725}
TIMES = " ×"


@dataclass
class MailResults:
    speeds: dict[int, Speed]
    growth: dict[int, dict[str, float]]
    faults: list[Faulty]
    load: Load
    targets: list[Target] = field(default_factory=list)


def speed_table(results: MailResults) -> str:
    head = ["mails", "/s", "CPU ms", "+ PG ms", "connections", "of one connection", "at least", "target"]
    rows = []
    for delay, speed in results.speeds.items():
        where = f"{delay} ms an answer"
        for kind, words, connections in (
            ("one", "anymail alone, one kept connection", "1"),
            ("threads", f"anymail alone, {MOST_CONNECTIONS // 2} threads", str(MOST_CONNECTIONS // 2)),
        ):
            rate, cpu = (number(speed.bare(kind, name)) for name in ("per_second", "cpu"))
            share = "1 ×" if kind == "one" else "–"
            rows.append([f"{words}, {where}", rate, cpu, "–", connections, share, "–", "–"])
        rate_target = Target(
            f"queue, {where}", speed.middle("per_second"), at_least=AIMS.get(delay), unit=" mails a second"
        )
        open_target = Target(f"queue, {where}: connections", speed.middle("connections"), at_most=MOST_CONNECTIONS)
        results.targets += [rate_target, open_target]
        rows.append(
            [
                f"**queue, {WORKERS} Celery workers, {where}**",
                number(speed.middle("per_second")),
                number(speed.middle("worker_cpu")),
                number(speed.middle("postgres_cpu")),
                f"{speed.middle('connections'):.0f}",
                f"{number(speed.ratio_to('one'))}{TIMES}",
                f"{AIMS[delay]:,}" if delay in AIMS else "–",
                verdict([rate_target, open_target]),
            ]
        )
    return markdown(head, rows)


def growth_table(results: MailResults) -> str:
    head = ["finished mails in the table", f"claim of {CLAIM}, ms", "buffers", "rows read", "of the first", "target"]
    rows = []
    first: dict[str, float] | None = None
    for finished, found in results.growth.items():
        words = f"{finished:,} finished mails"
        if first is None:
            first, shown, targets = found, "1 ×", list[Target]()
        else:
            buffers = Target(f"{words}: buffers of a claim", found["buffers"] / first["buffers"], 1.5, unit=TIMES)
            read = Target(f"{words}: rows read by a claim", found["rows"], at_most=CLAIM)
            targets, shown = [buffers, read], buffers.shown
            results.targets += targets
        cells = [number(found["milliseconds"]), number(found["buffers"]), f"{found['rows']:.0f}"]
        rows.append([f"{finished:,}", *cells, shown, verdict(targets)])
    return markdown(head, rows)


def fault_table(results: MailResults) -> str:
    head = ["run", "mails", "s", "bad things", "500s", "429s", "dropped", "tried again", "doubled", "lost", "target"]
    rows = []
    for run in results.faults:
        is_control = "control" in run.name
        doubled = Target(f"{run.name}: doubled", run.doubled, at_least=1 if is_control else None)
        if not is_control:
            doubled = Target(f"{run.name}: doubled", run.doubled, at_most=0)
        lost = Target(f"{run.name}: lost", run.lost + run.unknown, at_most=0)
        results.targets += [doubled, lost]
        errors = run.answers.get("500", 0) + run.answers.get("500 accepted", 0)
        counts = [run.events, errors, run.answers.get("429", 0), run.answers.get("dropped", 0), run.retried]
        cells = [f"{run.jobs:,}", number(run.seconds), *map(str, counts), str(run.doubled), str(run.lost + run.unknown)]
        rows.append([run.name, *cells, verdict([doubled, lost])])
    return markdown(head, rows)


def mail_section(results: MailResults, letter: dict[str, Any]) -> str:
    """The section of docs/performance.md; fills ``results.targets``."""
    results.targets.clear()
    speed, growth, faults = speed_table(results), growth_table(results), fault_table(results)
    load = results.load
    size = results.speeds[0].middle("bytes_each") / 1000
    return f"""## Mail

{speed}

{load.jobs:,} mails a round ({number(size)} kB as posted: {len(letter["text"]):,} characters of text,
{len(letter["html"]):,} of HTML), {load.rounds} rounds, medians. The *queue* is the product: {WORKERS} Celery workers
of one process each, no limit of ours a second; they claim, look for stopped addresses (one mail in {STOPPED_SHARE}
goes to one, and is not sent), render, post through anymail, and settle. *Anymail alone* posts the same words, rendered
before, and keeps nothing. All post to the same lean sink, a process of its own, in the same round.

{growth}

Claims are measured with {WAITING:,} mails waiting, and rolled back. *Buffers* and *rows read* are what EXPLAIN counts.
A table with few finished mails is small enough for PostgreSQL to read it whole.

{faults}

The sink accepts half of its 500s, and what it drops; it limits in bursts. Every mail is compared by its Message-Id:
*doubled* were accepted more than once, *lost* are mails that the table or the sink does not know as accepted. In these
runs the waits of minutes (look-up, lease, next try) are seconds; the control has no key for look-ups.
"""
