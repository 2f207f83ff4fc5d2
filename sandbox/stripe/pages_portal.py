"""The customer portal: one's plan, card and invoices, and the steps a link may open directly."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from sandbox.lib.pages import see_other
from sandbox.stripe import changes, customers, invoices, markup, schedules, subscriptions
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError, missing
from sandbox.stripe.shapes import Object
from sandbox.stripe.wire import Request, Response

_STEPS = {
    "payment_method_update": "card",
    "subscription_cancel": "cancel",
    "subscription_update": "plan",
    "subscription_update_confirm": "plan",
}


class _Visit:
    """One open portal session and what its owner may do in it."""

    def __init__(self, account: Account, session_id: str) -> None:
        self.account = account
        self.session = account.get("billing_portal.session", session_id)
        self.customer = account.get("customer", self.session["customer"])
        self.features: dict[str, Any] = account.get("billing_portal.configuration", self.session["configuration"])[
            "features"
        ]
        self.place = f"/p/session/{session_id}"
        self.return_url = self.session["return_url"] or ""
        self.flow: dict[str, Any] = self.session["flow"] or {}

    @property
    def plans(self) -> list[Object]:
        where = {"customer": self.customer["id"], "status": subscriptions.LIVE}
        return self.account.store.find("subscription", where)

    def plan(self, subscription_id: str) -> Object:
        """A plan of this customer's; nobody else's can be reached."""
        found = next((plan for plan in self.plans if plan["id"] == subscription_id), None)
        if found is None:
            raise missing("subscription", subscription_id)
        return found

    def may(self, feature: str) -> bool:
        return bool(self.features[feature]["enabled"])

    def after(self, done: str) -> Response:
        """Where a finished step leads: back to the shop when the link asked for that, else to the portal."""
        completion = self.flow.get("after_completion") or {}
        if _STEPS.get(self.flow.get("type", "")) == done and completion.get("type") == "redirect":
            return see_other(completion["redirect"]["return_url"])
        if _STEPS.get(self.flow.get("type", "")) == done and completion.get("type") == "hosted_confirmation":
            words = (completion.get("hosted_confirmation") or {}).get("custom_message") or ""
            return markup.notice("That is done", words, back=self.return_url, back_words="Go back to the shop")
        return see_other(f"{self.place}/home")

    def page(self, title: str, body: str) -> Response:
        completion = self.flow.get("after_completion") or {}
        leads_to = [(completion.get("redirect") or {}).get("return_url") or "", self.return_url]
        return markup.page(title, f'<div class="practice-card">{body}</div>', leads_to=leads_to)

    def head(self, title: str, words: str = "") -> str:
        back, back_words = (f"{self.place}/home", "Back") if not self.flow else (self.return_url, "Back to the shop")
        return markup.head(title, words, back=back, back_words=back_words)


def show(account: Account, session_id: str, rest: str, request: Request) -> Response:
    """A page of the portal; a post does what its button says."""
    visit = _Visit(account, session_id)
    parts = [part for part in rest.split("/") if part]
    if not parts and visit.flow:
        parts = _first_step(visit.flow)
    steps: dict[str, Callable[..., Response]] = {"card": _card, "cancel": _cancel, "keep": _keep, "plan": _plan}
    if not parts or parts == ["home"]:
        return _home(visit)
    if parts[0] not in steps:
        raise missing("page", rest)
    try:
        return steps[parts[0]](visit, request, *parts[1:])
    except (ApiError, ValueError) as refused:
        title = "That did not work"
        return markup.notice(title, str(refused), back=f"{visit.place}/home")


def _first_step(flow: dict[str, Any]) -> list[str]:
    """The step a link opens, as the path that leads there by hand."""
    kind = flow["type"]
    parts = [_STEPS[kind]]
    if flow.get(kind):
        parts.append(flow[kind]["subscription"])
        if kind == "subscription_update_confirm":
            parts.append(flow[kind]["items"][0]["price"])
    return parts


# --- the first page -----------------------------------------------------------------------------------
def _home(visit: _Visit) -> Response:
    back = visit.return_url
    parts = [
        markup.head("Your plan and payments", back=back, back_words="Back to the shop"),
        *(_plan_part(visit, plan) for plan in visit.plans),
    ]
    if not visit.plans:
        parts.append('<p class="mt-5">You have no plan at the moment.</p>')
    if visit.may("invoice_history"):
        parts.append(_invoices(visit))
    return visit.page("Your plan and payments", "".join(parts))


def _plan_part(visit: _Visit, plan: Object) -> str:
    account, item = visit.account, subscriptions.items_of(plan)[0]
    end = markup.day(subscriptions.period_end(plan))
    amount = markup.money(item["price"]["unit_amount"] * item["quantity"], item["price"]["currency"])
    name = invoices.name_of(account, item["price"])
    stops = plan["cancel_at"]
    rows = [
        ("State", markup.tag(plan["status"])),
        ("Price", f"{amount} each {escape(item['price']['recurring']['interval'])}"),
        ("Ends on", markup.day(stops)) if stops else ("Next payment", end),
        ("Card", escape(markup.card_words(invoices.method_of(account, plan)))),
    ]
    links = []
    if visit.may("payment_method_update"):
        links.append(f'<a class="btn" href="{visit.place}/card">Change the card</a>')
    if visit.may("subscription_update") and not stops:
        links.append(f'<a class="btn btn--quiet" href="{visit.place}/plan/{plan["id"]}">Change the plan</a>')
    if visit.may("subscription_cancel"):
        links.append(
            f'<form method="post" action="{visit.place}/keep/{plan["id"]}">{markup.button("Keep the plan")}</form>'
            if stops
            else f'<a class="btn btn--danger" href="{visit.place}/cancel/{plan["id"]}">Stop the plan</a>'
        )
    return (
        f'<section class="mt-6"><h2>{escape(name)}</h2>{markup.facts(rows)}'
        f'<div class="btn-row mt-5">{"".join(links)}</div></section>'
    )


def _invoices(visit: _Visit) -> str:
    found = visit.account.store.find("invoice", {"customer": visit.customer["id"]}, limit=24)
    items = "".join(
        f'<li><a class="action-link" href="/i/{escape(invoice["id"])}">{markup.day(invoice["created"])}:'
        f" {markup.money(invoice['total'], invoice['currency'])}</a> {markup.tag(invoice['status'])}</li>"
        for invoice in found
    )
    listed = f'<ul class="rows mt-4">{items}</ul>' if found else '<p class="mt-4">There are none yet.</p>'
    return f'<section class="mt-7"><h2>Invoices</h2>{listed}</section>'


# --- steps --------------------------------------------------------------------------------------------
def _card(visit: _Visit, request: Request) -> Response:
    _allowed(visit, "payment_method_update")
    chosen, number, error = request.first("card"), request.first("number"), ""
    if request.method == "POST":
        try:
            customers.set_card(visit.account, visit.customer["id"], markup.given_card(chosen, number))
        except ApiError as refused:
            error = refused.message
        else:
            return visit.after("card")
    body = (
        visit.head("Change the card", "The new card pays from now on.")
        + (markup.alert("bad", error) if error else "")
        + f'<form class="mt-6" method="post" action="{visit.place}/card">'
        + f"{markup.card_fields(chosen, number)}{markup.button('Save this card')}</form>"
    )
    return visit.page("Change the card", body)


def _cancel(visit: _Visit, request: Request, subscription_id: str) -> Response:
    _allowed(visit, "subscription_cancel")
    plan = visit.plan(subscription_id)
    at_once = visit.features["subscription_cancel"]["mode"] == "immediately"
    if request.method == "POST":
        if at_once:
            subscriptions.end_now(visit.account, subscription_id)
        else:
            with visit.account.transaction():
                schedules.let_go(visit.account, plan, status="released")
                changes.cancel_in_portal(visit.account, subscription_id)
        return visit.after("cancel")
    end = markup.day(subscriptions.period_end(plan))
    words = "It ends at once." if at_once else f"It is paid until {end} and ends then. Nothing more is taken."
    body = (
        visit.head("Stop the plan?", words)
        + f'<form method="post" action="{visit.place}/cancel/{escape(subscription_id)}">'
        + f"{markup.button('Stop the plan', look='danger')}</form>"
    )
    return visit.page("Stop the plan?", body)


def _keep(visit: _Visit, request: Request, subscription_id: str) -> Response:
    _allowed(visit, "subscription_cancel")
    visit.plan(subscription_id)
    if request.method == "POST":
        changes.keep_in_portal(visit.account, subscription_id)
    return see_other(f"{visit.place}/home")


def _plan(visit: _Visit, request: Request, subscription_id: str, price_id: str = "") -> Response:
    _allowed(visit, "subscription_update")
    plan = visit.plan(subscription_id)
    if not price_id:
        return visit.page("Change the plan", visit.head("Change the plan") + _offers(visit, plan))
    price = visit.account.get("price", price_id)
    if request.method == "POST":
        changes.change_in_portal(visit.account, subscription_id, price_id)
        return visit.after("plan")
    item = subscriptions.items_of(plan)[0]
    asked = {"items": [{"id": item["id"], "price": price_id}], "proration_behavior": "always_invoice"}
    cost = changes.preview(visit.account, {"subscription": subscription_id, "subscription_details": asked})
    rows = [
        ("New plan", escape(invoices.name_of(visit.account, price))),
        ("Price", f"{markup.money(price['unit_amount'], price['currency'])} each {price['recurring']['interval']}"),
        ("To pay today", markup.money(cost["amount_due"], cost["currency"])),
    ]
    body = (
        visit.head("Is this right?")
        + markup.facts(rows)
        + f'<form class="mt-6" method="post" action="{visit.place}/plan/{escape(subscription_id)}/{escape(price_id)}">'
        + f"{markup.button('Change the plan')}</form>"
    )
    return visit.page("Is this right?", body)


def _offers(visit: _Visit, plan: Object) -> str:
    now = subscriptions.items_of(plan)[0]["price"]["id"]
    items = []
    for entry in visit.features["subscription_update"]["products"]:
        for price_id in entry["prices"]:
            price = visit.account.get("price", price_id)
            if price_id != now and price["active"]:
                name = escape(invoices.name_of(visit.account, price))
                amount = markup.money(price["unit_amount"], price["currency"])
                link = f"{visit.place}/plan/{plan['id']}/{escape(price_id)}"
                items.append(f'<li><a class="action-link" href="{link}">{name}, {amount}</a></li>')
    return f'<ul class="rows">{"".join(items)}</ul>' if items else "<p>There is no other plan.</p>"


def _allowed(visit: _Visit, feature: str) -> None:
    if not visit.may(feature):
        raise ApiError("The shop does not offer this here.")
