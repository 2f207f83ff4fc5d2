"""One task per batch, not per mail: woken after a commit, and run by the beat for what was missed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from celery import Task, shared_task

from emails.services import alarms, delivery, inbox, reconcile, retention, suppression
from techdeputies.lib import heartbeat, waking


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
        waking.go_on(drain_outbox.name)


@shared_task
def purge_old() -> None:
    """Throw old bodies away; goes on in a run of its own where the time of one is not enough."""
    if retention.purge().has_more:
        waking.go_on(purge_old.name)


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
    waking.begun(apply_posts.name)
    if inbox.apply_waiting().has_more:
        waking.go_on(apply_posts.name)


@shared_task
def reconcile_silent(after: list[Any] | None = None) -> None:
    """Look up mails that nothing was heard of. Goes on in a new run behind ``after``: moment and number of a mail."""
    place = (datetime.fromisoformat(after[0]), int(after[1])) if after else None
    report = reconcile.reconcile(after=place)
    if report.place is not None:
        after_words = [report.place[0].isoformat(), report.place[1]]
        waking.go_on(reconcile_silent.name, expires=3600, kwargs={"after": after_words})


def _drain(task: Task, *, critical_only: bool) -> None:
    waking.begun(task.name)
    report = delivery.drain(critical_only=critical_only)
    if report.has_more:
        waking.go_on(task.name)
