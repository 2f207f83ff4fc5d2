"""Payloads of old events are thrown away; which event came when, and what became of it, is kept."""

from __future__ import annotations

import time

import structlog

from settings_app.services import value
from techdeputies.lib.batches import repeat

logger = structlog.get_logger(__name__)

BATCH = 1_000
RUN_SECONDS = 15.0

# The condition is that of the index stripe_event_to_blank.
_BLANK = """
WITH old AS MATERIALIZED (
    SELECT id FROM stripe_events
     WHERE payload IS NOT NULL AND NOT (state = 'waiting')
       AND received_at < STATEMENT_TIMESTAMP() - %(days)s * INTERVAL '1 day'
     ORDER BY received_at
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
UPDATE stripe_events AS event
   SET payload = NULL
  FROM old
 WHERE event.id = old.id
"""


def blank_old_events(*, batch: int = BATCH, seconds: float = RUN_SECONDS) -> bool:
    """Blank what is older than ``stripe_event_days``; whether time ran out before all was done."""
    days = int(value("stripe_event_days"))
    blanked, has_more = repeat(_BLANK, {"days": days}, limit=batch, deadline=time.monotonic() + seconds)
    logger.info("stripe_events_blanked", events=blanked, has_more=has_more)
    return has_more
