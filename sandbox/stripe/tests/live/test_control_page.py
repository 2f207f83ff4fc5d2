"""The control page: each button does what it says, and says so when it cannot."""

from __future__ import annotations

import pytest
import stripe as library

from sandbox.stripe.tests.live.conftest import Shop


def test_it_shows_who_bought_what_and_what_happened(shop: Shop) -> None:
    plan = shop.plan()
    waiting = shop.session()

    page = shop.get("/").text

    for words in ("Margaret &lt;Ellis&gt;", plan, "Renew now", f'href="/c/pay/{waiting.id}"', "Let it expire",
                  "checkout.session.completed", "Subscription creation", shop.receiver.url):  # fmt: skip
        assert words in page


def test_an_empty_one_says_so(shop: Shop) -> None:
    shop.stand_in.clear()

    page = shop.get("/").text

    for words in ("No payment page is open.", "There is nobody yet.", "Nothing has been paid yet.", "Nothing yet."):
        assert words in page


def test_a_plan_is_renewed_fails_and_is_saved(shop: Shop) -> None:
    plan = shop.plan()

    answer = shop.press("renew", plan)
    assert answer.headers["Location"] == f"/#{plan}"
    assert len(shop.v1.invoices.list({"subscription": plan}).data) == 2
    shop.press("failing_card", shop.customer)
    shop.press("renew", plan)
    assert shop.v1.subscriptions.retrieve(plan).status == "past_due"
    page = shop.get("/").text
    assert "Try the payment again" in page
    assert "Their time" in page
    shop.press("good_card", shop.customer)
    shop.press("retry", plan)
    assert shop.v1.subscriptions.retrieve(plan).status == "active"


def test_a_plan_that_is_never_paid_ends(shop: Shop) -> None:
    plan = shop.plan("4000000000000341")

    shop.press("renew", plan)
    for _ in range(3):
        shop.press("retry", plan)

    after = shop.v1.subscriptions.retrieve(plan)
    assert after.status == "canceled"
    assert after.cancellation_details is not None
    assert after.cancellation_details.reason == "payment_failed"


def test_a_plan_is_paused_goes_on_and_ends(shop: Shop) -> None:
    plan = shop.plan()

    shop.press("pause", plan)
    assert shop.v1.subscriptions.retrieve(plan).status == "paused"
    assert "Go on" in shop.get("/").text
    shop.press("resume", plan)
    assert shop.v1.subscriptions.retrieve(plan).status == "active"
    shop.press("end", plan)
    assert shop.v1.subscriptions.retrieve(plan).status == "canceled"
    assert "Ended on" in shop.get("/").text


def test_a_page_that_waits_can_expire(shop: Shop) -> None:
    session = shop.session()

    shop.press("expire", session.id)

    assert shop.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_a_dispute_is_opened_and_decided(shop: Shop) -> None:
    shop.plan()
    charge = shop.stand_in.account.store.find("charge", limit=1)[0]["id"]

    assert "Dispute it" in shop.get("/").text
    shop.press("dispute", charge)
    dispute = shop.v1.disputes.list({"charge": charge}).data[0]
    page = shop.get("/").text
    shop.press("dispute_lost", dispute.id)

    assert "We win the dispute" in page
    assert "Dispute it" not in page
    assert shop.v1.disputes.retrieve(dispute.id).status == "lost"
    assert "We win the dispute" not in shop.get("/").text


@pytest.mark.parametrize(("verb", "status"), [("refund_succeeds", "succeeded"), ("refund_fails", "failed")])
def test_a_refund_arrives_or_comes_back(shop: Shop, verb: str, status: str) -> None:
    shop.plan("4000000000007726")
    charge = shop.stand_in.account.store.find("charge", limit=1)[0]["id"]
    refund = shop.v1.refunds.create({"charge": charge, "amount": 100})

    assert "The refund of $1.00 arrives" in shop.get("/").text
    shop.press(verb, refund.id)

    assert shop.v1.refunds.retrieve(refund.id).status == status


def test_events_are_held_back_let_go_and_sent_again(shop: Shop) -> None:
    shop.press("hold")
    shop.plan()
    assert shop.stand_in.wait_for_webhooks()
    assert shop.receiver.received == []
    assert "Events are being held back." in shop.get("/").text

    shop.press("release")
    assert shop.stand_in.wait_for_webhooks()
    told = len(shop.receiver.received)
    for verb in ("send_again", "send_shuffled"):
        shop.press(verb)
        assert shop.stand_in.wait_for_webhooks()

    assert told > 5
    assert len(shop.receiver.received) == told + 2 * len(shop.stand_in.events)


def test_stripe_goes_down_and_comes_back_while_the_pages_stay(shop: Shop) -> None:
    shop.press("down")

    with pytest.raises(library.APIConnectionError):
        shop.v1.customers.retrieve(shop.customer)
    assert "Bring Stripe back" in shop.get("/").text
    shop.press("up")

    assert shop.v1.customers.retrieve(shop.customer).id == shop.customer


@pytest.mark.parametrize(
    ("verb", "object_id", "status"),
    [("renew", "sub_nothing", 409), ("expire", "cs_nothing", 409), ("good_card", "cus_nothing", 409), ("fly", "", 400)],
)
def test_what_cannot_be_done_is_said(shop: Shop, verb: str, object_id: str, status: int) -> None:
    answer = shop.press(verb, object_id)

    assert answer.status_code == status
    assert "<h1" in answer.text


def test_a_button_pressed_too_late_is_said(shop: Shop) -> None:
    plan = shop.plan()
    shop.press("end", plan)

    answer = shop.press("renew", plan)

    assert answer.status_code == 409
    assert "The subscription is canceled." in answer.text
