"""The statements of the queue: claim, take over, settle. Each is short and stands alone.

A row is held by ``lease_token`` until ``lease_until``, both by the database's clock. What is written after the
claim names the token, so a worker that was frozen past its lease changes nothing when it thaws. One thing
outlives the lease: that Mailgun took the mail. It is proof, whoever brings it, and keeps the mail from going
out again.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from emails.models import Choice, EmailStatus, Stream, SuppressionType

LEASE_SECONDS = 120

EVERY_RANK = 3
URGENT_RANK = 1
CRITICAL_RANK = 0
"""How far down a claim looks: all mail, high and critical mail, critical mail alone."""

# As in the index email_job_claim, word for word, or the claim would not use it.
_RANK = (
    "CASE WHEN priority = 'critical' THEN 0 WHEN priority = 'high' THEN 1 WHEN priority = 'normal' THEN 2 ELSE 3 END"
)

_COLUMNS = """
job.id, job.template_type, job.occasion, job.stream, job.priority, job.recipient_email, job.recipient_name,
job.subject, job.content, job.message_id, job.available_at, job.retry_count, job.max_retries, job.lease_token,
job.last_attempt_at
"""

# One index range for each rank, read in order and only as far as the batch goes: rows that are due later, or of
# a rank that is not reached, are not looked at. The ranks are tried one after another until the batch is full.
_DUE_BY_RANK = """
    SELECT found.id, found.recipient_email
      FROM (VALUES {ranks}) AS ranks(rank)
     CROSS JOIN LATERAL (
           SELECT id, recipient_email
             FROM email_jobs
            WHERE status = 'queued' AND {rank} = ranks.rank AND available_at <= STATEMENT_TIMESTAMP()
            ORDER BY available_at, id
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED
           ) AS found
     LIMIT %(limit)s
"""

_DUE_BY_AGE = """
    SELECT id, recipient_email
      FROM email_jobs
     WHERE status = 'queued' AND available_at <= STATEMENT_TIMESTAMP()
     ORDER BY available_at, id
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
"""

# The array says again what the join says, so that the rows are found by their key and by no other plan.
_CLAIM = """
WITH due AS MATERIALIZED ({due})
UPDATE email_jobs AS job
   SET status = 'sending',
       lease_token = %(token)s,
       lease_until = STATEMENT_TIMESTAMP() + %(lease)s * INTERVAL '1 second',
       last_attempt_at = STATEMENT_TIMESTAMP(),
       updated_at = STATEMENT_TIMESTAMP(),
       message_id = COALESCE(job.message_id, 'job-' || job.id || '.'
                             || left(replace(gen_random_uuid()::text, '-', ''), 16) || '@' || %(domain)s)
  FROM due
  LEFT JOIN email_suppressions AS stop ON lower(stop.email) = lower(due.recipient_email)
  LEFT JOIN email_preferences AS wish ON lower(wish.email) = lower(due.recipient_email)
 WHERE job.id = due.id AND job.id = ANY (ARRAY(SELECT id FROM due))
RETURNING {columns},
          COALESCE(job.expires_at <= STATEMENT_TIMESTAMP(), FALSE),
          stop.id, stop.xmin::text, stop.type, stop.is_at_mailgun,
          COALESCE(stop.expires_at <= STATEMENT_TIMESTAMP(), FALSE),
          wish.wants_news, wish.wants_reminders
