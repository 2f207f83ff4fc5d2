"""Paying at Checkout: what happens when the form is sent off."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sandbox.stripe import cards, customers, payments, shapes, subscriptions
from sandbox.stripe.account import Account
from sandbox.stripe.cards import Card
from sandbox.stripe.errors import ApiError
from sandbox.stripe.shapes import Object

_COMPLETED = "checkout.session.completed"


@dataclass(frozen=True)
class Outcome:
    """How sending the form off went. ``message`` is for people; ``asks`` means the bank wants a word first."""

    ok: bool
    message: str
    asks: bool = False


def pay(
    account: Account, session_id: str, *, card: str = "", email: str = "", name: str = "", confirmed: bool = False
) -> Outcome:
    """Pay an open session with a test card. A declined card leaves it open; ``confirmed`` answers the bank's question."""
    with account.transaction():
        session, buyer, refused = _opened(account, session_id, email, name)
        if refused is not None:
            return refused
        if session["mode"] == "payment" and session["amount_total"] == 0:
            return _complete_free(account, session, buyer)
        try:
            found = cards.look_up(card)
        except ApiError as error:
            return Outcome(False, error.message)
        if found.nature == cards.ASKS and not confirmed:
            return Outcome(False, "The bank asks you to confirm this payment.", asks=True)
        refusal = cards.refusal(found.nature, later=False)
        if session["mode"] == "payment":
            return _pay_once(account, session, buyer, found)
        if refusal is not None:
            return Outcome(False, refusal.message)
        return _subscribe(account, session, buyer, found)


def _opened(account: Account, session_id: str, email: str, name: str) -> tuple[Object, _Buyer, Outcome | None]:
    """The session and who pays it, and why it cannot be paid, if so."""
    expire_due(account)
    session = account.get("checkout.session", session_id)
    buyer = _Buyer.of(account, session, email, name)
    words = ""
    if session["status"] == "expired":
        words = "This payment page has expired. Please start again from the shop."
    elif session["status"] == "complete":
        words = "This has been paid already."
    elif buyer.is_gone:
        words = "This account is not there any more."
    elif "@" not in buyer.email.strip("@"):
        words = "Please give your email."
    return session, buyer, Outcome(False, words) if words else None


@dataclass(frozen=True)
class _Buyer:
    customer_id: str | None
    email: str
    name: str
    is_gone: bool = False

    @classmethod
    def of(cls, account: Account, session: Object, email: str, name: str) -> _Buyer:
        known = account.store.get(session["customer"]) if session["customer"] else None
        given = (known or {}).get("email") or session["customer_email"] or email
        is_gone = known is not None and known["_deleted"]
        return cls(session["customer"], given or "", name or (known or {}).get("name") or "", is_gone)

    def kept(self, account: Account) -> _Buyer:
        """The same with a customer."""
        if self.customer_id:
            return self
        made = customers.add(account, {"email": self.email, "name": self.name})
        return _Buyer(made["id"], self.email, self.name)


# --- once ---------------------------------------------------------------------------------------------
def _pay_once(account: Account, session: Object, buyer: _Buyer, card: Card) -> Outcome:
    asked: dict[str, Any] = session["_asked"]["payment_intent_data"]
    declined = cards.refusal(card.nature, later=False) is not None
    if session["customer_creation"] == "always" and not declined:
        buyer = buyer.kept(account)
    keeps = bool(asked.get("setup_future_usage")) and not declined
    method = payments.save_card(
        account, card, customer_id=buyer.customer_id if keeps else None, email=buyer.email, name=buyer.name
    )
    payment = payments.take(
        account,
        method,
        amount=session["amount_total"],
        currency=session["currency"],
        customer_id=buyer.customer_id,
        metadata=asked.get("metadata") or {},
        later=False,
        description=asked.get("description"),
        receipt_email=asked.get("receipt_email"),
        intent_id=session.get("_intent"),
    )
    if payment.error is not None:
        with account.changing(session["id"]) as session:
            session["_intent"] = payment.intent["id"]
        return Outcome(False, payment.error.message)
    _complete(account, session, buyer, payment_intent=payment.intent["id"], payment_status="paid")
    return Outcome(True, "Paid.")


def _complete_free(account: Account, session: Object, buyer: _Buyer) -> Outcome:
    _complete(account, session, buyer, payment_status="no_payment_required")
    return Outcome(True, "There was nothing to pay.")


