"""From events to rows: one look for many, retries, and what is set aside."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from accounts.tests.helpers import race
from billing import gateway, tasks
from billing.exceptions import NothingToApply, StripeUnavailable
from billing.models import AlertKind, Payment, Plan, Refund, StaffAlert, StripeEvent, UserSubscription
from billing.services import events, inbox, refunds, retention, syncing
from billing.services.events import Look
from billing.tests.buying import buy
from billing.tests.crashes import without_constraint
from billing.tests.factories import make_plan
from billing.tests.posts import SECRET, STORY, an_event, apply_all, keep, let_time_pass, sample, states
from emails.models import EmailJob
from sandbox.stripe import StandIn
from techdeputies.lib import waking

pytestmark = pytest.mark.django_db
racing = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(waking, "send_task", lambda name, **options: names.append(name))
    waking.forget_faults()
    for task in (inbox.APPLY_TASK, tasks.fetch_missed.name):
        waking.begun(task)
    return names


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Subscriptions that were asked for; nothing else happens. ``looks.fail`` says what the next looks raise."""
    asked = _Looks()
    look = Look(asked, events.LOOKS["customer.subscription.updated"].types)
    for event_type in look.types:
        monkeypatch.setitem(events.LOOKS, event_type, look)
    return asked


class _Looks(list[str]):
    fail: Callable[[str], Exception | None] = staticmethod(lambda object_id: None)

    def __call__(self, object_id: str) -> None:
        self.append(object_id)
        error = self.fail(object_id)
        if error is not None:
            raise error

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


@pytest.fixture
def user() -> User:
    return make_user(name="Margaret Ellis")


@pytest.fixture
def plan() -> Plan:
    return make_plan(name="standard", price_in_cents=9900)


def errors() -> list[tuple[str, int, str]]:
    return list(StripeEvent.objects.order_by("pk").values_list("state", "attempt_count", "last_error"))


# --- The table ------------------------------------------------------------------------------------------


def test_the_types_fit_into_one_question_to_stripe() -> None:
    assert len(events.LOOKS) <= gateway.MOST_TYPES


def test_each_task_that_is_named_somewhere_exists() -> None:
    current_app.loader.import_default_modules()
    named = {inbox.APPLY_TASK, refunds.SEND_TASK, *(line["task"] for line in current_app.conf.beat_schedule.values())}

    assert named - set(current_app.tasks) == set()


# --- One look -------------------------------------------------------------------------------------------


def test_several_events_of_an_object_are_served_by_one_look(looks: list[str]) -> None:
    keep(*(an_event(f"customer.subscription.{word}") for word in ("created", "updated", "updated", "deleted")))
    keep(an_event(object_id="sub_2"))

    report = inbox.apply_waiting()

    assert looks == ["sub_1", "sub_2"]
    assert (report.claimed, report.looks, report.failed) == (5, 2, 0)
    assert {state for _type, state in states()} == {"done"}
    assert not StripeEvent.objects.filter(processed_at__isnull=True).exists()


def test_events_beyond_the_batch_and_ones_that_wait_for_a_retry_are_served_too(looks: list[str]) -> None:
    keep(*(an_event() for _ in range(7)))
    StripeEvent.objects.filter(pk=StripeEvent.objects.last().pk).update(  # type: ignore[union-attr]
        available_at=timezone.now() + timedelta(hours=1)
    )

    inbox.apply_waiting(batch=3)

    assert looks == ["sub_1"]
    assert {state for _type, state in states()} == {"done"}


def test_an_event_that_comes_while_stripe_is_asked_is_looked_at_again(looks: _Looks) -> None:
    keep(an_event())

    def meanwhile(object_id: str) -> None:
        if len(looks) == 1:
            keep(an_event())

    looks.fail = meanwhile

    inbox.apply_waiting()
    assert looks == ["sub_1"]
    inbox.apply_waiting()

    assert looks == ["sub_1", "sub_1"]
    assert states() == [("customer.subscription.updated", "done")] * 2


