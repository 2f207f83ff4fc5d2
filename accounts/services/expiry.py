"""Forgetting what is over."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from accounts.models import DeletionUndoLink, EmailChange, EmailVerificationToken, PasswordResetToken, Session

LINKS_KEPT = timedelta(days=7)
CHANGES_KEPT = timedelta(days=90)
"""Dead links are kept a while, so that an old mail still gets the right sentence and staff can follow a case."""


def forget_expired() -> int:
    """Delete ended sessions and links long dead. Returns how many rows went. May run twice."""
    now = timezone.now()
    gone = 0
    for rows in (
        Session.objects.filter(expires_at__lte=now),
        PasswordResetToken.objects.filter(expires_at__lte=now - LINKS_KEPT),
        EmailVerificationToken.objects.filter(Q(expires_at__lte=now - LINKS_KEPT) | Q(used_at__lte=now - LINKS_KEPT)),
        EmailChange.objects.filter(undo_expires_at__lte=now - CHANGES_KEPT),
        DeletionUndoLink.objects.filter(Q(expires_at__lte=now - LINKS_KEPT) | Q(used_at__lte=now - LINKS_KEPT)),
    ):
        deleted, _ = rows.delete()
        gone += deleted
    return gone
