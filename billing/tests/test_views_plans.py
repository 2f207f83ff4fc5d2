"""The plans on offer, one's own plan, moving, stopping and keeping: what each person sees."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import make_user
from billing.models import Plan, SubscriptionStatus
from billing.tests.factories import make_member, make_plan, make_subscriber, make_subscription
from billing.tests.pages import in_state, leads_to, make_bought, make_payment, make_plans, signed_in
from techdeputies.tests.pages import own_links, words

pytestmark = pytest.mark.django_db

MY_PLAN = "/subscriptions/mine/"
PLANS = "/subscriptions/"


@pytest.fixture
def plans() -> dict[str, Plan]:
    return make_plans()


def seen(client: Client, path: str) -> tuple[str, set[str]]:
    """The words and the links of a page."""
    response = client.get(path)
    assert response.status_code == 200, response.status_code
    return words(response), own_links(response, path)


class TestPlanList:
    def test_shows_the_plans_on_offer_by_price(self, client: Client, plans: dict[str, Plan]) -> None:
        make_plan(display_name="Old Silver", is_offered=False)

        text, links = seen(client, PLANS)

        assert text.index("$49 a month") < text.index("$99 a month") < text.index("$199 a month")
        assert "Old Silver" not in text
        assert {reverse("billing:checkout", args=[name]) for name in plans} <= links

    def test_tells_what_each_gives_from_its_row(self, client: Client, plans: dict[str, Plan]) -> None:
        text, _ = seen(client, PLANS)

        assert "About $25 for each session" in text
        assert "About $20 for each session" in text
        assert "Unlimited sessions" in text
        assert "3 courses : Computer Basics 101, Email Essentials and Password Security" in text
        assert "You and up to 4 more people" in text
        Plan.objects.filter(name="basic").update(session_limit=7, price_in_cents=7000)
        text, _ = seen(client, PLANS)
        assert "7 sessions each month" in text
        assert "$10 for each session" in text
        assert "About $10" not in text

    def test_does_not_promise_what_the_rules_do_not(self, client: Client, plans: dict[str, Plan]) -> None:
        text, _ = seen(client, PLANS)

        assert "No. Gift cards pay for single sessions and for courses." in text
        for promise in ("day and night", "of your choice", "within 1 hour", "working day", "As many"):
            assert promise not in text

    def test_without_any_plan_offers_the_phone(self, client: Client) -> None:
        text, _ = seen(client, PLANS)

        assert "No plan can be chosen here at the moment" in text
        assert "The plans side by side" not in text

    def test_marks_ones_own_plan_and_offers_to_move(self, plans: dict[str, Plan]) -> None:
        bought = make_bought(plan=plans["standard"], price_in_cents=8900)

        text, links = seen(signed_in(bought.user), PLANS)

        assert "Your plan" in text
        assert "Move to Premium" in text
        assert "You pay $89 a month, as before." in text
        assert reverse("billing:plan_change", args=["premium"]) in links
        assert not any(link.startswith("/billing/checkout/") for link in links)

    @pytest.mark.parametrize(
        ("state", "said"),
        [
            ("ending", "Keep it first, then you can move to another one."),
            ("past due", "Please put the last payment right first."),
            ("lapsed", "Please put the last payment right first."),
            ("frozen", "It is on hold, so it cannot be changed now."),
        ],
    )
    def test_offers_no_move_that_would_be_refused(self, plans: dict[str, Plan], state: str, said: str) -> None:
        text, links = seen(signed_in(in_state(state, plans["standard"]).user), PLANS)

        assert said in text
        assert MY_PLAN in links
        assert not any("/change/" in link or "/checkout/" in link for link in links)

    def test_names_the_plan_that_is_to_come(self, plans: dict[str, Plan]) -> None:
        bought = make_bought(plan=plans["standard"], next_plan=plans["basic"])

        text, links = seen(signed_in(bought.user), PLANS)

        assert "Your plan from " in text
        assert reverse("billing:plan_change", args=["basic"]) not in links
        assert reverse("billing:plan_change", args=["premium"]) in links

    def test_who_has_a_given_plan_is_told_to_call(self, plans: dict[str, Plan]) -> None:
        text, links = seen(signed_in(make_subscriber(plan=plans["basic"])), PLANS)

        assert "We set it up for you. To change it, please call us." in text
        assert not any("/change/" in link or "/checkout/" in link for link in links)

    def test_who_shares_a_plan_sees_that(self, plans: dict[str, Plan]) -> None:
        member = make_member(make_bought(plan=plans["standard"])).user

        text, links = seen(signed_in(member), PLANS)

        assert "You share the Standard plan" in text
        assert "The plan you share" in text
        assert not any("/change/" in link or "/checkout/" in link for link in links)


class TestMyPlan:
    def test_asks_to_sign_in(self, client: Client) -> None:
        assert leads_to(client.get(MY_PLAN)).startswith(reverse("accounts:login"))

    def test_without_a_plan_leads_to_the_plans(self) -> None:
        text, links = seen(signed_in(make_user()), MY_PLAN)

        assert "You have no plan now" in text
        assert PLANS in links

    def test_says_when_the_last_one_ended(self) -> None:
        user = make_user()
        make_bought(user=user, status=SubscriptionStatus.CANCELLED)

        text, _ = seen(signed_in(user), MY_PLAN)

        assert "Your Standard plan ended on" in text

    def test_active_plan_shows_what_is_left_and_the_next_payment(self) -> None:
        bought = make_bought()
        make_payment(bought)

        text, links = seen(signed_in(bought.user), MY_PLAN)

        assert "Active" in text
        assert "0 of 5 used, 5 left" in text
        assert "Computer Basics 101" in text
        assert "Next payment $99 on " in text
        assert "Visa card ending in 4242" in text
        for name in ("plan_list", "plan_cancel", "payment_list", "portal", "family"):
            assert reverse(f"billing:{name}") in links

    def test_plan_that_stops_can_be_kept(self) -> None:
        response = signed_in(in_state("ending").user).get(MY_PLAN)

        assert "Your plan stops on" in words(response)
        assert "None. You do not pay anything more." in words(response)
        assert f'action="{reverse("billing:plan_keep")}"' in response.content.decode()
        assert reverse("billing:plan_cancel") not in own_links(response, MY_PLAN)

    @pytest.mark.parametrize(("state", "said"), [("past due", "New sessions have to wait"), ("lapsed", "has stopped")])
    def test_failed_payment_has_its_way_out(self, state: str, said: str) -> None:
        text, links = seen(signed_in(in_state(state).user), MY_PLAN)

        assert "Your payment did not go through" in text
        assert said in text
        assert reverse("billing:portal") + "?for=card" in links

    def test_frozen_plan_says_who_to_call(self) -> None:
        text, links = seen(signed_in(in_state("frozen").user), MY_PLAN)

        assert "Your plan is on hold" in text
        assert reverse("billing:plan_list") not in {link for link in links if "Move" in link}

    def test_planned_move_can_be_forgotten(self) -> None:
        response = signed_in(in_state("moving").user).get(MY_PLAN)

        assert "you have the Small plan" in words(response)
        assert "Next payment $29 on" in words(response)
        assert f'action="{reverse("billing:plan_change_forget")}"' in response.content.decode()

    def test_given_plan_says_who_to_call(self) -> None:
        text, links = seen(signed_in(make_subscriber()), MY_PLAN)

        assert "We set this plan up for you." in text
        assert "You do not pay for it" in text
        assert not {reverse("billing:plan_cancel"), reverse("billing:portal")} & links

    def test_given_plan_that_is_over_is_no_plan(self) -> None:
        row = make_subscription()
        row.current_period_end = row.current_period_start
        row.save()

        assert "You have no plan now" in seen(signed_in(row.user), MY_PLAN)[0]

    def test_member_sees_whose_it_is_and_no_money(self) -> None:
        bought = make_bought(user=make_user(name="Margaret Ellis"))
        make_payment(bought)

        text, links = seen(signed_in(make_member(bought).user), MY_PLAN)

        assert "This plan belongs to Margaret" in text
        assert "$" not in text
        assert not {reverse("billing:plan_cancel"), reverse("billing:portal")} & links
        assert reverse("billing:family") in links


class TestMoving:
    @pytest.mark.parametrize("name", ["nothing-like-it", "%00", "Basic%20plan"])
    def test_unknown_plan_is_not_found(self, name: str) -> None:
        client = signed_in(in_state("active").user)

        assert client.get(f"/subscriptions/change/{name}/").status_code == 404
        assert client.get(f"/billing/checkout/{name}/").status_code == 404

    def test_who_has_none_chooses_it_as_a_first_one(self, plans: dict[str, Plan]) -> None:
        url = reverse("billing:plan_change", args=["basic"])

        assert leads_to(signed_in(make_user()).get(url)) == reverse("billing:checkout", args=["basic"])

    @pytest.mark.parametrize(
        ("state", "said"),
        [
            ("ending", "Your plan is set to stop."),
            ("past due", "is still open"),
            ("frozen", "cannot be changed right now"),
        ],
    )
    def test_what_stands_against_it_is_said_before_stripe_is_asked(
        self, plans: dict[str, Plan], state: str, said: str
    ) -> None:
        client = signed_in(in_state(state).user)

        for send in (client.get, client.post):
            response: Any = send(reverse("billing:plan_change", args=["premium"]), follow=True)
            assert response.redirect_chain == [(MY_PLAN, 302)]
            assert said in words(response)

    def test_same_plan_given_plan_and_planned_one_lead_back(self, plans: dict[str, Plan]) -> None:
        bought = make_bought(plan=plans["standard"], next_plan=plans["basic"])
        given = make_subscriber(plan=plans["basic"])

        for user, name in ((bought.user, "standard"), (bought.user, "basic"), (given, "premium")):
            assert leads_to(signed_in(user).get(reverse("billing:plan_change", args=[name]))) == MY_PLAN


class TestStopping:
    def test_check_page_says_what_stays_and_until_when(self) -> None:
        bought = in_state("active")

        response = signed_in(bought.user).get(reverse("billing:plan_cancel"))

        text = words(response)
        assert "It works until" in text
        assert "Until that day everything works as before" in text
        assert "If somebody shares your plan, it ends for them on the same day." in text
        bought.refresh_from_db()
        assert bought.ends_at is None

    def test_unpaid_plan_promises_no_further_days(self) -> None:
        text = words(signed_in(in_state("past due").user).get(reverse("billing:plan_cancel")))

        assert "It works until" not in text
        assert "The payment that is still open is not taken any more" in text

    def test_nothing_to_stop_leads_to_the_page_of_the_plan(self) -> None:
        member = make_member(in_state("active")).user

        for user in (make_user(), make_subscriber(), in_state("ending").user, member):
            for send in (signed_in(user).get, signed_in(user).post):
                assert leads_to(send(reverse("billing:plan_cancel"))) == MY_PLAN

    @pytest.mark.parametrize("name", ["plan_keep", "plan_change_forget"])
    def test_looking_at_a_press_changes_nothing(self, name: str) -> None:
        assert leads_to(signed_in(in_state("ending").user).get(reverse(f"billing:{name}"))) == MY_PLAN


class TestStripeDown:
    @pytest.fixture(autouse=True)
    def _down(self, stripe_down: None) -> None:
        """Nobody answers."""

    def test_change_page_is_kind(self, plans: dict[str, Plan]) -> None:
        user = make_bought(plan=plans["standard"]).user
        url = reverse("billing:plan_change", args=["premium"])

        response = signed_in(user).get(url)

        assert response.status_code == 503
        assert response["Retry-After"] == "60"
        assert "Nothing was taken, and nothing has changed." in words(response)
        assert url in own_links(response, url)

    @pytest.mark.parametrize("name", ["plan_cancel", "plan_keep", "plan_change_forget"])
    def test_presses_are_answered_calmly(self, name: str) -> None:
        user = in_state("active").user

        response = signed_in(user).post(reverse(f"billing:{name}"))

        assert response.status_code == 503
        assert "We cannot reach the payment company" in words(response)
        assert MY_PLAN in own_links(response, "/")
