"""A subscription's life: renewals, failed payments, pauses, ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from sandbox.stripe import changes, customers, periods, subscriptions
from sandbox.stripe.tests.conftest import GOOD, Shop, item_of

FAILS = "4000000000000341"


def _now(shop: Shop, plan: Any) -> Any:
    return shop.v1.subscriptions.retrieve(plan.id, {"expand": ["latest_invoice"]})


def test_a_renewal_begins_a_month_and_takes_the_money(shop: Shop) -> None:
    plan = shop.subscribed()
    end = item_of(plan).current_period_end
    subscriptions.renew(shop.account, plan.id)
    now = _now(shop, plan)
    assert item_of(now).current_period_start == end
    invoice = now.latest_invoice
    assert (invoice.billing_reason, invoice.status, invoice.amount_paid) == ("subscription_cycle", "paid", 4900)
    assert (invoice.lines.data[0].period.start, invoice.lines.data[0].period.end) == (
        end, item_of(now).current_period_end,
    )  # fmt: skip
    assert (invoice.period_start, invoice.period_end) == (item_of(plan).current_period_start, end)
    types = [kind for kind in shop.types() if kind in ("customer.subscription.updated", "invoice.paid")]
    assert types == ["customer.subscription.updated", "invoice.paid"]


def test_renewal_events_say_what_was_before(shop: Shop) -> None:
    plan = shop.subscribed()
    subscriptions.renew(shop.account, plan.id)
    event = next(event for event in shop.letters.events if event["type"] == "customer.subscription.updated")
    assert set(event["data"]["previous_attributes"]) == {"items", "latest_invoice"}
    assert event["created"] >= item_of(plan).current_period_end


def test_a_card_that_fails_makes_the_plan_past_due(shop: Shop) -> None:
    plan = shop.subscribed(FAILS)
    subscriptions.renew(shop.account, plan.id)
    now = _now(shop, plan)
    assert now.status == "past_due"
    assert (now.latest_invoice.status, now.latest_invoice.attempt_count) == ("open", 1)
    assert now.latest_invoice.next_payment_attempt == now.latest_invoice.created + 3 * 86400
    kinds = [kind for kind in shop.types() if kind.startswith(("invoice.pay", "customer."))]
    assert kinds == ["customer.subscription.updated", "invoice.payment_failed", "customer.subscription.updated"]


def test_a_better_card_brings_the_plan_back(shop: Shop) -> None:
    plan = shop.subscribed(FAILS)
    subscriptions.renew(shop.account, plan.id)
    subscriptions.retry(shop.account, plan.id)
    assert _now(shop, plan).latest_invoice.attempt_count == 2
    customers.set_card(shop.account, plan.customer, GOOD)
    shop.types()
    subscriptions.retry(shop.account, plan.id)
    now = _now(shop, plan)
    assert (now.status, now.latest_invoice.status, now.latest_invoice.attempt_count) == ("active", "paid", 3)
    assert [kind for kind in shop.types() if kind in ("invoice.paid", "customer.subscription.updated")] == [
        "invoice.paid",
        "customer.subscription.updated",
    ]
    payments = shop.v1.invoice_payments.list({"invoice": now.latest_invoice.id}).data
    assert [payment.status for payment in payments] == ["paid"]


def test_after_the_fourth_failure_the_plan_is_cancelled(shop: Shop) -> None:
    plan = shop.subscribed(FAILS)
    subscriptions.renew(shop.account, plan.id)
    for _attempt in range(2):
        subscriptions.retry(shop.account, plan.id)
    assert _now(shop, plan).status == "past_due"
    shop.types()
    subscriptions.retry(shop.account, plan.id)
    now = _now(shop, plan)
    assert (now.status, now.cancellation_details.reason) == ("canceled", "payment_failed")
    assert (now.latest_invoice.attempt_count, now.latest_invoice.next_payment_attempt) == (4, None)
    assert shop.types()[-2:] == ["invoice.payment_failed", "customer.subscription.deleted"]
    with pytest.raises(ValueError, match="canceled"):
        subscriptions.renew(shop.account, plan.id)


def test_there_is_nothing_to_retry_when_all_is_paid(shop: Shop) -> None:
    with pytest.raises(ValueError, match="nothing to pay"):
        subscriptions.retry(shop.account, shop.subscribed().id)


def test_a_good_card_pays_the_next_month_after_a_missed_one(shop: Shop) -> None:
    plan = shop.subscribed(FAILS)
    subscriptions.renew(shop.account, plan.id)
    customers.set_card(shop.account, plan.customer, GOOD)
    subscriptions.renew(shop.account, plan.id)
    assert _now(shop, plan).status == "active"
    found = shop.v1.invoices.list({"subscription": plan.id}).data
    assert [invoice.status for invoice in found] == ["paid", "open", "paid"]


# --- ends ---------------------------------------------------------------------------------------------
def test_a_cancellation_at_the_period_end_can_be_taken_back(shop: Shop) -> None:
    plan = shop.subscribed()
    asked: Any = shop.v1.subscriptions.update(plan.id, {"cancel_at_period_end": True})
    assert (asked.status, asked.cancel_at_period_end) == ("active", True)
    assert asked.cancel_at == item_of(plan).current_period_end
    assert asked.cancellation_details.reason == "cancellation_requested"
    kept: Any = shop.v1.subscriptions.update(plan.id, {"cancel_at_period_end": False})
    assert (kept.cancel_at, kept.canceled_at, kept.cancellation_details.reason) == (None, None, None)
    subscriptions.renew(shop.account, plan.id)
    assert _now(shop, plan).status == "active"


def test_the_portal_sets_cancel_at_alone(shop: Shop) -> None:
    plan = shop.subscribed()
    changes.cancel_in_portal(shop.account, plan.id)
    now = _now(shop, plan)
    assert (now.cancel_at_period_end, now.cancel_at) == (False, item_of(plan).current_period_end)
    shop.v1.subscriptions.update(plan.id, {"cancel_at_period_end": False})
    assert _now(shop, plan).cancel_at is not None
    shop.v1.subscriptions.update(plan.id, {"cancel_at": ""})
    assert _now(shop, plan).cancel_at is None


def test_a_plan_that_was_to_end_ends_instead_of_renewing(shop: Shop) -> None:
    plan = shop.subscribed()
    shop.v1.subscriptions.update(plan.id, {"cancel_at_period_end": True})
    shop.types()
    subscriptions.renew(shop.account, plan.id)
    now = _now(shop, plan)
    assert (now.status, now.ended_at) == ("canceled", item_of(plan).current_period_end)
    assert now.cancellation_details.reason == "cancellation_requested"
    assert shop.types() == ["customer.subscription.deleted"]


def test_a_plan_can_be_ended_at_once(shop: Shop) -> None:
    plan = shop.subscribed()
    details: Any = {"cancellation_details": {"comment": "Too much"}}
    ended: Any = shop.v1.subscriptions.cancel(plan.id, details)
    assert (ended.status, ended.cancellation_details.comment) == ("canceled", "Too much")
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription") as caught:
        shop.v1.subscriptions.cancel(plan.id)
    assert caught.value.http_status == 404
    with pytest.raises(stripe.InvalidRequestError, match="can only update its cancellation_details and metadata"):
        shop.v1.subscriptions.update(plan.id, {"cancel_at_period_end": False})
    assert shop.v1.subscriptions.update(plan.id, {"metadata": {"seen": "yes"}}).metadata["seen"] == "yes"


def test_lists_leave_out_what_has_ended_unless_asked(shop: Shop) -> None:
    plan = shop.subscribed()
    shop.v1.subscriptions.cancel(plan.id)
    assert shop.v1.subscriptions.list({"customer": plan.customer}).data == []
    for status in ("all", "canceled", "ended"):
        found = shop.v1.subscriptions.list({"customer": plan.customer, "status": status})
        assert [item.id for item in found.data] == [plan.id]


def test_deleting_a_customer_ends_everything(shop: Shop) -> None:
    plan = shop.subscribed()
    gone = shop.v1.customers.delete(plan.customer)
    assert gone.deleted
    assert shop.types() == ["customer.subscription.deleted", "payment_method.detached", "customer.deleted"]
    assert shop.v1.customers.retrieve(plan.customer).deleted
    assert _now(shop, plan).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="No such customer") as caught:
        shop.v1.customers.update(plan.customer, {"name": "X"})
    assert caught.value.http_status == 404
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        shop.session(customer=plan.customer)
    assert shop.v1.customers.list().data == []


def test_a_paused_plan_is_not_billed_until_it_goes_on(shop: Shop) -> None:
    plan = shop.subscribed()
    paused: Any = shop.v1.subscriptions.pause(plan.id, {"type": "subscription"})
    assert paused.status == "paused"
    assert paused.status_details.paused.type == "subscription"
    with pytest.raises(ValueError, match="paused"):
        subscriptions.renew(shop.account, plan.id)
    resumed = shop.v1.subscriptions.resume(plan.id)
    assert (resumed.status, resumed.status_details) == ("active", None)
    types = shop.types()
    assert (types[0], "customer.subscription.resumed" in types) == ("customer.subscription.paused", True)


# --- clocks -------------------------------------------------------------------------------------------
def _moment(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("anchor", "after", "end"),
    [
        ((2026, 1, 31, 12), (2026, 1, 31, 12), (2026, 2, 28, 12)),
        ((2026, 1, 31, 12), (2026, 2, 28, 12), (2026, 3, 31, 12)),
        ((2026, 12, 15, 0), (2026, 12, 15, 0), (2027, 1, 15, 0)),
        ((2028, 1, 30, 0), (2028, 1, 30, 0), (2028, 2, 29, 0)),
    ],
)
def test_months_are_counted_from_the_first_day(
    anchor: tuple[int, ...], after: tuple[int, ...], end: tuple[int, ...]
) -> None:
    month = {"interval": "month", "interval_count": 1}
    assert periods.after(_moment(*anchor), month, _moment(*after)) == _moment(*end)


def test_each_customer_has_a_clock(shop: Shop) -> None:
    first, second = shop.subscribed(), shop.subscribed()
    subscriptions.renew(shop.account, first.id)
    assert shop.account.now(first.customer) >= item_of(first).current_period_end
    assert shop.account.now(second.customer) < item_of(second).current_period_end


def test_the_clock_of_the_account_goes_forward_only(shop: Shop) -> None:
    before = shop.account.now()
    shop.account.store.offset = 86400
    assert shop.account.now() >= before + 86400
    with pytest.raises(ValueError, match="forward"):
        shop.account.store.offset = 3600
