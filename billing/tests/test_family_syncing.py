"""Sharing, when plans are bought, made smaller and ended at Stripe."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from accounts.tests.factories import make_user
from accounts.tests.helpers import last_mail, race, secret_in
from billing import entitlements, gateway
from billing.exceptions import HasPlanAlready
from billing.models import FamilyMember, Plan, UserSubscription
from billing.services import family, syncing
from billing.tests.buying import buy, offer
from billing.tests.factories import make_member, make_plan
from sandbox.stripe import StandIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def big() -> Plan:
    return make_plan(name="premium", display_name="Premium", price_in_cents=19900, family_size=5)


@pytest.fixture
def small() -> Plan:
    return make_plan(name="basic", display_name="Basic", price_in_cents=4900, family_size=1)


def invoice_of(subscription_id: str) -> str:
    return gateway.invoices_of(subscription_id)[0].id


def start(stripe: StandIn, user: User, plan: Plan) -> UserSubscription:
    number = buy(stripe, user, plan)
    syncing.sync_invoice(invoice_of(number))
    return UserSubscription.objects.get(stripe_subscription_id=number)


def link(owner: User) -> str:
    family.invite(owner=owner, email="guest@example.com")
    return secret_in(last_mail("family_invitation"))


def test_whoever_pays_for_a_plan_of_their_own_shares_none(stripe: StandIn, big: Plan, small: Plan) -> None:
    shared = start(stripe, make_user(name="Margaret Ellis"), big)
    guest = make_user()
    number = buy(stripe, guest, small)  # the payment page was open before the link was pressed
    family.accept(user=guest, token=link(shared.user))

    syncing.sync_invoice(invoice_of(number))

    assert not FamilyMember.objects.current().exists()
    assert entitlements.for_user(guest).plan_name == "Basic"
    assert last_mail("family_ended")["reason_words"] == "You have a plan of your own now."


def test_buying_and_joining_at_the_same_moment_leaves_the_bought_plan(stripe: StandIn, big: Plan, small: Plan) -> None:
    shared = start(stripe, make_user(), big)
    guest = make_user()
    number = buy(stripe, guest, small)
    secret, invoice = link(shared.user), invoice_of(number)

    acts = [lambda: family.accept(user=guest, token=secret), lambda: syncing.sync_invoice(invoice)]
    outcomes = race(lambda act: act(), acts)

    assert isinstance(outcomes[0], FamilyMember | HasPlanAlready)
    assert not FamilyMember.objects.current().exists()
    assert UserSubscription.objects.live().filter(user=guest).count() == 1


def test_without_leaving_somebody_has_a_plan_and_shares_one(
    stripe: StandIn, big: Plan, small: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family, "leave_for_own_plan", lambda *, user: None)
    shared = start(stripe, make_user(), big)
    guest = make_user()
    number = buy(stripe, guest, small)
    family.accept(user=guest, token=link(shared.user))

    syncing.sync_invoice(invoice_of(number))

    assert FamilyMember.objects.current().filter(user=guest).exists()


def test_a_smaller_plan_ends_sharing_when_it_begins_and_not_before(stripe: StandIn, big: Plan, small: Plan) -> None:
    own = start(stripe, make_user(), big)
    number = str(own.stripe_subscription_id)
    member = make_member(own)
    gateway.change_at_period_end(
        current=gateway.subscription(number), price_id=offer(small).stripe_price_id, key="test:down"
    )
    syncing.sync_subscription(number)
    assert entitlements.for_user(own.user).next_plan_name == "Basic"
    assert entitlements.for_user(member.user).has_plan

    stripe.renew(number)
    syncing.sync_invoice(invoice_of(number))

    assert not entitlements.for_user(member.user).has_plan
    assert last_mail("family_ended")["to"] == member.user.email


def test_a_plan_that_ends_at_stripe_ends_sharing_once(stripe: StandIn, big: Plan) -> None:
    own = start(stripe, make_user(), big)
    number = str(own.stripe_subscription_id)
    member = make_member(own)
    gateway.cancel_now(number)

    for _ in range(2):
        syncing.sync_subscription(number)

    member.refresh_from_db()
    assert member.ended_at is not None
    assert last_mail("family_ended")["reason_words"] == "The plan has ended."


def test_a_renewal_leaves_everybody_on_the_plan(stripe: StandIn, big: Plan) -> None:
    own = start(stripe, make_user(), big)
    make_member(own)
    stripe.renew(str(own.stripe_subscription_id))
    syncing.sync_invoice(invoice_of(str(own.stripe_subscription_id)))

    assert FamilyMember.objects.current().count() == 1


def test_members_of_a_duplicate_go_on_in_the_plan_that_stays(stripe: StandIn, big: Plan) -> None:
    owner = make_user()
    numbers = [buy(stripe, owner, big) for _ in range(2)]
    elder, younger = sorted(numbers, key=lambda number: (gateway.subscription(number).created_at, number))
    syncing.sync_invoice(invoice_of(younger))
    member: Any = make_member(UserSubscription.objects.get(stripe_subscription_id=younger))
    secret = link(owner)

    syncing.sync_invoice(invoice_of(elder))

    member.refresh_from_db()
    assert (member.ended_at, member.subscription.stripe_subscription_id) == (None, elder)
    guest = make_user()
    assert family.accept(user=guest, token=secret).subscription == member.subscription
