"""Buying a plan and living with it, as people do: on Stripe's own pages, with closed tabs, two tabs and bad days."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from accounts.tests.factories import PASSWORD, make_user
from billing.models import Plan, Refund, StaffAlert, StripeEvent, SubscriptionStatus, UserSubscription
from billing.services import inbox, leaving, refunds
from billing.tests.factories import make_plan
from emails.models import EmailJob
from sandbox.stripe import StandIn
from techdeputies.tests.browser.conftest import Visitors
from techdeputies.tests.browser.harness import NARROW, WIDE, Visitor

GOOD, DECLINED, FAILS_LATER = "4242424242424242", "4000000000000002", "4000000000000341"


@pytest.fixture
def margaret(site: str) -> User:
    return make_user(email="margaret@example.com", name="Margaret Ellis")


@pytest.fixture
def plans(site: str) -> dict[str, Plan]:
    return {
        "basic": make_plan(
            name="basic", display_name="Basic", tier="basic", price_in_cents=4900, session_limit=2, family_size=1
        ),
        "standard": make_plan(name="standard", display_name="Standard", price_in_cents=9900, session_limit=5),
    }


# --- Steps ----------------------------------------------------------------------------------------------
def choose(visitor: Visitor, name: str = "Standard") -> None:
    """From the plans to Stripe's page."""
    visitor.go("billing:plan_list")
    visitor.press(f"Choose {name}")
    visitor.sees("Is this right?")
    visitor.press("Go on to pay")
    visitor.page.wait_for_url(f"{visitor.shop}/**")


def pay(visitor: Visitor, card: str = GOOD) -> None:
    visitor.page.locator(f"input[name=card][value='{card}']").check()
    visitor.page.get_by_role("button", name="and subscribe").click()


def subscribe(visitor: Visitor, stripe: StandIn, name: str = "Standard", card: str = GOOD) -> UserSubscription:
    choose(visitor, name)
    pay(visitor, card)
    visitor.sees(f"Your {name} plan has started.")
    hear(stripe)
    return UserSubscription.objects.get(status=SubscriptionStatus.ACTIVE)


def wait_for(answer: Callable[[], bool]) -> None:
    """Until it is so; the posts of the stand-in come from threads of its own."""
    deadline = time.monotonic() + 15
    while not answer():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def hear(stripe: StandIn) -> None:
    """Everything that happened at Stripe has been posted, and a worker applies it."""
    happened = {event["id"] for event in stripe.events}
    wait_for(lambda: StripeEvent.objects.filter(event_id__in=happened).count() == len(happened))
    inbox.apply_waiting()


def mails(template: str) -> int:
    return EmailJob.objects.filter(template_type=template).count()


# --- Buying ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("width", [NARROW, WIDE], ids=["phone", "desk"])
def test_a_person_subscribes_and_can_book_at_once(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User, width: int, javascript: bool
) -> None:
    visitor = visitors(width=width, javascript=javascript)
    visitor.go("home")
    visitor.menu("Plans")
    visitor.sees("Choose a monthly plan")
    visitor.press("Choose Standard")
    visitor.sign_in(margaret)
    visitor.sees("Is this right?")
    visitor.reads("$99")
    visitor.press("Go on to pay")
    visitor.page.wait_for_url(f"{visitor.shop}/**")
    pay(visitor)

    visitor.sees("Your Standard plan has started.")
    hear(stripe)
    assert mails("plan_started") == 1
    visitor.press("See my plan")
    visitor.reads("Standard", "0 of 5 used, 5 left", "Visa card ending in 4242")
    visitor.go("dashboard")
    visitor.reads("Standard")
    visitor.go("billing:payment_list")
    visitor.reads("$99.00")


