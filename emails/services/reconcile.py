"""The nightly round: what became of mails that Mailgun took and then said nothing about.

Mailgun does not promise to repeat a notice of delivery that it could not post, and after eight hours it has
either delivered a mail or given up. So whatever is still "sent" after nine is looked up in its logs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db.models import Q
from django.db.models.functions import Now

from emails import gateway
from emails.exceptions import LookUpUnavailable
from emails.models import EmailJob, EmailStatus
from emails.services import events
from emails.services.events import NotAnEvent

logger = structlog.get_logger(__name__)

SILENT_AFTER = timedelta(hours=9)
KEPT_FOR = timedelta(days=3)
"""Mailgun keeps its logs for days only."""

BATCH = 50
RUN_SECONDS = 15.0
FAULTS_IN_A_ROW = 3


@dataclass
class Report:
    """One run in figures. ``place`` is where the next goes on; None when there is nothing left or it is no use."""

    asked: int = 0
    events: int = 0
    settled: int = 0
    faults: int = 0
    place: tuple[datetime, int] | None = None


def reconcile(*, after: tuple[datetime, int] | None = None, seconds: float = RUN_SECONDS) -> Report:
    """Ask for each silent mail once, oldest first, beginning behind ``after``, for ``seconds`` at most."""
    deadline = time.monotonic() + seconds
    report = Report(place=after)
    faults_in_a_row = 0
    while True:
        jobs = _silent(report.place)
        if not jobs:
            report.place = None
            break
        for job in jobs:
            if time.monotonic() >= deadline:
                return _told(report)
            try:
                found = gateway.events_of(job.message_id, since=job.sent_at)
            except LookUpUnavailable as refusal:
                report.faults += 1
                faults_in_a_row += 1
                if faults_in_a_row >= FAULTS_IN_A_ROW or not gateway.can_look_up():
                    logger.warning("mail_not_reconciled", cause=str(refusal))
                    report.place = None
                    return _told(report)
            else:
                faults_in_a_row = 0
                report.asked += 1
                _apply(job, found, report)
            report.place = (job.sent_at, job.pk)
    return _told(report)


def _silent(after: tuple[datetime, int] | None) -> list[Any]:
    rows = EmailJob.objects.filter(
        status=EmailStatus.SENT,
        sent_at__gt=Now() - KEPT_FOR,
        sent_at__lt=Now() - SILENT_AFTER,
        message_id__isnull=False,
    )
    if after is not None:
        moment, number = after
        rows = rows.filter(Q(sent_at__gt=moment) | Q(sent_at=moment, pk__gt=number))
    return list(rows.order_by("sent_at", "pk").only("pk", "message_id", "sent_at")[:BATCH])


def _apply(job: EmailJob, found: list[Any], report: Report) -> None:
    known = []
    for item in found:
        try:
            known.append(events.parse(item))
        except NotAnEvent:
            continue
    for event, owner in zip(known, events.match(known), strict=True):
        if owner == job.pk:
            report.events += events.apply_event(job_id=job.pk, event=event)
    report.settled += not EmailJob.objects.filter(pk=job.pk, status=EmailStatus.SENT).exists()


def _told(report: Report) -> Report:
    logger.info(
        "mail_reconciled",
        asked=report.asked,
        events=report.events,
        settled=report.settled,
        faults=report.faults,
        has_more=report.place is not None,
    )
    return report
