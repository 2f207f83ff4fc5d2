"""The delivery report of 30 days, and its shares measured against what mailbox providers put up with."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from emails.models import EmailStatus

WORST_BOUNCE_SHARE = 0.05
WORST_COMPLAINT_SHARE = 0.001

HANDED_OVER = (
    EmailStatus.SENT,
    EmailStatus.DELIVERED,
    EmailStatus.OPENED,
    EmailStatus.CLICKED,
    EmailStatus.BOUNCED,
    EmailStatus.COMPLAINED,
)
"""The states of a mail that Mailgun has taken over from us."""

REACHED = (EmailStatus.DELIVERED, EmailStatus.OPENED, EmailStatus.CLICKED, EmailStatus.COMPLAINED)

# As the business has always asked it.
SQL = """
SELECT status, COUNT(*) as count, AVG(EXTRACT(EPOCH FROM (updated_at - created_at))) as avg_time_seconds
FROM email_jobs
WHERE created_at > NOW() - INTERVAL '30 days'
GROUP BY status;
"""


@dataclass(frozen=True)
class Line:
    """Mails of one state, and how long it took on average until they came to it."""

    status: EmailStatus
    count: int
    seconds: float


@dataclass(frozen=True)
class Share:
    """``part`` of ``whole``; ``worst`` is the share above which something is wrong, if there is one."""

    name: str
    part: int
    whole: int
    worst: float | None = None

    @property
    def share(self) -> float:
        return self.part / self.whole if self.whole else 0.0

    @property
    def is_bad(self) -> bool:
        return self.worst is not None and self.share > self.worst


def delivery_report() -> list[Line]:
    """The mails written in the last 30 days by state, in the order of a mail's life."""
    with connection.cursor() as cursor:
        cursor.execute(SQL)
        found = {status: (count, float(seconds)) for status, count, seconds in cursor.fetchall()}
    return [Line(status, *found[status]) for status in EmailStatus if status in found]


def shares(lines: list[Line]) -> list[Share]:
    """What share of the mails handed over reached a mailbox, came back, or was marked as spam."""
    counts = {line.status: line.count for line in lines}
    sent = sum(counts.get(status, 0) for status in HANDED_OVER)
    return [
        Share("Reached a mailbox", sum(counts.get(status, 0) for status in REACHED), sent),
        Share("Came back", counts.get(EmailStatus.BOUNCED, 0), sent, WORST_BOUNCE_SHARE),
        Share("Marked as spam", counts.get(EmailStatus.COMPLAINED, 0), sent, WORST_COMPLAINT_SHARE),
    ]
