"""Rows follow what Stripe says, whoever asks, how often and in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from billing import entitlements, gateway
from billing.gateway.client import call
from billing.models import (
    AlertKind,
    Payment,
    PaymentKind,
    Plan,
    PlanPrice,
    Refund,
    StaffAlert,
    SubscriptionStatus,
    UserSubscription,
)
from billing.services import reads, renewals, subscriptions, syncing
from billing.tests.buying import FAILS_LATER_CARD, GOOD_CARD, buy, offer
from billing.tests.factories import make_plan, make_subscription
from emails.models import EmailJob
from sandbox.stripe import StandIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user(name="Margaret Ellis")


@pytest.fixture
def plan() -> Plan:
    return make_plan(name="standard", session_limit=5, price_in_cents=9900)


@pytest.fixture
def basic() -> Plan:
    return make_plan(name="basic", display_name="Basic", session_limit=2, price_in_cents=4900, family_size=1)


def mails() -> list[str]:
    return list(EmailJob.objects.order_by("id").values_list("template_type", flat=True))


def invoice_of(subscription_id: str) -> str:
    return gateway.invoices_of(subscription_id)[0].id


def start(stripe: StandIn, user: User, plan: Plan, *, card: str = GOOD_CARD) -> UserSubscription:
    number = buy(stripe, user, plan, card=card)
    syncing.sync_invoice(invoice_of(number))
    return UserSubscription.objects.get(stripe_subscription_id=number)


def test_a_paid_plan_becomes_a_row_a_payment_and_one_mail(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan)

    assert (row.user, row.plan, row.status, row.stripe_status) == (user, plan, SubscriptionStatus.ACTIVE, "active")
    assert row.current_period_end - row.current_period_start > timedelta(days=27)
    payment = Payment.objects.get()
    assert (payment.amount_cents, payment.kind, payment.paid_with) == (
        9900,
        PaymentKind.PLAN_START,
        "Visa card ending in 4242",
    )
    assert mails() == ["plan_started"]
    assert entitlements.for_user(user).can_book


def test_doing_it_again_changes_nothing(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan)
    for _ in range(3):
        syncing.sync_invoice(invoice_of(str(row.stripe_subscription_id)))
        syncing.sync_subscription(str(row.stripe_subscription_id))

    assert UserSubscription.objects.count() == Payment.objects.count() == 1
    assert mails() == ["plan_started"]


def test_nothing_is_written_before_money_has_come(stripe: StandIn, user: User, plan: Plan) -> None:
    number = buy(stripe, user, plan)
    current = gateway.subscription(number)
    unpaid = syncing._find(_unpaid(current), None, reads.next_read())

    assert unpaid is not None
    assert syncing._write(unpaid) is None
    assert not UserSubscription.objects.exists()


def _unpaid(current: gateway.StripeSubscription) -> gateway.StripeSubscription:
    assert current.latest_invoice is not None
    return replace(current, status="incomplete", latest_invoice=replace(current.latest_invoice, status="open"))


def test_an_older_look_does_not_overwrite_a_newer_one(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan)
    early = reads.next_read()
    seen_early = gateway.subscription(str(row.stripe_subscription_id))
    gateway.cancel_at_period_end(str(row.stripe_subscription_id))
    syncing.sync_subscription(str(row.stripe_subscription_id))

    late_writer = syncing._find(seen_early, None, early)
    assert late_writer is not None
    syncing._write(late_writer)

    row.refresh_from_db()
    assert row.ends_at is not None

    # The control: with a newer ticket the same words do overwrite it, so it is the ticket that protects the row.
    fresh = syncing._find(seen_early, None, reads.next_read())
    assert fresh is not None
    syncing._write(fresh)
    row.refresh_from_db()
    assert row.ends_at is None


def test_renewal_moves_the_month_and_resets_the_allowance(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan)
    subscriptions.use_visit(user=user, cause="booking:a:1")
    first_end = row.current_period_end
    stripe.renew(str(row.stripe_subscription_id))
    syncing.sync_invoice(invoice_of(str(row.stripe_subscription_id)))

    row.refresh_from_db()
    assert row.current_period_start == first_end
    assert row.session_booked_this_month == 0
    assert mails() == ["plan_started", "plan_renewed"]
    assert Payment.objects.filter(kind=PaymentKind.PLAN_RENEWAL).count() == 1


def test_a_failed_renewal_keeps_the_paid_month_and_tells_once(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan, card=FAILS_LATER_CARD)
    paid_until = row.current_period_end
    stripe.renew(str(row.stripe_subscription_id))
    for _ in range(2):
        syncing.sync_invoice(invoice_of(str(row.stripe_subscription_id)))

    row.refresh_from_db()
    assert row.status == SubscriptionStatus.PAST_DUE
    assert row.current_period_end == paid_until
    assert row.past_due_since is not None
    assert mails() == ["plan_started", "plan_payment_failed"]


def test_recovery_brings_the_plan_back_with_its_new_month(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan, card=FAILS_LATER_CARD)
    number = str(row.stripe_subscription_id)
    stripe.renew(number)
    syncing.sync_invoice(invoice_of(number))
    stripe.set_card(str(user.stripe_customer_id), GOOD_CARD)
    stripe.retry(number)
    syncing.sync_invoice(invoice_of(number))

    row.refresh_from_db()
    assert (row.status, row.past_due_since) == (SubscriptionStatus.ACTIVE, None)
    assert row.current_period_start > timezone.now()  # the stand-in's clock went a month ahead
    assert mails() == ["plan_started", "plan_payment_failed", "plan_payment_recovered"]


def test_the_last_failed_try_ends_the_plan_as_not_paid(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan, card=FAILS_LATER_CARD)
    number = str(row.stripe_subscription_id)
    stripe.renew(number)
    while gateway.subscription(number).status != "canceled":
        stripe.retry(number)
    syncing.sync_subscription(number)

    row.refresh_from_db()
    assert row.status == SubscriptionStatus.EXPIRED
    assert row.ended_at is not None
    assert "plan_ended" in mails()


@pytest.mark.parametrize("sets", ["cancel_at_period_end", "cancel_at"])
def test_a_plan_that_stops_keeps_its_days_and_can_be_kept(stripe: StandIn, user: User, plan: Plan, sets: str) -> None:
    row = start(stripe, user, plan)
    number = str(row.stripe_subscription_id)
    if sets == "cancel_at":
        end = int(gateway.subscription(number).period_end.timestamp())
        call(lambda v1: v1.subscriptions.update(number, {"cancel_at": end}))
    else:
        gateway.cancel_at_period_end(number)
    syncing.sync_subscription(number)
    row.refresh_from_db()
    assert (row.status, row.ends_at) == (SubscriptionStatus.ACTIVE, row.current_period_end)
    assert mails() == ["plan_started", "plan_cancelled"]

    gateway.keep(gateway.subscription(number))
    syncing.sync_subscription(number)
    row.refresh_from_db()
    assert (row.ends_at, row.cancelled_at) == (None, None)


def test_a_plan_ends_when_its_last_day_is_over(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan)
    number = str(row.stripe_subscription_id)
    gateway.cancel_at_period_end(number)
    stripe.renew(number)
    syncing.sync_subscription(number)

    row.refresh_from_db()
    assert row.status == SubscriptionStatus.CANCELLED
    assert mails()[-1] == "plan_ended"


def test_a_dearer_plan_acts_at_once_and_a_cheaper_one_from_the_next_month(
    stripe: StandIn, user: User, plan: Plan, basic: Plan
) -> None:
    row = start(stripe, user, basic)
    number = str(row.stripe_subscription_id)
    now = timezone.now()
    gateway.change_now(
        current=gateway.subscription(number), price_id=offer(plan).stripe_price_id, priced_at=now, key="test:up"
    )
    syncing.sync_invoice(invoice_of(number))
    row.refresh_from_db()
    assert row.plan == plan
    assert mails() == ["plan_started", "plan_changed"]

    gateway.change_at_period_end(
        current=gateway.subscription(number), price_id=offer(basic).stripe_price_id, key="test:down"
    )
    syncing.sync_subscription(number)
    row.refresh_from_db()
    assert (row.plan, row.next_plan) == (plan, basic)

    stripe.renew(number)
    syncing.sync_invoice(invoice_of(number))
    row.refresh_from_db()
    assert (row.plan, row.next_plan, row.price_in_cents) == (basic, None, 4900)


@pytest.mark.parametrize("elder_first", [True, False])
def test_of_two_paid_plans_the_elder_stays_and_the_other_is_paid_back(
    stripe: StandIn, user: User, plan: Plan, elder_first: bool
) -> None:
    numbers = [buy(stripe, user, plan) for _ in range(2)]
    elder, younger = sorted(numbers, key=lambda number: (gateway.subscription(number).created_at, number))
    for number in (elder, younger) if elder_first else (younger, elder):
        syncing.sync_invoice(invoice_of(number))

    rows = {row.stripe_subscription_id: row for row in UserSubscription.objects.all()}
    assert rows[elder].status == SubscriptionStatus.ACTIVE
    assert (rows[younger].status, rows[younger].duplicate_of) == (SubscriptionStatus.CANCELLED, rows[elder])
    assert gateway.subscription(younger).status == "canceled"
    assert Refund.objects.get().payment.subscription == rows[younger]
    assert StaffAlert.objects.get().kind == AlertKind.DOUBLE_PLAN
    assert mails().count("plan_double_refunded") == 1
    assert "plan_ended" not in mails()


def test_sessions_used_from_the_younger_plan_go_on_in_the_elder_one(stripe: StandIn, user: User, plan: Plan) -> None:
    numbers = [buy(stripe, user, plan) for _ in range(2)]
    elder, younger = sorted(numbers, key=lambda number: (gateway.subscription(number).created_at, number))
    syncing.sync_invoice(invoice_of(younger))
    use = subscriptions.use_visit(user=user, cause="booking:a:1")
    syncing.sync_invoice(invoice_of(elder))

    use.refresh_from_db()
    assert use.subscription.stripe_subscription_id == elder
    assert entitlements.for_user(user).visits_used == 1


def test_a_person_who_left_is_not_revived_by_a_late_payment(stripe: StandIn, user: User, plan: Plan) -> None:
    number = buy(stripe, user, plan)
    User.objects.filter(pk=user.pk).update(deleted_at=timezone.now())
    syncing.sync_invoice(invoice_of(number))

    assert gateway.subscription(number).status == "canceled"
    assert UserSubscription.objects.get().status == SubscriptionStatus.CANCELLED
    assert mails() == []


def test_money_without_a_known_person_is_shown_to_staff(stripe: StandIn, user: User, plan: Plan) -> None:
    number = buy(stripe, user, plan)
    User.objects.update(stripe_customer_id=None)

    assert syncing.sync_subscription(number) is None
    assert StaffAlert.objects.get().kind == AlertKind.UNKNOWN_PAYER


def test_a_customer_deleted_at_stripe_ends_the_plan_and_frees_the_person(
    stripe: StandIn, user: User, plan: Plan
) -> None:
    row = start(stripe, user, plan)
    customer = str(user.stripe_customer_id)
    syncing.customer_gone(customer)
    row.refresh_from_db()
    assert row.status == SubscriptionStatus.ACTIVE  # it is still there: a wrong word changes nothing

    gateway.delete_customer(customer)
    syncing.customer_gone(customer)
    row.refresh_from_db()
    user.refresh_from_db()
    assert row.status == SubscriptionStatus.CANCELLED
    assert user.stripe_customer_id is None


def test_the_days_of_grace_end_once_and_a_payment_brings_the_plan_back(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan, card=FAILS_LATER_CARD)
    number = str(row.stripe_subscription_id)
    stripe.renew(number)
    syncing.sync_invoice(invoice_of(number))
    assert renewals.end_grace() == 0
    UserSubscription.objects.update(past_due_since=timezone.now() - timedelta(days=8))

    assert (renewals.end_grace(), renewals.end_grace()) == (1, 0)

    stripe.set_card(str(user.stripe_customer_id), GOOD_CARD)
    stripe.retry(number)
    syncing.sync_invoice(invoice_of(number))
    row.refresh_from_db()
    assert (row.status, row.grace_ended_at) == (SubscriptionStatus.ACTIVE, None)


def test_only_plans_that_really_end_are_warned_and_each_once() -> None:
    soon = timezone.now() + timedelta(days=2)
    renewing = make_subscription(current_period_end=soon, stripe_subscription_id="sub_1")
    stopping = make_subscription(current_period_end=soon, stripe_subscription_id="sub_2", ends_at=soon)
    given = make_subscription(current_period_end=soon)
    later = make_subscription(current_period_end=soon + timedelta(days=20))

    renewals.warn_of_ending()
    renewals.warn_of_ending()

    told = set(EmailJob.objects.filter(template_type="plan_ending").values_list("recipient_email", flat=True))
    assert told == {stopping.user.email, given.user.email}
    assert EmailJob.objects.count() == 2
    assert not told & {renewing.user.email, later.user.email}


def test_plans_of_which_nothing_was_heard_are_asked_for(stripe: StandIn, user: User, plan: Plan) -> None:
    row = start(stripe, user, plan)
    number = str(row.stripe_subscription_id)
    UserSubscription.objects.update(current_period_end=timezone.now() - timedelta(hours=1))
    gateway.cancel_now(number)

    assert renewals.sync_late() == 1
    row.refresh_from_db()
    assert row.status == SubscriptionStatus.CANCELLED


def test_a_price_made_by_hand_at_stripe_keeps_the_plan_moving_and_is_shown_to_staff(
    stripe: StandIn, user: User, plan: Plan
) -> None:
    row = start(stripe, user, plan)
    number = str(row.stripe_subscription_id)
    PlanPrice.objects.update(stripe_price_id="price_of_nobody")
    gateway.cancel_at_period_end(number)

    syncing.sync_subscription(number)
    row.refresh_from_db()
    assert (row.plan, row.ends_at) == (plan, row.current_period_end)
    assert StaffAlert.objects.get().kind == AlertKind.UNKNOWN_PAYER

    gateway.cancel_now(number)
    syncing.sync_subscription(number)
    row.refresh_from_db()
    assert row.status == SubscriptionStatus.CANCELLED


def test_who_pays_while_the_account_is_closing_gets_the_money_back(stripe: StandIn, user: User, plan: Plan) -> None:
    User.objects.filter(pk=user.pk).update(deletion_asked_at=timezone.now() - timedelta(minutes=1))
    row = start(stripe, user, plan)

    refund = Refund.objects.get()
    assert (refund.amount_cents, refund.payment.subscription) == (9900, row)


def test_a_refund_of_a_second_plan_that_failed_is_left_to_staff(stripe: StandIn, user: User, plan: Plan) -> None:
    numbers = [buy(stripe, user, plan) for _ in range(2)]
    for number in numbers:
        syncing.sync_invoice(invoice_of(number))
    Refund.objects.update(state="failed")

    for number in numbers:
        syncing.sync_invoice(invoice_of(number))

    assert Refund.objects.count() == 1


def test_an_address_no_mail_can_go_to_keeps_no_money_from_being_written(stripe: StandIn, plan: Plan) -> None:
    person = make_user(name="Old Address")
    number = buy(stripe, person, plan)
    User.objects.filter(pk=person.pk).update(email="old..dots@example.com")

    assert syncing.sync_invoice(invoice_of(number)) is not None
    gateway.cancel_now(number)
    syncing.sync_subscription(number)

    assert UserSubscription.objects.get().status == SubscriptionStatus.CANCELLED
    assert mails() == []
