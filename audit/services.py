"""Writing down what was done. Each function adds one row in the caller's transaction.

A refusal is recorded after the refused work has been rolled back, else its row would go with it.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.db import models

from audit.actors import Actor
from audit.masking import plain_value
from audit.models import AdminActionAudit, ChangeType, PasswordChangeAudit, SecurityEvent

logger = structlog.get_logger(__name__)


def record_password_change(
    *,
    user: Any,
    actor: Actor,
    change_type: ChangeType | str,
    success: bool = True,
    error_message: str = "",
) -> PasswordChangeAudit:
    """A change of ``user``'s password, or its refusal. Whoever holds a reset link counts as the person."""
    logger.info("password_change", user_id=user.pk, change_type=str(change_type), success=success)
    return PasswordChangeAudit.objects.create(
        user=user,
        changed_by=actor.user or user,
        change_type=change_type,
        ip_address=actor.ip_address,
        user_agent=actor.user_agent,
        success=success,
        error_message=error_message or None,
    )


def record_admin_action(
    *,
    actor: Actor,
    action: str,
    target: models.Model | None = None,
    details: dict[str, Any] | None = None,
    success: bool = True,
    error_message: str = "",
) -> AdminActionAudit | SecurityEvent:
    """An act of staff on ``target`` (any row), or its refusal.

    ``details`` holds numbers, dates, labels and keys only; see ``masking.py``. An act of the system, which
    has no person, becomes a security event instead.
    """
    logger.info("admin_action", action=action, success=success, actor_id=getattr(actor.user, "pk", None))
    if actor.user is None:
        return record_security_event(kind=action, actor=actor, details=_with_target(details, target))
    return AdminActionAudit.objects.create(
        admin=actor.user,
        action=action[:100],
        target_user_id=_person_id(target),
        target_email=getattr(target, "email", None) if _is_person(target) else None,
        object_type=target._meta.label_lower if target is not None else "",
        object_id=str(target.pk or "") if target is not None else "",
        details=plain_value(details) if details else None,
        ip_address=actor.ip_address,
        user_agent=actor.user_agent,
        success=success,
        error_message=error_message or None,
    )


def record_security_event(
    *, kind: str, user: Any = None, actor: Actor, details: dict[str, Any] | None = None
) -> SecurityEvent:
    """A sign-in, a failure, an export, an act of the system: about ``user``, by default the actor."""
    person = user if user is not None else actor.user
    logger.info("security_event", kind=kind, user_id=getattr(person, "pk", None))
    return SecurityEvent.objects.create(
        kind=kind[:60],
        user=person,
        details=plain_value(details) if details else None,
        ip_address=actor.ip_address,
        user_agent=actor.user_agent,
    )


def _is_person(target: models.Model | None) -> bool:
    return target is not None and target._meta.label_lower == "accounts.user"


def _person_id(target: models.Model | None) -> int | None:
    """Whom it concerns: the person, or the owner of the row."""
    if target is None:
        return None
    owner: int | None = target.pk if _is_person(target) else getattr(target, "user_id", None)
    return owner


def _with_target(details: dict[str, Any] | None, target: models.Model | None) -> dict[str, Any] | None:
    if target is None:
        return details
    return {**(details or {}), "object": target._meta.label_lower, "id": target.pk}
