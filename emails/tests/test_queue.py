"""Who is next: rank, age, fairness, and how little the claim reads."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from emails.models import EmailJob
from emails.services import delivery, queue
from emails.tests.factories import make_job
from sandbox.mailgun import StandIn

pytestmark = pytest.mark.django_db


def test_what_is_not_due_waits(mailgun: StandIn) -> None:
    job = make_job(available_at=timezone.now() + timedelta(minutes=5))

    assert delivery.drain().claimed == 0
    job.refresh_from_db()
    assert job.status == "queued"


def test_the_highest_priority_goes_first_then_the_oldest(mailgun: StandIn, settings: Any) -> None:
    settings.EMAIL_SENDER_THREADS = 1
    now = timezone.now()
    wanted = []
    for place, (priority, minutes) in enumerate(
        [("low", 90), ("normal", 5), ("critical", 1), ("high", 2), ("normal", 50)]
    ):
        job = make_job(
            priority=priority, available_at=now - timedelta(minutes=minutes), recipient_email=f"p{place}@example.com"
        )
        wanted.append(job.recipient_email)

    delivery.drain(batch_size=2)

    assert [mail.to[0] for mail in mailgun.messages()] == [f"p{place}@example.com" for place in (2, 3, 4, 1, 0)]


def test_every_tenth_claim_takes_the_oldest(mailgun: StandIn) -> None:
    old = make_job(priority="low", available_at=timezone.now() - timedelta(hours=2))
    for _ in range(20):
        make_job(priority="critical")
    places: list[int] = []
    claim = queue.claim

    def noted(**options: Any) -> list[Any]:
        jobs = claim(**options)
        places.extend(job.id for job in jobs)
        return jobs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "claim", noted)
        delivery.drain(batch_size=1)

    assert places.index(old.pk) == 9


def test_the_worker_for_critical_mail_takes_nothing_else(mailgun: StandIn) -> None:
    make_job(priority="high")
    critical = make_job(priority="critical")

    assert delivery.drain(critical_only=True).sent == 1
    assert EmailJob.objects.get(status="sent").pk == critical.pk


# --- How much a claim reads -----------------------------------------------------------------------------


def fill(count: int, status: str, due: str) -> None:
    """Rows of every rank; a quarter each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO email_jobs (template_type, occasion, recipient_email, subject, content, status, priority,"
            " available_at) SELECT 'test_message', 'fill:' || %s || n, 'p' || n || '@example.com', '', '{}', %s,"
            " (ARRAY['critical', 'high', 'normal', 'low'])[1 + n %% 4], now() + %s::interval"
            " FROM generate_series(1, %s) AS n",
            [f"{status}{due}", status, due, count],
        )


def scans(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Every node of the plan that reads the table of jobs, but for the update itself."""
    found = [node] if node.get("Relation Name") == "email_jobs" and "Scan" in node["Node Type"] else []
    return found + [scan for child in node.get("Plans", ()) for scan in scans(child)]


def explain_claim(limit: int, **options: Any) -> dict[str, Any]:
    """The plan as it ran. The second run: the first marks the index entries that rolled-back tests have left."""
    values: dict[str, Any] = {
        "token": "00000000-0000-0000-0000-000000000000",
        "lease": 1,
        "limit": limit,
        "domain": "example.com",
    }
    plan: Any = None
    for _ in range(2):
        with connection.cursor() as cursor:
            cursor.execute("SAVEPOINT before")
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + queue.claim_sql(**options), values)
            plan = cursor.fetchone()[0]
            cursor.execute("ROLLBACK TO SAVEPOINT before")
    found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return found


@pytest.mark.parametrize("is_analyzed", [True, False])
@pytest.mark.parametrize(
    "options",
    [{}, {"oldest_first": True}, {"lowest_rank": queue.CRITICAL_RANK}, {"lowest_rank": queue.URGENT_RANK}],
    ids=["rank", "age", "critical", "urgent"],
)
def test_a_claim_reads_no_more_than_its_batch(options: dict[str, Any], is_analyzed: bool) -> None:
    fill(20_000, "queued", "5 days")
    fill(20_000, "sent", "-5 days")
    fill(400, "queued", "-1 hour")
    if is_analyzed:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE email_jobs")

    plan = explain_claim(32, **options)

    read = [
        (scan["Node Type"], scan.get("Index Name"), scan["Actual Loops"] * scan["Actual Rows"]) for scan in scans(plan)
    ]
    assert all(kind != "Seq Scan" for kind, _, _ in read), read
    # Without statistics the planner may first gather all that is due; what is later or done it never touches.
    assert all(rows <= (32 if is_analyzed else 400) for _, _, rows in read), read
    assert all(scan.get("Rows Removed by Filter", 0) == 0 for scan in scans(plan)), scans(plan)
    if not is_analyzed:
        return
    due = [scan for scan in scans(plan) if scan.get("Index Name") in {"email_job_claim", "email_job_oldest"}]
    assert due
    # One page of rows each at worst, and the way down the index.
    assert sum(scan["Shared Hit Blocks"] + scan["Shared Read Blocks"] for scan in due) <= 32 + 40


def test_a_claim_that_finds_nothing_due_reads_next_to_nothing() -> None:
    fill(20_000, "queued", "5 days")

    plan = explain_claim(128)

    assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans(plan)) == 0
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 40


def test_a_claim_fills_up_from_the_lower_ranks_and_stops_when_full() -> None:
    make_job(priority="critical")
    for priority in ("high", "low", "low"):
        make_job(priority=priority)

    assert [job.priority for job in queue.claim(limit=3)] == ["critical", "high", "low"]
    assert EmailJob.objects.filter(status="queued").count() == 1
