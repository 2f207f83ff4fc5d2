"""The nightly comparison: every subscription and recent paid invoice of Stripe, beside our rows.

What differs is put right by the same code that follows events, and written into a report. A long account is gone
through in pieces: each run does what its time allows and says where the next goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from billing import gateway
from billing.exceptions import StripeUnavailable
from billing.gateway import StripeInvoice, StripeSubscription
from billing.models import (
    AlertKind,
    Dispute,
    Payment,
    PlanPrice,
    Refund,
    RefundState,
    StripeReconciliation,
    UserSubscription,
)
from billing.services import alerts, disputes, refunds, syncing

logger = structlog.get_logger(__name__)

RUN_SECONDS = 15.0
PAGE = 100
RECENT = timedelta(days=35)
"""An invoice may be paid weeks after it was made, when the last try of Stripe succeeds."""

AGAIN_AFTER = timedelta(hours=20)
DEAD_AFTER = timedelta(hours=2)
OVERDUE_AFTER = timedelta(hours=26)
SILENT_AFTER = timedelta(days=2)
MOST_HEALED = 500
ERROR_LENGTH = 500

_PARTS = ("subscriptions", "invoices", "refunds", "disputes", "silent")
_COMPARED = (
    *("status", "stripe_status", "plan_id", "next_plan_id", "price_in_cents", "ends_at", "ended_at"),
    *("current_period_start", "current_period_end", "past_due_since", "duplicate_of_id"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a comparison is gone on with: which report, which part of it, behind which id."""

    report: int
    part: str = _PARTS[0]
    after: str = ""


def begin() -> Place | None:
    """Open a report; None when one of today is there already and did not fail."""
    now = timezone.now()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(HASHTEXT('stripe_reconciliation'))")
        last = StripeReconciliation.objects.order_by("-pk").first()
        if last is not None and last.started_at > now - AGAIN_AFTER:
            is_dead = last.finished_at is None and last.started_at < now - DEAD_AFTER
            if not last.error and not is_dead:
                return None
        return Place(StripeReconciliation.objects.create(started_at=now).pk)


def is_overdue() -> bool:
    """Whether no comparison has succeeded for more than a day: the night's was missed, or failed."""
    good = StripeReconciliation.objects.filter(finished_at__isnull=False, error="")
    return not good.filter(started_at__gt=timezone.now() - OVERDUE_AFTER).exists()


def go_on(place: Place, *, seconds: float = RUN_SECONDS) -> Place | None:
    """Compare for ``seconds`` at most; where to go on, or None when the report is finished or Stripe is away."""
    deadline = time.monotonic() + seconds
    try:
        while True:
            place, is_over = _run(place, deadline)
            if not is_over:
                return place
            part = _PARTS.index(place.part) + 1
            if part == len(_PARTS):
                break
            place = Place(place.report, _PARTS[part])
    except StripeUnavailable:
        _finish(place.report, error="Stripe could not be reached.")
        return None
    except Exception as error:
        _finish(place.report, error=f"{type(error).__name__}: {error}"[:ERROR_LENGTH])
        raise
    _finish(place.report)
    return None


def note_fetched(place: Place, number: int) -> None:
    """Write into the report how many events had not reached us."""
    StripeReconciliation.objects.filter(pk=place.report).update(events_fetched=F("events_fetched") + number)


# --- One run --------------------------------------------------------------------------------------------


def _run(place: Place, deadline: float) -> tuple[Place, bool]:
    """Work on one part; the place reached, and whether the part is over."""
    if place.part == "subscriptions":
        return _subscriptions(place, deadline)
    if place.part == "invoices":
        return _invoices(place, deadline)
    return _own_rows(place, deadline)


def _pages(items: Iterator[Any]) -> Iterator[list[Any]]:
    while page := list(islice(items, PAGE)):
        yield page


def _subscriptions(place: Place, deadline: float) -> tuple[Place, bool]:
    plans = dict(PlanPrice.objects.values_list("stripe_price_id", "plan_id"))
    for page in _pages(gateway.all_subscriptions(after=place.after)):
        rows = {
            row.stripe_subscription_id: row
            for row in UserSubscription.objects.filter(stripe_subscription_id__in=[item.id for item in page])
        }
        for item in page:
            row = rows.get(item.id)
            if _differs(row, item, plans):
                _heal(place, item.id, row)
            StripeReconciliation.objects.filter(pk=place.report).update(
                subscriptions_checked=F("subscriptions_checked") + 1
            )
            place = replace(place, after=item.id)
            if time.monotonic() >= deadline:
                return place, False
    return place, True


def _differs(row: UserSubscription | None, item: StripeSubscription, plans: dict[str, int]) -> bool:
    """Whether a closer look is worth while. It may be in vain; what a look changed is what counts."""
    is_paid = item.latest_invoice is not None and item.latest_invoice.is_paid
    if row is None:
        return item.is_live and is_paid
    if row.duplicate_of_id is not None:
        return item.is_live
    same = (
        row.stripe_status == item.status
        and row.ends_at == item.ends_at
        and row.price_in_cents == item.price_cents
        and row.plan_id == plans.get(item.price_id)
        and (not item.is_live or row.next_plan_id == plans.get(item.next_price_id))
    )
    return not same or (item.status == "active" and is_paid and row.current_period_end != item.period_end)