"""

_TAKE_OVER = """
WITH stuck AS MATERIALIZED (
    SELECT id FROM email_jobs
     WHERE status = 'sending' AND lease_until < STATEMENT_TIMESTAMP()
     ORDER BY lease_until
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
UPDATE email_jobs AS job
   SET lease_token = %(token)s,
       lease_until = STATEMENT_TIMESTAMP() + %(lease)s * INTERVAL '1 second',
       updated_at = STATEMENT_TIMESTAMP()
  FROM stuck
 WHERE job.id = stuck.id
RETURNING {columns}, STATEMENT_TIMESTAMP() - job.last_attempt_at
"""

# "sent" is written whoever holds the row, for it is proof; but never over what an event has told already. All
# else only under our own token.
_SETTLE = """
UPDATE email_jobs AS job
   SET status = CASE WHEN news.status <> 'sent' OR job.status IN ('queued', 'sending', 'cancelled')
                     THEN news.status ELSE job.status END,
       last_error = CASE WHEN news.status <> 'sent' THEN COALESCE(news.error, job.last_error)
                         WHEN job.status NOT IN ('queued', 'sending', 'cancelled') THEN job.last_error END,
       retry_count = job.retry_count + news.retries,
       available_at = CASE WHEN news.status = 'queued' AND news.wait > 0
                           THEN STATEMENT_TIMESTAMP() + news.wait * INTERVAL '1 second' ELSE job.available_at END,
       lease_until = CASE WHEN news.status = 'sending'
                          THEN STATEMENT_TIMESTAMP() + news.wait * INTERVAL '1 second' END,
       lease_token = NULL,
       sent_at = CASE WHEN news.status = 'sent'
                      THEN COALESCE(job.sent_at, news.sent_at, STATEMENT_TIMESTAMP()) ELSE job.sent_at END,
       subject = COALESCE(news.subject, job.subject),
       message_id = COALESCE(news.message_id, job.message_id),
       template_version = COALESCE(news.template_version, job.template_version),
       content = CASE WHEN news.status NOT IN ('queued', 'sending') AND jsonb_exists(job.content, 'secrets')
                      THEN job.content || '{"secrets": null}'::jsonb ELSE job.content END,
       updated_at = STATEMENT_TIMESTAMP()
  FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::int[], %s::float8[], %s::timestamptz[],
              %s::text[], %s::text[], %s::int[])
       AS news(id, token, status, error, retries, wait, sent_at, subject, message_id, template_version)
 WHERE job.id = news.id
   AND ((job.status = 'sending' AND job.lease_token = news.token) OR news.status = 'sent')
"""

# ``xmin`` is the row's version: a complaint that came in since then is left as it is.
_CLEARED = """
UPDATE email_suppressions AS stop
   SET is_at_mailgun = FALSE
  FROM unnest(%s::bigint[], %s::text[]) AS cleared(id, version)
 WHERE stop.id = cleared.id AND stop.xmin::text = cleared.version AND stop.is_at_mailgun
"""


@dataclass(frozen=True)
class Stop:
    """The row of ``email_suppressions`` that names the address, as it was at the claim."""

    id: int
    version: str
    type: str
    is_at_mailgun: bool
    is_over: bool


@dataclass(frozen=True)
class Job:
    """A row that is ours for the time of its lease."""

    id: int
    template_type: str
    occasion: str | None
    stream: str
    priority: str
    recipient_email: str
    recipient_name: str | None
    subject: str
    content: dict[str, Any]
    message_id: str
    available_at: datetime
    retry_count: int
    max_retries: int
    lease_token: uuid.UUID
    last_attempt_at: datetime
    is_expired: bool = False
    stop: Stop | None = None
    wishes: dict[str, bool] | None = None
    """What the owner of the address wants, by choice; None where nothing was ever chosen."""
    attempt_age: timedelta = field(default=timedelta())
    """Since the last try; known only when taken over."""


@dataclass(frozen=True)
class Outcome:
    """What becomes of a claimed row. ``wait_seconds`` delays the next try, or the look-up while "sending"."""

    job_id: int
    lease_token: uuid.UUID
    status: EmailStatus
    error: str | None = None
    retries: int = 0
    wait_seconds: float = 0.0
    sent_at: datetime | None = None
    subject: str | None = None
    message_id: str | None = None
    template_version: int | None = None
    cleared: Stop | None = None
    """Taken off Mailgun's own lists on the way."""


