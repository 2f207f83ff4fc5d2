"""What must not go unseen is told loudly in the log, each at most once in ten minutes.

All of it is read by partial indexes or from a bounded number of rows, so that it may run every minute.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from django.core.cache import cache
from django.db.models import Count
from django.utils import timezone

from emails.models import EmailJob, EmailStatus, EmailWebhookPost, PostState
from emails.services.report import HANDED_OVER, WORST_BOUNCE_SHARE, WORST_COMPLAINT_SHARE

logger = structlog.get_logger(__name__)

OLDEST_DUE = timedelta(minutes=5)
LEASE_EXPIRED = timedelta(minutes=10)
POST_WAITED = timedelta(minutes=5)
LEAST_SENT = 100
LOOKED_AT = 20_000
QUIET_SECONDS = 600


def check() -> list[str]:
    """Look at everything once; returns the names of what is wrong, told now or a moment ago."""
    found = {**_late_mail(), **_stuck_mail(), **_shares(), **_late_posts()}
    for name, facts in found.items():
        # None, from a cache that does not answer, is no reason to stay silent.
        if cache.add(f"mail:alarm:{name}", 1, timeout=QUIET_SECONDS) is not False:
            logger.error(name, **facts)
    return list(found)


def _late_mail() -> dict[str, dict[str, Any]]:
    now = timezone.now()
    due = EmailJob.objects.filter(status=EmailStatus.QUEUED, available_at__lt=now - OLDEST_DUE)
    oldest = due.order_by("available_at", "id").values_list("available_at", flat=True).first()
    return {"mail_waits_too_long": {"seconds": round((now - oldest).total_seconds())}} if oldest else {}


def _stuck_mail() -> dict[str, dict[str, Any]]:
    stuck = EmailJob.objects.filter(status=EmailStatus.SENDING, lease_until__lt=timezone.now() - LEASE_EXPIRED)
    count = stuck.order_by("lease_until")[:1_000].count()
    return {"mail_leases_expired": {"count": count}} if count else {}


def _shares() -> dict[str, dict[str, Any]]:
    """Of the newest mails of a day, how many came back or were marked as spam."""
    since = timezone.now() - timedelta(hours=24)
    newest = EmailJob.objects.filter(created_at__gt=since).order_by("-created_at").values("pk")[:LOOKED_AT]
    counts = dict(EmailJob.objects.filter(pk__in=newest).order_by().values_list("status").annotate(count=Count("pk")))
    sent = sum(counts.get(status, 0) for status in HANDED_OVER)
    if sent < LEAST_SENT:
        return {}
    found = {}
    for name, status, worst in (
        ("mail_bounces_too_many", EmailStatus.BOUNCED, WORST_BOUNCE_SHARE),
        ("mail_complaints_too_many", EmailStatus.COMPLAINED, WORST_COMPLAINT_SHARE),
    ):
        if counts.get(status, 0) > worst * sent:
            found[name] = {"count": counts[status], "sent": sent}
    return found


def _late_posts() -> dict[str, dict[str, Any]]:
    now = timezone.now()
    late = EmailWebhookPost.objects.filter(state=PostState.WAITING, received_at__lt=now - POST_WAITED)
    oldest = late.order_by("available_at", "id").values_list("received_at", flat=True).first()
    return {"mailgun_posts_wait_too_long": {"seconds": round((now - oldest).total_seconds())}} if oldest else {}
