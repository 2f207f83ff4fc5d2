"""What a person tells us about themselves."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from accounts.models import User
from accounts.services.people import lock
from audit.actors import Actor
from audit.services import record_security_event
from emails.services import suppression

FIELDS = frozenset({"name", "phone", "time_zone"})


@transaction.atomic
def update_profile(*, user: User, actor: Actor, **changes: str) -> User:
    """Keep new values of ``FIELDS``, and only those. The log of it names fields, never values."""
    unknown = set(changes) - FIELDS
    if unknown:
        raise TypeError(f"These are not fields of the profile: {sorted(unknown)}")
    row = lock(user.pk)
    changed = sorted(field for field, value in changes.items() if getattr(row, field) != value)
    for field in changed:
        setattr(row, field, changes[field])
    if changed:
        row.save(update_fields=[*changed, "updated_at"])
        record_security_event(kind="profile_changed", user=row, actor=actor, details={"fields": changed})
    return row


def note_mail_stopped(*, email: str, cause: str) -> None:
    """Keep with the person why their address cannot be reached, or "" when it can: pages show it without asking.

    A cause that is the person's own wish is no problem.
    """
    problem = cause if cause in suppression.PROBLEMS else ""
    User.objects.with_email(email).exclude(email_problem=problem).update(email_problem=problem, updated_at=Now())
