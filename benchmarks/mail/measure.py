"""Everything about mail, in the order that lets the table grow last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.mail import shape
from benchmarks.mail.faults import measure_faults
from benchmarks.mail.plant import Sink, mail_env
from benchmarks.mail.report import MailResults
from benchmarks.mail.speed import measure_speed
from benchmarks.stage import PRODUCT, Stage


def measure_mail(
    stage: Stage, load: shape.Load, *, sizes: tuple[int, ...], say: Callable[[str], None]
) -> tuple[MailResults, dict[str, Any]]:
    empty(stage)
    sink = Sink(stage)
    letter = stage.ask(PRODUCT, "benchmarks.mail.seed", None, mail_env(stage, sink))
    speeds = measure_speed(stage, sink, letter, load, say)
    faults = measure_faults(stage, sink, letter, load, say)
    growth = measure_growth(stage, sizes, say)
    return MailResults(speeds, growth, faults, load), letter


def measure_growth(stage: Stage, sizes: tuple[int, ...], say: Callable[[str], None]) -> dict[int, dict[str, float]]:
    empty(stage)
    found: dict[int, dict[str, float]] = {}
    already = 0
    for wanted in sizes:
        say(f"Claims with {wanted:,} finished mails …")
        question = {"already": already, "wanted": wanted}
        found[wanted] = stage.ask(PRODUCT, "benchmarks.mail.growth", question)
        already = wanted
    empty(stage)
    return found


def empty(stage: Stage) -> None:
    with stage.connect() as connection:
        connection.execute("TRUNCATE email_jobs CASCADE")
