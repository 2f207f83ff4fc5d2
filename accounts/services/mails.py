"""The mails of this app: who gets which, with what in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts.devices import device_words
from accounts.models import User
from audit.actors import Actor
from emails.exceptions import InvalidRecipient
from emails.services.outbox import enqueue_email
from settings_app.services import zone_for
from techdeputies.lib.ids import new_id
from techdeputies.lib.times import when_words

logger = structlog.get_logger(__name__)


def send(*, template: str, to: str, **mail: Any) -> None:
    """``enqueue_email``, forgiving an address that cannot be written to.

    The old site kept addresses as they were typed. The page must answer the same for those, too.
    """
    try:
        enqueue_email(template=template, to=to, **mail)
    except InvalidRecipient:
        logger.warning("address_not_mailable", template=template)


def mail_person(
    user: User,
    template: str,
    *,
    occasion: str = "",
    to: str = "",
    context: dict[str, Any] | None = None,
    secrets: dict[str, Any] | None = None,
    expires_at: datetime | None = None,
) -> None:
    """Queue ``template`` for ``user``, at the address that is stored. Without an ``occasion`` it is its own."""
    send(
        template=template,
        occasion=f"user:{user.pk}:{occasion or new_id()}",
        to=to or user.email,
        name=user.name or "",
        context={"first_name": user.first_name_words, **(context or {})},
        secrets=secrets,
        expires_at=expires_at,
    )


def act_words(user: User, actor: Actor) -> dict[str, str]:
    """When and on what it was done, for the mails that tell of a change."""
    return {
        "when_words": when_words(timezone.now(), zone_for(user)),
        "device_words": device_words(actor.user_agent or ""),
    }


def page(name: str) -> str:
    """The full address of a page of ours, for a mail."""
    return f"{settings.SITE_URL}{reverse(name)}"
