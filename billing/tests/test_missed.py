"""Events that nobody posted are fetched; a comparison every night heals what is left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from billing import gateway, tasks
from billing.exceptions import StripeUnavailable
from billing.models import AlertKind, Payment, Plan, StaffAlert, StripeEvent, StripeReconciliation, UserSubscription
from billing.services import events, inbox, missed, reconcile, syncing
from billing.tests.buying import buy
from billing.tests.factories import make_plan, make_subscription
from billing.tests.posts import apply_all
from sandbox.stripe import StandIn
from techdeputies.lib import waking

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Names and arguments of the tasks that were queued."""
    names: list[tuple[str, Any]] = []
    monkeypatch.setattr(waking, "send_task", lambda name, **options: names.append((name, options.get("kwargs"))))
    waking.forget_faults()
    for key in (missed._READ_KEY, missed._OUTAGE_KEY, *(waking.key(name) for name in TASKS)):
        cache.delete(key)
    return names


TASKS = (inbox.APPLY_TASK, tasks.fetch_missed.name, tasks.reconcile_nightly.name)


@pytest.fixture
def user() -> User:
    return make_user(name="Margaret Ellis")


@pytest.fixture
def plan() -> Plan:
    return make_plan(name="standard", price_in_cents=9900)


def handled(stripe: StandIn) -> int:
    return sum(event["type"] in events.LOOKS for event in stripe.events)


# --- Fetching -------------------------------------------------------------------------------------------


def test_what_was_never_posted_is_fetched_and_applied(
    stripe: StandIn, user: User, plan: Plan, woken: list[tuple[str, Any]]
) -> None:
    buy(stripe, user, plan)

    tasks.fetch_missed()
    apply_all()

    assert StripeEvent.objects.count() == handled(stripe) > 3
    assert set(StripeEvent.objects.values_list("source", flat=True)) == {"list"}
    assert Payment.objects.count() == 1
    assert (inbox.APPLY_TASK, None) in woken


def test_a_second_reading_begins_where_the_first_began(stripe: StandIn, user: User, plan: Plan) -> None:
    began = timezone.now()
    missed.fetch()
    buy(stripe, user, plan)

    assert missed.fetch() == (handled(stripe), None)
    assert missed.fetch() == (0, None)
    asked = [int(call.params["created[gte]"]) for call in stripe.calls if call.path == "/v1/events"]
    assert asked[0] < asked[1] == pytest.approx(int((began - missed.OVERLAP).timestamp()), abs=5)


def test_where_the_cache_was_lost_the_last_night_counts(stripe: StandIn) -> None:
    night = timezone.now() - timedelta(hours=9)
    StripeReconciliation.objects.create(started_at=night, finished_at=timezone.now())
    StripeReconciliation.objects.create(started_at=timezone.now(), finished_at=timezone.now(), error="away")

    missed.fetch()

    asked = [int(call.params["created[gte]"]) for call in stripe.calls if call.path == "/v1/events"]
    assert asked == [int((night - missed.OVERLAP).timestamp())]


