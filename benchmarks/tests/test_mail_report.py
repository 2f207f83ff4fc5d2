"""The mail section says what was met and what was not."""

from __future__ import annotations

from benchmarks.mail.faults import Faulty
from benchmarks.mail.report import MailResults, mail_section
from benchmarks.mail.shape import QUICK
from benchmarks.mail.speed import Drained, Speed

LETTER = {"text": "x", "html": "y"}


def results(*, rate: float = 1_100.0, rows: float = 32, doubled: int = 0) -> MailResults:
    one, threads = {"per_second": 900.0, "cpu": 0.9}, {"per_second": 1_000.0, "cpu": 1.0}
    speed = Speed([Drained(rate, 1.0, 0.2, 64, 3_000)], [one], [threads])
    growth = {1_000: {"milliseconds": 1.0, "buffers": 900, "rows": 900}}
    growth[100_000] = {"milliseconds": 1.1, "buffers": 950, "rows": rows}
    run = Faulty("Faults", 100, 9.0, 100, doubled, 0, 0, 7, 3, {"500": 4, "500 accepted": 2})
    control = Faulty("Without (control)", 100, 9.0, 100, 5, 0, 0, 7, 3, {})
    return MailResults({0: speed, 50: speed}, growth, [run, control], QUICK)


def test_everything_met() -> None:
    found = results()
    words = mail_section(found, LETTER)

    assert all(target.met is not False for target in found.targets)
    assert "1.22 ×" in words
    assert "| 100,000 | 1.10 | 950 | 32 | 1.06 × | met |" in words


def test_a_slow_queue_a_doubled_mail_and_a_claim_that_reads_the_table_are_told() -> None:
    found = results(rate=500.0, rows=5_000, doubled=1)
    mail_section(found, LETTER)

    missed = [target.what for target in found.targets if target.met is False]
    assert missed == [
        "queue, 0 ms an answer",
        "queue, 50 ms an answer",
        "100,000 finished mails: rows read by a claim",
        "Faults: doubled",
    ]