# --- by bank ------------------------------------------------------------------------------------------
def pay_by_bank(account: Account, session_id: str, *, email: str = "", name: str = "") -> Outcome:
    """Pay once by a method whose money arrives days later: the session is complete, and unpaid."""
    with account.transaction():
        session, buyer, refused = _opened(account, session_id, email, name)
        if refused is not None:
            return refused
        kinds = session["allowed_payment_method_types"]
        if session["mode"] != "payment" or not session["amount_total"] or (kinds and "us_bank_account" not in kinds):
            return Outcome(False, "This cannot be paid by bank.")
        asked: dict[str, Any] = session["_asked"]["payment_intent_data"]
        intent = payments.promise(
            account,
            amount=session["amount_total"],
            currency=session["currency"],
            customer_id=buyer.customer_id,
            metadata=asked.get("metadata") or {},
        )
        _complete(account, session, buyer, payment_intent=intent["id"], payment_status="unpaid")
        return Outcome(True, "The money is on its way.")


def settle_bank(account: Account, session_id: str, *, arrives: bool) -> Object:
    """What becomes of money that was on its way: it arrives, or the bank does not pay."""
    with account.transaction():
        session = account.get("checkout.session", session_id)
        if session["status"] != "complete" or session["payment_status"] != "unpaid" or session.get("_settled"):
            raise ValueError("No money is on its way for this session.")
        buyer = _Buyer(session["customer"], session["customer_details"]["email"], "")
        method = payments.bank_account(account, email=buyer.email, name=buyer.name, has_money=arrives)
        payments.take(
            account,
            method,
            amount=session["amount_total"],
            currency=session["currency"],
            customer_id=session["customer"],
            metadata={},
            later=True,
            intent_id=session["payment_intent"],
        )
        with account.changing(session_id) as session:
            session["_settled"] = True
            if arrives:
                session["payment_status"] = "paid"
        account.emit(f"checkout.session.async_payment_{'succeeded' if arrives else 'failed'}", session)
        return session


# --- every month --------------------------------------------------------------------------------------
def _subscribe(account: Account, session: Object, buyer: _Buyer, card: Card) -> Outcome:
    buyer = buyer.kept(account)
    assert buyer.customer_id is not None
    asked: dict[str, Any] = session["_asked"]["subscription_data"]
    method = payments.save_card(account, card, customer_id=buyer.customer_id, email=buyer.email, name=buyer.name)
    subscription = subscriptions.start(
        account,
        customer_id=buyer.customer_id,
        entries=[(account.get("price", item["price"]["id"]), item["quantity"]) for item in session["_items"]],
        method=method,
        metadata=asked.get("metadata") or {},
        description=asked.get("description"),
    )
    _complete(
        account,
        session,
        buyer,
        invoice=subscription["latest_invoice"],
        payment_status="paid" if session["amount_total"] else "no_payment_required",
        subscription=subscription["id"],
    )
    return Outcome(True, "Paid.")


def _complete(account: Account, session: Object, buyer: _Buyer, **made: Any) -> None:
    for used in session["discounts"]:
        if account.store.get(used["coupon"]) is not None:
            with account.changing(used["coupon"]) as coupon:
                coupon["times_redeemed"] += 1
    with account.changing(session["id"]) as session:
        session.update(customer=buyer.customer_id, status="complete", url=None, **made)
        session["customer_details"] = details(
            buyer.email, buyer.name or None, address=shapes.part("address", country="US", postal_code="94107")
        )
    account.emit(_COMPLETED, session)


def details(email: str | None, name: str | None = None, *, address: Object | None = None) -> Object:
    """``customer_details``: who buys. Address and name are known once the form was filled in."""
    return {
        "address": address,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [] if address else None,
    }


def success_address(session: Object) -> str:
    """Where the buyer goes afterwards."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


# --- too late -----------------------------------------------------------------------------------------
def expire(account: Account, session_id: str) -> Object:
    """Close an open session: nothing is owed. Sessions live by the real clock, whatever was renewed ahead of time."""
    with account.transaction():
        with account.changing(session_id) as session:
            if session["status"] != "open":
                raise ValueError(f"The session is {session['status']}.")
            session.update(status="expired", url=None)
        account.emit("checkout.session.expired", session)
        return session


def expire_due(account: Account) -> None:
    """Close the sessions whose time is over."""
    due = {"status": "open", "expires_at": {"lte": int(time.time())}}
    for session in account.store.find("checkout.session", due, oldest_first=True):
        expire(account, session["id"])
