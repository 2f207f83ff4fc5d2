"""Queueing a mail: one row, written in the transaction of its cause.

Cheap on purpose, since every booking runs it: one statement while the wording is warm (an ``INSERT ... ON
CONFLICT DO NOTHING``, which unlike an ``IntegrityError`` leaves the caller's transaction usable), no network.
The worker is woken after the commit.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction

from emails import rendering, tasks, wording
from emails.exceptions import InvalidRecipient, TemplateFault
from emails.models import EmailJob, EmailStatus, Priority, Stream
from settings_app import crypto
from techdeputies.lib import waking
from techdeputies.lib.plain import clean_values

logger = structlog.get_logger(__name__)

KEEP_TRYING = timedelta(days=3)
KEEP_TRYING_SECRETS = timedelta(hours=1)
"""How long a mail is worth sending when the caller does not say: a log-in link is dead after an hour."""

_BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")

_NOT_BARE = frozenset(',;:<>()[]"\\ \t\r\n\0')

_INSERT = """
INSERT INTO email_jobs (template_type, occasion, stream, recipient_email, recipient_name, subject, content,
                        priority, scheduled_at, available_at, expires_at)
VALUES (%(template_type)s, %(occasion)s, %(stream)s, %(recipient_email)s, %(recipient_name)s, %(subject)s,
        %(content)s::jsonb, %(priority)s, %(scheduled_at)s,
        COALESCE(%(scheduled_at)s::timestamptz, STATEMENT_TIMESTAMP()),
        COALESCE(%(expires_at)s::timestamptz,
                 GREATEST(%(scheduled_at)s::timestamptz, STATEMENT_TIMESTAMP()) + %(keep_trying)s::interval))
ON CONFLICT (template_type, occasion) DO NOTHING
RETURNING id, created_at, updated_at, available_at, expires_at
"""


def enqueue_email(
    *,
    template: str,
    occasion: str,
    to: str,
    name: str = "",
    context: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
    priority: str | None = None,
    scheduled_at: datetime | None = None,
    expires_at: datetime | None = None,
    attachments: Sequence[Mapping[str, str]] = (),
) -> EmailJob:
    """Queue one mail in the caller's transaction; a second call for the same occasion returns the first row.

    ``context`` holds plain JSON values, already in words (times and money are formatted by the caller).
    ``secrets`` (links, codes) join it at sending time and are stored encrypted. ``attachments`` are
    ``{"filename", "content_type", "content"}`` with text content. Without ``expires_at`` a mail is given up
    after three days, a security mail with secrets after one hour. Raises InvalidRecipient for anything but
    one bare address, UnknownTemplate for a name nobody seeded.
    """
    if not occasion:
        raise ValueError("A mail needs an occasion: the id of its cause and a rising revision.")
    words = wording.find(template)
    plain = clean_values(dict(context))
    content: dict[str, Any] = {"context": plain}
    if secrets:
        content["secrets"] = crypto.encrypt(
            json.dumps(clean_values(dict(secrets))), purpose=rendering.secrets_purpose(template, occasion)
        )
    if attachments:
        content["attachments"] = [clean_values(dict(attachment)) for attachment in attachments]
    short_lived = bool(secrets) and words.stream == Stream.SECURITY
    values: dict[str, Any] = {
        "template_type": template,
        "occasion": occasion,
        "stream": words.stream,
        "recipient_email": bare_address(to),
        "recipient_name": one_line(name) or None,
        "subject": _subject(words, plain, name),
        "content": json.dumps(content),
        "priority": Priority(priority or words.priority).value,
        "scheduled_at": scheduled_at,
        "expires_at": expires_at,
        "keep_trying": KEEP_TRYING_SECRETS if short_lived else KEEP_TRYING,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        row = cursor.fetchone()
    if row is None:
        return EmailJob.objects.get(template_type=template, occasion=occasion)
    del values["keep_trying"]
    values.update(content=content, expires_at=row[4])
    job = EmailJob(
        id=row[0], created_at=row[1], updated_at=row[2], available_at=row[3], status=EmailStatus.QUEUED, **values
    )
    job._state.adding = False
    job._state.db = connection.alias
    if scheduled_at is None or scheduled_at <= row[1]:
        transaction.on_commit(partial(wake, critical=job.priority == Priority.CRITICAL), robust=True)
    return job


def cancel_emails(*, occasion_prefix: str, reason: str) -> int:
    """Cancel what still waits for the occasions that start so, and return how many. Mail on its way stays.

    On its way may mean that nobody knows yet whether Mailgun took it. Such mail is worth nothing from now on: if
    it comes back into the queue, the next claim cancels it.

    Give the whole id with its separator (``"booking:abc123:"``), so that no longer id is caught with it.
    """
    if not occasion_prefix:
        raise ValueError("An empty prefix would cancel every mail that waits.")
    pattern = occasion_prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return _cancel("occasion LIKE %s", [pattern], reason)


def cancel_emails_to(address: str, *, keep: Collection[str], reason: str) -> int:
    """The same for what waits for one address, save the kinds of mail named in ``keep``."""
    return _cancel("lower(recipient_email) = lower(%s) AND template_type <> ALL(%s)", [address, list(keep)], reason)


def _cancel(which: str, values: list[Any], reason: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH ours AS MATERIALIZED (
                SELECT id FROM email_jobs
                 WHERE status IN ('queued', 'sending') AND {which}
                 ORDER BY id
                   FOR NO KEY UPDATE
            )
            UPDATE email_jobs AS job
               SET status = CASE WHEN job.status = 'queued' THEN 'cancelled' ELSE job.status END,
                   last_error = %s,
                   expires_at = CASE WHEN job.status = 'sending' THEN STATEMENT_TIMESTAMP() ELSE job.expires_at END,
                   content = CASE WHEN job.status = 'queued' AND jsonb_exists(job.content, 'secrets')
                                  THEN job.content || '{{"secrets": null}}'::jsonb ELSE job.content END,
                   updated_at = STATEMENT_TIMESTAMP()
              FROM ours
             WHERE job.id = ours.id
            RETURNING job.status
            """,
            [*values, reason],
        )
        return sum(status == EmailStatus.CANCELLED for (status,) in cursor.fetchall())