def test_a_long_list_is_gone_on_with(
    stripe: StandIn, user: User, plan: Plan, woken: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(stripe, user, plan)
    monkeypatch.setattr(missed, "RUN_SECONDS", 0.0)
    monkeypatch.setattr(missed.fetch, "__kwdefaults__", {"seconds": 0.0})

    tasks.fetch_missed()
    while woken[-1][0] == tasks.fetch_missed.name:
        _name, arguments = woken.pop()
        tasks.fetch_missed(**arguments)

    assert StripeEvent.objects.count() == handled(stripe)
    assert cache.get(missed._READ_KEY) is not None


def test_while_stripe_is_away_the_next_sweep_comes_back(stripe: StandIn, woken: list[tuple[str, Any]]) -> None:
    stripe.always(500, on="GET /v1/events")
    tasks.fetch_missed()
    assert cache.get(missed._READ_KEY) is None
    stripe.always(None, on="GET /v1/events")
    gateway.client.breaker.success()

    tasks.sweep()
    assert (tasks.fetch_missed.name, None) in woken
    woken.clear()
    tasks.fetch_missed()
    tasks.sweep()

    assert (tasks.fetch_missed.name, None) not in woken
    assert cache.get(missed._READ_KEY) is not None


def test_a_worker_that_starts_asks_for_what_it_missed(woken: list[tuple[str, Any]]) -> None:
    tasks.fetch_at_start()

    assert woken == [(tasks.fetch_missed.name, None)]


# --- Comparing ------------------------------------------------------------------------------------------


def compare() -> StripeReconciliation:
    place = reconcile.begin()
    assert place is not None
    assert reconcile.go_on(place) is None
    return StripeReconciliation.objects.get(pk=place.report)


def bought(stripe: StandIn, user: User, plan: Plan) -> UserSubscription:
    number = buy(stripe, user, plan)
    syncing.sync_invoice(gateway.invoices_of(number)[0].id)
    return UserSubscription.objects.get(stripe_subscription_id=number)


def test_what_agrees_is_left_alone_and_costs_no_look(stripe: StandIn, user: User, plan: Plan) -> None:
    bought(stripe, user, plan)
    before = len(stripe.calls)

    report = compare()

    assert (report.subscriptions_checked, report.invoices_checked, report.healed) == (1, 1, [])
    assert report.finished_at is not None
    assert report.error == ""
    assert [call.path for call in stripe.calls[before:]] == ["/v1/subscriptions", "/v1/invoices"]
    assert not StaffAlert.objects.exists()


def test_what_never_reached_us_is_put_right_and_told_of(stripe: StandIn, user: User, plan: Plan) -> None:
    row = bought(stripe, user, plan)
    gateway.cancel_at_period_end(str(row.stripe_subscription_id))
    other = buy(stripe, make_user(), plan)

    report = compare()

    row.refresh_from_db()
    assert row.ends_at is not None
    assert {item["id"] for item in report.healed} == {row.stripe_subscription_id, other} | {
        payment.stripe_invoice_id for payment in Payment.objects.filter(subscription__stripe_subscription_id=other)
    }
    assert Payment.objects.count() == 2
    alert = StaffAlert.objects.get()
    assert alert.kind == AlertKind.STRIPE_DIFFERS
    assert "3 things" in alert.words


def test_the_second_comparison_has_nothing_to_heal(stripe: StandIn, user: User, plan: Plan) -> None:
    row = bought(stripe, user, plan)
    stripe.renew(str(row.stripe_subscription_id))
    stripe.end_now(str(row.stripe_subscription_id))
    assert compare().healed
    StripeReconciliation.objects.update(started_at=timezone.now() - timedelta(days=1))

    assert compare().healed == []


def test_a_plan_that_stripe_does_not_know_is_shown(stripe: StandIn, user: User, plan: Plan) -> None:
    past = timezone.now() - timedelta(days=3)
    make_subscription(
        user=user, plan=plan, stripe_subscription_id="sub_gone", current_period_end=past, stripe_status="active"
    )

    assert [item["id"] for item in compare().healed] == ["sub_gone"]


def test_refunds_and_disputes_that_wait_are_looked_at(stripe: StandIn, user: User, plan: Plan) -> None:
    number = buy(stripe, user, plan, card="4000000000007726")
    payment = syncing.sync_invoice(gateway.invoices_of(number)[0].id)
    assert payment is not None
    refund = gateway.create_refund(
        payment_intent_id=str(payment.stripe_payment_intent_id), amount_cents=100, metadata={}, key="k"
    )
    reconcile.refunds.sync_refund(refund.id)
    stripe.settle_refund(refund.id)

    assert [item["words"] for item in compare().healed] == ["state: pending became succeeded"]


def test_a_comparison_is_made_once_a_night_and_again_when_it_failed(stripe: StandIn) -> None:
    stripe.always(500, on="GET /v1/subscriptions")
    place = reconcile.begin()
    assert place is not None
    assert reconcile.go_on(place) is None
    assert reconcile.is_overdue()
    assert StripeReconciliation.objects.get().error
    stripe.always(None, on="GET /v1/subscriptions")
    gateway.client.breaker.success()

    assert compare().error == ""
    assert reconcile.begin() is None
    assert not reconcile.is_overdue()


def test_a_comparison_whose_worker_died_is_begun_again(stripe: StandIn) -> None:
    assert reconcile.begin() is not None
    assert reconcile.begin() is None
    StripeReconciliation.objects.update(started_at=timezone.now() - timedelta(hours=3))

    assert reconcile.begin() is not None


def test_a_long_comparison_goes_on_in_pieces(
    stripe: StandIn, user: User, plan: Plan, woken: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for person in (user, make_user(), make_user()):
        buy(stripe, person, plan)
    monkeypatch.setattr(reconcile.go_on, "__kwdefaults__", {"seconds": 0.0})

    tasks.reconcile_nightly()
    pieces = 1
    while again := [arguments for name, arguments in woken if name == tasks.reconcile_nightly.name]:
        woken.clear()
        tasks.reconcile_nightly(**again[0])
        pieces += 1

    report = StripeReconciliation.objects.get()
    assert pieces > 5
    assert (report.subscriptions_checked, report.invoices_checked) == (3, 3)
    assert report.events_fetched == handled(stripe)
    assert report.finished_at is not None
    assert Payment.objects.count() == 3


def test_an_hour_without_a_comparison_last_night_begins_one(stripe: StandIn, woken: list[tuple[str, Any]]) -> None:
    tasks.fetch_missed()
    assert (tasks.reconcile_nightly.name, None) in woken
    woken.clear()
    waking.begun(tasks.reconcile_nightly.name)
    compare()

    tasks.fetch_missed()

    assert (tasks.reconcile_nightly.name, None) not in woken


def test_stripe_away_is_raised_and_noted(stripe: StandIn) -> None:
    stripe.always(500, on="GET /v1/events")

    with pytest.raises(StripeUnavailable):
        missed.fetch()

    assert missed.had_outage()
