"""What this app does when something happens to mail."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from accounts.services.profile import note_mail_stopped
from emails.signals import address_cleared, address_stopped


@receiver(address_stopped, dispatch_uid="accounts.mail_stopped")
def mail_stopped(sender: Any, email: str, type: str, **_: Any) -> None:
    note_mail_stopped(email=email, cause=type)


@receiver(address_cleared, dispatch_uid="accounts.mail_cleared")
def mail_cleared(sender: Any, email: str, **_: Any) -> None:
    note_mail_stopped(email=email, cause="")
