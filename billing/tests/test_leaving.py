"""Somebody deletes their account: what they have at Stripe ends first, and while Stripe is silent they stay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import ACTOR, last_mail, mails, secret_in
from billing import gateway, tasks
from billing.exceptions import StripeRefused
from billing.models import (
    Checkout,
    CheckoutState,
    FamilyMember,
    Plan,
    SubscriptionStatus,
    UserSubscription,
)
from billing.services import checkout, leaving, syncing
from billing.tests.buying import buy, open_session
from billing.tests.factories import make_plan, make_subscription
from sandbox.stripe import StandIn

pytestmark = pytest.mark.django_db

NOBODY_LISTENS = "http://127.0.0.1:9"


@pytest.fixture
def plan() -> Plan:
    return make_plan(name="standard", price_in_cents=9900)


@pytest.fixture
def down(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe cannot be reached, and nobody waits for it to come back."""
    monkeypatch.setattr("billing.gateway.client.TASK_RETRIES", 0)
    settings.STRIPE_API_BASE = NOBODY_LISTENS


def start(user: User, plan: Plan, stripe: StandIn) -> UserSubscription:
    """A plan that was paid for, as our rows know it."""
    row = syncing.sync_subscription(buy(stripe, user, plan))
    assert row is not None
    assert row.status == SubscriptionStatus.ACTIVE
    return row


def ask(user: User) -> User:
    return accounts.ask_deletion(user=user, password=PASSWORD, actor=ACTOR)


def at_stripe(number: str | None) -> str:
    return gateway.subscription(str(number)).status


# --- Nothing at Stripe ----------------------------------------------------------------------------------
@pytest.mark.usefixtures("down")
def test_who_never_was_a_customer_of_stripe_is_closed_in_the_same_request(client: Client) -> None:
    user = make_user()
    client.force_login(user)

    answer = client.post("/accounts/delete/", {"current_password": PASSWORD})

    assert answer["Location"] == "/accounts/delete/done/"
    assert not User.objects.present().filter(pk=user.pk).exists()


@pytest.mark.usefixtures("down")
def test_a_plan_given_by_staff_ends_with_the_account() -> None:
    user = make_user()
    given = make_subscription(user=user)
    assert not ask(user).is_active

    given.refresh_from_db()
    assert given.status == SubscriptionStatus.CANCELLED
    assert given.current_period_end <= timezone.now()


@pytest.mark.usefixtures("down")
def test_somebody_who_shares_a_plan_leaves_it() -> None:
    user, plan = make_user(), make_subscription()
    member = FamilyMember.objects.create(subscription=plan, user=user)
    ask(user)

    member.refresh_from_db()
    assert member.ended_at is not None
    plan.refresh_from_db()
    assert plan.status == SubscriptionStatus.ACTIVE


# --- With a plan ----------------------------------------------------------------------------------------
def test_the_plan_ends_at_stripe_and_here_before_the_account_is_closed(stripe: StandIn, plan: Plan) -> None:
    user = make_user()
    row = start(user, plan, stripe)
    assert ask(user).is_active

    assert leaving.stop_plans_of_leavers() == 1

    row.refresh_from_db()
    user.refresh_from_db()
    assert at_stripe(row.stripe_subscription_id) == "canceled"
    assert row.status == SubscriptionStatus.CANCELLED
    assert not user.is_active
    assert user.erase_after is not None
    assert last_mail("account_deletion_asked")["plan_words"] == leaving.ENDED
    assert mails("account_deletion_waiting") == []
    assert leaving.stop_plans_of_leavers() == 0


def test_people_who_share_the_plan_lose_it(stripe: StandIn, plan: Plan) -> None:
    user = make_user()
    member = FamilyMember.objects.create(subscription=start(user, plan, stripe), user=make_user())
    ask(user)
    leaving.stop_plans_of_leavers()

    member.refresh_from_db()
    assert member.ended_at is not None


def test_a_plan_that_we_do_not_know_of_yet_ends_too(stripe: StandIn, plan: Plan) -> None:
    user = make_user()
    number = buy(stripe, user, plan)
    ask(user)
    leaving.stop_plans_of_leavers()

    user.refresh_from_db()
    assert at_stripe(number) == "canceled"
    assert not user.is_active


def test_an_open_payment_page_is_closed(stripe: StandIn, plan: Plan) -> None:
    user = make_user()
    checkout.begin_plan(user=user, plan=plan)
    ask(user)
    leaving.stop_plans_of_leavers()

    row = Checkout.objects.get(user=user)
    user.refresh_from_db()
    assert row.state == CheckoutState.EXPIRED
    assert gateway.session(str(row.stripe_session_id)).status == "expired"
    assert not user.is_active


def test_a_page_paid_at_the_last_moment_is_a_plan_that_ends(stripe: StandIn, plan: Plan) -> None:
    user = make_user()
    checkout.begin_plan(user=user, plan=plan)
    page = str(Checkout.objects.get(user=user).stripe_session_id)
    stripe.pay(page)
    ask(user)
    leaving.stop_plans_of_leavers()

    user.refresh_from_db()
    assert at_stripe(gateway.session(page).subscription_id) == "canceled"
    assert not user.is_active
    assert not UserSubscription.objects.live().filter(user=user).exists()


def test_a_plan_stripe_does_not_know_ends_here(stripe: StandIn) -> None:
    user = make_user(stripe_customer_id="cus_of_another_account")
    row = make_subscription(user=user, stripe_subscription_id="sub_of_another_account")
    ask(user)
    leaving.stop_plans_of_leavers()

    row.refresh_from_db()
    user.refresh_from_db()
    assert row.status == SubscriptionStatus.CANCELLED
    assert not user.is_active


