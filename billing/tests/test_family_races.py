"""Joining, leaving and taking sessions at the same moment, each on a connection of its own.

Every race has a twin that takes its guard away and shows that without it the damage is done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts import tokens
from accounts.models import User
from accounts.tests.factories import make_admin, make_user
from accounts.tests.helpers import race
from audit.actors import Actor
from billing.exceptions import FamilyFull, HasPlanAlready, InvitationOver, NoActivePlan, PlanAlreadyActive
from billing.models import FamilyInvitation, FamilyMember, UserSubscription, VisitUse
from billing.services import family, subscriptions
from billing.tests.factories import make_member, make_plan, make_subscription

pytestmark = pytest.mark.django_db(transaction=True)

WAIT_SECONDS = 10.0


@pytest.fixture
def subscription() -> UserSubscription:
    return make_subscription(plan=make_plan(family_size=2))


@pytest.fixture
def without_plan_lock(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def lock(subscription_id: int) -> UserSubscription:
        return UserSubscription.objects.select_related("plan").get(pk=subscription_id)

    monkeypatch.setattr(subscriptions, "lock", lock)
    return monkeypatch


def offer(subscription: UserSubscription, email: str = "guest@example.com") -> str:
    """An open invitation, whether there is a place for it or not; its secret."""
    secret = tokens.new_secret()
    FamilyInvitation.objects.create(
        subscription=subscription,
        email=email,
        token_hash=tokens.digest(secret),
        expires_at=timezone.now() + timedelta(days=1),
    )
    return secret


def accepting(secret: str, user: User | None = None) -> Callable[[], Any]:
    return partial(family.accept, user=user or make_user(), token=secret)


def both(*acts: Callable[[], Any]) -> list[str]:
    """What became of each, by the name of its kind, sorted."""
    return sorted(type(outcome).__name__ for outcome in race(lambda act: act(), acts))


def together_after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Nobody goes on from that step before both have done it."""
    gate = threading.Barrier(2)
    real = getattr(owner, name)

    def step(*args: Any, **named: Any) -> Any:
        found = real(*args, **named)
        gate.wait(WAIT_SECONDS)
        return found

    monkeypatch.setattr(owner, name, step)


def members(subscription: UserSubscription) -> int:
    return FamilyMember.objects.current().filter(subscription=subscription).count()


# --- Two people, one place --------------------------------------------------------------------------------
def test_the_last_place_is_given_once(subscription: UserSubscription) -> None:
    secrets = [offer(subscription, f"guest{number}@example.com") for number in range(4)]

    outcomes = both(*[accepting(secret) for secret in secrets])

    assert outcomes == [FamilyFull.__name__] * 3 + ["FamilyMember"]
    assert members(subscription) == 1


def test_without_the_plans_lock_the_last_place_is_given_twice(
    subscription: UserSubscription, without_plan_lock: pytest.MonkeyPatch
) -> None:
    together_after(without_plan_lock, family, "_size")

    both(accepting(offer(subscription)), accepting(offer(subscription, "other@example.com")))

    assert members(subscription) == 2


def test_one_link_lets_one_person_in() -> None:
    subscription = make_subscription(plan=make_plan(family_size=5))
    secret = offer(subscription)

    outcomes = both(*[accepting(secret) for _ in range(4)])

    assert outcomes == ["FamilyMember"] + [InvitationOver.__name__] * 3
    assert members(subscription) == 1


def test_without_the_plans_lock_one_link_lets_two_in(without_plan_lock: pytest.MonkeyPatch) -> None:
    subscription = make_subscription(plan=make_plan(family_size=5))
    secret = offer(subscription)
    together_after(without_plan_lock, family, "_check_stands")

    both(accepting(secret), accepting(secret))

    assert members(subscription) == 2


# --- Joining what ends or is taken back -------------------------------------------------------------------
def ending(subscription: UserSubscription) -> Callable[[], Any]:
    return partial(subscriptions.end_plan, subscription=subscription, actor=Actor(user=make_admin()), reason="x")


def test_nobody_is_left_on_a_plan_that_ends_at_that_moment(subscription: UserSubscription) -> None:
    race(lambda act: act(), [accepting(offer(subscription)), ending(subscription)])

    assert members(subscription) == 0
    assert not FamilyInvitation.objects.open().exists()


def test_without_the_plans_lock_somebody_is_left_on_an_ended_plan(
    subscription: UserSubscription, without_plan_lock: pytest.MonkeyPatch
) -> None:
    together_after(without_plan_lock, family, "_members")
    real = family._check_stands

    def check(*args: Any) -> None:
        real(*args)
        family._members(subscription)  # both are here: one has looked at the offer, the other at the members

    without_plan_lock.setattr(family, "_check_stands", check)
    race(lambda act: act(), [accepting(offer(subscription)), ending(subscription)])

    assert members(subscription) == 1


