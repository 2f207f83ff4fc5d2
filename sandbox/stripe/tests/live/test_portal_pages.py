"""The portal, invoices and receipts as pages."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.stripe.tests.live.conftest import Shop

DECLINED, FAILS_LATER = "4000000000000002", "4000000000000341"


def portal(shop: Shop, *, closed: tuple[str, ...] = (), mode: str = "at_period_end", **more: Any) -> str:
    """The address of a portal session in which everything but ``closed`` is allowed."""
    products = []
    for price_id in (shop.basic, shop.standard):
        product = shop.v1.prices.retrieve(price_id).product
        products.append({"product": str(product), "prices": [price_id]})
    features: Any = {
        "payment_method_update": {"enabled": True},
        "invoice_history": {"enabled": True},
        "subscription_cancel": {"enabled": True, "mode": mode},
        "subscription_update": {
            "enabled": True,
            "default_allowed_updates": ["price"],
            "proration_behavior": "always_invoice",
            "products": products,
        },
    }
    for name in closed:
        features[name] = {"enabled": False}
    configuration = shop.v1.billing_portal.configurations.create({"features": features})
    params: Any = {
        "customer": shop.customer,
        "configuration": configuration.id,
        "return_url": shop.receiver.site + "/my/",
        **more,
    }
    return shop.v1.billing_portal.sessions.create(params).url


def flow(shop: Shop, kind: str, **details: Any) -> dict[str, Any]:
    """``flow_data`` that leads back to the shop when the step is done."""
    after = {"type": "redirect", "redirect": {"return_url": shop.receiver.site + "/after/"}}
    return {"type": kind, "after_completion": after, **({kind: details} if details else {})}


def card_of(shop: Shop, plan: str) -> str:
    method: Any = shop.v1.subscriptions.retrieve(plan, {"expand": ["default_payment_method"]}).default_payment_method
    return str(method.card.last4)


def test_the_first_page_shows_the_plan_the_card_and_the_invoices(shop: Shop) -> None:
    plan = shop.plan()
    invoice = shop.v1.invoices.list({"subscription": plan}).data[0]

    page = shop.get(portal(shop)).text

    for words in ("Basic", "$49.00 each month", "Visa ending in 4242", "Change the card", "Change the plan",
                  "Stop the plan", f'href="/i/{invoice.id}"', f'href="{shop.receiver.site}/my/"'):  # fmt: skip
        assert words in page


def test_what_the_shop_does_not_offer_is_neither_shown_nor_done(shop: Shop) -> None:
    plan = shop.plan()
    url = portal(
        shop, closed=("payment_method_update", "subscription_cancel", "subscription_update", "invoice_history")
    )

    page = shop.get(url).text
    for step in ("card", f"cancel/{plan}", f"plan/{plan}/{shop.standard}"):
        assert "The shop does not offer this here." in shop.post(f"{url}/{step}", card="5555555555554444").text

    for words in ("Change the card", "Change the plan", "Stop the plan", "Invoices"):
        assert words not in page
    after = shop.v1.subscriptions.retrieve(plan)
    assert (after.cancel_at, after["items"].data[0].price.id) == (None, shop.basic)
    assert card_of(shop, plan) == "4242"


def test_a_card_is_changed_and_a_declined_one_is_not_taken(shop: Shop) -> None:
    plan = shop.plan()
    url = portal(shop)

    refused = shop.post(f"{url}/card", card=DECLINED)
    saved = shop.post(f"{url}/card", card="5555555555554444")

    assert "Your card was declined." in refused.text
    assert saved.headers["Location"].endswith("/home")
    assert card_of(shop, plan) == "4444"


def test_stopping_sets_the_end_as_the_portal_does_and_can_be_undone(shop: Shop) -> None:
    plan = shop.plan()
    url = portal(shop)

    asked = shop.get(f"{url}/cancel/{plan}").text
    shop.post(f"{url}/cancel/{plan}")
    stopped = shop.v1.subscriptions.retrieve(plan)
    page = shop.get(f"{url}/home").text
    shop.post(f"{url}/keep/{plan}")

    assert "It is paid until" in asked
    assert (stopped.status, stopped.cancel_at_period_end) == ("active", False)
    assert stopped.cancel_at == stopped["items"].data[0].current_period_end
    assert "Ends on" in page
    assert "Keep the plan" in page
    assert shop.v1.subscriptions.retrieve(plan).cancel_at is None


def test_where_the_shop_wants_it_a_plan_ends_at_once(shop: Shop) -> None:
    plan = shop.plan()

    shop.post(f"{portal(shop, mode='immediately')}/cancel/{plan}")

    assert shop.v1.subscriptions.retrieve(plan).status == "canceled"


def test_a_change_costs_what_the_page_said(shop: Shop) -> None:
    plan = shop.plan()
    url = portal(shop)

    offers = shop.get(f"{url}/plan/{plan}").text
    check = shop.get(f"{url}/plan/{plan}/{shop.standard}").text
    shop.post(f"{url}/plan/{plan}/{shop.standard}")

    assert "Standard, $99.00" in offers
    assert "Basic, " not in offers
    newest = shop.v1.invoices.list({"subscription": plan}).data[0]
    assert newest.billing_reason == "subscription_update"
    assert newest.status == "paid"
    assert "$50.00" in check
    assert newest.total in (4999, 5000)
    assert shop.v1.subscriptions.retrieve(plan)["items"].data[0].price.id == shop.standard


def test_a_change_that_the_card_does_not_pay_changes_nothing(shop: Shop) -> None:
    plan = shop.plan(FAILS_LATER)

    page = shop.post(f"{portal(shop)}/plan/{plan}/{shop.standard}").text

    assert "Your card was declined." in page
    assert shop.v1.subscriptions.retrieve(plan)["items"].data[0].price.id == shop.basic


@pytest.mark.parametrize("step", ["cancel", "keep", "plan"])
def test_nobody_reaches_anothers_plan(shop: Shop, step: str) -> None:
    plan = shop.plan()
    stranger = shop.v1.customers.create({"email": "stranger@example.net"}).id
    assert shop.stand_in.pay(shop.session(customer=stranger).id).ok

    answer = shop.post(f"{portal(shop, customer=stranger)}/{step}/{plan}")

    assert shop.v1.subscriptions.retrieve(plan).cancel_at is None
    assert f"No such subscription: &#x27;{plan}&#x27;" in answer.text


def test_a_link_opens_the_step_it_names_and_leads_back_afterwards(shop: Shop) -> None:
    plan = shop.plan()
    card = portal(shop, flow_data=flow(shop, "payment_method_update"))
    change = {"items": [{"id": shop.v1.subscriptions.retrieve(plan)["items"].data[0].id, "price": shop.standard}]}
    update = portal(shop, flow_data=flow(shop, "subscription_update_confirm", subscription=plan, **change))
    cancel = portal(shop, flow_data=flow(shop, "subscription_cancel", subscription=plan))

    assert "Save this card" in shop.get(card).text
    assert "Is this right?" in shop.get(update).text
    assert "Stop the plan?" in shop.get(cancel).text
    for url, step in ((card, "card"), (update, f"plan/{plan}/{shop.standard}"), (cancel, f"cancel/{plan}")):
        answer = shop.post(f"{url}/{step}", card="4242424242424242")
        assert answer.headers["Location"] == f"{shop.receiver.site}/after/"
        assert f"form-action 'self' {shop.receiver.site};" in shop.get(url).headers["Content-Security-Policy"]


def test_an_open_invoice_can_be_paid_where_it_is_shown(shop: Shop) -> None:
    plan = shop.plan(FAILS_LATER)
    shop.stand_in.renew(plan)
    invoice = shop.v1.invoices.list({"subscription": plan}).data[0]
    assert invoice.hosted_invoice_url

    page = shop.get(invoice.hosted_invoice_url).text
    refused = shop.post(invoice.hosted_invoice_url, card=DECLINED).text
    later = shop.post(invoice.hosted_invoice_url, card=FAILS_LATER).text
    paid = shop.post(invoice.hosted_invoice_url, card="4242424242424242")

    assert "Pay $49.00" in page
    assert "Your card was declined." in refused
    assert "The card was not taken." in later
    assert paid.status_code == 303
    assert shop.v1.subscriptions.retrieve(plan).status == "active"
    assert "<button" not in shop.get(invoice.hosted_invoice_url).text


def test_an_invoice_and_a_receipt_can_be_read_and_printed(shop: Shop) -> None:
    plan = shop.plan()
    invoice = shop.v1.invoices.list({"subscription": plan}).data[0]
    charge = shop.stand_in.account.store.find("charge", limit=1)[0]
    shop.v1.refunds.create({"charge": charge["id"], "amount": 900})
    assert invoice.hosted_invoice_url
    assert invoice.invoice_pdf

    page = shop.get(invoice.hosted_invoice_url).text
    receipt = shop.get(charge["receipt_url"]).text

    assert "Margaret &lt;Ellis&gt;" in page
    assert "1 × Basic (at $49.00 / month)" in page
    assert "/static/css/print.css" in page
    assert shop.get(invoice.invoice_pdf).headers["Location"] == f"/i/{invoice.id}"
    assert "$9.00" in receipt
    assert "Visa ending in 4242" in receipt
