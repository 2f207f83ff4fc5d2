"""Mailgun's posts: kept as they come in one statement, applied later in batches.

A batch is one transaction. It never waits for a mail's row: what a sender holds just now comes again in two
seconds, so the two cannot block each other. Posts that stop an address, and all posts of a batch in which
something failed, are applied each in a transaction of its own, so one bad post holds up no other.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from emails.exceptions import NothingToApply
from emails.models import EmailWebhookPost, PostState
from emails.services import events
from emails.services.events import Event, NotAnEvent

logger = structlog.get_logger(__name__)

BATCH = 100
RUN_SECONDS = 15.0
"""No batch begins later in a run; the task's soft limit is 30."""

TRIES = 3
BUSY_WAIT_SECONDS = 2.0
FAILED_WAIT_SECONDS = 30.0
ROW_WAIT_SECONDS = 15.0
ROW_PATIENCE = timedelta(minutes=10)
"""How long a post that names one of our mails waits for its row."""

_STORE = """
INSERT INTO email_webhook_posts (token, body, event_type, state, last_error)
VALUES (%s, %s::jsonb, %s, %s, %s)
ON CONFLICT (token) DO NOTHING
"""

_CLAIM = """
SELECT id, body, received_at FROM email_webhook_posts
 WHERE state = 'waiting' AND available_at <= STATEMENT_TIMESTAMP()
 ORDER BY available_at, id
 LIMIT %s
   FOR UPDATE SKIP LOCKED
"""

_CLAIM_ONE = (
    "SELECT id, body, received_at FROM email_webhook_posts WHERE id = %s AND state = 'waiting' FOR UPDATE SKIP LOCKED"
)

_WRITE = """
UPDATE email_webhook_posts AS post
   SET state = news.state,
       email_job_id = COALESCE(news.job_id, post.email_job_id),
       last_error = news.error,
       available_at = CASE WHEN news.wait > 0
                           THEN STATEMENT_TIMESTAMP() + news.wait * INTERVAL '1 second' ELSE post.available_at END,
       applied_at = CASE WHEN news.state = 'waiting' THEN NULL ELSE STATEMENT_TIMESTAMP() END
  FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::float8[])
       AS news(id, state, job_id, error, wait)
 WHERE post.id = news.id
"""

_FAIL = """
UPDATE email_webhook_posts
   SET attempt_count = attempt_count + 1,
       state = CASE WHEN attempt_count + 1 >= %(tries)s THEN 'broken' ELSE state END,
       last_error = %(error)s,
       available_at = STATEMENT_TIMESTAMP() + (attempt_count + 1) * %(wait)s * INTERVAL '1 second'
 WHERE id = %(id)s AND state = 'waiting'
RETURNING state
"""


@dataclass
class Report:
    """One run in figures; ``has_more`` when its time was over before the posts were."""

    claimed: int = 0
    applied: int = 0
    failed: int = 0
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    state: PostState
    job_id: int | None = None
    error: str = ""
    wait_seconds: float = 0.0


