"""Changing, stopping and keeping a plan: shown first, made once, and right at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from audit.actors import Actor
from billing import exceptions, gateway
from billing.gateway.client import call
from billing.models import (
    ChangeState,
    FamilyMember,
    Payment,
    PaymentKind,
    Plan,
    PlanChange,
    SubscriptionStatus,
    UserSubscription,
)
from billing.services import catalogue, changes, syncing
from billing.tests.buying import FAILS_LATER_CARD, GOOD_CARD
from billing.tests.changing import at_stripe, bought, invoices, moved, schedules, user_customer
from billing.tests.factories import make_plan, make_subscription
from sandbox.stripe import StandIn
from settings_app.services import set_value, value

pytestmark = pytest.mark.django_db
racing = pytest.mark.django_db(transaction=True)

WAIT_SECONDS = 10.0


# --- Shown first ----------------------------------------------------------------------------------------
def test_a_dearer_plan_is_shown_with_the_difference_for_the_days_left(
    user: User, own: UserSubscription, standard: Plan, premium: Plan
) -> None:
    shown = changes.preview(user=user, plan=premium)

    assert (shown.from_plan, shown.to_plan, shown.is_upgrade) == (standard, premium, True)
    assert shown.due_now_cents == shown.charged_cents - shown.credited_cents
    assert 9990 <= shown.due_now_cents <= 10000  # all but a moment of the month is left
    assert abs(shown.acts_at - timezone.now()) < timedelta(seconds=5)
    assert (shown.new_price_cents, shown.next_payment_cents) == (19900, 19900)
    assert shown.next_payment_at == own.current_period_end


def test_a_cheaper_plan_is_shown_with_nothing_to_pay_until_the_month_is_over(
    user: User, own: UserSubscription, basic: Plan
) -> None:
    shown = changes.preview(user=user, plan=basic)

    assert not shown.is_upgrade
    assert shown.due_now_cents == shown.charged_cents == shown.credited_cents == 0
    assert shown.acts_at == shown.next_payment_at == own.current_period_end
    assert shown.next_payment_cents == 4900


def test_looking_changes_nothing_at_stripe(
    stripe: StandIn, user: User, own: UserSubscription, basic: Plan, premium: Plan
) -> None:
    for plan in (basic, premium):
        catalogue.current_price(plan)
    before = at_stripe(own)

    for plan in (basic, premium):
        changes.preview(user=user, plan=plan)

    assert at_stripe(own) == before
    assert schedules() == []
    assert not PlanChange.objects.exists()


def test_who_pays_an_old_price_is_compared_by_that(
    user: User, own: UserSubscription, standard: Plan, basic: Plan
) -> None:
    Plan.objects.filter(pk=basic.pk).update(price_in_cents=10900)

    assert changes.preview(user=user, plan=basic).is_upgrade


# --- Refusals -------------------------------------------------------------------------------------------
def refused(user: User, plan: Plan, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        changes.preview(user=user, plan=plan)


def test_without_a_plan_there_is_nothing_to_change(stripe: StandIn, user: User, premium: Plan) -> None:
    refused(user, premium, exceptions.NoActivePlan)
    for act in (changes.cancel, changes.keep, changes.forget_change):
        with pytest.raises(exceptions.NoActivePlan):
            act(user=user)


def test_a_given_plan_is_changed_by_staff(stripe: StandIn, user: User, premium: Plan, basic: Plan) -> None:
    make_subscription(user=user, plan=basic)

    refused(user, premium, exceptions.NotBoughtHere)
    for act in (changes.cancel, changes.keep, changes.forget_change, changes.portal):
        with pytest.raises(exceptions.NotBoughtHere):
            act(user=user)


def test_somebody_who_shares_a_plan_cannot_change_it(own: UserSubscription, premium: Plan) -> None:
    member = make_user()
    FamilyMember.objects.create(subscription=own, user=member)

    refused(member, premium, exceptions.NoActivePlan)
    with pytest.raises(exceptions.NoActivePlan):
        changes.cancel(user=member)


def test_the_present_plan_is_no_change(user: User, own: UserSubscription, standard: Plan) -> None:
    refused(user, standard, exceptions.AlreadyOnPlan)
    Plan.objects.update(price_in_cents=10900)
    refused(user, standard, exceptions.AlreadyOnPlan)


def test_a_plan_off_offer_cannot_be_moved_to(user: User, own: UserSubscription, premium: Plan) -> None:
    Plan.objects.filter(pk=premium.pk).update(is_offered=False)

    refused(user, premium, exceptions.PlanNotOffered)


def test_an_unpaid_plan_is_put_right_first(stripe: StandIn, user: User, standard: Plan, premium: Plan) -> None:
    row = bought(stripe, user, standard, FAILS_LATER_CARD)
    stripe.renew(str(row.stripe_subscription_id))

    refused(user, premium, exceptions.PaymentOwed)


def test_a_plan_that_stops_is_kept_first(user: User, own: UserSubscription, premium: Plan) -> None:
    changes.cancel(user=user)

    refused(user, premium, exceptions.PlanStops)


def test_a_disputed_plan_is_not_changed(user: User, own: UserSubscription, premium: Plan) -> None:
    UserSubscription.objects.update(frozen_at=timezone.now())

    refused(user, premium, exceptions.PlanOnHold)


# --- A dearer plan, at once -----------------------------------------------------------------------------
def test_a_dearer_plan_acts_at_once_for_the_sum_that_was_shown(
    user: User, own: UserSubscription, standard: Plan, premium: Plan
) -> None:
    shown = changes.preview(user=user, plan=premium)

    wish = changes.change(user=user, plan=premium, token=shown.token)

    own.refresh_from_db()
    assert (own.plan, own.price_in_cents, own.status) == (premium, 19900, SubscriptionStatus.ACTIVE)
    assert (wish.state, wish.from_plan, wish.to_plan) == (ChangeState.DONE, standard, premium)
    assert wish.due_now_cents == shown.due_now_cents
    payment = Payment.objects.get(kind=PaymentKind.PLAN_CHANGE)
    assert payment.amount_cents == shown.due_now_cents
    assert at_stripe(own).price_cents == 19900


def test_the_sum_stays_the_shown_one_when_time_passes(user: User, own: UserSubscription, premium: Plan) -> None:
    shown = changes.preview(user=user, plan=premium)

    with time_machine.travel(timezone.now() + timedelta(minutes=25)):
        changes.change(user=user, plan=premium, token=shown.token)

    assert invoices(own)[0].amount_paid_cents == shown.due_now_cents


def test_a_second_press_changes_nothing(user: User, own: UserSubscription, premium: Plan) -> None:
    token = changes.preview(user=user, plan=premium).token

    first = changes.change(user=user, plan=premium, token=token)
    again = changes.change(user=user, plan=premium, token=token)

    assert first == again == PlanChange.objects.get()
    assert len(invoices(own)) == Payment.objects.count() == 2


def test_a_refused_card_changes_nothing(stripe: StandIn, user: User, own: UserSubscription, premium: Plan) -> None:
    stripe.set_card(str(user_customer(user)), FAILS_LATER_CARD)
    token = changes.preview(user=user, plan=premium).token

    with pytest.raises(exceptions.CardDeclined):
        changes.change(user=user, plan=premium, token=token)

    own.refresh_from_db()
    assert own.plan.name == "standard"
    assert at_stripe(own).price_cents == 9900
    assert PlanChange.objects.get().state == ChangeState.REFUSED
    # The same press again asks to look anew; with a good card and a fresh look it works.
    with pytest.raises(exceptions.PreviewTooOld):
        changes.change(user=user, plan=premium, token=token)
    stripe.set_card(str(user_customer(user)), GOOD_CARD)
    with time_machine.travel(timezone.now() + timedelta(seconds=2)):
        assert moved(user, premium).state == ChangeState.DONE


# --- A cheaper plan, when the month is over -------------------------------------------------------------
def test_a_cheaper_plan_comes_when_the_month_is_over(
    stripe: StandIn, user: User, own: UserSubscription, standard: Plan, basic: Plan
) -> None:
    wish = moved(user, basic)

    own.refresh_from_db()
    assert (own.plan, own.next_plan, wish.acts_at) == (standard, basic, own.current_period_end)
    assert len(invoices(own)) == 1
    stripe.renew(str(own.stripe_subscription_id))
    syncing.sync_invoice(invoices(own)[0].id)
    own.refresh_from_db()
    assert (own.plan, own.next_plan, own.price_in_cents) == (basic, None, 4900)
    assert invoices(own)[0].amount_paid_cents == 4900


def test_a_planned_change_can_be_forgotten(user: User, own: UserSubscription, standard: Plan, basic: Plan) -> None:
    moved(user, basic)

    row = changes.forget_change(user=user)

    assert (row.plan, row.next_plan) == (standard, None)
    assert at_stripe(own).schedule_id == ""
    assert changes.forget_change(user=user).next_plan is None


def test_what_is_planned_already_is_said(user: User, own: UserSubscription, basic: Plan) -> None:
    moved(user, basic)

    with pytest.raises(exceptions.AlreadyOnPlan, match="planned already"):
        changes.preview(user=user, plan=basic)


def test_another_cheaper_plan_takes_the_place_of_the_planned_one(
    user: User, own: UserSubscription, basic: Plan
) -> None:
    lowest = make_plan(name="lowest", display_name="Lowest", price_in_cents=1900)
    moved(user, basic)

    moved(user, lowest)

    own.refresh_from_db()
    assert own.next_plan == lowest
    assert len(schedules()) == 1


def test_a_dearer_plan_lets_go_of_the_planned_one(
    stripe: StandIn, user: User, own: UserSubscription, basic: Plan, premium: Plan
) -> None:
    moved(user, basic)

    moved(user, premium)

    own.refresh_from_db()
    assert (own.plan, own.next_plan) == (premium, None)
    stripe.renew(str(own.stripe_subscription_id))
    assert at_stripe(own).price_cents == 19900


def test_a_refused_card_leaves_the_planned_change_as_it_was(
    stripe: StandIn, user: User, own: UserSubscription, basic: Plan, premium: Plan
) -> None:
    moved(user, basic)
    stripe.set_card(str(user_customer(user)), FAILS_LATER_CARD)

    with pytest.raises(exceptions.CardDeclined):
        moved(user, premium)

    assert at_stripe(own).next_price_id == catalogue.current_price(basic).stripe_price_id
    own.refresh_from_db()
    assert own.next_plan == basic


# --- The note that goes with the press ------------------------------------------------------------------
def test_a_note_that_is_old_changed_or_somebody_elses_makes_nothing(
    stripe: StandIn, user: User, own: UserSubscription, premium: Plan, basic: Plan
) -> None:
    token = changes.preview(user=user, plan=premium).token
    other = make_user()
    bought(stripe, other, basic)

    def press(person: User = user, plan: Plan = premium, note: str = token) -> None:
        with pytest.raises(exceptions.PreviewTooOld):
            changes.change(user=person, plan=plan, token=note)

    press(note="")
    press(note=token[:-1] + ("A" if token[-1] != "A" else "B"))
    press(plan=basic)
    press(person=other)
    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        press()
    assert not PlanChange.objects.exists()
    assert len(invoices(own)) == 1


def test_another_price_since_then_asks_to_look_again(user: User, own: UserSubscription, premium: Plan) -> None:
    token = changes.preview(user=user, plan=premium).token
    Plan.objects.filter(pk=premium.pk).update(price_in_cents=24900)

    with pytest.raises(exceptions.PreviewTooOld):
        changes.change(user=user, plan=premium, token=token)

    assert at_stripe(own).price_cents == 9900


def test_a_change_in_another_tab_since_then_asks_to_look_again(
    user: User, own: UserSubscription, premium: Plan, basic: Plan
) -> None:
    middle = make_plan(name="middle", display_name="Middle", price_in_cents=14900)
    to_middle, to_basic = (changes.preview(user=user, plan=plan).token for plan in (middle, basic))
    moved(user, premium)

    with pytest.raises(exceptions.PreviewTooOld):
        changes.change(user=user, plan=middle, token=to_middle)
    with pytest.raises(exceptions.PreviewTooOld):
        changes.change(user=user, plan=basic, token=to_basic)

    assert at_stripe(own).price_cents == 19900


def test_a_new_month_since_then_asks_to_look_again(
    stripe: StandIn, user: User, own: UserSubscription, premium: Plan, basic: Plan
) -> None:
    tokens = {plan: changes.preview(user=user, plan=plan).token for plan in (premium, basic)}
    stripe.renew(str(own.stripe_subscription_id))

    for plan, token in tokens.items():
        with pytest.raises(exceptions.PreviewTooOld):
            changes.change(user=user, plan=plan, token=token)


# --- Stopping and keeping -------------------------------------------------------------------------------
def test_stopping_lets_the_month_run_out_and_can_be_taken_back(user: User, own: UserSubscription) -> None:
    row = changes.cancel(user=user)

    assert (row.status, row.ends_at) == (SubscriptionStatus.ACTIVE, own.current_period_end)
    assert changes.cancel(user=user).ends_at == own.current_period_end
    assert changes.keep(user=user).ends_at is None
    with pytest.raises(exceptions.NothingToKeep):
        changes.keep(user=user)


def test_stopping_forgets_a_planned_change(stripe: StandIn, user: User, own: UserSubscription, basic: Plan) -> None:
    moved(user, basic)

    row = changes.cancel(user=user)

    assert (row.next_plan, row.ends_at) == (None, own.current_period_end)
    stripe.renew(str(own.stripe_subscription_id))
    assert at_stripe(own).status == "canceled"


def test_a_stop_made_in_the_portal_can_be_taken_back_here(user: User, own: UserSubscription) -> None:
    end = int(own.current_period_end.timestamp())
    call(lambda v1: v1.subscriptions.update(str(own.stripe_subscription_id), {"cancel_at": end}))

    assert changes.keep(user=user).ends_at is None
    assert at_stripe(own).ends_at is None


def test_a_plan_that_is_over_cannot_be_kept(stripe: StandIn, user: User, own: UserSubscription) -> None:
    gateway.cancel_now(str(own.stripe_subscription_id))

    with pytest.raises(exceptions.NoActivePlan):
        changes.keep(user=user)

    own.refresh_from_db()
    assert own.status == SubscriptionStatus.CANCELLED


def test_a_plan_that_owes_money_stops_at_once_and_nothing_more_is_taken(
    stripe: StandIn, user: User, standard: Plan
) -> None:
    row = bought(stripe, user, standard, FAILS_LATER_CARD)
    number = str(row.stripe_subscription_id)
    stripe.renew(number)
    syncing.sync_subscription(number)

    changes.cancel(user=user)

    row.refresh_from_db()
    assert row.status == SubscriptionStatus.CANCELLED
    assert at_stripe(row).status == "canceled"
    stripe.set_card(str(user_customer(user)), GOOD_CARD)
    with pytest.raises(ValueError, match="canceled"):
        stripe.retry(number)
    assert Payment.objects.count() == 1


# --- The portal -----------------------------------------------------------------------------------------
def test_the_portal_opens_for_whoever_paid_once(stripe: StandIn, user: User, own: UserSubscription) -> None:
    catalogue.sync_all()

    plain, card = changes.portal(user=user), changes.portal(user=user, flow="payment_method_update")

    assert plain.startswith(stripe.site)
    assert card.startswith(stripe.site)
    assert plain != card
    assert changes.portal(user=user, flow="subscription_pause")  # nothing we offer: the plain portal


@pytest.mark.parametrize("known", ["", "bpc_elsewhere"])
def test_the_portal_gets_its_configuration_where_the_command_was_not_run(
    stripe: StandIn, user: User, own: UserSubscription, known: str
) -> None:
    set_value(catalogue.PORTAL, known, actor=Actor.system())

    assert changes.portal(user=user).startswith(stripe.site)

    assert value(catalogue.PORTAL) not in ("", "bpc_elsewhere")
    assert changes.portal(user=user).startswith(stripe.site)
    assert len(call(lambda v1: v1.billing_portal.configurations.list({}))["data"]) == 1


def test_a_customer_that_is_gone_has_no_portal(user: User, own: UserSubscription) -> None:
    gateway.delete_customer(str(user_customer(user)))

    with pytest.raises(exceptions.NotBoughtHere):
        changes.portal(user=user)
