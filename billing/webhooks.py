"""``POST /webhooks/stripe``: check the signature, keep the event once, answer.

Stripe signs the moment and the raw body. What it cannot deliver it sends again for three days, each time signed
anew, so a refusal costs nothing that a right secret or a right clock does not heal; and what was never delivered is
fetched from its list (``services/missed.py``).
"""

from __future__ import annotations

import json
import time
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error, transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import gateway
from billing.services import events, inbox, missed
from billing.services.events import Event, NotAnEvent

logger = structlog.get_logger(__name__)

BODY_LIMIT = 262_144
OLDEST_SECONDS = NEWEST_SECONDS = 300
TELL_EVERY_SECONDS = 60.0

_told_at: dict[str, float] = {}


@csrf_exempt
@login_not_required
@require_POST
def stripe(request: HttpRequest) -> HttpResponse:
    """Take one event. Reads no cookie, and writes one row by one statement."""
    if request.content_type != "application/json":
        return _answer(415, "Send JSON.")
    seal = gateway.Seal.read(request.META.get("HTTP_STRIPE_SIGNATURE", ""))
    if seal is None:
        return _refused("no signature")
    try:
        raw = request.read(BODY_LIMIT + 1)
    except UnreadablePostError:
        return _refused("body ended too early")
    if len(raw) > BODY_LIMIT:
        return _answer(413, "At most 256 KB.")
    if not gateway.is_signed(raw, seal, settings.STRIPE_WEBHOOK_SECRETS):
        return _refused("bad signature")
    age = time.time() - seal.signed_at
    if not -NEWEST_SECONDS <= age <= OLDEST_SECONDS:
        # Genuine, so it is our clock or a replay; Stripe's next try is signed anew.
        _tell("stripe_post_out_of_time", seconds=round(age))
        return _answer(400, "Signed too long ago, or in the future.")
    try:
        event = events.read(json.loads(raw))
    except (ValueError, RecursionError, NotAnEvent) as fault:
        _tell("stripe_post_not_an_event", error=type(fault).__name__)
        return _answer(400, "Not an event.")
    try:
        return _keep(event)
    except Error as error:
        logger.error("stripe_event_not_kept", error=type(error).__name__)
        missed.note_outage()
        return _answer(503, "Try again later.")


def _keep(event: Event) -> HttpResponse:
    if not inbox.store(event):
        return _answer(200, "Known already.")
    if event.is_handled:
        transaction.on_commit(inbox.wake, robust=True)
    return _answer(200, "Kept.")


def _refused(cause: str) -> HttpResponse:
    _tell("stripe_post_refused", cause=cause)
    return _answer(400, "Bad signature.")


def _tell(what: str, **facts: Any) -> None:
    """One line a minute and process: anybody may send forgeries, and each request has its own line anyway."""
    now = time.monotonic()
    if now - _told_at.get(what, -TELL_EVERY_SECONDS) >= TELL_EVERY_SECONDS:
        _told_at[what] = now
        logger.warning(what, **facts)


def _answer(status: int, words: str) -> HttpResponse:
    response = HttpResponse(words, content_type="text/plain; charset=utf-8", status=status)
    if status == 503:
        response.headers["Retry-After"] = "30"
    return response
