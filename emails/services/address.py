"""All about the mail of one address, for whoever helps its owner: did it reach them, may it, do they want it?"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models.functions import Lower

from emails.models import EmailJob, EmailSuppression
from emails.services import preferences
from emails.services.preferences import Choices

LAST_MAILS = 20


@dataclass(frozen=True)
class AddressMail:
    """``stop`` is what stops mail to the address now, if anything does."""

    mails: list[EmailJob]
    stop: EmailSuppression | None
    choices: Choices


def mail_of(email: str) -> AddressMail:
    """The last mails to an address, without their bodies."""
    mails = (
        EmailJob.objects.alias(folded=Lower("recipient_email"))
        .filter(folded=email.strip().lower())
        .defer("content")
        .order_by("-created_at", "-id")[:LAST_MAILS]
    )
    stop = EmailSuppression.objects.of(email).live().first()
    return AddressMail(list(mails), stop, preferences.get(email))