# --- Waking the worker ----------------------------------------------------------------------------------


def wake(*, critical: bool = False) -> None:
    """Ask for one run of the drain, unless one is already asked for. Never raises."""
    waking.ask_for((tasks.drain_critical if critical else tasks.drain_outbox).name)


def wake_inbox() -> None:
    """The same for the task that applies Mailgun's posts."""
    waking.ask_for(tasks.apply_posts.name)


# --- Clean values ---------------------------------------------------------------------------------------


def bare_address(raw: str) -> str:
    """``raw`` when it is one plain address and nothing else. Raises InvalidRecipient.

    Anymail would split ``"a@x.com, b@y.com"`` into two recipients, so lists, names, quotes and comments are
    refused here.
    """
    address = raw.strip()
    if len(address) > 254 or not _NOT_BARE.isdisjoint(address):
        raise InvalidRecipient
    try:
        validate_email(address)
    except ValidationError:
        raise InvalidRecipient from None
    return address


def one_line(raw: str, limit: int = 255) -> str:
    """``raw`` fit for a mail header: no control or direction characters, spaces folded, at most ``limit`` long."""
    kept = "".join(" " if _is_control(mark) else mark for mark in raw)
    return " ".join(kept.split())[:limit]


def _is_control(mark: str) -> bool:
    return mark in _BIDI_CONTROLS or unicodedata.category(mark) in {"Cc", "Cs", "Zl", "Zp"}


def _subject(words: wording.Wording, context: Mapping[str, Any], name: str) -> str:
    """The subject as staff will read it in the queue, or "" when only sending time can tell.

    Secrets take no part, so a subject never shows one. A fault of the wording must not undo the booking that
    caused the mail: it is found, and reported, at sending time.
    """
    try:
        return rendering.subject(words, context, recipient_name=name)
    except TemplateFault:
        logger.exception("mail_subject_not_rendered", template=words.name)
        return ""
