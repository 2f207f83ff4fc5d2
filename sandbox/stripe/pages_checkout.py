"""Checkout as a buyer sees it: what is bought, a card, and the bank's question where a card asks for it."""

from __future__ import annotations

from html import escape

from sandbox.lib.pages import see_other
from sandbox.stripe import checkout, markup
from sandbox.stripe.account import Account
from sandbox.stripe.shapes import Object
from sandbox.stripe.wire import Request, Response


def show(account: Account, session_id: str, request: Request) -> Response:
    """The page of a Checkout Session; a post pays."""
    with account.transaction():
        checkout.expire_due(account)
        session = account.get("checkout.session", session_id)
    if session["status"] == "complete":
        return markup.notice(
            "This has been paid already",
            "There is nothing more to do here.",
            back=checkout.success_address(session),
            back_words="Go back to the shop",
        )
    if session["status"] == "expired":
        return markup.notice(
            "This payment page has expired",
            "Nothing was taken. Please start again from the shop.",
            back=session["cancel_url"] or "",
            back_words="Go back to the shop",
        )
    if request.method == "POST":
        return _pay(account, session, request)
    return _form(account, session)


def _pay(account: Account, session: Object, request: Request) -> Response:
    chosen, number, email = (request.first(name) for name in ("card", "number", "email"))
    if request.first("refused"):
        return _form(account, session, error="The bank did not confirm it. Nothing was taken.")
    outcome = checkout.pay(
        account,
        session["id"],
        card=markup.given_card(chosen, number),
        email=email.strip(),
        name=request.first("name").strip(),
        confirmed=bool(request.first("confirmed")),
    )
    if outcome.ok:
        return see_other(checkout.success_address(session))
    if outcome.asks:
        return _bank(session, request)
    return _form(account, session, error=outcome.message, chosen=chosen, number=number, email=email)


def _form(
    account: Account,
    session: Object,
    *,
    error: str = "",
    chosen: str = "",
    number: str = "",
    email: str = "",
) -> Response:
    known = account.store.get(session["customer"]) if session["customer"] else None
    address = (known or {}).get("email") or session["customer_email"]
    parts = [
        markup.head(
            "Pay with a practice card",
            back=session["cancel_url"] or "",
            back_words="Back without paying",
        ),
        markup.alert("bad", error) if error else "",
        f'<p class="practice-sum">{_sum(session)}</p>',
        markup.facts(_rows(session, address)),
        f'<form class="mt-7" method="post" action="/c/pay/{escape(session["id"])}">',
        "" if address else _email_field(email),
        markup.card_fields(chosen, number) if session["amount_total"] or session["mode"] == "subscription" else "",
        markup.button(_verb(session), look="big"),
        "</form>",
    ]
    leads_to = [session["success_url"]]
    return markup.page("Pay", f'<div class="practice-card">{"".join(parts)}</div>', leads_to=leads_to)


def _sum(session: Object) -> str:
    total = markup.money(session["amount_total"], session["currency"])
    recurring = session["_items"][0]["price"]["recurring"]
    return f"{total} each {escape(recurring['interval'])}" if recurring else total


def _verb(session: Object) -> str:
    if not session["amount_total"]:
        return "Finish"
    total = markup.money(session["amount_total"], session["currency"])
    return f"Pay {total} and subscribe" if session["mode"] == "subscription" else f"Pay {total}"


def _rows(session: Object, address: str | None) -> list[tuple[str, str]]:
    currency = session["currency"]
    rows = []
    for item in session["_items"]:
        many = f"{item['quantity']} × " if item["quantity"] > 1 else ""
        rows.append(("For", escape(f"{many}{item['description']}: {markup.money(item['amount_subtotal'], currency)}")))
    discount = session["total_details"]["amount_discount"]
    if discount:
        rows.append(("Taken off", markup.money(-discount, currency)))
    rows.append(("To pay today", markup.money(session["amount_total"], currency)))
    if address:
        rows.append(("Email", escape(address)))
    rows.append(("This page is open until", markup.hour(session["expires_at"])))
    return rows


def _email_field(email: str) -> str:
    return (
        '<div class="field"><label for="email">Email</label>'
        '<input class="input" id="email" name="email" type="email" autocomplete="email" required'
        f' value="{escape(email)}"></div>'
    )


def _bank(session: Object, request: Request) -> Response:
    """The bank wants to know that it is really the holder of the card (3-D Secure)."""
    kept = {name: request.first(name) for name in ("card", "number", "email", "name") if request.first(name)}
    total = markup.money(session["amount_total"], session["currency"])
    body = (
        markup.head("Your bank asks: is this you?", f"A payment of {total} waits for your answer.")
        + f'<form class="btn-row" method="post" action="/c/pay/{escape(session["id"])}">{markup.hidden(kept)}'
        + markup.button("Yes, go on", name="confirmed", value="1")
        + markup.button("No, this is not me", look="danger", name="refused", value="1")
        + "</form>"
    )
    return markup.page("Your bank asks", body, leads_to=[session["success_url"]])