def _heal(place: Place, stripe_id: str, row: UserSubscription | None) -> None:
    before = _snapshot(row)
    after = _snapshot(syncing.sync_subscription(stripe_id))
    changed = [name for name in _COMPARED if before.get(name) != after.get(name)] if after else []
    if row is None and after:
        _note(place, stripe_id, "had no row here")
    elif changed:
        words = ", ".join(f"{name}: {before[name]} became {after[name]}" for name in changed)
        _note(place, stripe_id, words)


def _snapshot(row: UserSubscription | None) -> dict[str, Any]:
    if row is None:
        return {}
    return {name: getattr(row, name) for name in _COMPARED}


def _invoices(place: Place, deadline: float) -> tuple[Place, bool]:
    since = timezone.now() - RECENT
    for page in _pages(gateway.paid_invoices_since(since, after=place.after)):
        known = set(
            Payment.objects.filter(stripe_invoice_id__in=[item.id for item in page]).values_list(
                "stripe_invoice_id", flat=True
            )
        )
        for item in page:
            if _is_owed_a_row(item) and item.id not in known and syncing.sync_invoice(item.id) is not None:
                _note(place, item.id, "was paid, and no payment was written down")
            StripeReconciliation.objects.filter(pk=place.report).update(invoices_checked=F("invoices_checked") + 1)
            place = replace(place, after=item.id)
            if time.monotonic() >= deadline:
                return place, False
    return place, True


def _is_owed_a_row(invoice: StripeInvoice) -> bool:
    return bool(invoice.subscription_id) and invoice.amount_paid_cents > 0


def _own_rows(place: Place, deadline: float) -> tuple[Place, bool]:
    """Rows of ours that wait for word from Stripe, each looked at by itself. They are few."""
    for number, stripe_id in _waiting_rows(place):
        if place.part == "refunds":
            _compare(place, stripe_id, Refund.objects.filter(pk=number), "state", refunds.sync_refund)
        elif place.part == "disputes":
            _compare(place, stripe_id, Dispute.objects.filter(pk=number), "status", disputes.sync_dispute)
        elif syncing.sync_subscription(stripe_id) is None:
            _note(place, stripe_id, "is a plan here, and Stripe does not know it; please look")
        place = replace(place, after=str(number))
        if time.monotonic() >= deadline:
            return place, False
    return place, True


def _waiting_rows(place: Place) -> list[tuple[Any, str]]:
    if place.part == "refunds":
        rows: Any = Refund.objects.filter(state=RefundState.PENDING, stripe_refund_id__isnull=False)
        name = "stripe_refund_id"
    elif place.part == "disputes":
        rows, name = Dispute.objects.filter(closed_at__isnull=True), "stripe_dispute_id"
    else:
        silent = timezone.now() - SILENT_AFTER
        rows = UserSubscription.objects.live().filter(
            stripe_subscription_id__isnull=False, current_period_end__lt=silent
        )
        name = "stripe_subscription_id"
    if place.after:
        rows = rows.filter(pk__gt=place.after)
    return list(rows.order_by("pk").values_list("pk", name))


def _compare(place: Place, stripe_id: str, rows: Any, name: str, sync: Any) -> None:
    before = rows.values_list(name, flat=True).get()
    sync(stripe_id)
    after = rows.values_list(name, flat=True).get()
    if before != after:
        _note(place, stripe_id, f"{name}: {before} became {after}")


# --- The report -----------------------------------------------------------------------------------------


@transaction.atomic
def _note(place: Place, stripe_id: str, words: str) -> None:
    report = StripeReconciliation.objects.select_for_update().get(pk=place.report)
    if len(report.healed) < MOST_HEALED:
        report.healed = [*report.healed, {"id": stripe_id, "words": words}]
        report.save(update_fields=["healed"])
    logger.warning("stripe_difference_healed", id=stripe_id, words=words)


@transaction.atomic
def _finish(number: int, *, error: str = "") -> None:
    report = StripeReconciliation.objects.select_for_update().get(pk=number)
    report.finished_at, report.error = timezone.now(), error
    report.save(update_fields=["finished_at", "error"])
    if report.healed:
        count = len(report.healed)
        many = f"{count} things" if count > 1 else "one thing"
        alerts.raise_alert(
            kind=AlertKind.STRIPE_DIFFERS,
            cause=f"reconciliation:{report.pk}",
            words=f"The nightly comparison with Stripe found {many} that had not reached us, and put it right. "
            "Please read the comparison on the staff desk, and look whether the webhook endpoint works.",
        )
    logger.info(
        "stripe_reconciled",
        subscriptions=report.subscriptions_checked,
        invoices=report.invoices_checked,
        healed=len(report.healed),
        error=error,
    )
