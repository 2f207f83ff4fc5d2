"""Subscriptions: reading, ending, changing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from billing.gateway.client import call, each, options
from billing.gateway.shapes import Preview, StripeSubscription, id_of

_EXPAND = ["latest_invoice", "schedule"]


def subscription(subscription_id: str) -> StripeSubscription:
    """As it stands now, with its latest invoice and schedule. Raises StripeMissing."""
    return StripeSubscription.read(call(lambda v1: v1.subscriptions.retrieve(subscription_id, {"expand": _EXPAND})))


def subscriptions_of(customer_id: str) -> list[StripeSubscription]:
    """Every subscription of one customer, ended ones too, newest first."""
    page = call(
        lambda v1: v1.subscriptions.list(
            {
                "customer": customer_id,
                "status": "all",
                "limit": 100,
                "expand": [f"data.{name}" for name in _EXPAND],
            }
        )
    )
    return [StripeSubscription.read(item) for item in page["data"]]


def all_subscriptions(*, after: str = "") -> Iterator[StripeSubscription]:
    """Every subscription of the account, page by page, newest first, beginning behind the one named ``after``."""
    asked: dict[str, Any] = {"status": "all", "expand": [f"data.{name}" for name in _EXPAND]}
    if after:
        asked["starting_after"] = after
    for item in each(lambda v1, params: v1.subscriptions.list(params), asked):
        yield StripeSubscription.read(item)


def cancel_at_period_end(subscription_id: str) -> None:
    """Let it run out; it can be kept until then."""
    call(lambda v1: v1.subscriptions.update(subscription_id, {"cancel_at_period_end": True}))


def keep(current: StripeSubscription) -> None:
    """Take a cancellation back. The portal of flexible billing sets ``cancel_at`` alone, so that is cleared instead."""
    params: dict[str, object] = {"cancel_at": ""} if current.has_cancel_at else {"cancel_at_period_end": False}
    call(lambda v1: v1.subscriptions.update(current.id, params))


def cancel_now(subscription_id: str) -> None:
    """End it at once, without giving money back."""
    call(lambda v1: v1.subscriptions.cancel(subscription_id))


def preview_change(*, current: StripeSubscription, price_id: str, priced_at: datetime) -> Preview:
    """What moving to this price costs at that moment; the later change with the same moment costs the same."""
    answer = call(
        lambda v1: v1.invoices.create_preview(
            {
                "subscription": current.id,
                "subscription_details": {
                    "items": [{"id": current.item_id, "price": price_id}],
                    "proration_behavior": "always_invoice",
                    "proration_date": int(priced_at.timestamp()),
                },
            }
        )
    )
    return Preview.read(answer, priced_at)


def change_now(*, current: StripeSubscription, price_id: str, priced_at: datetime, key: str) -> str:
    """Move to the price at once and take the difference; the id of the invoice for it.

    Raises CardDeclined, and then nothing has changed.
    """
    changed = call(
        lambda v1: v1.subscriptions.update(
            current.id,
            {
                "items": [{"id": current.item_id, "price": price_id}],
                "proration_behavior": "always_invoice",
                "proration_date": int(priced_at.timestamp()),
                "payment_behavior": "error_if_incomplete",
            },
            options(key),
        )
    )
    return id_of(changed.get("latest_invoice"))


def change_at_period_end(*, current: StripeSubscription, price_id: str, key: str) -> None:
    """Move to the price when the paid month is over, by a schedule that lets go of the subscription afterwards.

    A schedule that is there already, of an earlier wish or of a try that was cut short, is told the new wish.
    """
    if current.schedule_id:
        schedule = call(lambda v1: v1.subscription_schedules.retrieve(current.schedule_id))
    else:
        schedule = call(
            lambda v1: v1.subscription_schedules.create({"from_subscription": current.id}, options(f"{key}:schedule"))
        )
    present = schedule.get("current_phase") or schedule["phases"][0]
    call(
        lambda v1: v1.subscription_schedules.update(
            schedule["id"],
            {
                "end_behavior": "release",
                "proration_behavior": "none",
                "phases": [
                    {
                        "items": [{"price": current.price_id, "quantity": 1}],
                        "start_date": present["start_date"],
                        "end_date": int(current.period_end.timestamp()),
                    },
                    {
                        "items": [{"price": price_id, "quantity": 1}],
                        "duration": {"interval": "month", "interval_count": 1},
                    },
                ],
            },
            options(f"{key}:phases"),
        )
    )


def release_schedule(schedule_id: str) -> None:
    """Forget a change that was planned; the subscription goes on as it is."""
    call(lambda v1: v1.subscription_schedules.release(schedule_id))