def test_nothing_that_comes_late_revives_anything(stripe: StandIn, plan: Plan) -> None:
    user = make_user()
    page = open_session(user, plan)
    ask(user)
    leaving.stop_plans_of_leavers()
    stripe.pay(page)
    number = gateway.session(page).subscription_id

    syncing.sync_subscription(number)

    user.refresh_from_db()
    assert not user.is_active
    assert at_stripe(number) == "canceled"
    assert not UserSubscription.objects.live().filter(user=user).exists()


# --- Stripe is down -------------------------------------------------------------------------------------
def test_while_stripe_is_down_the_person_stays_and_is_told_once(
    client: Client, stripe: StandIn, plan: Plan, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.gateway.client.TASK_RETRIES", 0)
    user = make_user()
    row = start(user, plan, stripe)
    client.force_login(user)
    assert client.post("/accounts/delete/", {"current_password": PASSWORD})["Location"] == "/accounts/delete/"
    working = settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = NOBODY_LISTENS

    assert [leaving.stop_plans_of_leavers() for _ in range(3)] == [0, 0, 0]

    row.refresh_from_db()
    assert row.status == SubscriptionStatus.ACTIVE
    assert len(mails("account_deletion_waiting")) == 1
    for path in ("/accounts/delete/", "/accounts/profile/", "/dashboard/"):
        assert "We cannot reach the company that takes our payments" in client.get(path).content.decode()

    settings.STRIPE_API_BASE = working
    assert leaving.stop_plans_of_leavers() == 1
    assert client.get("/accounts/profile/").status_code == 302
    assert at_stripe(row.stripe_subscription_id) == "canceled"


def test_a_run_that_was_cut_off_is_finished_by_the_next(
    stripe: StandIn, plan: Plan, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    row = start(user, plan, stripe)
    ask(user)
    with monkeypatch.context() as cut:
        cut.setattr(accounts, "finish_deletion", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            leaving.stop_plans_of(user)
    assert at_stripe(row.stripe_subscription_id) == "canceled"

    assert leaving.stop_plans_of_leavers() == 1
    assert last_mail("account_deletion_asked")["plan_words"] == leaving.ENDED


def test_a_wish_taken_back_leaves_the_plan_alone(
    stripe: StandIn, plan: Plan, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.gateway.client.TASK_RETRIES", 0)
    user = make_user()
    row = start(user, plan, stripe)
    ask(user)
    working = settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = NOBODY_LISTENS
    leaving.stop_plans_of_leavers()
    accounts.keep_account(user=user, actor=ACTOR)
    settings.STRIPE_API_BASE = working

    assert leaving.stop_plans_of_leavers() == 0
    assert not leaving.stop_plans_of(user)
    assert at_stripe(row.stripe_subscription_id) == "active"


def test_one_person_whom_stripe_refuses_does_not_hold_up_the_others(
    stripe: StandIn, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_user(), make_user()
    start(second, plan, stripe)
    User.objects.filter(pk=first.pk).update(
        stripe_customer_id="cus_first", deletion_asked_at=timezone.now() - timedelta(hours=1)
    )
    ask(second)
    whole = leaving.stop_plans_of

    def refused(user: User) -> bool:
        if user.pk == first.pk:
            raise StripeRefused(code="odd")
        return whole(user)

    monkeypatch.setattr(leaving, "stop_plans_of", refused)

    assert leaving.stop_plans_of_leavers() == 1
    first.refresh_from_db()
    assert first.deletion_delayed_at is not None


def test_who_comes_back_has_no_plan_and_pays_nothing(stripe: StandIn, plan: Plan) -> None:
    user = make_user()
    row = start(user, plan, stripe)
    ask(user)
    leaving.stop_plans_of_leavers()
    secret = secret_in(last_mail("account_deletion_asked"))

    accounts.restore_account(secret=secret, password=PASSWORD, actor=ACTOR)

    assert at_stripe(row.stripe_subscription_id) == "canceled"
    assert not UserSubscription.objects.live().filter(user=user).exists()


# --- Together -------------------------------------------------------------------------------------------
def test_a_page_opened_between_the_look_and_the_end_holds_the_account_open(
    stripe: StandIn, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    checkout.begin_plan(user=user, plan=plan)
    ask(user)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(checkout, "close_open", lambda **_: None)
        assert not leaving.stop_plans_of(user)
    assert User.objects.leaving().filter(pk=user.pk).exists()

    assert leaving.stop_plans_of(user)


def test_the_worker_is_woken_after_the_commit_and_does_the_same(
    stripe: StandIn, plan: Plan, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(leaving.waking, "ask_for", asked.append)
    user = make_user()
    row = start(user, plan, stripe)
    with django_capture_on_commit_callbacks(execute=True):
        ask(user)
    assert leaving.TASK in asked
    assert tasks.stop_plans_of_leavers.name == leaving.TASK

    for _ in range(2):
        tasks.stop_plans_of_leavers()

    user.refresh_from_db()
    assert not user.is_active
    assert at_stripe(row.stripe_subscription_id) == "canceled"
    assert len(mails("account_deletion_asked")) == 1


def test_the_clock_finds_what_the_wake_up_missed(stripe: StandIn, plan: Plan) -> None:
    user = make_user()
    start(user, plan, stripe)
    ask(user)
    tasks.sweep()

    assert not User.objects.present().filter(pk=user.pk).exists()
