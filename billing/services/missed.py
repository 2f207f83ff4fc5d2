"""Events that were never posted to us, fetched from Stripe's list: at start-up, after an outage and every hour.

How far the list has been read is kept in the cache; where that is lost, the nightly comparison knows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.core.cache import cache
from django.utils import timezone

from billing import gateway
from billing.exceptions import StripeUnavailable
from billing.models import StripeReconciliation
from billing.services import events, inbox
from billing.services.events import NotAnEvent

logger = structlog.get_logger(__name__)

OVERLAP = timedelta(minutes=10)
"""Stripe's clock and list may lag behind ours by so much."""

AT_FIRST = timedelta(days=3)
AT_MOST = timedelta(days=29)
RUN_SECONDS = 15.0

_READ_KEY = "stripe:events:read-to"
_OUTAGE_KEY = "stripe:events:outage"
_KEEP_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Place:
    """Where a long list is gone on with: behind event ``after`` of those since ``since``."""

    since: datetime
    began: datetime
    after: str
    found: int


def fetch(place: Place | None = None, *, seconds: float = RUN_SECONDS) -> tuple[int, Place | None]:
    """Keep every event since the last reading that we do not have; how many, and where to go on, if anywhere.

    Raises StripeUnavailable; the sweep then comes back to it.
    """
    deadline = time.monotonic() + seconds
    now = timezone.now()
    since, began = (place.since, place.began) if place else (_read_to(now), now)
    found = place.found if place else 0
    try:
        for body in gateway.events_since(since, list(events.LOOKS), after=place.after if place else ""):
            try:
                found += inbox.store(events.read(body), source="list")
            except NotAnEvent as fault:
                logger.error("stripe_listed_no_event", cause=str(fault))
            if time.monotonic() >= deadline:
                return found, Place(since, began, str(body.get("id")), found)
    except StripeUnavailable:
        note_outage()
        raise
    finally:
        if found:
            logger.warning("stripe_events_were_missed", count=found)
            inbox.wake()
    cache.set(_READ_KEY, began.isoformat(), timeout=_KEEP_SECONDS)
    return found, None


def note_outage() -> None:
    """Events may have been lost on their way: the next sweep asks for the list."""
    cache.set(_OUTAGE_KEY, 1, timeout=_KEEP_SECONDS)


def had_outage() -> bool:
    """Whether an outage was noted since the last question."""
    return bool(cache.delete(_OUTAGE_KEY))


def _read_to(now: datetime) -> datetime:
    """From where the list is read: where the last reading began, with an overlap."""
    noted = cache.get(_READ_KEY)
    if noted:
        last = datetime.fromisoformat(noted)
    else:
        nights = StripeReconciliation.objects.filter(finished_at__isnull=False, error="")
        last = nights.order_by("-pk").values_list("started_at", flat=True).first() or now - AT_FIRST
    return max(last - OVERLAP, now - AT_MOST)