def store(*, token: str, body: str | None, event_type: str, state: PostState, error: str = "") -> bool:
    """Keep a post; False when its token is known. One statement, so it needs no transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [token, body, event_type, state.value, error])
        return cursor.rowcount == 1


def apply_waiting(*, seconds: float = RUN_SECONDS, batch: int = BATCH) -> Report:
    """Apply what waits, oldest first, for ``seconds`` at most. Any number of workers may do so at once."""
    deadline = time.monotonic() + seconds
    report = Report()
    while time.monotonic() < deadline:
        claimed: list[Any] = []
        try:
            with transaction.atomic():
                claimed = _claim(_CLAIM, batch)
                alone = _apply(claimed, report, one_by_one=False)
        except Exception as error:
            if _is_our_trouble(error):
                raise
            logger.warning("mail_posts_one_by_one", error=type(error).__name__, posts=len(claimed))
            alone = [post[0] for post in claimed]
        report.claimed += len(claimed)
        for number in alone:
            _apply_alone(number, report)
        if len(claimed) < batch:
            return report
    report.has_more = True
    return report


def try_again(post: EmailWebhookPost) -> None:
    """Staff let a post be applied anew. Raises NothingToApply unless it failed or was taken for foreign."""
    changed = EmailWebhookPost.objects.filter(
        pk=post.pk, state__in=(PostState.BROKEN, PostState.FOREIGN), body__isnull=False
    ).update(state=PostState.WAITING, attempt_count=0, available_at=Now(), applied_at=None)
    if not changed:
        raise NothingToApply


# --- Inside ---------------------------------------------------------------------------------------------


def _claim(sql: str, value: int) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [value])
        return [(number, _loaded(body), received_at) for number, body, received_at in cursor.fetchall()]


def _loaded(body: Any) -> Any:
    """A JSON column that is read past the model comes as text."""
    return json.loads(body) if isinstance(body, str) else body


def _apply_alone(number: int, report: Report) -> None:
    try:
        with transaction.atomic():
            _apply(_claim(_CLAIM_ONE, number), report, one_by_one=True)
    except Exception as error:
        if _is_our_trouble(error):
            raise
        report.failed += 1
        with connection.cursor() as cursor:
            words = f"{type(error).__name__}: {error}".replace("\0", "")[: events.REASON_LENGTH]
            cursor.execute(_FAIL, {"id": number, "tries": TRIES, "error": words, "wait": FAILED_WAIT_SECONDS})
            row = cursor.fetchone()
        if row and row[0] == PostState.BROKEN:
            logger.exception("mail_post_broken", post_id=number)
        else:
            logger.warning("mail_post_failed", post_id=number, error=type(error).__name__)


def _apply(posts: list[Any], report: Report, *, one_by_one: bool) -> list[int]:
    """Apply locked posts; returns the numbers of those that must be applied alone."""
    verdicts: dict[int, Verdict] = {}
    alone: list[int] = []
    readable: list[tuple[int, Any, Event]] = []
    for number, body, received_at in posts:
        try:
            event = events.parse(body)
        except NotAnEvent as fault:
            verdicts[number] = Verdict(PostState.USELESS, error=str(fault))
            continue
        if event.stops is not None and not one_by_one:
            alone.append(number)
        else:
            readable.append((number, received_at, event))
    jobs = events.match([event for _number, _received_at, event in readable])
    held = events.hold(job for job in jobs if job is not None) if any(jobs) else set()
    pairs: list[tuple[int, Event]] = []
    for (number, received_at, event), job in zip(readable, jobs, strict=True):
        if job is None:
            verdicts[number] = _without_job(event, received_at)
        elif job not in held:
            verdicts[number] = Verdict(PostState.WAITING, wait_seconds=BUSY_WAIT_SECONDS)
        else:
            verdicts[number] = Verdict(PostState.APPLIED, job_id=job)
            pairs.append((job, event))
    events.record(pairs)
    _write(verdicts)
    report.applied += len(pairs)
    return alone


def _without_job(event: Event, received_at: Any) -> Verdict:
    if event.looks_ours and timezone.now() - received_at < ROW_PATIENCE:
        return Verdict(PostState.WAITING, error="Its mail is not there yet.", wait_seconds=ROW_WAIT_SECONDS)
    return Verdict(PostState.FOREIGN, error="No mail of ours with this id and recipient.")


def _write(verdicts: dict[int, Verdict]) -> None:
    if not verdicts:
        return
    columns: Any = [
        list(verdicts),
        [verdict.state.value for verdict in verdicts.values()],
        [verdict.job_id for verdict in verdicts.values()],
        [verdict.error for verdict in verdicts.values()],
        [verdict.wait_seconds for verdict in verdicts.values()],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, columns)


def _is_our_trouble(error: Exception) -> bool:
    """No fault of a post: the database is gone, or the worker is being stopped. The posts keep waiting."""
    if isinstance(error, SoftTimeLimitExceeded):
        return True
    return isinstance(error, OperationalError | InterfaceError) and not connection.is_usable()