def test_the_oldest_comes_first(looks: list[str]) -> None:
    keep(*(an_event(object_id=f"sub_{number}") for number in range(5)))

    inbox.apply_waiting()

    assert looks == [f"sub_{number}" for number in range(5)]


def test_a_second_run_finds_nothing(looks: list[str]) -> None:
    keep(an_event())

    tasks.apply_events()
    tasks.apply_events()

    assert looks == ["sub_1"]


def test_more_than_a_batch_calls_for_help_once(looks: list[str], woken: list[str]) -> None:
    keep(*(an_event(object_id=f"sub_{number}") for number in range(9)))
    waking.begun(inbox.APPLY_TASK)

    inbox.apply_waiting(batch=2)

    assert woken == [inbox.APPLY_TASK]


def test_a_claim_takes_one_statement_and_no_lock_is_held_while_stripe_is_asked(looks: _Looks) -> None:
    keep(an_event())

    with CaptureQueriesContext(connection) as seen:
        inbox.apply_waiting()

    assert [query["sql"].split()[0] for query in seen.captured_queries] == ["WITH", "UPDATE"]


# --- When it fails --------------------------------------------------------------------------------------


def test_a_failure_is_tried_again_after_growing_gaps_and_then_set_aside(looks: _Looks) -> None:
    looks.fail = lambda object_id: ValueError("odd") if object_id == "sub_1" else None
    keep(an_event(), an_event(object_id="sub_2"))
    gaps = []

    for _ in range(5):
        before = timezone.now()
        inbox.apply_waiting()
        first = StripeEvent.objects.order_by("pk").first()
        assert first is not None
        gaps.append(round((first.available_at - before).total_seconds()))
        let_time_pass()

    assert looks.count("sub_1") == inbox.TRIES
    assert looks.count("sub_2") == 1
    assert gaps[:2] == [30, 300]
    assert errors() == [("broken", 3, "ValueError: odd"), ("done", 0, "")]
    alert = StaffAlert.objects.get()
    assert alert.kind == AlertKind.STRIPE_EVENT
    assert EmailJob.objects.get().template_type == "staff_alert"


def test_staff_let_it_be_tried_again(looks: _Looks) -> None:
    looks.fail = lambda object_id: ValueError("odd")
    keep(an_event())
    for _ in range(3):
        inbox.apply_waiting()
        let_time_pass()
    event = StripeEvent.objects.get()
    looks.fail = lambda object_id: None

    inbox.try_again(event)
    inbox.apply_waiting()

    assert errors() == [("done", 0, "")]
    with pytest.raises(NothingToApply):
        inbox.try_again(event)


def test_stripe_away_uses_no_try_up_and_stops_the_run(looks: _Looks) -> None:
    looks.fail = lambda object_id: StripeUnavailable()
    keep(*(an_event(object_id=f"sub_{number}") for number in range(9)))

    for _ in range(6):
        inbox.apply_waiting()
        let_time_pass()

    assert len(looks) == 6 * inbox.FAULTS_IN_A_ROW
    assert {(state, tries) for state, tries, _error in errors()} == {("waiting", 0)}
    looks.fail = lambda object_id: None
    apply_all()
    assert {state for _type, state in states()} == {"done"}


def test_one_object_that_stripe_cannot_tell_of_holds_up_no_other(looks: _Looks) -> None:
    looks.fail = lambda object_id: StripeUnavailable() if object_id == "sub_1" else None
    keep(an_event(), *(an_event(object_id=f"sub_{number}") for number in range(2, 9)))

    inbox.apply_waiting()

    assert [state for state, _tries, _error in errors()] == ["waiting"] + ["done"] * 7


def test_a_worker_that_is_stopped_gives_back_what_it_holds(looks: _Looks) -> None:
    looks.fail = lambda object_id: SoftTimeLimitExceeded() if len(looks) == 2 else None
    keep(*(an_event(object_id=f"sub_{number}") for number in range(5)))

    with pytest.raises(SoftTimeLimitExceeded):
        inbox.apply_waiting()

    assert inbox.apply_waiting().looks == 4
    assert {(state, tries) for state, tries, _error in errors()} == {("done", 0)}


