"""Staff try a failed mail again: a new row with a Message-Id of its own; the old one stays and is still recognised."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from audit.actors import Actor
from audit.services import record_admin_action
from emails.exceptions import AlreadyTriedAgain, BodyIsGone, NotFailed, SecretsAreGone
from emails.models import EmailJob, EmailStatus, Priority
from emails.services.outbox import wake

KEEP_TRYING = timedelta(days=3)


@transaction.atomic
def try_again(*, job: EmailJob, actor: Actor) -> EmailJob:
    """Queue a failed mail anew, once. Raises NotFailed, AlreadyTriedAgain, BodyIsGone or SecretsAreGone."""
    job = EmailJob.objects.select_for_update(no_key=True).get(pk=job.pk)
    if job.status != EmailStatus.FAILED:
        raise NotFailed
    if job.purged_at is not None:
        raise BodyIsGone
    if "secrets" in job.content:
        raise SecretsAreGone
    occasion = f"again:{job.pk}"
    if EmailJob.objects.filter(template_type=job.template_type, occasion=occasion).exists():
        raise AlreadyTriedAgain
    again = EmailJob.objects.create(
        template_type=job.template_type,
        occasion=occasion,
        stream=job.stream,
        recipient_email=job.recipient_email,
        recipient_name=job.recipient_name,
        subject=job.subject,
        content=job.content,
        priority=job.priority,
        max_retries=job.max_retries,
        expires_at=timezone.now() + KEEP_TRYING,
    )
    record_admin_action(actor=actor, action="mail_tried_again", target=job, details={"new_mail": again.pk})
    transaction.on_commit(partial(wake, critical=job.priority == Priority.CRITICAL), robust=True)
    return again
