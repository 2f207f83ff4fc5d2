"""The pages of plans with a Stripe that answers: paying, coming back, moving, stopping, and its bad days."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import make_user
from billing.models import Checkout, CheckoutState, Payment, Plan, PlanChange, UserSubscription
from billing.services import checkout
from billing.tests.buying import FAILS_LATER_CARD, GOOD_CARD
from billing.tests.pages import leads_to, make_plans, signed_in
from sandbox.lib.faults import accept_then_reset
from sandbox.stripe import StandIn
from techdeputies.tests.pages import own_links, words

pytestmark = pytest.mark.django_db

CHECK = "/billing/checkout/standard/"
RETURN = "/billing/return/"
MY_PLAN = "/subscriptions/mine/"


@pytest.fixture(autouse=True)
def plans() -> dict[str, Plan]:
    return make_plans()


@pytest.fixture
def user() -> User:
    return make_user(name="Margaret Ellis")


def open_session(user: User) -> str:
    """Press "Go on to pay"; the number of Stripe's page."""
    assert signed_in(user).post(CHECK).status_code == 303
    return str(Checkout.objects.open().get(user=user).stripe_session_id)


@pytest.fixture
def buyer(stripe: StandIn, user: User) -> User:
    """Has the Standard plan since a moment ago."""
    return bought(stripe, user)


def bought(stripe: StandIn, user: User, card: str = GOOD_CARD) -> User:
    session_id = open_session(user)
    stripe.pay(session_id, card=card)
    checkout.fulfil(session_id, user=user)
    user.refresh_from_db()
    return user


def move(client: Client, plan: str, **more: Any) -> Any:
    """Look at the sums, then press the button under them."""
    url = reverse("billing:plan_change", args=[plan])
    token = client.get(url).context["change"].token
    return client.post(url, {"token": token}, **more)


class TestPaying:
    def test_press_leads_to_stripe_and_a_second_one_to_the_same_page(self, stripe: StandIn, user: User) -> None:
        client = signed_in(user)

        first, second = client.post(CHECK), client.post(CHECK)

        assert (first.status_code, second.status_code) == (303, 303)
        assert first["Location"] == second["Location"]
        assert first["Location"].startswith(f"{stripe.site}/c/pay/")
        assert Checkout.objects.count() == 1
        assert not UserSubscription.objects.exists()

    def test_back_after_paying_the_plan_runs_at_once(self, stripe: StandIn, user: User) -> None:
        session_id = open_session(user)
        stripe.pay(session_id)

        for _ in range(2):
            response = signed_in(user).get(RETURN, {"session_id": session_id})
            assert "Your Standard plan has started." in words(response)

        assert UserSubscription.objects.active().get(user=user).plan.name == "standard"
        assert Payment.objects.count() == 1

    def test_back_before_paying_the_page_says_wait_and_look_again_works(self, stripe: StandIn, user: User) -> None:
        session_id = open_session(user)
        url = f"{RETURN}?session_id={session_id}"
        client = signed_in(user)

        waiting = client.get(url)
        stripe.pay(session_id)

        assert "Please do not pay a second time" in words(waiting)
        assert url in own_links(waiting, url)
        assert "Your Standard plan has started." in words(client.get(url))

    @pytest.mark.parametrize("status", [400, 401, 429, 500])
    def test_back_on_a_bad_day_nobody_is_told_that_nothing_was_taken(
        self, stripe: StandIn, user: User, status: int
    ) -> None:
        session_id = open_session(user)
        stripe.pay(session_id)
        stripe.faults.add(status, on="GET /v1/checkout/sessions")
        client = signed_in(user)

        waiting = client.get(RETURN, {"session_id": session_id})

        assert waiting.status_code == 200
        assert "Please do not pay a second time" in words(waiting)
        assert "Your Standard plan has started." in words(client.get(RETURN, {"session_id": session_id}))

    def test_page_that_ran_out_took_nothing(self, stripe: StandIn, user: User) -> None:
        session_id = open_session(user)
        stripe.expire(session_id)

        response = signed_in(user).get(RETURN, {"session_id": session_id})

        assert "Nothing was taken" in words(response)
        assert CHECK in own_links(response, RETURN)
        assert Checkout.objects.get().state == CheckoutState.EXPIRED

    def test_another_persons_return_is_not_found(self, stripe: StandIn, user: User) -> None:
        session_id = open_session(user)
        stripe.pay(session_id)

        assert signed_in(make_user()).get(RETURN, {"session_id": session_id}).status_code == 404
        assert not UserSubscription.objects.exists()

    def test_paid_already_and_pressed_again_leads_to_the_plan(self, stripe: StandIn, user: User) -> None:
        session_id = open_session(user)
        stripe.pay(session_id)

        assert leads_to(signed_in(user).post(CHECK)) == MY_PLAN
        assert UserSubscription.objects.active().filter(user=user).count() == 1

    def test_lost_answer_is_said_calmly_and_the_next_press_goes_on(self, stripe: StandIn, user: User) -> None:
        stripe.faults.add(accept_then_reset(), on="POST /v1/checkout/sessions")
        client = signed_in(user)

        lost, again = client.post(CHECK), client.post(CHECK)

        assert lost.status_code == 503
        assert "Nothing was taken" in words(lost)
        assert again.status_code == 303


