"""A disputed payment makes its plan wait; won, it goes on; lost, it ends and the sum is gone."""

from __future__ import annotations

import pytest
from django.utils import timezone

from billing import entitlements, gateway
from billing.exceptions import NothingToRefund, StripeUnavailable
from billing.models import AlertKind, Dispute, Payment, StaffAlert, SubscriptionStatus, UserSubscription
from billing.services import disputes, reads, refunds
from billing.tests.test_refunds import ask, gone, mails, paid
from emails.models import EmailJob
from sandbox.stripe import StandIn

pytestmark = pytest.mark.django_db


def plan_of(payment: Payment) -> UserSubscription:
    assert payment.subscription is not None
    return UserSubscription.objects.get(pk=payment.subscription.pk)


def open_dispute(stripe: StandIn, payment: Payment) -> str:
    return str(stripe.open_dispute(payment.stripe_charge_id)["id"])


def test_the_plan_waits_and_everybody_is_told_once(stripe: StandIn) -> None:
    payment = paid(stripe)
    number = open_dispute(stripe, payment)
    for _ in range(2):
        disputes.sync_dispute(number)

    dispute = Dispute.objects.get()
    assert (dispute.payment, dispute.amount_cents, dispute.status) == (payment, 9900, "needs_response")
    assert dispute.answer_by is not None
    assert plan_of(payment).frozen_at is not None
    assert gone(payment) == 0
    assert payment.user is not None
    access = entitlements.for_user(payment.user)
    assert not access.can_book
    assert len(mails("plan_disputed")) == 1
    alert = StaffAlert.objects.get()
    assert (alert.kind, alert.payment) == (AlertKind.DISPUTE, payment)
    assert EmailJob.objects.filter(template_type="staff_alert").count() == 1


def test_won_the_plan_goes_on(stripe: StandIn) -> None:
    payment = paid(stripe)
    number = open_dispute(stripe, payment)
    disputes.sync_dispute(number)
    stripe.close_dispute(number, "won")
    disputes.sync_dispute(number)

    assert plan_of(payment).frozen_at is None
    assert Dispute.objects.get().closed_at is not None
    assert gone(payment) == 0
    assert payment.user is not None
    assert entitlements.for_user(payment.user).can_book


def test_lost_the_plan_ends_here_and_at_stripe_and_the_sum_is_gone(stripe: StandIn) -> None:
    payment = paid(stripe)
    number = open_dispute(stripe, payment)
    disputes.sync_dispute(number)
    stripe.close_dispute(number, "lost")
    for _ in range(2):
        disputes.sync_dispute(number)

    row = plan_of(payment)
    assert row.status == SubscriptionStatus.CANCELLED
    assert row.ended_at is not None
    assert gateway.subscription(str(row.stripe_subscription_id)).status == "canceled"
    assert gone(payment) == 9900
    with pytest.raises(NothingToRefund):
        ask(payment, 1)
    assert StaffAlert.objects.filter(kind=AlertKind.DISPUTE).count() == 2


def test_lost_before_we_heard_of_it_ends_the_same(stripe: StandIn) -> None:
    payment = paid(stripe)
    number = open_dispute(stripe, payment)
    stripe.close_dispute(number, "lost")
    disputes.sync_dispute(number)

    assert plan_of(payment).status == SubscriptionStatus.CANCELLED
    assert mails("plan_disputed") == []


def test_while_stripe_is_away_the_lost_plan_still_waits(stripe: StandIn) -> None:
    payment = paid(stripe)
    number = open_dispute(stripe, payment)
    stripe.close_dispute(number, "lost")
    stripe.faults.add(500, on="DELETE /v1/subscriptions")
    with pytest.raises(StripeUnavailable):
        disputes.sync_dispute(number)

    assert plan_of(payment).frozen_at is not None
    disputes.sync_dispute(number)
    assert plan_of(payment).status == SubscriptionStatus.CANCELLED


def test_an_older_look_does_not_open_it_again(stripe: StandIn) -> None:
    payment = paid(stripe)
    number = open_dispute(stripe, payment)
    early = reads.next_read()
    seen_early = gateway.dispute(number)
    stripe.close_dispute(number, "won")
    disputes.sync_dispute(number)

    disputes._write(payment, seen_early, early)
    assert plan_of(payment).frozen_at is None

    # The control: with the newest ticket the old words would have frozen it.
    disputes._write(payment, seen_early, reads.next_read())
    assert plan_of(payment).frozen_at is not None


def test_another_open_dispute_keeps_the_plan_waiting(stripe: StandIn) -> None:
    payment = paid(stripe)
    number = open_dispute(stripe, payment)
    disputes.sync_dispute(number)
    Dispute.objects.create(
        stripe_dispute_id="dp_other",
        payment=payment,
        amount_cents=100,
        reason="fraudulent",
        status="needs_response",
        opened_at=timezone.now(),
    )
    stripe.close_dispute(number, "won")
    disputes.sync_dispute(number)

    assert plan_of(payment).frozen_at is not None


def test_part_of_it_may_have_been_given_back_before(stripe: StandIn) -> None:
    payment = paid(stripe)
    refunds.send(ask(payment, 2500))
    number = open_dispute(stripe, payment)
    stripe.close_dispute(number, "lost")
    disputes.sync_dispute(number)

    assert gone(payment) == 9900


def test_one_that_stripe_does_not_know_is_nothing(stripe: StandIn) -> None:
    assert disputes.sync_dispute("dp_unknown") is None
