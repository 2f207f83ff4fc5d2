"""Another price: previews that hold, credit, and changes that a declined card undoes."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from sandbox.stripe import customers, periods, subscriptions
from sandbox.stripe.tests.conftest import Shop, change, item_of


def _preview(shop: Shop, plan: Any, price: str, moment: int, **more: Any) -> Any:
    details = change(plan, price, proration_date=moment, **more)
    params: Any = {"subscription": plan.id, "subscription_details": details}
    return shop.v1.invoices.create_preview(params)


@pytest.mark.parametrize("days", [0, 1, 10, 29])
def test_a_change_costs_what_the_preview_said(shop: Shop, days: int) -> None:
    plan = shop.subscribed()
    moment = item_of(plan).current_period_start + days * 86400 + days
    preview = _preview(shop, plan, shop.standard, moment)
    changed = shop.v1.subscriptions.update(plan.id, change(plan, shop.standard, proration_date=moment))
    invoice = shop.v1.invoices.retrieve(str(changed.latest_invoice))
    assert (invoice.billing_reason, invoice.status) == ("subscription_update", "paid")
    assert invoice.amount_due == preview.amount_due > 0
    assert [line.amount for line in invoice.lines.data] == [line.amount for line in preview.lines.data]
    assert [line.description for line in invoice.lines.data] == [line.description for line in preview.lines.data]
    assert item_of(changed).price.id == shop.standard
    assert item_of(changed).id == item_of(plan).id
    assert item_of(changed).current_period_end == item_of(plan).current_period_end


def test_the_sums_are_those_of_a_bill_that_was_checked() -> None:
    start, end, moment = 1780413720, 1783005720, 1781092800
    assert periods.share(4900, start, end, moment) == 3616
    assert periods.share(9900, start, end, moment) == 7306


@pytest.mark.parametrize(
    ("amount", "moment", "part"), [(3, 5, 2), (1, 5, 1), (1, 6, 0), (7, 0, 7), (7, 10, 0), (7, 99, 0)]
)
def test_half_a_cent_is_a_cent(amount: int, moment: int, part: int) -> None:
    assert periods.share(amount, 0, 10, moment) == part


def test_a_preview_changes_nothing(shop: Shop) -> None:
    plan = shop.subscribed()
    preview = _preview(shop, plan, shop.standard, shop.account.now())
    assert preview.id.startswith("upcoming_in_")
    assert preview.status == "draft"
    assert shop.types() == []
    assert item_of(shop.v1.subscriptions.retrieve(plan.id)).price.id == shop.basic
    assert len(shop.v1.invoices.list({"subscription": plan.id}).data) == 1


def test_a_preview_without_a_change_is_the_next_month(shop: Shop) -> None:
    plan = shop.subscribed()
    preview: Any = shop.v1.invoices.create_preview({"customer": plan.customer})
    assert (preview.amount_due, preview.lines.data[0].period.start) == (4900, item_of(plan).current_period_end)
    shop.v1.subscriptions.update(plan.id, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.v1.invoices.create_preview({"subscription": plan.id})
    assert (caught.value.code, caught.value.http_status) == ("invoice_upcoming_none", 404)


def test_a_declined_card_undoes_the_whole_change(shop: Shop) -> None:
    plan = shop.subscribed("4000000000000341")
    params = change(plan, shop.standard, payment_behavior="error_if_incomplete", metadata={"plan": "standard"})
    with pytest.raises(stripe.CardError) as caught:
        shop.v1.subscriptions.update(plan.id, params, {"idempotency_key": "change"})
    assert (caught.value.code, caught.value.http_status) == ("card_declined", 402)
    assert shop.types() == []
    now: Any = shop.v1.subscriptions.retrieve(plan.id)
    assert (item_of(now).price.id, now.metadata["plan"], now.latest_invoice) == (
        shop.basic, "basic", plan.latest_invoice,
    )  # fmt: skip
    customers.set_card(shop.account, plan.customer, "4242424242424242")
    with pytest.raises(stripe.CardError):
        shop.v1.subscriptions.update(plan.id, params, {"idempotency_key": "change"})
    assert shop.last.headers["Idempotent-Replayed"] == "true"
    assert shop.v1.subscriptions.update(plan.id, params, {"idempotency_key": "again"}).metadata["plan"] == "standard"


def test_without_that_wish_a_declined_card_makes_the_plan_past_due(shop: Shop) -> None:
    plan = shop.subscribed("4000000000000341")
    changed = shop.v1.subscriptions.update(plan.id, change(plan, shop.standard))
    assert (changed.status, item_of(changed).price.id) == ("past_due", shop.standard)


def test_a_cheaper_plan_leaves_credit_for_the_next_invoice(shop: Shop) -> None:
    plan = shop.subscribed(line_items=[{"price": shop.standard, "quantity": 1}])
    moment = item_of(plan).current_period_start + 1
    preview = _preview(shop, plan, shop.basic, moment)
    assert (preview.amount_due, preview.total < 0) == (0, True)
    shop.v1.subscriptions.update(plan.id, change(plan, shop.basic, proration_date=moment))
    customer = shop.v1.customers.retrieve(plan.customer)
    assert customer.balance == preview.total
    subscriptions.renew(shop.account, plan.id)
    newest = shop.v1.invoices.list({"subscription": plan.id}).data[0]
    owed = 4900 + int(customer.balance or 0)
    assert newest.starting_balance == customer.balance
    assert newest.amount_due == (owed if owed >= 50 else 0)
    assert newest.status == "paid"


def test_prorations_may_wait_for_the_next_invoice(shop: Shop) -> None:
    plan = shop.subscribed()
    moment = item_of(plan).current_period_start + 86400
    params: Any = {**change(plan, shop.standard, proration_date=moment), "proration_behavior": "create_prorations"}
    changed = shop.v1.subscriptions.update(plan.id, params)
    assert changed.latest_invoice == plan.latest_invoice
    preview: Any = shop.v1.invoices.create_preview({"subscription": plan.id})
    subscriptions.renew(shop.account, plan.id)
    newest = shop.v1.invoices.list({"subscription": plan.id}).data[0]
    assert len(newest.lines.data) == 3
    assert newest.amount_due == preview.amount_due


def test_without_prorations_a_change_costs_nothing_now(shop: Shop) -> None:
    plan = shop.subscribed()
    changed = shop.v1.subscriptions.update(plan.id, {**change(plan, shop.standard), "proration_behavior": "none"})
    assert changed.latest_invoice == plan.latest_invoice
    subscriptions.renew(shop.account, plan.id)
    assert shop.v1.invoices.list({"subscription": plan.id}).data[0].amount_due == 9900


def test_a_price_without_the_items_id_is_added_beside_it(shop: Shop) -> None:
    plan = shop.subscribed()
    changed: Any = shop.v1.subscriptions.update(plan.id, {"items": [{"price": shop.standard}]})
    assert [item.price.id for item in changed["items"].data] == [shop.basic, shop.standard]
    with pytest.raises(stripe.InvalidRequestError, match="with the same plan"):
        shop.v1.subscriptions.update(plan.id, {"items": [{"price": shop.standard}]})


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"items": [{"id": "si_x", "price": "price_x"}]}, "No such subscription_item: 'si_x'"),
        ({"items": [], "proration_behavior": "sometimes"}, "Invalid proration_behavior: must be one of"),
        ({"billing_cycle_anchor": "now"}, "Invalid object"),
        ({"cancel_at": 5}, "must be in the future"),
        ({"cancel_at": 99999999999, "cancel_at_period_end": True}, "only specify one of these"),
        ({"quantity": 2}, "Received unknown parameter: quantity"),
        ({"trial_end": "now"}, "does not play the parameter trial_end"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(shop: Shop, params: Any, words: str) -> None:
    plan = shop.subscribed()
    with pytest.raises(stripe.InvalidRequestError, match=words):
        shop.v1.subscriptions.update(plan.id, params)
    assert shop.types() == []


def test_a_proration_is_of_the_present_period(shop: Shop) -> None:
    plan = shop.subscribed()
    with pytest.raises(stripe.InvalidRequestError, match="not in the current billing period"):
        _preview(shop, plan, shop.standard, item_of(plan).current_period_end + 1)
    with pytest.raises(stripe.InvalidRequestError, match="not in the current billing period"):
        _preview(shop, plan, shop.standard, item_of(plan).current_period_start - 1)


def test_metadata_is_merged(shop: Shop) -> None:
    plan = shop.subscribed()
    changed: Any = shop.v1.subscriptions.update(plan.id, {"metadata": {"plan": "", "user": "1"}})
    assert changed.metadata.to_dict() == {"user": "1"}


def test_an_item_shows_its_price_as_it_is_today(shop: Shop) -> None:
    plan = shop.subscribed()
    shop.v1.prices.update(shop.basic, {"active": False, "nickname": "Old"})
    price = item_of(shop.v1.subscriptions.retrieve(plan.id)).price
    assert (price.active, price.nickname) == (False, "Old")


def test_a_customer_ahead_of_time_can_change_by_the_real_clock(shop: Shop) -> None:
    plan = shop.subscribed()
    subscriptions.renew(shop.account, plan.id)
    moment = shop.account.now()
    preview = _preview(shop, plan, shop.standard, moment)
    changed = shop.v1.subscriptions.update(plan.id, change(plan, shop.standard, proration_date=moment))
    assert shop.v1.invoices.retrieve(str(changed.latest_invoice)).amount_due == preview.amount_due > 0
