"""What a person tells us about themselves."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from accounts.services.people import lock
from audit.actors import Actor
from audit.services import record_security_event

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
