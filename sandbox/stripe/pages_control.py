"""The control page: play the month that goes by, the bank that says no, and the network that has a bad day."""

from __future__ import annotations

import random
from collections.abc import Callable
from html import escape

from sandbox.lib.pages import see_other
from sandbox.stripe import checkout, customers, disputes, invoices, markup, refunds, subscriptions
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError
from sandbox.stripe.outage import Outage
from sandbox.stripe.shapes import Object
from sandbox.stripe.webhooks import Sender
from sandbox.stripe.wire import Request, Response

GOOD_CARD, FAILING_CARD = "4242424242424242", "4000000000000341"
OUTAGE_SECONDS = 30
_SHOWN = 25
_SHOWN_EVENTS = 30
_PAYING = ("active", "past_due", "trialing", "unpaid")


# --- what the buttons do ------------------------------------------------------------------------------
def act(account: Account, webhooks: Sender, outage: Outage, request: Request) -> Response:
    """Do what a button says, for the object whose id it carries, and go back to where the button was."""
    verb, object_id = request.first("do"), request.first("id")
    acts: dict[str, Callable[[], object]] = {
        "expire": lambda: checkout.expire(account, object_id),
        "renew": lambda: subscriptions.renew(account, object_id),
        "retry": lambda: subscriptions.retry(account, object_id),
        "pause": lambda: subscriptions.pause(account, object_id),
        "resume": lambda: subscriptions.resume(account, object_id),
        "end": lambda: subscriptions.end_now(account, object_id),
        "good_card": lambda: customers.set_card(account, object_id, GOOD_CARD),
        "failing_card": lambda: customers.set_card(account, object_id, FAILING_CARD),
        "refund_succeeds": lambda: refunds.settle(account, object_id, "succeeded"),
        "refund_fails": lambda: refunds.settle(account, object_id, "failed"),
        "dispute": lambda: disputes.open(account, object_id, "fraudulent"),
        "dispute_won": lambda: disputes.close(account, object_id, "won"),
        "dispute_lost": lambda: disputes.close(account, object_id, "lost"),
        "hold": webhooks.hold,
        "release": webhooks.release,
        "send_again": lambda: webhooks.send_again(_events(account)),
        "send_shuffled": lambda: webhooks.send_again(_events(account), seed=random.randrange(1 << 30)),
        "down": lambda: outage.begin(OUTAGE_SECONDS),
        "up": outage.end,
    }
    work = acts.get(verb)
    if work is None:
        return markup.notice("There is no such button", back="/", status=400)
    try:
        work()
    except (ApiError, LookupError, ValueError) as refused:
        return markup.notice("That did not work", str(refused), back="/", status=409)
    return see_other(f"/#{object_id}" if object_id else "/")


def _events(account: Account) -> list[Object]:
    return account.store.find("event", oldest_first=True)


# --- the page -----------------------------------------------------------------------------------------
def show(account: Account, webhooks: Sender, outage: Outage) -> Response:
    parts = [
        markup.head("Practice payments", "Everything that Stripe, a bank or time would do, at a press."),
        _weather(webhooks, outage),
        _sessions(account),
        _customers(account),
        _money(account),
        _what_happened(account, webhooks),
    ]
    return markup.page("Practice payments", f'<div class="practice-card">{"".join(parts)}</div>', home="/")


def _act(words: str, verb: str, object_id: str = "", *, look: str = "quiet") -> str:
    """A button that is a form of its own."""
    values = {"do": verb, **({"id": object_id} if object_id else {})}
    return f'<form method="post" action="/act/">{markup.hidden(values)}{markup.button(words, look=look)}</form>'


def _row(buttons: list[str]) -> str:
    return f'<div class="btn-row">{"".join(buttons)}</div>' if buttons else ""


def _section(title: str, items: list[str], none: str) -> str:
    listed = (
        f'<ol class="practice-list mt-4" role="list">{"".join(items)}</ol>'
        if items
        else f'<p class="soft mt-4">{none}</p>'
    )
    return f'<section class="mt-7"><h2>{title}</h2>{listed}</section>'


def _item(object_id: str, title: str, rest: str) -> str:
    return (
        f'<li class="practice-item" id="{escape(object_id)}"><h3>{title}</h3>'
        f'<p class="practice-id">{escape(object_id)}</p>{rest}</li>'
    )


def _weather(webhooks: Sender, outage: Outage) -> str:
    where = f"Posted to {escape(webhooks.url)}" if webhooks.url else "Kept here; no address is set to post them to"
    rows = [("Events", where), ("Still to be posted", str(webhooks.waiting))]
    left = outage.seconds_left
    rows.append(("The API", f"Out of reach for {left:.0f} more seconds" if left else "Answers"))
    held = webhooks.is_holding
    buttons = [
        _act("Let events go", "release", look="") if held else _act("Hold events back", "hold"),
        _act("Send all events again", "send_again"),
        _act("Send all again, shuffled", "send_shuffled"),
        _act("Bring Stripe back", "up", look="") if left else _act(f"Stripe down for {OUTAGE_SECONDS} seconds", "down"),
    ]
    note = markup.alert("info", "Events are being held back. Nothing is posted until you let them go.") if held else ""
    return f'<section><h2>The network</h2>{note}<div class="mt-4">{markup.facts(rows)}</div><div class="mt-5">{_row(buttons)}</div></section>'