def test_a_declined_card_takes_nothing_and_another_one_pays(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    choose(visitor)
    pay(visitor, DECLINED)
    expect(visitor.page.locator("main")).to_contain_text("declined")
    hear(stripe)
    assert not UserSubscription.objects.exists()

    pay(visitor, GOOD)
    visitor.sees("Your Standard plan has started.")


def test_who_goes_back_without_paying_reads_that_nothing_was_taken_and_finds_the_same_page_again(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    choose(visitor)
    first = visitor.page.url
    visitor.page.get_by_role("link", name="Back without paying").click()
    visitor.sees("Nothing was taken")
    choose(visitor)

    assert visitor.page.url == first
    assert not UserSubscription.objects.exists()


def test_closing_the_tab_after_paying_loses_nothing(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    choose(visitor)
    stripe.pay(visitor.page.url.rpartition("/")[2])
    visitor.page.goto("about:blank")

    hear(stripe)

    assert UserSubscription.objects.get().status == SubscriptionStatus.ACTIVE
    assert mails("plan_started") == 1


def test_coming_back_before_the_notice_is_enough_and_the_notice_changes_nothing(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    stripe.hold_webhooks()
    visitor = visitors().is_signed_in_as(margaret)
    choose(visitor)
    pay(visitor)
    visitor.sees("Your Standard plan has started.")
    assert not StripeEvent.objects.exists()

    stripe.release_webhooks()
    hear(stripe)
    visitor.page.reload()

    visitor.sees("Your Standard plan has started.")
    assert UserSubscription.objects.count() == 1
    assert mails("plan_started") == 1


def test_two_tabs_that_both_pay_end_with_one_plan_and_one_refund(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    one = visitors().is_signed_in_as(margaret)
    two = visitors().is_signed_in_as(margaret)
    choose(one)
    # The second tab's payment page is made behind our back: our own door opens one page only.
    session = stripe.account.store.get(one.page.url.rpartition("/")[2])
    choose(two)
    assert two.page.url == one.page.url
    assert session is not None
    twin = {**session, "id": session["id"] + "twin"}
    stripe.account.store.put(twin)
    pay(one)
    one.sees("Your Standard plan has started.")
    stripe.pay(twin["id"])

    hear(stripe)
    refunds.send_asked()

    assert UserSubscription.objects.filter(status=SubscriptionStatus.ACTIVE).count() == 1
    assert UserSubscription.objects.get(duplicate_of__isnull=False).status == SubscriptionStatus.CANCELLED
    assert Refund.objects.get().amount_cents == 9900
    assert StaffAlert.objects.filter(kind="double_plan").count() == 1
    two.go("billing:plan_list")
    two.reads("Your plan")


def test_who_has_a_plan_is_not_led_to_a_second_payment(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    subscribe(visitor, stripe)
    visitor.go("billing:checkout", "basic")

    assert visitor.path in (reverse("billing:my_plan"), reverse("billing:plan_change", args=["basic"]))
    assert sum(call.path == "/v1/checkout/sessions" and call.method == "POST" for call in stripe.calls) == 1


# --- Living with it -------------------------------------------------------------------------------------
def test_moving_up_shows_the_sum_first_and_acts_at_once_and_moving_down_waits(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    subscribe(visitor, stripe, "Basic")
    visitor.go("billing:plan_list")
    visitor.press("Move to Standard")
    visitor.reads("You pay now", "$50.00")
    visitor.press("Pay and move to Standard")
    visitor.reads("You have the Standard plan now.", "of 5 used")
    hear(stripe)
    assert mails("plan_changed") == 1

    visitor.go("billing:plan_list")
    visitor.press("Move to Basic")
    visitor.reads("You pay now", "Nothing")
    visitor.page.locator("main form button[type=submit]").first.click()
    visitor.reads("you will have the Basic plan")
    row = UserSubscription.objects.get()
    assert (row.plan, row.next_plan) == (plans["standard"], plans["basic"])

    visitor.press("Stay on Standard")
    visitor.reads("You stay on your plan.")
    row.refresh_from_db()
    assert row.next_plan is None


def test_stopping_and_keeping_the_plan(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    row = subscribe(visitor, stripe)
    visitor.go("billing:my_plan")
    visitor.press("Stop my plan")
    visitor.sees("Stop your plan?")
    visitor.press("Yes, stop my plan")
    visitor.reads("Your plan will stop on")
    row.refresh_from_db()
    assert row.status == SubscriptionStatus.ACTIVE
    assert row.ends_at == row.current_period_end

    visitor.press("Keep my plan")
    row.refresh_from_db()
    assert row.ends_at is None


def test_a_plan_stopped_at_stripe_itself_ends_with_its_month(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    row = subscribe(visitor, stripe)
    visitor.go("billing:portal")
    visitor.page.locator("main form button[type=submit]").first.click()
    visitor.page.wait_for_url(f"{visitor.shop}/**")
    visitor.press("Stop the plan")
    visitor.press("Stop the plan")
    visitor.reads("Ends on")
    hear(stripe)
    visitor.go("billing:my_plan")
    visitor.reads("Stops on")

    stripe.renew(str(row.stripe_subscription_id))
    hear(stripe)
    visitor.go("billing:my_plan")
    visitor.reads("Your Standard plan ended on")
    assert mails("plan_ended") == 1


def test_a_failed_payment_is_said_fixed_with_a_new_card_and_goes_on(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    row = subscribe(visitor, stripe, card=FAILS_LATER)
    number = str(row.stripe_subscription_id)
    stripe.renew(number)
    hear(stripe)
    assert mails("plan_payment_failed") == 1
    visitor.go("dashboard")
    visitor.reads("Your payment did not go through")
    visitor.open_mail(margaret.email, "payment")
    visitor.press_link_in_mail("/billing/portal/")
    visitor.page.locator("main form button[type=submit]").first.click()
    visitor.page.wait_for_url(f"{visitor.shop}/**")
    if visitor.thing("Change the card").is_visible():
        visitor.press("Change the card")
    visitor.page.locator(f"input[name=card][value='{GOOD}']").check()
    visitor.press("Save this card")

    stripe.retry(number)
    hear(stripe)

    visitor.go("dashboard")
    expect(visitor.page.locator("main")).not_to_contain_text("did not go through")
    assert UserSubscription.objects.get().status == SubscriptionStatus.ACTIVE
    assert mails("plan_payment_recovered") == 1


def test_a_plan_that_is_never_paid_again_ends_and_says_so(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    number = str(subscribe(visitor, stripe, card=FAILS_LATER).stripe_subscription_id)
    stripe.renew(number)
    while stripe.account.store.get(number)["status"] != "canceled":  # type: ignore[index]
        stripe.retry(number)
    hear(stripe)

    assert UserSubscription.objects.get().status == SubscriptionStatus.EXPIRED
    visitor.go("billing:my_plan")
    visitor.reads("Your Standard plan ended on")
    choose(visitor)  # and a new one can be bought


# --- Stripe is down -------------------------------------------------------------------------------------
def test_while_stripe_is_down_nothing_is_taken_and_later_it_works(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    visitor.go("billing:plan_list")
    visitor.press("Choose Standard")
    stripe.outage.begin(60)
    visitor.press("Go on to pay")
    visitor.reads("Nothing was taken")
    visitor.problems.clear()  # the page says 503, as it should
    assert not UserSubscription.objects.exists()

    stripe.outage.end()
    choose(visitor)
    pay(visitor)
    visitor.sees("Your Standard plan has started.")


def test_while_stripe_is_down_a_deletion_waits_and_is_finished_by_itself(
    visitors: Visitors, stripe: StandIn, plans: dict[str, Plan], margaret: User
) -> None:
    visitor = visitors().is_signed_in_as(margaret)
    number = str(subscribe(visitor, stripe).stripe_subscription_id)
    stripe.outage.begin(60)
    visitor.go("accounts:delete")
    visitor.write(current_password=PASSWORD)
    visitor.page.locator("main form button[type=submit]").first.click()
    leaving.stop_plans_of_leavers()
    margaret.refresh_from_db()
    assert margaret.is_active
    visitor.go("accounts:delete")
    visitor.reads("wait")

    stripe.outage.end()
    wait_for(lambda: _finished(margaret))
    found = stripe.account.store.get(number)
    assert found is not None
    assert found["status"] == "canceled"
    assert UserSubscription.objects.get().status == SubscriptionStatus.CANCELLED


def _finished(user: User) -> bool:
    leaving.stop_plans_of_leavers()
    user.refresh_from_db()
    return not user.is_active
