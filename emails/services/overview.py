"""What waits, what is being sent and what failed, for the staff's page of the queue.

Finished mails are never counted: each statement reads a partial index or a bounded number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Left
from django.utils import timezone

from emails.models import EmailJob, EmailStatus, Priority, Stream
from emails.services import breaker

MOST_COUNTED = 10_000
MOST_FAILURES = 1_000
MOST_GROUPS = 30
FAILURE_DAYS = 7

_ORDER = [Priority.CRITICAL, Priority.HIGH, Priority.NORMAL, Priority.LOW]


@dataclass(frozen=True)
class Waiting:
    priority: Priority
    stream: Stream
    count: int
    due: int


@dataclass(frozen=True)
class Failure:
    """Mails of one kind that failed for one cause."""

    template: str
    cause: str
    count: int
    latest: datetime


@dataclass(frozen=True)
class Overview:
    """``is_capped``: more wait than were counted. ``failures_capped`` likewise."""

    waiting: list[Waiting]
    is_capped: bool
    oldest_due: datetime | None
    next_at: datetime | None
    sending: int
    stuck: int
    pause: breaker.Pause | None
    failures: list[Failure]
    failures_capped: bool

    @property
    def count(self) -> int:
        return sum(row.count for row in self.waiting)

    @property
    def due(self) -> int:
        return sum(row.due for row in self.waiting)


def overview() -> Overview:
    """The queue as it is now, in five statements however full it is."""
    now = timezone.now()
    queued = EmailJob.objects.filter(status=EmailStatus.QUEUED)
    counted = queued.order_by("available_at", "id").values("pk")[: MOST_COUNTED + 1]
    waiting = [
        Waiting(Priority(row["priority"]), Stream(row["stream"]), row["count"], row["due"])
        for row in EmailJob.objects.filter(pk__in=counted)
        .order_by()
        .values("priority", "stream")
        .annotate(count=Count("pk"), due=Count("pk", filter=Q(available_at__lte=now)))
    ]
    waiting.sort(key=lambda row: (_ORDER.index(row.priority), row.stream))
    failures, failures_capped = _failures(now)
    sending = _sending(now)
    return Overview(
        waiting=waiting,
        is_capped=sum(row.count for row in waiting) > MOST_COUNTED,
        oldest_due=queued.filter(available_at__lte=now).aggregate(at=Min("available_at"))["at"],
        next_at=queued.filter(available_at__gt=now).aggregate(at=Min("available_at"))["at"],
        sending=sending["count"],
        stuck=sending["stuck"],
        pause=breaker.pause(),
        failures=failures,
        failures_capped=failures_capped,
    )


def _sending(now: datetime) -> dict[str, Any]:
    leased = EmailJob.objects.filter(status=EmailStatus.SENDING).order_by("lease_until").values("pk", "lease_until")
    return leased[:MOST_COUNTED].aggregate(count=Count("pk"), stuck=Count("pk", filter=Q(lease_until__lt=now)))


def _failures(now: datetime) -> tuple[list[Failure], bool]:
    newest = (
        EmailJob.objects.filter(status=EmailStatus.FAILED, created_at__gt=now - timedelta(days=FAILURE_DAYS))
        .order_by("-created_at")
        .values("pk")[:MOST_FAILURES]
    )
    groups = (
        EmailJob.objects.filter(pk__in=newest)
        .order_by()
        .annotate(cause=Left("last_error", 200))
        .values("template_type", "cause")
        .annotate(count=Count("pk"), latest=Max("created_at"))
        .order_by("-count", "template_type", "cause")
    )
    found = [Failure(row["template_type"], row["cause"] or "", row["count"], row["latest"]) for row in groups]
    return found[:MOST_GROUPS], sum(group.count for group in found) >= MOST_FAILURES