class TestMoving:
    def test_bigger_plan_shows_both_sums_and_acts_at_once(self, buyer: User) -> None:
        client = signed_in(buyer)
        page = client.get(reverse("billing:plan_change", args=["premium"]))
        change = page.context["change"]

        text = words(page)
        assert "Starts At once" in text
        assert f"You pay now ${change.due_now_cents / 100:.2f}" in text
        assert change.due_now_cents == change.charged_cents - change.credited_cents > 0
        assert "Next payment $199.00 on" in text
        response = move(client, "premium", follow=True)
        assert response.redirect_chain == [(MY_PLAN, 302)]
        assert "You have the Premium plan now." in words(response)
        assert Payment.objects.filter(user=buyer).count() == 2

    def test_smaller_plan_is_planned_and_can_be_forgotten(self, buyer: User) -> None:
        client = signed_in(buyer)
        page = words(client.get(reverse("billing:plan_change", args=["basic"])))

        assert "You pay now Nothing" in page
        assert "Until then nothing changes." in page
        assert "This plan is for one person" in page
        planned = move(client, "basic", follow=True)
        assert "you will have the Basic plan. Until then everything stays as it is." in words(planned)
        forgotten: Any = client.post(reverse("billing:plan_change_forget"), follow=True)
        assert "You stay on your plan." in words(forgotten)
        assert UserSubscription.objects.get(user=buyer).next_plan is None

    def test_second_press_takes_nothing_more(self, buyer: User) -> None:
        client = signed_in(buyer)
        url = reverse("billing:plan_change", args=["premium"])
        token = client.get(url).context["change"].token

        for _ in range(2):
            assert leads_to(client.post(url, {"token": token})) == MY_PLAN

        assert PlanChange.objects.count() == 1
        assert Payment.objects.filter(user=buyer).count() == 2

    @pytest.mark.parametrize("token", ["", "nonsense", "\x00"])
    def test_sums_nobody_was_shown_are_shown_again(self, buyer: User, token: str) -> None:
        response = signed_in(buyer).post(reverse("billing:plan_change", args=["premium"]), {"token": token})

        assert response.status_code == 409
        assert "Your plan has not changed" in words(response)
        assert "You pay now" in words(response)

    def test_refused_card_changes_nothing_and_offers_another(self, stripe: StandIn, user: User) -> None:
        client = signed_in(bought(stripe, user, card=FAILS_LATER_CARD))

        response = move(client, "premium")

        assert response.status_code == 409
        assert "Your bank did not let the payment through" in words(response)
        assert reverse("billing:portal") + "?for=card" in own_links(response, "/")
        assert UserSubscription.objects.get(user=user).plan.name == "standard"

    def test_lost_answer_does_not_say_that_nothing_was_taken(self, stripe: StandIn, buyer: User) -> None:
        client = signed_in(buyer)
        url = reverse("billing:plan_change", args=["premium"])
        token = client.get(url).context["change"].token
        stripe.faults.add(accept_then_reset(), on="POST /v1/subscriptions")

        response = client.post(url, {"token": token})

        assert response.status_code == 503
        assert "We have not heard yet whether this was done." in words(response)
        assert "nothing has changed. It" not in words(response)
        assert MY_PLAN in own_links(response, url)


class TestStoppingAndKeeping:
    def test_stop_then_keep(self, buyer: User) -> None:
        client = signed_in(buyer)

        stopped: Any = client.post(reverse("billing:plan_cancel"), follow=True)
        assert "Your plan will stop on" in words(stopped)
        assert "Keep my plan" in words(stopped)
        kept: Any = client.post(reverse("billing:plan_keep"), follow=True)
        assert "Your plan goes on." in words(kept)
        again: Any = client.post(reverse("billing:plan_keep"), follow=True)
        assert "Your plan is not set to stop" in words(again)

    def test_stripe_refusing_is_no_fault_page(self, stripe: StandIn, buyer: User) -> None:
        stripe.faults.add(400, on="POST /v1/subscriptions")

        response: Any = signed_in(buyer).post(reverse("billing:plan_cancel"), follow=True)

        assert response.status_code == 200
        assert "did not accept this" in words(response)


class TestStripesPages:
    @pytest.mark.parametrize("data", [{}, {"for": "card"}])
    def test_portal(self, stripe: StandIn, buyer: User, data: dict[str, str]) -> None:
        response = signed_in(buyer).post(reverse("billing:portal"), data)

        assert response.status_code == 303
        assert response["Location"].startswith(f"{stripe.site}/p/session/")

    def test_invoice(self, stripe: StandIn, buyer: User) -> None:
        payment = Payment.objects.get(user=buyer)

        response = signed_in(buyer).post(reverse("billing:payment_invoice", args=[payment.pk]))

        assert response.status_code == 303
        assert urlsplit(response["Location"]).netloc == urlsplit(stripe.site).netloc

    def test_invoice_stripe_does_not_know_keeps_the_receipt(self, stripe: StandIn, buyer: User) -> None:
        Payment.objects.update(stripe_invoice_id="in_unknown")
        payment = Payment.objects.get(user=buyer)

        response: Any = signed_in(buyer).post(reverse("billing:payment_invoice", args=[payment.pk]), follow=True)

        assert response.redirect_chain == [(reverse("billing:payment_detail", args=[payment.pk]), 302)]
        assert "The invoice cannot be shown at the moment." in words(response)

    def test_address_that_is_not_stripes_is_never_followed(self, stripe: StandIn, buyer: User, settings: Any) -> None:
        settings.STRIPE_HOSTED_ORIGINS = ("https://checkout.stripe.com",)
        payment = Payment.objects.get(user=buyer)

        for path in (reverse("billing:portal"), reverse("billing:payment_invoice", args=[payment.pk])):
            assert signed_in(buyer).post(path).status_code == 503
