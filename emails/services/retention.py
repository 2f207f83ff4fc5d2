"""Old bodies are thrown away and the facts kept: who got what, when, and what became of it.

Each statement is a transaction of its own, takes a thousand rows by a partial index that holds only what is
left to do, and passes over rows that others hold. A run that ends before the work does says so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from settings_app.services import value
from techdeputies.lib.batches import repeat

logger = structlog.get_logger(__name__)

BATCH = 1_000
RUN_SECONDS = 20.0

# The conditions are those of the indexes email_job_to_purge, email_event_to_blank, email_webhook_post_to_blank.
_PURGE_MAILS = """
WITH old AS MATERIALIZED (
    SELECT id FROM email_jobs
     WHERE purged_at IS NULL AND NOT (status IN ('queued', 'sending'))
       AND created_at < STATEMENT_TIMESTAMP() - %(days)s * INTERVAL '1 day'
     ORDER BY created_at
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
UPDATE email_jobs AS job
   SET content = '{"purged": true}'::jsonb, purged_at = STATEMENT_TIMESTAMP()
  FROM old
 WHERE job.id = old.id
"""

_BLANK_EVENTS = """
WITH old AS MATERIALIZED (
    SELECT id FROM email_delivery_events
     WHERE (data IS NOT NULL OR ip_address IS NOT NULL OR user_agent IS NOT NULL)
       AND timestamp < STATEMENT_TIMESTAMP() - %(days)s * INTERVAL '1 day'
     ORDER BY timestamp
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
UPDATE email_delivery_events AS event
   SET data = NULL, ip_address = NULL, user_agent = NULL
  FROM old
 WHERE event.id = old.id
"""

_BLANK_POSTS = """
WITH old AS MATERIALIZED (
    SELECT id FROM email_webhook_posts
     WHERE body IS NOT NULL AND NOT (state = 'waiting')
       AND received_at < STATEMENT_TIMESTAMP() - %(days)s * INTERVAL '1 day'
     ORDER BY received_at
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
UPDATE email_webhook_posts AS post
   SET body = NULL
  FROM old
 WHERE post.id = old.id
"""


@dataclass
class Report:
    """One run in figures; ``has_more`` when its time was over before the work was done."""

    mails: int = 0
    events: int = 0
    posts: int = 0
    has_more: bool = False


def purge(*, batch: int = BATCH, seconds: float = RUN_SECONDS) -> Report:
    """Throw away what is older than the settings say, for ``seconds`` at most."""
    deadline = time.monotonic() + seconds
    report = Report()
    body_days, post_days = int(value("mail_body_days")), int(value("mail_post_days"))
    report.mails, mails_left = repeat(_PURGE_MAILS, {"days": body_days}, limit=batch, deadline=deadline)
    report.events, events_left = repeat(_BLANK_EVENTS, {"days": post_days}, limit=batch, deadline=deadline)
    report.posts, posts_left = repeat(_BLANK_POSTS, {"days": post_days}, limit=batch, deadline=deadline)
    report.has_more = mails_left or events_left or posts_left
    logger.info("mail_purged", mails=report.mails, events=report.events, posts=report.posts, has_more=report.has_more)
    return report
