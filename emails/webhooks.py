"""``POST /webhooks/mailgun``: check the signature, keep the post once, answer.

Mailgun signs timestamp and token, not the event, and puts nothing between the two. So both are held to their
exact lengths, and a token counts once. What the answers do over there: 200 and 406 end it, all else is sent
again for eight hours. Hence 401 for what cannot be verified (a wrong key of ours heals in that time) and for
a moment ahead of our clock; 406 for what is genuine but older than the retries; 503 for trouble of our own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DataError, Error, transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from emails.models import PostState
from emails.services import events, inbox, outbox
from emails.services.events import NotAnEvent
from techdeputies.lib.plain import clean_values

logger = structlog.get_logger(__name__)

BODY_LIMIT = 1_048_576
OLDEST_SECONDS = 9 * 3600
"""Mailgun tries for eight hours."""

NEWEST_SECONDS = 300

_TOKEN = re.compile(r"[\x21-\x7e]{50}")
_TIMESTAMP = re.compile(r"[0-9]{10}")


@csrf_exempt
@login_not_required
@require_POST
def mailgun(request: HttpRequest) -> HttpResponse:
    """Take one post. Reads no cookie, and writes one row by one statement."""
    if request.content_type != "application/json":
        return _answer(415, "Send JSON.")
    try:
        raw = request.read(BODY_LIMIT + 1)
    except UnreadablePostError:
        return _answer(400, "The body ended too early.")
    if len(raw) > BODY_LIMIT:
        return _answer(413, "At most 1 MB.")
    body = _load(raw)
    block = body.get("signature") if isinstance(body, dict) else None
    sealed = _verified(block)
    if sealed is None:
        return _answer(401, "Bad signature.")
    token, age = sealed[0], time.time() - sealed[1]
    if age < -NEWEST_SECONDS:
        logger.error("mailgun_post_ahead_of_clock", seconds=round(-age))
        return _answer(401, "Signed in the future.")
    if age > OLDEST_SECONDS:
        logger.warning("mailgun_post_too_old", seconds=round(age))
        return _answer(406, "Too old.")
    try:
        return _keep(token, body.get("event-data"))
    except Error as error:
        logger.error("mailgun_post_not_kept", error=type(error).__name__)
        return _answer(503, "Try again later.")


def _load(raw: bytes) -> Any:
    """The JSON of the body, or None. Odd characters are let through here and thrown out before storing."""
    try:
        return json.loads(raw.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def _verified(block: Any) -> tuple[str, int] | None:
    """Token and time of a block that Mailgun signed with our key; None for every other."""
    if not isinstance(block, dict):
        return None
    token, timestamp = block.get("token"), block.get("timestamp")
    if isinstance(timestamp, int) and not isinstance(timestamp, bool) and 10**9 <= timestamp < 10**10:
        timestamp = str(timestamp)
    if not (isinstance(token, str) and isinstance(timestamp, str)):
        return None
    if not (_TOKEN.fullmatch(token) and _TIMESTAMP.fullmatch(timestamp)):
        return None
    key = settings.MAILGUN_WEBHOOK_SIGNING_KEY.encode()
    wanted = hmac.new(key, f"{timestamp}{token}".encode("ascii"), hashlib.sha256).hexdigest().encode("ascii")
    # The second is the main account's, on events of a subaccount.
    given = [block.get(name) for name in ("signature", "parent-signature")]
    matches = [hmac.compare_digest(wanted, item.encode("utf-8", "replace")) for item in given if isinstance(item, str)]
    return (token, int(timestamp)) if key and any(matches) else None


def _keep(token: str, data: Any) -> HttpResponse:
    state, error, text, name = PostState.WAITING, "", None, ""
    try:
        data = _without_link(clean_values(data))
        text = json.dumps(data)
        name = events.name_of(data)
        events.parse(data)
    except RecursionError:
        state, error = PostState.USELESS, "nested too deeply"
    except NotAnEvent as fault:
        state, error = PostState.USELESS, str(fault)
    try:
        is_new = inbox.store(token=token, body=text, event_type=name, state=state, error=error)
    except DataError:
        # PostgreSQL knows a reason that we do not. The post is kept, its body cannot be.
        state, error = PostState.USELESS, "the body cannot be stored"
        is_new = inbox.store(token=token, body=None, event_type="", state=state, error=error)
    if not is_new:
        return _answer(200, "Known already.")
    if state == PostState.USELESS:
        logger.warning("mailgun_post_useless", cause=error)
        return _answer(200, "Kept; nothing to do.")
    transaction.on_commit(outbox.wake_inbox, robust=True)
    return _answer(200, "Kept.")


def _without_link(data: Any) -> Any:
    """Of a link that was pressed only the host is kept: the rest may be private."""
    if isinstance(data, dict) and isinstance(data.get("url"), str):
        try:
            host = urlsplit(data["url"]).hostname or ""
        except ValueError:
            host = ""
        return {**data, "url": host}
    return data


def _answer(status: int, words: str) -> HttpResponse:
    response = HttpResponse(words, content_type="text/plain; charset=utf-8", status=status)
    if status == 503:
        response.headers["Retry-After"] = "30"
    return response
