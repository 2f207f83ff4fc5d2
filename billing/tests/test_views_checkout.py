"""The check page before payment and the page after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from audit.actors import Actor
from billing.models import Checkout, CheckoutKind, CheckoutState, Plan
from billing.tests.factories import make_member, make_subscriber
from billing.tests.pages import in_state, leads_to, make_bought, make_plans, signed_in
from settings_app.services import set_value
from techdeputies.tests.pages import own_links, words

pytestmark = pytest.mark.django_db

CHECK = "/billing/checkout/standard/"
RETURN = "/billing/return/"


@pytest.fixture(autouse=True)
def plans() -> dict[str, Plan]:
    return make_plans()


def make_checkout(user: User, plan: Plan, **fields: Any) -> Checkout:
    defaults = {
        "kind": CheckoutKind.PLAN,
        "user": user,
        "email": user.email,
        "plan": plan,
        "stripe_price_id": "price_1",
        "amount_cents": plan.price_in_cents,
        "stripe_session_id": f"cs_test_{user.pk}",
        "expires_at": timezone.now() + timedelta(minutes=35),
    }
    return Checkout.objects.create(**defaults | fields)


class TestCheckPage:
    def test_asks_to_sign_in_and_keeps_the_choice(self, client: Client) -> None:
        assert leads_to(client.get(CHECK)) == f"{reverse('accounts:login')}?next={CHECK}"

    def test_says_what_how_much_when_again_and_how_to_stop(self) -> None:
        response = signed_in(make_user()).get(CHECK)

        text = words(response)
        assert "You pay today $99.00" in text
        assert "Next payment $99.00 on" in text
        assert "At any time, under My plan, or by phone" in text
        assert "Go on to pay" in text
        assert b'<input type="text"' not in response.content

    def test_unproven_address_comes_first(self) -> None:
        client = signed_in(make_user(email_verified=False))

        for response in (client.get(CHECK), client.post(CHECK)):
            assert "Please tell us that your email address is yours." in words(response)
            assert reverse("accounts:verify") in own_links(response, CHECK)
            assert "Go on to pay" not in words(response)
        assert not Checkout.objects.exists()

    @pytest.mark.parametrize("state", ["active", "ending", "past due", "lapsed", "frozen", "moving"])
    def test_who_has_a_plan_is_led_to_it(self, state: str) -> None:
        client = signed_in(in_state(state).user)

        assert leads_to(client.get(CHECK)) == reverse("billing:my_plan")
        assert leads_to(client.post(CHECK)) == reverse("billing:my_plan")

    def test_so_is_who_was_given_one(self) -> None:
        assert leads_to(signed_in(make_subscriber()).post(CHECK)) == reverse("billing:my_plan")

    def test_who_shares_one_leaves_it_first(self) -> None:
        response: Any = signed_in(make_member(in_state("active")).user).post(CHECK, follow=True)

        assert response.redirect_chain == [(reverse("billing:plan_list"), 302)]
        assert "Please leave that one first" in words(response)

    def test_plan_no_longer_sold_leads_to_those_that_are(self) -> None:
        Plan.objects.filter(name="standard").update(is_offered=False)

        response: Any = signed_in(make_user()).get(CHECK, follow=True)

        assert response.redirect_chain == [(reverse("billing:plan_list"), 302)]
        assert "This plan cannot be chosen at the moment." in words(response)

    def test_stripe_down_takes_nothing_and_says_so(self, stripe_down: None) -> None:
        response = signed_in(make_user()).post(CHECK)

        assert response.status_code == 503
        assert "Nothing was taken, and nothing has changed." in words(response)
        assert CHECK in own_links(response, CHECK)
        assert "(312) 555-0142" in words(response)

    def test_too_many_presses_are_slowed_down(self, stripe_down: None) -> None:
        set_value("limit_checkout_per_account", "1", actor=Actor.system())
        client = signed_in(make_user())
        client.post(CHECK)

        assert client.post(CHECK).status_code == 429
        assert client.get(CHECK).status_code == 200


class TestReturn:
    def test_back_without_paying(self, plans: dict[str, Plan]) -> None:
        user = make_user()
        make_checkout(user, plans["standard"])

        response = signed_in(user).get(RETURN)

        assert "Nothing was taken" in words(response)
        assert CHECK in own_links(response, RETURN)

    def test_back_without_paying_from_nowhere(self) -> None:
        response = signed_in(make_user()).get(RETURN)

        assert "Nothing was taken" in words(response)
        assert reverse("billing:plan_list") in own_links(response, RETURN)

    def test_back_with_a_plan_is_led_to_it(self) -> None:
        assert leads_to(signed_in(in_state("active").user).get(RETURN)) == reverse("billing:my_plan")

    def test_paid(self, plans: dict[str, Plan]) -> None:
        bought = make_bought(plan=plans["standard"])
        done = make_checkout(bought.user, bought.plan, state=CheckoutState.PAID, subscription=bought)

        response = signed_in(bought.user).get(RETURN, {"session_id": str(done.stripe_session_id)})

        text = words(response)
        assert "Your Standard plan has started." in text
        assert "The next payment: $99 on" in text
        assert bought.user.email in text
        assert reverse("booking:event_list") in own_links(response, RETURN)

    def test_paid_twice_is_explained(self, plans: dict[str, Plan]) -> None:
        elder = make_bought(plan=plans["standard"])
        younger = make_bought(
            user=elder.user, plan=plans["premium"], status="cancelled", duplicate_of=elder, stripe_status="canceled"
        )
        done = make_checkout(elder.user, younger.plan, state=CheckoutState.PAID, subscription=younger)

        text = words(signed_in(elder.user).get(RETURN, {"session_id": str(done.stripe_session_id)}))

        assert "You had a plan already" in text
        assert "$199.00" in text

    @pytest.mark.parametrize("session_id", ["nonsense", "cs_test_\x00", "../../etc", "x" * 400])
    def test_nonsense_is_not_found(self, session_id: str) -> None:
        assert signed_in(make_user()).get(RETURN, {"session_id": session_id}).status_code == 404

    def test_another_persons_payment_is_not_found(self, plans: dict[str, Plan]) -> None:
        bought = make_bought(plan=plans["standard"])
        done = make_checkout(bought.user, bought.plan, state=CheckoutState.PAID, subscription=bought)

        assert signed_in(make_user()).get(RETURN, {"session_id": str(done.stripe_session_id)}).status_code == 404

    def test_stripe_down_asks_nobody_to_pay_again(self, plans: dict[str, Plan], stripe_down: None) -> None:
        user = make_user()
        waiting = make_checkout(user, plans["standard"])
        url = f"{RETURN}?session_id={waiting.stripe_session_id}"

        response = signed_in(user).get(url)

        assert response.status_code == 200
        assert "Please do not pay a second time" in words(response)
        assert url in own_links(response, url)
        assert "Nothing was taken" not in words(response)

    def test_is_only_looked_at(self) -> None:
        assert signed_in(make_user()).post(RETURN).status_code == 405
