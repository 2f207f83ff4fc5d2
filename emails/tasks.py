"""One task per batch, not per mail: woken after a commit, and run by the beat for what was missed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from celery import Task, shared_task
from django.core.cache import cache

from emails.services import alarms, delivery, inbox, reconcile, retention, suppression
from techdeputies.lib import heartbeat

logger = structlog.get_logger(__name__)


@shared_task
def drain_outbox() -> None:
    """Send what is due; a second run at the same time finds other rows or none."""
    _drain(drain_outbox, critical_only=False)


@shared_task
def drain_critical() -> None:
    """The same for critical mail only: its own queue and worker, so that news never delays a reset link."""
    _drain(drain_critical, critical_only=True)


@shared_task
def recover_stuck() -> None:
    """Find out about mails whose worker died or whose answer was lost."""
    if delivery.recover():
        _queue(drain_outbox)


@shared_task
def purge_old() -> None:
    """Throw old bodies away; goes on in a run of its own where the time of one is not enough."""
    if retention.purge().has_more:
        _queue(purge_old)


@shared_task
def clear_expired_suppressions() -> None:
    """Let mail go again to addresses whose stop has ended, at Mailgun too."""
    suppression.clear_expired()


@shared_task
def sound_alarms() -> None:
    """Tell loudly what must not go unseen."""
    alarms.check()


@shared_task
def show_life() -> None:
    """Leave the sign of life that ``/readyz`` looks for."""
    heartbeat.beat()


@shared_task
def apply_posts() -> None:
    """Let what Mailgun posted act on the mails; a second run at the same time finds other posts or none."""
    cache.delete(wake_key(apply_posts.name))
    if inbox.apply_waiting().has_more:
        _queue(apply_posts)


@shared_task
def reconcile_silent(after: list[Any] | None = None) -> None:
    """Look up mails that nothing was heard of. Goes on in a new run behind ``after``: moment and number of a mail."""
    place = (datetime.fromisoformat(after[0]), int(after[1])) if after else None
    report = reconcile.reconcile(after=place)
    if report.place is not None:
        after_words = [report.place[0].isoformat(), report.place[1]]
        _queue(reconcile_silent, expires=3600, kwargs={"after": after_words})


def wake_key(task_name: str) -> str:
    """The cache key that stands while a run is asked for and has not begun."""
    return f"mail:wake:{task_name}"


def _drain(task: Task, *, critical_only: bool) -> None:
    # Before the first claim: who commits from now on asks for another run.
    cache.delete(wake_key(task.name))
    report = delivery.drain(critical_only=critical_only)
    if report.has_more:
        _queue(task)


def _queue(task: Task, *, expires: int = 60, **options: Any) -> None:
    try:
        task.apply_async(retry=False, expires=expires, **options)
    except Exception as error:
        # The rows are the truth: the beat's next run finds them.
        logger.warning("mail_wake_failed", error=type(error).__name__)
