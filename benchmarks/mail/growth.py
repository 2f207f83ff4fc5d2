"""Inside the product: what claiming a batch costs with so many finished mails in the table; printed as JSON.

Every claim is rolled back, so each finds the same rows. Buffers and rows are what EXPLAIN ANALYZE counts for the very
statement that the queue runs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from benchmarks.mail.shape import CLAIM, TEMPLATE, WAITING
from benchmarks.stats import median
from emails.services import queue

CLAIMS = 25
FINISHED = """
INSERT INTO email_jobs (template_type, occasion, stream, recipient_email, recipient_name, subject, content, priority,
                        status, message_id, available_at, sent_at, delivered_at, created_at, updated_at)
SELECT %(template)s, 'old:' || n, 'service', 'person' || n %% 50000 || '@example.com', 'Margaret Hill',
       'You are booked', '{}', 'normal', 'delivered', 'old-' || n || '@mail.example', moment, moment, moment, moment,
       moment
  FROM generate_series(%(first)s, %(last)s) AS n, LATERAL (SELECT now() - n * interval '6 seconds' AS moment)
"""
WAITS = """
INSERT INTO email_jobs (template_type, occasion, stream, recipient_email, recipient_name, subject, content, priority,
                        available_at, created_at, updated_at)
SELECT %(template)s, 'waits:' || n, 'service', 'person' || n || '@example.com', 'Margaret Hill', 'You are booked',
       '{}', (ARRAY['normal', 'high', 'normal', 'low'])[n %% 4 + 1], now(), now(), now()
  FROM generate_series(1, %(waiting)s) AS n
"""


def main() -> None:
    """Standard input: how many finished mails there are already, and how many there should be."""
    asked = json.load(sys.stdin)
    with connection.cursor() as cursor:
        if asked["already"] == 0:
            cursor.execute(WAITS, {"template": TEMPLATE, "waiting": WAITING})
        values = {"template": TEMPLATE, "first": asked["already"] + 1, "last": asked["wanted"]}
        cursor.execute(FINISHED, values)
        cursor.execute("VACUUM ANALYZE email_jobs")
    plans = [explain() for _ in range(3)]
    for _ in range(5):
        claim()
    found = {
        "milliseconds": median(claim() for _ in range(CLAIMS)),
        "buffers": median(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans),
        "rows": max(rows_read(plan) for plan in plans),
    }
    json.dump(found, sys.stdout)


def claim() -> float:
    """Claim a batch and give it back; the milliseconds of the claim."""
    with transaction.atomic():
        began = time.perf_counter()
        jobs = queue.claim(limit=CLAIM)
        spent = 1000 * (time.perf_counter() - began)
        transaction.set_rollback(True)
    if len(jobs) != CLAIM:
        raise SystemExit(f"The claim found {len(jobs)} mails, not {CLAIM}.")
    return spent


def explain() -> dict[str, Any]:
    """The plan of the claim as it ran, taken from the statement that ``queue.claim`` sends."""
    seen: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().upper().startswith(("WITH", "UPDATE")):
            seen.append((sql, params))
        return execute(sql, params, many, context)

    with transaction.atomic():
        with connection.execute_wrapper(note):
            queue.claim(limit=CLAIM)
        transaction.set_rollback(True)
    [(sql, params)] = seen
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
            row = cursor.fetchone()
        transaction.set_rollback(True)
    assert row is not None
    plan: dict[str, Any] = (json.loads(row[0]) if isinstance(row[0], str) else row[0])[0]["Plan"]
    return plan


def rows_read(plan: dict[str, Any]) -> float:
    """The most rows of email_jobs that any one step of the plan has read."""
    here = 0.0
    if plan.get("Relation Name") == "email_jobs":
        here = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return max([here, *(rows_read(step) for step in plan.get("Plans", []))])
