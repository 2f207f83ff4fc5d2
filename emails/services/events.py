"""What Mailgun says about a mail, and what that does to the mail's row. Knows no HTTP.

An event may only raise the status, each moment keeps the earliest that was told, and a text belongs to one
event by rule. So the row follows from the set of events alone: neither their order nor their copies matter.
The event's row and its effect are one transaction; who finds the event's key taken has nothing left to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from emails.models import EmailJob, EmailStatus, SuppressionType
from emails.services import suppression
from techdeputies.lib.plain import clean_values

REASON_LENGTH = 2_000

RANKS = {
    EmailStatus.QUEUED: 0,
    EmailStatus.CANCELLED: 0,
    EmailStatus.SENDING: 1,
    EmailStatus.SENT: 2,
    EmailStatus.FAILED: 3,
    EmailStatus.DELIVERED: 4,
    EmailStatus.BOUNCED: 5,
    EmailStatus.OPENED: 6,
    EmailStatus.CLICKED: 7,
    EmailStatus.COMPLAINED: 8,
}

# What an event proves at the least is that Mailgun has the mail, so every event makes it "sent".
_STATUS_OF = {
    "accepted": EmailStatus.SENT,
    "unsubscribed": EmailStatus.SENT,
    "temporary_fail": EmailStatus.SENT,
    "failed": EmailStatus.FAILED,
    "rejected": EmailStatus.FAILED,
    "delivered": EmailStatus.DELIVERED,
    "bounced": EmailStatus.BOUNCED,
    "opened": EmailStatus.OPENED,
    "clicked": EmailStatus.CLICKED,
    "complained": EmailStatus.COMPLAINED,
}
_STOPPED_BY_MAILGUN = {
    "suppress-bounce": SuppressionType.BOUNCE,
    "suppress-complaint": SuppressionType.COMPLAINT,
    "suppress-unsubscribe": SuppressionType.UNSUBSCRIBE,
}
_STOPS = {
    "bounced": SuppressionType.BOUNCE,
    "complained": SuppressionType.COMPLAINT,
    "unsubscribed": SuppressionType.UNSUBSCRIBE,
}
_KEPT = ("event", "severity", "reason", "recipient-provider", "delivery-status", "flags", "reject")
_COMPLAINT_TYPE = "spam"
_FIRST_MOMENT, _LAST_MOMENT = 946_684_800, 4_102_444_800  # the years 2000 to 2100


class NotAnEvent(Exception):
    """The data is no event we know, or has not what an event must have. The text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event in our words. ``kind`` is what ``event_type`` keeps; "bounced" and "failed" are for good."""

    kind: str
    key: str
    """Mailgun's id is unique within a day only, so the second belongs to it. Whole seconds: its logs cut the rest."""
    moment: datetime
    recipient: str
    message_id: str = ""
    """Without brackets; "" where the event has none."""
    job_id: int | None = None
    domain: str = ""
    reason: str = ""
    stops: SuppressionType | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> EmailStatus:
        return _STATUS_OF[self.kind]

    @property
    def looks_ours(self) -> bool:
        """Named as we name our mails: its row may not be there yet."""
        domain = settings.MAILGUN_SENDER_DOMAIN.lower()
        if self.message_id:
            return re.fullmatch(rf"job-[0-9]+\.[0-9a-f]+@{re.escape(domain)}", self.message_id.lower()) is not None
        return self.job_id is not None and self.domain.lower() == domain


# --- Reading --------------------------------------------------------------------------------------------


def parse(raw: Any) -> Event:
    """The ``event-data`` of a post, or a line of Mailgun's logs. Raises NotAnEvent, and nothing else."""
    try:
        return _parse(clean_values(raw))
    except RecursionError:
        raise NotAnEvent("nested too deeply") from None


def name_of(data: Any) -> str:
    """Mailgun's own name of an event, fit for a column; "" where there is none."""
    return _text(data.get("event"))[:50] if isinstance(data, dict) else ""


def _parse(data: Any) -> Event:
    if not isinstance(data, dict):
        raise NotAnEvent("not an object")
    kind = _kind(data)
    identity = data.get("id")
    if not isinstance(identity, str) or not 1 <= len(identity) <= 150:
        raise NotAnEvent("no id")
    moment = _moment(data)
    headers = _inside(data, "message", "headers")
    agent = _text(_inside(data, "client-info").get("user-agent"))
    return Event(
        kind=kind,
        key=f"{identity}:{int(moment.timestamp())}",
        moment=moment,
        recipient=_recipient(data, headers),
        message_id=_text(headers.get("message-id")).strip("<> \t\r\n")[:255],
        job_id=_job_id(data.get("user-variables")),
        domain=_text(_inside(data, "domain").get("name")),
        reason=_reason(data),
        stops=_STOPPED_BY_MAILGUN.get(_text(data.get("reason"))) if kind == "failed" else _STOPS.get(kind),
        ip_address=_text(data.get("ip"))[:64] or None,
        user_agent=agent[:REASON_LENGTH] or None,
        data=_facts(data),
    )


