"""An invoice and a receipt as their owner sees them, to look at, to print, and to pay where something is open."""

from __future__ import annotations

from html import escape

from sandbox.lib.pages import see_other
from sandbox.stripe import customers, markup, subscriptions
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError
from sandbox.stripe.shapes import Object
from sandbox.stripe.wire import Request, Response


def show_invoice(account: Account, invoice_id: str, request: Request) -> Response:
    """A hosted invoice; a post pays it with a new card, which is kept for what comes."""
    invoice = account.get("invoice", invoice_id)
    if request.method != "POST":
        return _page(account, invoice)
    if invoice["status"] != "open":
        return see_other(f"/i/{invoice_id}")
    chosen, number = request.first("card"), request.first("number")
    try:
        customers.set_card(account, invoice["customer"], markup.given_card(chosen, number))
        subscriptions.retry(account, invoice["parent"]["subscription_details"]["subscription"])
    except (ApiError, ValueError) as refused:
        return _page(account, account.get("invoice", invoice_id), error=str(refused), chosen=chosen, number=number)
    if account.get("invoice", invoice_id)["status"] != "paid":
        words = "The card was not taken."
        return _page(account, account.get("invoice", invoice_id), error=words, chosen=chosen, number=number)
    return see_other(f"/i/{invoice_id}")


def _page(account: Account, invoice: Object, *, error: str = "", chosen: str = "", number: str = "") -> Response:
    currency = invoice["currency"]
    lines = "".join(
        f'<tr><th scope="row">{escape(line["description"])}</th>'
        f'<td data-label="Time">{markup.day(line["period"]["start"])} to {markup.day(line["period"]["end"])}</td>'
        f'<td class="amount" data-label="Amount">{markup.money(line["amount"], currency)}</td></tr>'
        for line in invoice["lines"]["data"]
    )
    rows = [
        ("Invoice", escape(invoice["number"] or "Draft")),
        ("State", markup.tag(invoice["status"])),
        ("Written", markup.day(invoice["created"])),
        ("For", escape(invoice["customer_name"] or invoice["customer_email"] or "")),
        ("Total", markup.money(invoice["total"], currency)),
        ("Paid", markup.money(invoice["amount_paid"], currency)),
        ("Still to pay", markup.money(invoice["amount_remaining"], currency)),
    ]
    if invoice["starting_balance"]:
        rows.insert(5, ("Credit used or owed", markup.money(invoice["starting_balance"], currency)))
    parts = [
        markup.head(f"Invoice {invoice['number'] or ''}".strip()),
        markup.alert("bad", error) if error else "",
        markup.facts(rows),
        '<div class="table-box mt-6"><table class="table"><caption>What it is for</caption><thead><tr>'
        '<th scope="col">What</th><th scope="col">Time</th><th scope="col" class="amount">Amount</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div>",
    ]
    if invoice["status"] == "open" and invoice["amount_remaining"]:
        owed = markup.money(invoice["amount_remaining"], currency)
        parts.append(
            f'<form class="no-print mt-7" method="post" action="/i/{escape(invoice["id"])}">'
            f"{markup.card_fields(chosen, number)}{markup.button(f'Pay {owed}')}</form>"
        )
    return markup.page("Invoice", "".join(parts))


def show_receipt(account: Account, charge_id: str) -> Response:
    """The receipt of a payment that went through."""
    charge = account.get("charge", charge_id)
    card = charge["payment_method_details"]["card"]
    rows = [
        ("Paid", markup.money(charge["amount"], charge["currency"])),
        ("On", markup.day(charge["created"])),
        ("For", escape(charge["description"] or "A purchase")),
        ("With", escape(f"{card['brand'].title()} ending in {card['last4']}")),
        ("State", markup.tag(charge["status"])),
    ]
    if charge["amount_refunded"]:
        rows.append(("Given back", markup.money(charge["amount_refunded"], charge["currency"])))
    return markup.page("Receipt", markup.head("Receipt") + markup.facts(rows))