def test_an_offer_is_taken_up_or_taken_back_and_not_both(subscription: UserSubscription) -> None:
    secret = offer(subscription)
    invitation = FamilyInvitation.objects.get()

    race(
        lambda act: act(),
        [accepting(secret), partial(family.withdraw, owner=subscription.user, invitation=invitation)],
    )

    invitation.refresh_from_db()
    assert (invitation.accepted_at is None) != (invitation.withdrawn_at is None)
    assert members(subscription) == (0 if invitation.accepted_at is None else 1)


def test_without_the_plans_lock_an_offer_is_taken_up_and_taken_back(
    subscription: UserSubscription, without_plan_lock: pytest.MonkeyPatch
) -> None:
    secret = offer(subscription)
    invitation = FamilyInvitation.objects.get()
    gate = threading.Barrier(2)
    check, withdraw = family._check_stands, family._withdraw

    def check_and_wait(*args: Any) -> None:
        check(*args)
        gate.wait(WAIT_SECONDS)

    def wait_and_withdraw(*args: Any) -> None:
        gate.wait(WAIT_SECONDS)
        withdraw(*args)

    without_plan_lock.setattr(family, "_check_stands", check_and_wait)
    without_plan_lock.setattr(family, "_withdraw", wait_and_withdraw)
    race(
        lambda act: act(),
        [accepting(secret), partial(family.withdraw, owner=subscription.user, invitation=invitation)],
    )

    invitation.refresh_from_db()
    assert invitation.accepted_at is not None
    assert invitation.withdrawn_at is not None


# --- One plan per person ----------------------------------------------------------------------------------
def granting(user: User) -> Callable[[], Any]:
    return partial(subscriptions.grant_plan, user=user, plan=make_plan(), actor=Actor(user=make_admin()), reason="x")


def test_a_person_gets_a_plan_or_shares_one_and_not_both(subscription: UserSubscription) -> None:
    guest = make_user()

    outcomes = both(accepting(offer(subscription), guest), granting(guest))

    assert outcomes in (
        ["FamilyMember", PlanAlreadyActive.__name__],
        [HasPlanAlready.__name__, "UserSubscription"],
    )


def test_without_the_persons_lock_somebody_has_a_plan_and_shares_one(
    subscription: UserSubscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = make_user()
    gate = threading.Barrier(2)
    manager = type(User.objects)
    monkeypatch.setattr(manager, "select_for_update", lambda self, **_: self.get_queryset())

    def together(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any) -> Any:
            gate.wait(WAIT_SECONDS)
            return real(*args)

        return step

    monkeypatch.setattr(family, "_size", together(family._size))
    monkeypatch.setattr(subscriptions, "a_month_after", together(subscriptions.a_month_after))

    outcomes = both(accepting(offer(subscription), guest), granting(guest))

    assert outcomes == ["FamilyMember", "UserSubscription"]


def test_one_person_pressing_two_links_shares_one_plan() -> None:
    guest = make_user()
    plans = [make_subscription(), make_subscription()]

    race(lambda act: act(), [accepting(offer(plan), guest) for plan in plans])

    assert FamilyMember.objects.current().filter(user=guest).count() == 1


# --- Taking a session while being taken off ---------------------------------------------------------------
def taking_while_leaving(member: FamilyMember) -> list[Any]:
    """The session is asked for while the membership is being ended: it waits for the plan's lock, then goes on."""
    is_ended = threading.Event()

    def remove() -> None:
        with transaction.atomic():
            family.remove(owner=member.subscription.user, member=member)
            is_ended.set()
            _until_somebody_waits()

    def take() -> VisitUse:
        is_ended.wait(WAIT_SECONDS)
        with transaction.atomic():
            return subscriptions.use_visit(user=member.user, cause="booking:a:1")

    return race(lambda act: act(), [remove, take])


def _until_somebody_waits() -> None:
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("Nobody waits for the plan.")


def test_nobody_takes_a_session_of_a_plan_they_were_just_taken_off(subscription: UserSubscription) -> None:
    outcomes = taking_while_leaving(make_member(subscription))

    assert outcomes[0] is None
    assert isinstance(outcomes[1], NoActivePlan)
    assert not VisitUse.objects.exists()
    subscription.refresh_from_db()
    assert subscription.session_booked_this_month == 0


def test_without_asking_again_after_the_lock_a_session_is_taken(
    subscription: UserSubscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "_USE", subscriptions._USE.replace("%(is_owner)s OR EXISTS", "true OR EXISTS"))

    outcomes = taking_while_leaving(make_member(subscription))

    assert isinstance(outcomes[1], VisitUse)