def _kind(data: dict[str, Any]) -> str:
    name = _text(data.get("event"))
    if name == "failed":
        if data.get("severity") != "permanent":
            return "temporary_fail"
        reason = _text(data.get("reason"))
        if reason in _STOPPED_BY_MAILGUN:
            return "failed"
        is_hard = _inside(data, "delivery-status").get("bounce-type") == "hard"
        return "bounced" if reason == "bounce" or is_hard else "failed"
    if name in ("bounced", "temporary_fail") or name not in _STATUS_OF:
        raise NotAnEvent(f"unknown event {name[:50]!r}")
    return name


def _moment(data: dict[str, Any]) -> datetime:
    raw = data.get("timestamp", data.get("@timestamp"))
    try:
        if isinstance(raw, str) and "T" in raw:
            return _bounded(datetime.fromisoformat(raw.replace("Z", "+00:00")).timestamp())
        if isinstance(raw, int | float | str) and not isinstance(raw, bool):
            return _bounded(float(raw))
    except (ValueError, OverflowError):
        pass
    raise NotAnEvent("no timestamp")


def _bounded(seconds: float) -> datetime:
    if not _FIRST_MOMENT <= seconds <= _LAST_MOMENT:
        raise ValueError
    return datetime.fromtimestamp(seconds, UTC)


def _recipient(data: dict[str, Any], headers: dict[str, Any]) -> str:
    """A rejected mail names its recipient in the header only."""
    return _text(data.get("recipient")).strip() or parseaddr(_text(headers.get("to"))[:1000])[1]


