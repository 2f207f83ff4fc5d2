"""One's own payments, receipts, and the way to Stripe's pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_user
from billing.models import Refund
from billing.tests.factories import make_member, make_subscriber
from billing.tests.pages import in_state, leads_to, make_bought, make_payment, signed_in
from techdeputies.tests.pages import own_links, words

pytestmark = pytest.mark.django_db

HISTORY = "/billing/history/"
PORTAL = "/billing/portal/"


class TestList:
    def test_asks_to_sign_in(self, client: Client) -> None:
        assert leads_to(client.get(HISTORY)).startswith(reverse("accounts:login"))

    def test_shows_ten_a_page_the_latest_first(self) -> None:
        bought = make_bought()
        for month in range(12):
            make_payment(bought, what=f"Month {month}", paid_at=timezone.now() - timedelta(days=30 * month))
        make_payment(make_bought(), what="Of somebody else")
        client = signed_in(bought.user)

        first, second = words(client.get(HISTORY)), words(client.get(HISTORY, {"page": 2}))

        assert first.index("Month 0") < first.index("Month 9")
        assert "Month 10" not in first
        assert "Month 11" in second
        assert "Of somebody else" not in first + second

    @pytest.mark.parametrize("page", ["nonsense", "0", "-1", "99999999999"])
    def test_any_page_number_is_answered(self, page: str) -> None:
        bought = make_bought()
        make_payment(bought)

        assert signed_in(bought.user).get(HISTORY, {"page": page}).status_code == 200

    def test_says_what_was_given_back(self) -> None:
        bought = make_bought()
        make_payment(bought, refunded_cents=9900)
        make_payment(bought, refunded_cents=1050)

        text = words(signed_in(bought.user).get(HISTORY))

        assert "All given back" in text
        assert "$10.50 given back" in text

    def test_nothing_paid_yet_leads_to_the_plans(self) -> None:
        member = make_member(make_bought()).user

        response = signed_in(member).get(HISTORY)

        assert "You have not paid anything yet" in words(response)
        assert reverse("billing:plan_list") in own_links(response, HISTORY)


class TestReceipt:
    def test_tells_all_that_a_receipt_needs(self) -> None:
        payment = make_payment(make_bought(user=make_user(name="Margaret Ellis")))

        response = signed_in(payment.user).get(reverse("billing:payment_detail", args=[payment.pk]))

        text = words(response)
        for fact in ("Margaret Ellis", "$99.00", "Visa card ending in 4242", payment.what, "120 Badge Street"):
            assert fact in text, fact
        assert "data-print" in response.content.decode()

    def test_shows_each_refund_and_what_is_left(self) -> None:
        payment = make_payment(make_bought(), refunded_cents=3000)
        Refund.objects.create(payment=payment, amount_cents=1000, state="succeeded", settled_at=timezone.now())
        Refund.objects.create(payment=payment, amount_cents=2000, state="pending")

        text = words(signed_in(payment.user).get(reverse("billing:payment_detail", args=[payment.pk])))

        assert "Refund $10.00 Given back," in text
        assert "Refund $20.00 On its way to you," in text
        assert "Left to us $69.00" in text

    @pytest.mark.parametrize("name", ["payment_detail", "payment_invoice"])
    def test_another_persons_payment_is_not_found(self, name: str) -> None:
        payment = make_payment(make_bought())
        stranger = signed_in(make_user())

        assert stranger.get(reverse(f"billing:{name}", args=[payment.pk])).status_code == 404
        assert stranger.post(reverse("billing:payment_invoice", args=[payment.pk])).status_code == 404
        assert stranger.get(reverse(f"billing:{name}", args=["no-such-one"])).status_code == 404

    def test_looking_at_the_way_to_the_invoice_shows_the_receipt(self) -> None:
        payment = make_payment(make_bought())
        client = signed_in(payment.user)
        receipt = reverse("billing:payment_detail", args=[payment.pk])

        assert leads_to(client.get(reverse("billing:payment_invoice", args=[payment.pk]))) == receipt

    def test_invoice_with_stripe_down_is_kind(self, stripe_down: None) -> None:
        payment = make_payment(make_bought())

        response = signed_in(payment.user).post(reverse("billing:payment_invoice", args=[payment.pk]))

        assert response.status_code == 503
        assert "Nothing was taken" in words(response)


class TestPortal:
    def test_has_a_button_and_sends_nobody_away_by_itself(self) -> None:
        response = signed_in(in_state("active").user).get(PORTAL)

        assert response.status_code == 200
        assert "Go on to Stripe’s page" in words(response)

    @pytest.mark.parametrize(("state", "query"), [("past due", {}), ("lapsed", {}), ("active", {"for": "card"})])
    def test_fix_link_leads_to_the_card(self, state: str, query: dict[str, str]) -> None:
        response = signed_in(in_state(state).user).get(PORTAL, query)

        assert "Go on to my card" in words(response)
        assert 'name="for" value="card"' in response.content.decode()

    def test_who_never_paid_by_card_has_nothing_there(self) -> None:
        for user in (make_user(), make_subscriber(), make_member(make_bought()).user):
            response: Any = signed_in(user).post(PORTAL, follow=True)
            assert response.redirect_chain == [(reverse("billing:my_plan"), 302)]
            assert "You have not paid with a card here yet" in words(response)

    def test_stripe_down_is_kind(self, stripe_down: None) -> None:
        response = signed_in(in_state("past due").user).post(PORTAL)

        assert response.status_code == 503
        assert PORTAL in own_links(response, PORTAL)
