"""A person's own sessions as lines of a list, page by page.

In SQL of our own, since the order (what is coming first, then what is past, backwards) and three joined models
cost the ORM more than the rest of the page (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, overload

from django.db import connection

_COUNT = "SELECT count(*) FROM bookings WHERE user_id = %s AND moved_to_id IS NULL"

_PAGE = """
SELECT b.id, b.status = 'confirmed', b.attendance, e.title, e.start_time, e.end_time, e.status, u.name
  FROM bookings b
  JOIN calendar_events e ON e.id = b.event_id
  JOIN users u ON u.id = e.admin_id
 CROSS JOIN LATERAL (SELECT b.status = 'confirmed' AND e.end_time > STATEMENT_TIMESTAMP() AS coming) AS is_now
 WHERE b.user_id = %(user)s AND b.moved_to_id IS NULL
 ORDER BY coming DESC, CASE WHEN coming THEN e.start_time END, e.start_time DESC, b.id
 LIMIT %(limit)s OFFSET %(offset)s
"""


class OwnSession(NamedTuple):
    """One booking with what a list tells of its event."""

    id: str
    is_confirmed: bool
    attendance: str | None
    title: str
    start_time: datetime
    end_time: datetime
    event_status: str
    deputy_name: str | None


class OwnSessions(Sequence[OwnSession]):
    """For a Paginator: coming sessions first, the next one on top; then what is over or cancelled, the latest first.

    Rows that were moved are left out: the row they were moved to stands for them.
    """

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id

    def __len__(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [self.user_id])
            return int(cursor.fetchone()[0])

    @overload
    def __getitem__(self, part: int) -> OwnSession: ...
    @overload
    def __getitem__(self, part: slice) -> list[OwnSession]: ...
    def __getitem__(self, part: int | slice) -> OwnSession | list[OwnSession]:
        if isinstance(part, int):
            return self[part : part + 1][0]
        values = {"user": self.user_id, "limit": part.stop - part.start, "offset": part.start}
        with connection.cursor() as cursor:
            cursor.execute(_PAGE, values)
            return [OwnSession(*row) for row in cursor.fetchall()]
