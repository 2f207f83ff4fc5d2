"""The clock's jobs on plans and money, and the tasks that follow Stripe's events. Each may run twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_ready

from billing import gateway
from billing.exceptions import StripeUnavailable
from billing.services import (
    changes,
    checkout,
    inbox,
    leaving,
    missed,
    reconcile,
    refunds,
    renewals,
    retention,
    subscriptions,
)
from techdeputies.lib import waking

logger = structlog.get_logger(__name__)


# --- Stripe's events ------------------------------------------------------------------------------------


@shared_task
def apply_events() -> None:
    """Bring our rows up to date with what Stripe told us; a second run at the same time finds other events or none."""
    waking.begun(apply_events.name)
    with gateway.retrying():
        report = inbox.apply_waiting()
    if report.has_more:
        waking.ask_for(apply_events.name)


@shared_task
def fetch_missed(place: list[Any] | None = None) -> None:
    """Fetch events that were not posted to us, and begin the comparison when last night's did not happen."""
    waking.begun(fetch_missed.name)
    start = _place_in_list(place) if place else None
    try:
        with gateway.retrying():
            _found, left = missed.fetch(start)
    except StripeUnavailable:
        logger.warning("stripe_events_not_fetched")
        return
    if left is not None:
        words = [left.since.isoformat(), left.began.isoformat(), left.after, left.found]
        waking.go_on(fetch_missed.name, expires=3600, kwargs={"place": words})
    elif reconcile.is_overdue():
        waking.ask_for(reconcile_nightly.name)


@worker_ready.connect
def fetch_at_start(**_signal: Any) -> None:
    """A worker that starts does not know for how long there was none."""
    waking.ask_for(fetch_missed.name)


@shared_task
def reconcile_nightly(place: list[Any] | None = None) -> None:
    """Compare everything with Stripe; goes on in a run of its own where the time of one is not enough."""
    waking.begun(reconcile_nightly.name)
    at = reconcile.Place(*place) if place else reconcile.begin()
    if at is None:
        return
    with gateway.retrying():
        if place is None:
            _fetch_before(at)
        left = reconcile.go_on(at)
    if left is not None:
        waking.go_on(reconcile_nightly.name, expires=3600, kwargs={"place": [left.report, left.part, left.after]})


@shared_task
def blank_old_events() -> None:
    """Throw old payloads away; goes on in a run of its own where the time of one is not enough."""
    if retention.blank_old_events():
        waking.go_on(blank_old_events.name)


# --- What is due ----------------------------------------------------------------------------------------


@shared_task
def sweep() -> None:
    """Go on with what a dead worker or an outage left: refunds to send, Checkouts to close, plans of leavers."""
    inbox.seconds_late()
    if missed.had_outage():
        waking.ask_for(fetch_missed.name)
    _each(refunds.send_asked, checkout.close_due, changes.close_wishes, leaving.stop_plans_of_leavers)


@shared_task
def send_refunds() -> None:
    """Ask Stripe to give back what was decided; the sweep does the same for what this misses."""
    waking.begun(send_refunds.name)
    _each(refunds.send_asked)


@shared_task
def stop_plans_of_leavers() -> None:
    """End at Stripe what people pay for who delete their account; the sweep does the same for what this misses."""
    waking.begun(stop_plans_of_leavers.name)
    _each(leaving.stop_plans_of_leavers)


@shared_task
def ask_about_late() -> None:
    """Ask Stripe about plans whose month is over and of which nothing was heard."""
    _each(renewals.sync_late)


@shared_task
def end_grace() -> None:
    """End the days of grace of plans that stayed unpaid."""
    renewals.end_grace()


@shared_task
def warn_of_ending() -> None:
    """Tell people whose plan ends soon, once."""
    renewals.warn_of_ending()


@shared_task
def end_lapsed_plans() -> None:
    """Mark given plans whose time is over as ended; a second run finds none."""
    subscriptions.end_lapsed_plans()


# --- Inside ---------------------------------------------------------------------------------------------


def _each(*jobs: Callable[[], object]) -> None:
    """One job's trouble does not keep the others from their turn."""
    with gateway.retrying():
        for job in jobs:
            try:
                job()
            except StripeUnavailable:
                logger.warning("stripe_job_put_off", job=job.__name__)
            except SoftTimeLimitExceeded:
                raise
            except Exception:
                logger.exception("stripe_job_failed", job=job.__name__)


def _fetch_before(at: reconcile.Place) -> None:
    try:
        found, _left = missed.fetch()
    except StripeUnavailable:
        logger.warning("stripe_events_not_fetched")
    else:
        reconcile.note_fetched(at, found)


def _place_in_list(words: list[Any]) -> missed.Place:
    since, began, after, found = words
    return missed.Place(datetime.fromisoformat(since), datetime.fromisoformat(began), str(after), int(found))
