"""Writing down what became of the mails of one run, in groups, and through a restart of the database."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog
from django.db import InterfaceError, OperationalError, connection

from emails.models import EmailStatus
from emails.services import queue
from emails.services.queue import Outcome

logger = structlog.get_logger(__name__)

SETTLE_GROUP = 50
SETTLE_SECONDS = 0.05
SETTLE_AGAIN_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""While the database is away, outcomes are held so long. After that the rows' leases decide."""


@dataclass
class Report:
    """One run in figures; ``has_more`` when it ended before the queue did."""

    claimed: int = 0
    sent: int = 0
    has_more: bool = False


class Settler:
    """Collects outcomes and writes them in groups: 50, or what 50 ms brought."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._waiting: list[Outcome] = []
        self._since = 0.0

    def add(self, outcome: Outcome) -> None:
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(outcome)

    def flush_when_due(self, *, is_last: bool) -> None:
        late = time.monotonic() - self._since >= SETTLE_SECONDS
        if self._waiting and (is_last or late or len(self._waiting) >= SETTLE_GROUP):
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        outcomes, self._waiting = self._waiting, []
        kept = settle(outcomes)
        self._report.sent += sum(outcome.status == EmailStatus.SENT for outcome in outcomes)
        if kept < len(outcomes):
            # Taken over after our lease ran out; who took over decides.
            logger.warning("mail_lease_lost", count=len(outcomes) - kept)


def settle(outcomes: list[Outcome]) -> int:
    """Write what is known, through a restart of the database: these answers cannot be had again."""
    for seconds in SETTLE_AGAIN_SECONDS:
        try:
            return queue.settle(outcomes)
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block:
                raise
            logger.warning("mail_settle_again", count=len(outcomes), error=type(error).__name__)
            connection.close()
            time.sleep(seconds)
    return queue.settle(outcomes)
