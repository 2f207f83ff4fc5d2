"""A price that changes when the paid month is over."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from sandbox.stripe import subscriptions
from sandbox.stripe.tests.conftest import Shop, item_of


def _phases(schedule: Any, now: str, later: str) -> Any:
    """The phases the product sends: what is paid for, then the other price."""
    present = schedule.phases[0]
    return [
        {
            "items": [{"price": now, "quantity": 1}],
            "start_date": present.start_date,
            "end_date": present.end_date,
        },
        {"items": [{"price": later, "quantity": 1}], "duration": {"interval": "month", "interval_count": 1}},
    ]


def _scheduled(shop: Shop, **more: Any) -> tuple[Any, Any]:
    """A plan for Standard that becomes Basic, and its schedule."""
    plan = shop.subscribed(line_items=[{"price": shop.standard, "quantity": 1}])
    schedule = shop.v1.subscription_schedules.create({"from_subscription": plan.id})
    params: Any = {"phases": _phases(schedule, shop.standard, shop.basic), "proration_behavior": "none", **more}
    return plan, shop.v1.subscription_schedules.update(schedule.id, params)


def test_a_schedule_begins_with_the_present_period(shop: Shop) -> None:
    plan = shop.subscribed()
    schedule = shop.v1.subscription_schedules.create({"from_subscription": plan.id})
    phase: Any = schedule.phases[0]
    assert (phase.start_date, phase.end_date) == (
        item_of(plan).current_period_start, item_of(plan).current_period_end,
    )  # fmt: skip
    assert (schedule.status, schedule.end_behavior) == ("active", "release")
    assert shop.types() == ["subscription_schedule.created", "customer.subscription.updated"]
    found: Any = shop.v1.subscriptions.retrieve(plan.id, {"expand": ["schedule"]})
    assert found.schedule.phases[0].items[0].price == shop.basic
    with pytest.raises(stripe.InvalidRequestError, match="already attached to a schedule"):
        shop.v1.subscription_schedules.create({"from_subscription": plan.id})


def test_the_price_changes_with_the_renewal_and_the_schedule_lets_go_after_it(shop: Shop) -> None:
    plan, schedule = _scheduled(shop)
    subscriptions.renew(shop.account, plan.id)
    now: Any = shop.v1.subscriptions.retrieve(plan.id, {"expand": ["latest_invoice", "schedule"]})
    assert (item_of(now).price.id, item_of(now).id) == (shop.basic, item_of(plan).id)
    assert now.latest_invoice.amount_due == 4900
    assert now.schedule.current_phase.start_date == item_of(plan).current_period_end
    subscriptions.renew(shop.account, plan.id)
    later: Any = shop.v1.subscriptions.retrieve(plan.id)
    assert (later.schedule, later.status, item_of(later).price.id) == (None, "active", shop.basic)
    found = shop.v1.subscription_schedules.retrieve(schedule.id)
    assert (found.status, found.released_subscription, found.subscription) == ("released", plan.id, None)


def test_a_schedule_can_be_forgotten(shop: Shop) -> None:
    plan, schedule = _scheduled(shop)
    shop.types()
    released = shop.v1.subscription_schedules.release(schedule.id)
    assert released.status == "released"
    assert shop.types() == ["customer.subscription.updated", "subscription_schedule.released"]
    subscriptions.renew(shop.account, plan.id)
    assert item_of(shop.v1.subscriptions.retrieve(plan.id)).price.id == shop.standard
    with pytest.raises(stripe.InvalidRequestError, match="`released` status"):
        shop.v1.subscription_schedules.release(schedule.id)
    with pytest.raises(stripe.InvalidRequestError, match="`released` status"):
        shop.v1.subscription_schedules.update(schedule.id, {"metadata": {"a": "b"}})


def test_a_schedule_may_end_the_plan(shop: Shop) -> None:
    plan, schedule = _scheduled(shop, end_behavior="cancel")
    subscriptions.renew(shop.account, plan.id)
    subscriptions.renew(shop.account, plan.id)
    assert shop.v1.subscriptions.retrieve(plan.id).status == "canceled"
    assert shop.v1.subscription_schedules.retrieve(schedule.id).status == "canceled"


def test_a_scheduled_plan_is_cancelled_through_its_schedule(shop: Shop) -> None:
    plan, _schedule = _scheduled(shop)
    with pytest.raises(stripe.InvalidRequestError, match="managed by the subscription schedule"):
        shop.v1.subscriptions.update(plan.id, {"cancel_at_period_end": True})


def test_ending_the_plan_ends_its_schedule(shop: Shop) -> None:
    plan, schedule = _scheduled(shop)
    shop.v1.subscriptions.cancel(plan.id)
    assert shop.v1.subscription_schedules.retrieve(schedule.id).status == "canceled"
    assert shop.v1.subscriptions.retrieve(plan.id).schedule is None


def test_phases_that_make_no_sense_are_refused(shop: Shop) -> None:
    plan = shop.subscribed()
    schedule = shop.v1.subscription_schedules.create({"from_subscription": plan.id})
    good = _phases(schedule, shop.basic, shop.standard)
    without_start = {name: value for name, value in good[0].items() if name != "start_date"}
    bad: list[Any] = [
        [without_start],
        [good[1]],
        [{**good[0], "start_date": 10**17, "end_date": 10**17 + 5}],
        [{**good[0], "start_date": -5}],
        [good[0], {**good[1], "duration": {"interval": "month", "interval_count": 0}}],
        [{**good[0], "start_date": "now"}],
        [{**good[0], "start_date": good[0]["start_date"] + 5}],
        [{**good[0], "end_date": good[0]["start_date"]}],
        [good[0], {**good[1], "start_date": good[0]["end_date"] + 60}],
        [good[0], {"items": [{"price": shop.basic}]}],
        [good[0], {**good[1], "end_date": good[0]["end_date"] + 60}],
        [good[0], {**good[1], "items": [{"price": "price_x"}]}],
        [{**good[0], "items": [{"price": shop.standard}]}],
    ]
    for phases in bad:
        with pytest.raises(stripe.InvalidRequestError):
            shop.v1.subscription_schedules.update(schedule.id, {"phases": phases})
    assert len(shop.v1.subscription_schedules.retrieve(schedule.id).phases) == 1


def test_a_plan_that_ends_or_has_ended_gets_no_schedule(shop: Shop) -> None:
    plan = shop.subscribed()
    shop.v1.subscriptions.update(plan.id, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError, match="set to be canceled"):
        shop.v1.subscription_schedules.create({"from_subscription": plan.id})
    shop.v1.subscriptions.cancel(plan.id)
    with pytest.raises(stripe.InvalidRequestError, match="`canceled`"):
        shop.v1.subscription_schedules.create({"from_subscription": plan.id})