def _job_id(variables: Any) -> int | None:
    """``user-variables`` is an object, an empty list, or a text that was cut."""
    raw = variables.get("job_id") if isinstance(variables, dict) else None
    text = str(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else None


def _reason(data: dict[str, Any]) -> str:
    """Why, as one line: Mailgun's word, then the other server's."""
    status, reject = _inside(data, "delivery-status"), _inside(data, "reject")
    code = status.get("code")
    parts = [
        str(code) if isinstance(code, int) and 0 < code < 1000 else "",
        _text(status.get("message")) or _text(status.get("description")),
    ]
    words = " ".join(" ".join(parts).split())
    cause = _text(data.get("reason")) or _text(reject.get("reason"))
    return ": ".join(part for part in (cause, words) if part)[:REASON_LENGTH]


def _facts(data: dict[str, Any]) -> dict[str, Any]:
    """What staff may want to know later. No address that was pressed: it may be a private link."""
    facts = {name: data[name] for name in _KEPT if data.get(name) not in (None, "", [], {})}
    client = {name: item for name, item in _inside(data, "client-info").items() if name != "user-agent"}
    if client:
        facts["client-info"] = client
    return facts


def _inside(data: Any, *path: str) -> dict[str, Any]:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


# --- Whose mail it is -----------------------------------------------------------------------------------


def match(events: Sequence[Event]) -> list[int | None]:
    """For each event the job it is about: by Message-Id, else by the job's number; the recipient must agree."""
    names = {event.message_id for event in events if event.message_id}
    numbers = {event.job_id for event in events if event.job_id is not None}
    if not names and not numbers:
        return [None] * len(events)
    rows = EmailJob.objects.filter(Q(message_id__in=names) | Q(pk__in=numbers))
    by_name: dict[str, tuple[int, str]] = {}
    by_number: dict[int, tuple[int, str]] = {}
    for number, name, recipient in rows.values_list("pk", "message_id", "recipient_email"):
        by_number[number] = (number, recipient)
        if name:
            by_name[name] = (number, recipient)
    found: list[int | None] = []
    for event in events:
        row = by_name.get(event.message_id) or (by_number.get(event.job_id) if event.job_id is not None else None)
        found.append(row[0] if row and _folded(row[1]) == _folded(event.recipient) else None)
    return found


def _folded(address: str) -> str:
    """Mailgun names a domain outside ASCII by its coded form."""
    local, _, domain = address.strip().lower().rpartition("@")
    try:
        return f"{local}@{domain if domain.isascii() else domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return f"{local}@{domain}"


# --- Effect ---------------------------------------------------------------------------------------------

_RANK = (
    "CASE job.status "
    + " ".join(f"WHEN '{status.value}' THEN {rank}" for status, rank in RANKS.items() if rank)
    + " ELSE 0 END"
)

# The caller holds the rows of the jobs, so what the sub-queries see of their other events is the whole truth.
# No job may be named twice: an UPDATE would take only one of the two.
_RECORD = f"""
WITH told AS (
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[],
                         %s::text[], %s::int[], %s::text[])
        AS told(job_id, kind, key, moment, data, ip_address, user_agent, status, rank, reason)
), news AS (
    INSERT INTO email_delivery_events
           (email_job_id, event_type, provider_key, timestamp, data, ip_address, user_agent)
    SELECT job_id, kind, key, moment, data::jsonb, ip_address, user_agent FROM told ORDER BY key
    ON CONFLICT (provider_key) DO NOTHING
    RETURNING email_job_id
)
UPDATE email_jobs AS job
   SET status = CASE WHEN told.rank > {_RANK} THEN told.status ELSE job.status END,
       sent_at = LEAST(job.sent_at, told.moment),
       delivered_at = CASE WHEN told.kind = 'delivered' THEN LEAST(job.delivered_at, told.moment)
                           ELSE job.delivered_at END,
       opened_at = CASE WHEN told.kind = 'opened' THEN LEAST(job.opened_at, told.moment) ELSE job.opened_at END,
       clicked_at = CASE WHEN told.kind = 'clicked' THEN LEAST(job.clicked_at, told.moment) ELSE job.clicked_at END,
       bounced_at = CASE WHEN told.kind = 'bounced' THEN LEAST(job.bounced_at, told.moment) ELSE job.bounced_at END,
       complained_at = CASE WHEN told.kind = 'complained' THEN LEAST(job.complained_at, told.moment)
                            ELSE job.complained_at END,
       complaint_type = CASE WHEN told.kind = 'complained' THEN COALESCE(job.complaint_type, '{_COMPLAINT_TYPE}')
                             ELSE job.complaint_type END,
       bounce_reason = CASE
           WHEN told.kind = 'bounced' AND (job.bounced_at IS NULL OR (told.moment, told.reason)
                                           < (job.bounced_at, COALESCE(job.bounce_reason, ''))) THEN told.reason
           WHEN told.kind IN ('failed', 'rejected') AND job.bounced_at IS NULL AND NOT EXISTS (
               SELECT 1 FROM email_delivery_events AS other
                WHERE other.email_job_id = job.id AND other.event_type IN ('failed', 'rejected')
                  AND (other.timestamp, other.provider_key) < (told.moment, told.key)
           ) THEN told.reason
           ELSE job.bounce_reason END,
       last_error = CASE
           WHEN told.kind IN ('temporary_fail', 'bounced', 'failed', 'rejected') AND NOT EXISTS (
               SELECT 1 FROM email_delivery_events AS other
                WHERE other.email_job_id = job.id
                  AND other.event_type IN ('temporary_fail', 'bounced', 'failed', 'rejected')
                  AND (other.timestamp, other.provider_key) > (told.moment, told.key)
           ) THEN told.reason
           ELSE job.last_error END,
       lease_token = NULL,
       lease_until = NULL,
       content = CASE WHEN jsonb_exists(job.content, 'secrets')
                      THEN job.content || '{{"secrets": null}}'::jsonb ELSE job.content END,
       updated_at = STATEMENT_TIMESTAMP()
  FROM news
  JOIN told ON told.job_id = news.email_job_id
 WHERE job.id = told.job_id
RETURNING job.id, job.recipient_email
"""


def apply_event(*, job_id: int, event: Event) -> bool:
    """Keep the event and let it act on its mail; False when it was known already."""
    with transaction.atomic():
        list(EmailJob.objects.select_for_update(no_key=True).filter(pk=job_id).values_list("pk"))
        return record([(job_id, event)]) == 1


def hold(job_ids: Iterable[int]) -> set[int]:
    """Lock the rows of these jobs and return which; those another worker holds are left out, never waited for."""
    rows = EmailJob.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=set(job_ids))
    return set(rows.order_by("pk").values_list("pk", flat=True))


def record(pairs: Sequence[tuple[int, Event]]) -> int:
    """``apply_event`` for many at once; returns how many were new. The caller's transaction holds the jobs' rows."""
    count = 0
    left = list(pairs)
    while left:
        this_time: dict[int, Event] = {}
        later: list[tuple[int, Event]] = []
        for job_id, event in left:
            if job_id in this_time:
                later.append((job_id, event))
            else:
                this_time[job_id] = event
        count += _record(this_time)
        left = later
    return count


def _record(told: dict[int, Event]) -> int:
    those = told.values()
    columns: Any = [
        list(told),
        [event.kind for event in those],
        [event.key for event in those],
        [event.moment for event in those],
        [json.dumps(event.data) for event in those],
        [event.ip_address for event in those],
        [event.user_agent for event in those],
        [event.status.value for event in those],
        [RANKS[event.status] for event in those],
        [event.reason for event in those],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, columns)
        rows = cursor.fetchall()
    # All at once and so in one order: two batches that name the same addresses do not wait for each other.
    suppression.hold(*(recipient for job_id, recipient in rows if told[job_id].stops is not None))
    for job_id, recipient in rows:
        event = told[job_id]
        if event.stops is not None:
            suppression.add(email=recipient, type=event.stops, reason=event.reason, is_at_mailgun=True)
    return len(rows)