def test_a_run_out_of_time_gives_back_what_it_holds(looks: _Looks) -> None:
    keep(*(an_event(object_id=f"sub_{number}") for number in range(3)))
    claimed = inbox._claim(20)

    assert inbox._apply(claimed, deadline=0.0, report=inbox.Report())

    assert looks == []
    assert inbox.apply_waiting().looks == 3


def test_a_run_out_of_time_says_that_there_is_more(looks: _Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(*(an_event(object_id=f"sub_{number}") for number in range(3)))
    looks.fail = lambda object_id: time.sleep(0.2)

    assert inbox.apply_waiting(seconds=0.1).has_more

    assert len(looks) == 1
    assert not inbox.apply_waiting().has_more


def test_late_events_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    assert inbox.seconds_late() == 0
    keep(an_event())
    StripeEvent.objects.update(received_at=timezone.now() - timedelta(minutes=6))

    assert 350 < inbox.seconds_late() < 370
    assert "stripe_events_wait_too_long" in caplog.text


# --- Strange events -------------------------------------------------------------------------------------


def test_an_event_of_the_other_mode_is_kept_and_not_applied(looks: list[str]) -> None:
    keep(an_event(livemode=True), an_event("product.created", livemode=True))

    inbox.apply_waiting()

    assert looks == []
    assert [state for _type, state in states()] == ["ignored", "ignored"]
    assert [alert.kind for alert in StaffAlert.objects.all()] == [AlertKind.STRIPE_MODE]


def test_with_a_live_key_test_events_are_the_strange_ones(looks: list[str], settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = "sk_live_abc"
    keep(an_event(livemode=True), an_event(object_id="sub_2"))

    inbox.apply_waiting()

    assert looks == ["sub_1"]


def test_an_event_in_another_version_is_applied_and_told_of(looks: list[str]) -> None:
    keep(an_event(api_version="2024-06-20"), an_event(api_version=None), an_event(api_version="2024-06-20"))

    inbox.apply_waiting()

    assert looks == ["sub_1"]
    assert {alert.kind for alert in StaffAlert.objects.all()} == {AlertKind.STRIPE_VERSION}
    assert StaffAlert.objects.count() == 2


def test_listed_events_may_carry_the_accounts_own_version(looks: list[str]) -> None:
    inbox.store(events.read(an_event(api_version="2024-06-20")), source="list")

    inbox.apply_waiting()

    assert looks == ["sub_1"]
    assert not StaffAlert.objects.exists()


# --- Against Stripe -------------------------------------------------------------------------------------


def test_the_sample_story_of_somebody_elses_account_changes_nothing(stripe: StandIn, settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    for order in (STORY, STORY[::-1]):
        keep(*(sample(name) for name in order))
        apply_all()

    assert {state for _type, state in states()} == {"done", "ignored"}
    assert not UserSubscription.objects.exists()
    assert not Payment.objects.exists()
    assert not EmailJob.objects.exists()


def test_what_a_payment_was_for_may_be_heard_of_last(stripe: StandIn, settings: Any, user: User, plan: Plan) -> None:
    """A refund overtakes every event of the plan, and one of those is lost for good."""
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    buy(stripe, user, plan)
    intent = stripe.account.store.find("payment_intent")[0]["id"]
    gateway.create_refund(payment_intent_id=intent, amount_cents=900, metadata={}, key="k")
    keep(*(event for event in stripe.events if event["type"].startswith(("refund.", "charge.refunded"))))

    apply_all(rounds=1)

    assert Payment.objects.get().refunded_cents == 900
    assert Refund.objects.get().state == "succeeded"


@pytest.mark.parametrize("times", [1, 3])
def test_a_late_event_revives_nothing(stripe: StandIn, settings: Any, user: User, plan: Plan, times: int) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    number = buy(stripe, user, plan)
    keep(*stripe.events)
    apply_all()
    stripe.end_now(number)
    syncing.sync_subscription(number)
    StripeEvent.objects.all().delete()

    for _ in range(times):
        keep(*(event for event in stripe.events if event["type"] != "customer.subscription.deleted"))
        apply_all()

    assert UserSubscription.objects.get().status == "cancelled"
    assert Payment.objects.count() == 1


# --- At the same moment ---------------------------------------------------------------------------------


@racing
def test_all_events_sixteen_times_at_once_act_once(stripe: StandIn, settings: Any, user: User, plan: Plan) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    buy(stripe, user, plan)
    bodies = list(stripe.events)

    def deliver(_place: int) -> Any:
        keep(*bodies)
        return inbox.apply_waiting()

    outcomes = race(deliver, range(16))
    apply_all()

    assert all(isinstance(outcome, inbox.Report) for outcome in outcomes), outcomes
    assert StripeEvent.objects.count() == len(bodies)
    assert {state for _type, state in states()} == {"done", "ignored"}
    assert UserSubscription.objects.count() == Payment.objects.count() == 1
    assert list(EmailJob.objects.values_list("template_type", flat=True)) == ["plan_started"]


@racing
def test_one_waiting_event_is_taken_by_one_worker(looks: _Looks) -> None:
    keep(an_event())
    looks.fail = lambda object_id: time.sleep(1.0)  # while one asks, the others come

    def work(place: int) -> Any:
        time.sleep(place / 20)
        return inbox.apply_waiting()

    reports = race(work, range(16))

    assert looks == ["sub_1"]
    assert sum(report.claimed for report in reports) == 1


@racing
def test_without_the_claim_it_would_be_taken_by_many(looks: _Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: a claim that neither locks nor sets aside."""
    monkeypatch.setattr(
        inbox,
        "_CLAIM",
        "SELECT id, event_type, object_id, api_version, livemode, source, STATEMENT_TIMESTAMP() FROM stripe_events"
        " WHERE state = 'waiting' AND %(limit)s > 0 AND %(lease)s > 0 AND pg_sleep(0.3) IS NOT NULL",
    )
    keep(an_event())

    race(lambda _place: inbox.apply_waiting(), range(8))

    assert len(looks) > 1


@racing
def test_without_the_rule_a_payment_would_be_written_twice(
    stripe: StandIn, settings: Any, user: User, plan: Plan
) -> None:
    """The twin of all the rest: the database's own rule is what a race meets last."""
    number = buy(stripe, user, plan)
    syncing.sync_invoice(gateway.invoices_of(number)[0].id)
    payment = Payment.objects.get()
    with without_constraint("payments", "payments_cause_key"):
        Payment.objects.create(
            cause=payment.cause, kind=payment.kind, what="Twice", amount_cents=1, paid_at=timezone.now()
        )
        assert Payment.objects.count() == 2


# --- Old payloads ---------------------------------------------------------------------------------------


def test_old_payloads_are_thrown_away_and_the_facts_kept(looks: list[str]) -> None:
    keep(an_event(), an_event(object_id="sub_2"), an_event(object_id="sub_3"))
    first, second, third = StripeEvent.objects.order_by("pk")
    StripeEvent.objects.exclude(pk=third.pk).update(received_at=timezone.now() - timedelta(days=181))
    StripeEvent.objects.exclude(pk=second.pk).update(state="done")

    assert not retention.blank_old_events(batch=1)

    first.refresh_from_db()
    assert (first.payload, first.object_id) == (None, "sub_1")
    assert StripeEvent.objects.filter(payload__isnull=False).count() == 2  # one still waits, one is young


def test_old_payloads_are_found_by_their_own_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + retention._BLANK, {"days": 180, "limit": 10})
        plan_words = "\n".join(row[0] for row in cursor.fetchall())

    assert "stripe_event_to_blank" in plan_words
