"""What a person must look at: told once for each cause, on the staff desk, by mail and loudly in the log."""

from __future__ import annotations

import structlog
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from audit.actors import Actor
from audit.services import record_admin_action
from billing.models import AlertKind, Payment, StaffAlert, UserSubscription
from emails.services.outbox import enqueue_email
from settings_app.services import value

logger = structlog.get_logger(__name__)

WORDS_LENGTH = 500


@transaction.atomic
def raise_alert(
    *,
    kind: AlertKind,
    cause: str,
    words: str,
    user: User | None = None,
    subscription: UserSubscription | None = None,
    payment: Payment | None = None,
) -> StaffAlert:
    """Tell staff, in the caller's transaction; the same cause again gives the alert that is there already.

    ``words`` say what happened and what to do, and hold no name: they go by mail and into the log.
    """
    alert, is_new = StaffAlert.objects.get_or_create(
        cause=cause,
        defaults={
            "kind": kind,
            "words": words[:WORDS_LENGTH],
            "user": user,
            "subscription": subscription,
            "payment": payment,
        },
    )
    if is_new:
        logger.error("staff_alert", kind=str(kind), cause=cause, words=alert.words)
        enqueue_email(
            template="staff_alert",
            occasion=f"alert:{alert.pk}",
            to=value("business_email"),
            context={
                "kind_words": alert.get_kind_display(),
                "alert_words": alert.words,
                "button_url": f"{settings.SITE_URL}{reverse('admin:billing_staffalert_change', args=[alert.pk])}",
                "button_text": "Look at it on the staff desk",
            },
        )
    return alert


@transaction.atomic
def settle(*, alert: StaffAlert, actor: Actor) -> StaffAlert:
    """A member of staff has seen to it. Settling it again changes nothing."""
    locked = StaffAlert.objects.select_for_update(no_key=True).get(pk=alert.pk)
    if locked.settled_at is None:
        locked.settled_at = timezone.now()
        locked.settled_by = actor.user
        locked.save(update_fields=["settled_at", "settled_by"])
        record_admin_action(actor=actor, action="alert_settled", target=locked, details={"kind": locked.kind})
    return locked
