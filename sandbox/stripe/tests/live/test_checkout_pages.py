"""Checkout as a page: what stands on it, what paying leads to, and what it says when it is too late."""

from __future__ import annotations

import re

import pytest
import requests

from sandbox.stripe.tests.live.conftest import Shop

DECLINED, ASKS = "4000000000000002", "4000002500003155"


def status(shop: Shop, session_id: str) -> str:
    return str(shop.v1.checkout.sessions.retrieve(session_id).status)


def test_the_page_shows_what_is_bought_and_how_to_get_back(shop: Shop) -> None:
    session = shop.session()

    page = shop.get(session.url).text

    assert "$49.00 each month" in page
    assert "Basic: $49.00" in page
    assert "margaret@example.net" in page
    assert f'href="{session.cancel_url}"' in page
    assert "No real money moves" in page
    assert 'name="email"' not in page
    assert '<button class="btn btn--big" type="submit">Pay $49.00 and subscribe</button>' in page


def test_a_good_card_leads_back_to_the_shop_with_the_number_filled_in(shop: Shop) -> None:
    session = shop.session()

    answer = shop.post(session.url, card="4242424242424242")

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{shop.receiver.site}/done/?session_id={session.id}"
    assert status(shop, session.id) == "complete"


def test_forms_may_lead_to_the_shop_and_nowhere_else(shop: Shop) -> None:
    policy = shop.get(shop.session().url).headers["Content-Security-Policy"]

    assert f"form-action 'self' {shop.receiver.site};" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_declined_card_is_said_and_can_be_followed_by_another(shop: Shop) -> None:
    session = shop.session()

    page = shop.post(session.url, card=DECLINED).text

    assert 'role="alert"' in page
    assert "Your card was declined." in page
    assert f'value="{DECLINED}" checked' in page
    assert status(shop, session.id) == "open"
    assert shop.post(session.url, card="4242424242424242").status_code == 303


def test_a_number_of_ones_own_can_be_typed(shop: Shop) -> None:
    session = shop.session()

    refused = shop.post(session.url, card="other", number="1234 5678 9012 3456").text
    paid = shop.post(session.url, card="other", number="5555 5555 5555 4444")

    assert "Your card number is incorrect." in refused
    assert 'value="1234 5678 9012 3456"' in refused
    assert paid.status_code == 303


def test_the_bank_asks_and_either_answer_counts(shop: Shop) -> None:
    session = shop.session()

    asked = shop.post(session.url, card=ASKS)
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', asked.text))
    refused = shop.post(session.url, **fields, refused="1")

    assert "Your bank asks: is this you?" in asked.text
    assert fields == {"card": ASKS}
    assert "The bank did not confirm it. Nothing was taken." in refused.text
    assert status(shop, session.id) == "open"
    assert shop.post(session.url, **fields, confirmed="1").status_code == 303


def test_a_guest_gives_an_email(shop: Shop) -> None:
    session = shop.once(5000)

    page = shop.get(session.url).text
    without = shop.post(session.url, card="4242424242424242").text
    paid = shop.post(session.url, card="4242424242424242", email="guest@example.net")

    assert "Pay $50.00<" in page
    assert 'name="email"' in page
    assert "Please give your email." in without
    assert paid.status_code == 303
    details = shop.v1.checkout.sessions.retrieve(session.id).customer_details
    assert details is not None
    assert details.email == "guest@example.net"


def test_what_costs_nothing_needs_no_card(shop: Shop) -> None:
    session = shop.once(0, customer_email="guest@example.net")

    page = shop.get(session.url).text

    assert 'name="card"' not in page
    assert ">Finish</button>" in page
    assert shop.post(session.url).status_code == 303


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_paid_page_leads_back_to_the_shop(shop: Shop, method: str) -> None:
    session = shop.session()
    assert shop.stand_in.pay(session.id).ok

    page = (shop.get(session.url) if method == "GET" else shop.post(session.url)).text if session.url else ""

    assert "This has been paid already" in page
    assert f'href="{shop.receiver.site}/done/?session_id={session.id}"' in page


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_expired_page_says_that_nothing_was_taken(shop: Shop, method: str) -> None:
    session = shop.session()
    shop.v1.checkout.sessions.expire(session.id)

    page = (shop.get(session.url) if method == "GET" else shop.post(session.url, card="4242424242424242")).text

    assert "This payment page has expired" in page
    assert "Nothing was taken." in page
    assert status(shop, session.id) == "expired"


def test_looking_changes_nothing(shop: Shop) -> None:
    session = shop.session()
    before = len(shop.stand_in.events)

    for path in (session.url, f"{session.url}?card=4242424242424242&confirmed=1", "/act/?do=hold", "/"):
        shop.get(path)

    assert status(shop, session.id) == "open"
    assert len(shop.stand_in.events) == before
    assert not shop.stand_in.webhooks.is_holding


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null"])
def test_another_sites_page_cannot_pay_or_press(shop: Shop, origin: str) -> None:
    session = shop.session()

    for address in (session.url, f"{shop.stand_in.site}/act/"):
        answer = requests.post(
            address, data={"card": "4242424242424242", "do": "hold"}, headers={"Origin": origin}, timeout=5
        )
        assert answer.status_code == 403
    assert status(shop, session.id) == "open"
    assert not shop.stand_in.webhooks.is_holding


def test_words_from_outside_are_words(shop: Shop) -> None:
    session = shop.once(5000, customer_email=None)

    page = shop.post(session.url, card="other", number="<script>", email="<b>@example.net").text

    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;@example.net" in page


@pytest.mark.parametrize(
    "path", ["/c/pay/cs_test_nothing", "/c/pay/", "/i/in_nothing", "/receipt/ch_nothing", "/p/session/bps_nothing",
             "/nothing", "/static/../manage.py", "/c/pay/sub_1"],
)  # fmt: skip
def test_an_unknown_page_says_so(shop: Shop, path: str) -> None:
    answer = shop.get(path)

    assert answer.status_code == 404
    assert "We cannot find that page" in answer.text


def test_the_look_is_the_products_own(shop: Shop) -> None:
    page = shop.get(shop.session().url).text

    paths = re.findall(r'(?:href|src)="(/(?:static/|stripe\.css)[^"]*)"', page)
    assert "/stripe.css" in paths
    for path in paths:
        assert shop.get(path).status_code == 200, path