def claim(*, limit: int, lowest_rank: int = EVERY_RANK, oldest_first: bool = False) -> list[Job]:
    """Take up to ``limit`` due jobs, in the order to send them.

    Each carries what stands in the way of its address. The Message-Id is fixed here, before the first post,
    and stays the same for every try.
    """
    jobs = [_claimed(row) for row in _run(claim_sql(lowest_rank, oldest_first), limit, settings.MAILGUN_SENDER_DOMAIN)]
    ranks = {"critical": 0, "high": 1, "normal": 2, "low": 3}
    return sorted(jobs, key=lambda job: (0 if oldest_first else ranks[job.priority], job.available_at, job.id))


def claim_sql(lowest_rank: int = EVERY_RANK, oldest_first: bool = False) -> str:
    """The claim's statement, with the parameters ``limit``, ``token``, ``lease`` and ``domain``."""
    ranks = ", ".join(f"({rank})" for rank in range(lowest_rank + 1))
    due = _DUE_BY_AGE if oldest_first else _DUE_BY_RANK.format(ranks=ranks, rank=_RANK)
    return _CLAIM.format(due=due, columns=_COLUMNS)


def take_over(*, limit: int) -> list[Job]:
    """Lease anew what a killed worker held, and what waits for its look-up; each carries ``attempt_age``."""
    return [_job(row, attempt_age=row[15]) for row in _run(_TAKE_OVER.format(columns=_COLUMNS), limit)]


def settle(outcomes: list[Outcome]) -> int:
    """Write a group of outcomes at once; returns how many rows took them."""
    if not outcomes:
        return 0
    ordered = sorted(outcomes, key=lambda outcome: outcome.job_id)
    columns: Any = [
        [outcome.job_id for outcome in ordered],
        [outcome.lease_token for outcome in ordered],
        [outcome.status.value for outcome in ordered],
        [outcome.error.replace("\0", "")[:2000] if outcome.error else None for outcome in ordered],
        [outcome.retries for outcome in ordered],
        [outcome.wait_seconds for outcome in ordered],
        [outcome.sent_at for outcome in ordered],
        [outcome.subject for outcome in ordered],
        [(outcome.message_id or "").replace("\0", "")[:255] or None for outcome in ordered],
        [outcome.template_version for outcome in ordered],
    ]
    cleared = [outcome.cleared for outcome in ordered if outcome.cleared]
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, columns)
        kept: int = cursor.rowcount
        if cleared:
            cursor.execute(_CLEARED, [[stop.id for stop in cleared], [stop.version for stop in cleared]])
    return kept


def why_stopped(job: Job, choice: str) -> str:
    """The cause for which this mail must not go to its address, or "".

    A bounce stops all; a complaint or staff's stop leaves security mail. ``choice`` is what a person may say
    no to in order not to get it: their own word counts, and without one an unsubscribe does.
    """
    kind = job.stop.type if job.stop and not job.stop.is_over else ""
    if kind == SuppressionType.BOUNCE:
        return kind
    if kind in {SuppressionType.COMPLAINT, SuppressionType.MANUAL} and job.stream != Stream.SECURITY:
        return kind
    choice = choice or (Choice.NEWS.value if job.stream == Stream.NEWS else "")
    if choice and (kind == SuppressionType.UNSUBSCRIBE if job.wishes is None else not job.wishes[choice]):
        return SuppressionType.UNSUBSCRIBE.value
    return ""


def _claimed(row: Any) -> Job:
    return _job(
        row,
        is_expired=row[15],
        stop=Stop(*row[16:21]) if row[16] is not None else None,
        wishes={Choice.NEWS.value: row[21], Choice.REMINDERS.value: row[22]} if row[21] is not None else None,
    )


def _job(row: Any, **more: Any) -> Job:
    values: list[Any] = [*row[:8], json.loads(row[8]), *row[9:15]]
    return Job(*values, **more)


def _run(sql: str, limit: int, domain: str = "") -> list[Any]:
    values: dict[str, Any] = {"token": uuid.uuid4(), "lease": LEASE_SECONDS, "limit": limit, "domain": domain}
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()
