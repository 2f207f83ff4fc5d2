"""One mail's story in words: from its own columns and from what Mailgun said, merged and in order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from emails.models import EmailDeliveryEvent, EmailJob, EmailStatus, SuppressionType
from techdeputies.lib.times import clock, long_date

US = "the website"
MAILGUN = "Mailgun"
MOST_EVENTS = 50

_SAID = {
    "accepted": "Mailgun took it over.",
    "delivered": "It reached the mailbox.",
    "opened": "It was opened, by a person or by a program of the mailbox.",
    "clicked": "A link in it was pressed, by a person or by a program that checks links.",
    "temporary_fail": "The mailbox did not take it yet. Mailgun keeps trying.",
    "permanent_fail": "The mailbox did not take it. Mailgun gave up.",
    "complained": "It was marked as spam.",
    "unsubscribed": "The person asked for no more mail of this kind.",
    "rejected": "Mailgun refused it.",
}

_SUPPRESSED = "suppressed: "
_LABEL = re.compile(r"(?:bounce|generic|old|suppress-[a-z]+): ")
"""Mailgun's own word before what the mailbox said; it tells staff nothing that the state does not."""


@dataclass(frozen=True)
class Step:
    """``moment`` is None for what holds now."""

    moment: datetime | None
    words: str
    who: str


def moment_words(moment: datetime, zone: ZoneInfo) -> str:
    return f"{long_date(moment, zone)} at {clock(moment, zone)}"


def steps(job: EmailJob, events: Iterable[EmailDeliveryEvent], zone: ZoneInfo) -> list[Step]:
    """What happened to the mail, oldest first; what is still to come stands last."""
    told = [_step_of(event, job) for event in events]
    kinds = {kind for kind, _step in told}
    found = [*_before(job, zone), *(step for _kind, step in told), *_columns(job, kinds), *_end(job)]
    found.sort(key=lambda step: step.moment or timezone.now())
    return [*found, *_now(job, zone)]


def _before(job: EmailJob, zone: ZoneInfo) -> list[Step]:
    words = "It was written."
    if job.scheduled_at is not None and job.scheduled_at > job.created_at:
        words = f"It was written, to be sent on {moment_words(job.scheduled_at, zone)}."
    found = [Step(job.created_at, words, US)]
    is_waiting = job.status in (EmailStatus.QUEUED, EmailStatus.SENDING)
    if job.last_attempt_at is not None and (is_waiting or job.retry_count):
        words = f"We tried to send it{_times(job.retry_count)}."
        if is_waiting and job.last_error:
            words += f" It went wrong: {job.last_error}"
        found.append(Step(job.last_attempt_at, words, US))
    if job.sent_at is not None:
        found.append(Step(job.sent_at, "It was handed to Mailgun.", US))
    return found


def _columns(job: EmailJob, told: set[str]) -> list[Step]:
    """What the row knows and no kept event tells: rows of the old site have no events."""
    reason = f" The reason: {job.bounce_reason}" if job.bounce_reason else ""
    known = (
        (job.delivered_at, "delivered", _SAID["delivered"]),
        (job.opened_at, "opened", _SAID["opened"]),
        (job.clicked_at, "clicked", _SAID["clicked"]),
        (job.bounced_at, "permanent_fail", f"It came back.{reason}"),
        (job.complained_at, "complained", _SAID["complained"]),
    )
    return [Step(moment, words, MAILGUN) for moment, kind, words in known if moment is not None and kind not in told]


def _end(job: EmailJob) -> list[Step]:
    found = []
    if job.status == EmailStatus.FAILED and job.sent_at is None:
        found.append(Step(job.updated_at, f"We gave up. {cause_words(job.last_error)}".strip(), US))
    elif job.status == EmailStatus.CANCELLED:
        found.append(Step(job.updated_at, f"It was cancelled. {cause_words(job.last_error)}".strip(), US))
    if job.purged_at is not None:
        found.append(Step(job.purged_at, "Its text was thrown away, as that of all old mail is.", US))
    return found


