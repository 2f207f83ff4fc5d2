"""The four statements of the queue: claim, take over, settle, count. Each is short and stands alone.

A row is held by ``lease_token`` until ``lease_until``, both by the database's clock. Every write after the
claim names the token, so a worker that was frozen past its lease changes nothing when it thaws.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from emails.models import EmailJob, EmailStatus, Stream, SuppressionType

LEASE_SECONDS = 120

# As in the index email_job_claim, so that the claim reads no more than its batch.
_RANK = (
    "CASE WHEN priority = 'critical' THEN 0 WHEN priority = 'high' THEN 1 WHEN priority = 'normal' THEN 2 ELSE 3 END"
)

_COLUMNS = """
job.id, job.template_type, job.occasion, job.stream, job.priority, job.recipient_email, job.recipient_name,
job.subject, job.content, job.status, job.message_id, job.available_at, job.retry_count, job.max_retries,
job.lease_token, job.last_attempt_at
"""

_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id, recipient_email
      FROM email_jobs
     WHERE status = 'queued' AND available_at <= STATEMENT_TIMESTAMP(){only}
     ORDER BY {order}
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
UPDATE email_jobs AS job
   SET status = 'sending',
       lease_token = %(token)s,
       lease_until = STATEMENT_TIMESTAMP() + %(lease)s * INTERVAL '1 second',
       last_attempt_at = STATEMENT_TIMESTAMP(),
       updated_at = STATEMENT_TIMESTAMP(),
       message_id = COALESCE(job.message_id, 'job-' || job.id || '.'
                             || left(replace(gen_random_uuid()::text, '-', ''), 16) || '@' || %(domain)s)
  FROM due
  LEFT JOIN email_suppressions AS stop
    ON lower(stop.email) = lower(due.recipient_email)
   AND (stop.expires_at IS NULL OR stop.expires_at > STATEMENT_TIMESTAMP())
 WHERE job.id = due.id
RETURNING {columns}, stop.type AS suppression,
          COALESCE(job.expires_at <= STATEMENT_TIMESTAMP(), FALSE) AS is_expired
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
RETURNING {columns}, STATEMENT_TIMESTAMP() - job.last_attempt_at AS attempt_age
"""

_SETTLE = """
UPDATE email_jobs AS job
   SET status = news.status,
       last_error = CASE WHEN news.status = 'sent' THEN NULL ELSE COALESCE(news.error, job.last_error) END,
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
       content = CASE WHEN news.status NOT IN ('queued', 'sending') AND jsonb_exists(job.content, 'secrets')
                      THEN job.content || '{"secrets": null}'::jsonb ELSE job.content END,
       updated_at = STATEMENT_TIMESTAMP()
  FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::int[], %s::float8[], %s::timestamptz[],
              %s::text[], %s::text[])
       AS news(id, token, status, error, retries, wait, sent_at, subject, message_id)
 WHERE job.id = news.id AND job.status = 'sending' AND job.lease_token = news.token
"""


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


def claim(*, limit: int, critical_only: bool = False, oldest_first: bool = False) -> list[Any]:
    """Take up to ``limit`` due jobs, in the order to send them.

    Each carries ``suppression`` (the type that names its address, or None) and ``is_expired``. The
    Message-Id is fixed here, before the first post, and stays the same for every try.
    """
    sql = _CLAIM.format(
        columns=_COLUMNS,
        only=f" AND {_RANK} = 0" if critical_only else "",
        order="available_at, id" if oldest_first else f"{_RANK}, available_at, id",
    )
    jobs = _run(sql, limit=limit, domain=settings.MAILGUN_SENDER_DOMAIN)
    ranks = {"critical": 0, "high": 1, "normal": 2, "low": 3}
    return sorted(jobs, key=lambda job: (0 if oldest_first else ranks[job.priority], job.available_at, job.id))


def take_over(*, limit: int) -> list[Any]:
    """Lease anew what a killed worker held, and what waits for its look-up; each carries ``attempt_age``."""
    return _run(_TAKE_OVER.format(columns=_COLUMNS), limit=limit)


def settle(outcomes: list[Outcome]) -> int:
    """Write a group of outcomes at once; returns how many rows were still ours."""
    if not outcomes:
        return 0
    columns: Any = [
        [outcome.job_id for outcome in outcomes],
        [outcome.lease_token for outcome in outcomes],
        [outcome.status.value for outcome in outcomes],
        [outcome.error[:2000] if outcome.error else None for outcome in outcomes],
        [outcome.retries for outcome in outcomes],
        [outcome.wait_seconds for outcome in outcomes],
        [outcome.sent_at for outcome in outcomes],
        [outcome.subject for outcome in outcomes],
        [outcome.message_id or None for outcome in outcomes],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, columns)
        return cursor.rowcount


def is_suppressed(suppression: str | None, stream: str) -> bool:
    """Bounce stops all; complaint and staff's stop all but security mail; unsubscribe stops news."""
    if suppression is None:
        return False
    if suppression == SuppressionType.BOUNCE:
        return True
    if suppression == SuppressionType.UNSUBSCRIBE:
        return stream == Stream.NEWS
    return stream != Stream.SECURITY


def _run(sql: str, **values: Any) -> list[Any]:
    return list(EmailJob.objects.raw(sql, {"token": uuid.uuid4(), "lease": LEASE_SECONDS, **values}))
