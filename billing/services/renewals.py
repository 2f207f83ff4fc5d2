"""The clock's work on plans: days of grace, warnings before an end, and looks at Stripe that are overdue."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from billing.exceptions import StripeUnavailable
from billing.models import SubscriptionStatus, UserSubscription
from billing.services import duplicates, plan_mails, subscriptions, syncing
from billing.signals import plan_lapsed
from settings_app.services import value

logger = structlog.get_logger(__name__)

BATCH = 500
LOOKS = 50
LATE_AFTER = timedelta(minutes=10)


def end_grace() -> int:
    """Plans still unpaid when the days of grace are over give nothing from now on; how many became so.

    Stripe goes on trying and says when the plan has ended; a payment brings it back.
    """
    limit = timezone.now() - timedelta(days=value("payment_grace_days"))
    waiting = UserSubscription.objects.filter(
        status=SubscriptionStatus.PAST_DUE, past_due_since__lte=limit, grace_ended_at__isnull=True
    )
    ended = 0
    for number in list(waiting.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            row = subscriptions.lock(number)
            since = row.past_due_since
            if row.status != SubscriptionStatus.PAST_DUE or row.grace_ended_at or since is None or since > limit:
                continue
            row.grace_ended_at = timezone.now()
            row.save(update_fields=["grace_ended_at", "updated_at"])
            plan_lapsed.send(sender=UserSubscription, subscription=row)
            ended += 1
    return ended


def warn_of_ending() -> int:
    """Tell people whose plan really ends within ``subscription_warning_threshold`` days, once for each end.

    The schema contract's query, without those that Stripe will renew. How many plans are in that time.
    """
    now = timezone.now()
    ending = (
        UserSubscription.objects.ending_before(now + timedelta(days=value("subscription_warning_threshold")))
        .filter(current_period_end__gt=now)
        .filter(Q(stripe_subscription_id__isnull=True) | Q(ends_at__isnull=False))
        .select_related("user", "plan")
        .order_by("current_period_end", "pk")
    )
    told = 0
    for row in ending.iterator(chunk_size=BATCH):
        plan_mails.send_ending(row)
        told += 1
    return told


def sync_late() -> int:
    """Ask Stripe about plans whose month is over and of which nothing was heard, and end duplicates left alive."""
    looked = 0
    try:
        for duplicate in duplicates.unsettled():
            duplicates.settle(duplicate)
            looked += 1
        late = UserSubscription.objects.active().filter(
            stripe_subscription_id__isnull=False, current_period_end__lt=timezone.now() - LATE_AFTER
        )
        for number in list(late.order_by("updated_at").values_list("stripe_subscription_id", flat=True)[:LOOKS]):
            row = syncing.sync_subscription(str(number))
            looked += 1
            if row is None:
                # Stripe knows nothing of it; behind the others it goes, so it cannot hold them up.
                UserSubscription.objects.filter(stripe_subscription_id=number).update(updated_at=timezone.now())
    except StripeUnavailable:
        logger.warning("stripe_looks_put_off", looked=looked)
    return looked
