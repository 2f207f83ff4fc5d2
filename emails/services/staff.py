"""What staff do to the queue besides trying again: cancel one mail, and end a pause."""

from __future__ import annotations

from django.db import transaction

from audit.actors import Actor
from audit.services import record_admin_action
from emails.exceptions import NotWaiting
from emails.models import EmailJob, EmailStatus
from emails.services import breaker
from emails.services.outbox import wake

CANCELLED_BY_STAFF = "cancelled by staff"


@transaction.atomic
def cancel(*, job: EmailJob, actor: Actor) -> EmailJob:
    """Take a waiting mail out of the queue. One that is being sent cannot be held any more: NotWaiting."""
    job = EmailJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if job.status != EmailStatus.QUEUED:
        raise NotWaiting
    job.status = EmailStatus.CANCELLED
    job.last_error = CANCELLED_BY_STAFF
    if "secrets" in job.content:
        job.content = {**job.content, "secrets": None}
    job.save(update_fields=["status", "last_error", "content", "updated_at"])
    record_admin_action(actor=actor, action="mail_cancelled", target=job)
    return job


def end_pause(*, actor: Actor) -> None:
    """Let all workers try at once, because the cause has been mended; if it has not, they pause again."""
    pause = breaker.pause()
    details = {"why": pause.why, "seconds_left": pause.seconds} if pause else None
    record_admin_action(actor=actor, action="mail_pause_ended", details=details)
    breaker.lift()
    wake(critical=True)
    wake()