def _now(job: EmailJob, zone: ZoneInfo) -> list[Step]:
    if job.status == EmailStatus.QUEUED:
        if job.available_at > timezone.now():
            return [Step(None, f"It waits until {moment_words(job.available_at, zone)}.", US)]
        return [Step(None, "It is due, and waits for its turn.", US)]
    if job.status == EmailStatus.SENDING:
        return [Step(None, "It is being sent, or we are finding out whether it was.", US)]
    return []


def _step_of(event: EmailDeliveryEvent, job: EmailJob) -> tuple[str, Step]:
    data: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
    kind = event.event_type
    if kind == "bounced":
        kind = "permanent_fail"
    elif kind == "failed":
        gave_up = job.bounced_at is not None or job.status == EmailStatus.FAILED
        is_final = data.get("severity") == "permanent" or (not data and gave_up)
        kind = "permanent_fail" if is_final else "temporary_fail"
    words = _SAID.get(kind, f"It said: {kind}.")
    reason = _reason(data) or (job.bounce_reason if kind == "permanent_fail" else "")
    if reason and kind in ("temporary_fail", "permanent_fail", "rejected"):
        words += f" The reason: {reason}"
    return kind, Step(event.timestamp, words, MAILGUN)


def _reason(data: dict[str, Any]) -> str:
    status = data.get("delivery-status")
    texts = [status.get("message"), status.get("description")] if isinstance(status, dict) else []
    return next((text[:300] for text in [*texts, data.get("reason")] if isinstance(text, str) and text.strip()), "")


def cause_words(cause: str | None) -> str:
    """``last_error`` of a mail that was cancelled or given up, as a sentence."""
    if not cause:
        return ""
    if cause.startswith(_SUPPRESSED):
        kind = cause.removeprefix(_SUPPRESSED).strip()
        label = SuppressionType(kind).label.lower() if kind in SuppressionType.values else kind
        return f"Mail to this address is stopped: {label}."
    text = bare_reason(cause)
    return text if text.endswith((".", "!", "?")) else f"{text}."


def bare_reason(reason: str) -> str:
    """What the mailbox said, without Mailgun's label in front."""
    text = _LABEL.sub("", reason, count=1) if _LABEL.match(reason) else reason
    return text[:1].upper() + text[1:]


def _times(count: int) -> str:
    return {0: "", 1: ", after one try before"}.get(count, f", after {count} tries before")


def result_words(job: EmailJob, zone: ZoneInfo) -> str:
    """Did it reach the person? In one sentence."""
    match job.status:
        case EmailStatus.QUEUED if job.available_at > timezone.now():
            return f"Waits until {moment_words(job.available_at, zone)}."
        case EmailStatus.QUEUED:
            return "Waits to be sent."
        case EmailStatus.SENDING:
            return "Is being sent."
        case EmailStatus.SENT:
            return f"Was sent{_on(job.sent_at, zone)}. The mailbox has not said yet whether it arrived."
        case EmailStatus.DELIVERED:
            return f"Reached the mailbox{_on(job.delivered_at, zone)}."
        case EmailStatus.OPENED:
            return f"Reached the mailbox and was opened{_on(job.opened_at, zone)}."
        case EmailStatus.CLICKED:
            return f"Reached the mailbox, and a link in it was pressed{_on(job.clicked_at, zone)}."
        case EmailStatus.BOUNCED:
            return f"Came back{_on(job.bounced_at, zone)}. {cause_words(job.bounce_reason)}".strip()
        case EmailStatus.COMPLAINED:
            return f"Reached the mailbox and was marked as spam{_on(job.complained_at, zone)}."
        case EmailStatus.FAILED:
            return f"Did not arrive. {cause_words(job.bounce_reason or job.last_error)}".strip()
        case _:
            return f"Was not sent. {cause_words(job.last_error)}".strip()


def _on(moment: datetime | None, zone: ZoneInfo) -> str:
    return f" on {moment_words(moment, zone)}" if moment is not None else ""
