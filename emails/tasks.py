"""One task per batch, not per mail: woken after a commit, and run by the beat for what was missed."""

from __future__ import annotations

import structlog
from celery import Task, shared_task
from django.core.cache import cache

from emails.services import alarms, delivery, retention
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
def sound_alarms() -> None:
    """Tell loudly what must not go unseen."""
    alarms.check()


@shared_task
def show_life() -> None:
    """Leave the sign of life that ``/readyz`` looks for."""
    heartbeat.beat()


def wake_key(task_name: str) -> str:
    """The cache key that stands while a run is asked for and has not begun."""
    return f"mail:wake:{task_name}"


def _drain(task: Task, *, critical_only: bool) -> None:
    # Before the first claim: who commits from now on asks for another run.
    cache.delete(wake_key(task.name))
    report = delivery.drain(critical_only=critical_only)
    if report.has_more:
        _queue(task)


def _queue(task: Task) -> None:
    try:
        task.apply_async(retry=False, expires=60)
    except Exception as error:
        # The rows are the truth: the beat's next run finds them.
        logger.warning("mail_wake_failed", error=type(error).__name__)