def _sessions(account: Account) -> str:
    with account.transaction():
        checkout.expire_due(account)
    found = account.store.find("checkout.session", {"status": "open"}, limit=_SHOWN)
    items = [
        _item(
            session["id"],
            escape(session["_items"][0]["description"] or "Something")
            + f", {markup.money(session['amount_total'], session['currency'])}",
            f"<p>Open until {markup.hour(session['expires_at'])}</p>"
            + _row(
                [
                    f'<a class="btn" href="/c/pay/{escape(session["id"])}">Go and pay</a>',
                    _act("Let it expire", "expire", session["id"]),
                ]
            ),
        )
        for session in found
    ]
    return _section("Waiting to be paid", items, "No payment page is open.")


def _customers(account: Account) -> str:
    found = account.store.find("customer", {"_deleted": False}, limit=_SHOWN)
    return _section("Customers", [_customer(account, customer) for customer in found], "There is nobody yet.")


def _customer(account: Account, customer: Object) -> str:
    default = customer["invoice_settings"]["default_payment_method"]
    plans = account.store.find("subscription", {"customer": customer["id"]}, limit=3)
    method = account.store.get(default) if default else None
    if method is None and plans:
        method = invoices.method_of(account, plans[0])
    clock = account.now(customer["id"])
    rows = [("Email", escape(customer["email"] or "None")), ("Card", escape(markup.card_words(method)))]
    if customer.get("_ahead"):
        rows.append(("Their time", markup.hour(clock)))
    cards = [
        _act("Put a good card", "good_card", customer["id"]),
        _act("Fail the next payment", "failing_card", customer["id"]),
    ]
    body = markup.facts(rows) + _row(cards) + "".join(_plan(account, plan) for plan in plans)
    return _item(customer["id"], escape(customer["name"] or customer["email"] or "Customer"), body)


def _plan(account: Account, plan: Object) -> str:
    item, status = subscriptions.items_of(plan)[0], plan["status"]
    name = escape(invoices.name_of(account, item["price"]))
    words = f"Paid until {markup.hour(subscriptions.period_end(plan))}"
    if plan["cancel_at"] and status in _PAYING:
        words = f"Ends on {markup.hour(plan['cancel_at'])}"
    elif plan["ended_at"]:
        words = f"Ended on {markup.hour(plan['ended_at'])}"
    buttons = []
    owed = {"parent.subscription_details.subscription": plan["id"], "status": "open"}
    if status in _PAYING:
        buttons.append(_act("Renew now", "renew", plan["id"], look=""))
        if account.store.find("invoice", owed, limit=1):
            buttons.append(_act("Try the payment again", "retry", plan["id"]))
    if status in ("active", "trialing", "past_due"):
        buttons.append(_act("Pause", "pause", plan["id"]))
    if status == "paused":
        buttons.append(_act("Go on", "resume", plan["id"]))
    if status in subscriptions.LIVE:
        buttons.append(_act("End now", "end", plan["id"], look="danger"))
    return (
        f'<div class="card card--tint" id="{plan["id"]}"><h4>{name} {markup.tag(status)}</h4>'
        f'<p>{words}</p><p class="practice-id">{plan["id"]}</p>{_row(buttons)}</div>'
    )


def _money(account: Account) -> str:
    items = []
    for charge in account.store.find("charge", limit=_SHOWN):
        notes, buttons = [], []
        for dispute in account.store.find("dispute", {"charge": charge["id"]}):
            notes.append(f"<p>Disputed: {markup.tag(dispute['status'])}</p>")
            if dispute["status"] not in ("won", "lost"):
                buttons += [
                    _act("We win the dispute", "dispute_won", dispute["id"]),
                    _act("We lose the dispute", "dispute_lost", dispute["id"]),
                ]
        for refund in account.store.find("refund", {"charge": charge["id"]}):
            amount = markup.money(refund["amount"], refund["currency"])
            notes.append(f"<p>Refund of {amount}: {markup.tag(refund['status'])}</p>")
            if refund["status"] == "pending":
                buttons.append(_act(f"The refund of {amount} arrives", "refund_succeeds", refund["id"]))
            if refund["status"] in ("pending", "succeeded"):
                buttons.append(_act(f"The refund of {amount} comes back", "refund_fails", refund["id"]))
        if charge["paid"] and not charge["disputed"]:
            buttons.append(_act("Dispute it", "dispute", charge["id"]))
        title = f"{markup.money(charge['amount'], charge['currency'])} {markup.tag(charge['status'])}"
        if charge["failure_message"]:
            notes.append(f"<p>{escape(charge['failure_message'])}</p>")
        when = f"<p>{escape(charge['description'] or 'A purchase')}, {markup.hour(charge['created'])}</p>"
        items.append(_item(charge["id"], title, when + "".join(notes) + _row(buttons)))
    return _section("Payments", items, "Nothing has been paid yet.")


def _what_happened(account: Account, webhooks: Sender) -> str:
    answers: dict[str, list[str]] = {}
    for posted in list(webhooks.posted):
        answers.setdefault(posted.event["id"], []).append(str(posted.status or "no answer"))
    rows = []
    for event in account.store.find("event", limit=_SHOWN_EVENTS):
        thing = event["data"]["object"]
        answered = ", ".join(answers.get(event["id"], ["not since the start" if webhooks.url else "kept"]))
        rows.append(
            f'<tr><th scope="row">{escape(event["type"])}</th>'
            f'<td class="practice-id" data-label="About">{escape(str(thing.get("id", "")))}</td>'
            f'<td data-label="When">{markup.hour(event["created"])}</td><td data-label="Answer">{escape(answered)}</td></tr>'
        )
    if not rows:
        return _section("What happened", [], "Nothing yet.")
    return (
        '<section class="mt-7 table-box"><table class="table"><caption>What happened, newest first</caption><thead><tr>'
        '<th scope="col">Event</th><th scope="col">About</th><th scope="col">When</th><th scope="col">Answer</th>'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></section>"
    )
