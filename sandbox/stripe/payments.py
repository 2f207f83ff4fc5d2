"""Saved cards, and taking money from them: a payment intent and its charge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.stripe import cards, disputes, shapes
from sandbox.stripe.account import Account
from sandbox.stripe.cards import Card
from sandbox.stripe.errors import ApiError
from sandbox.stripe.shapes import Object


@dataclass(frozen=True)
class Payment:
    """An attempt to take money; ``error`` says why it failed."""

    intent: Object
    charge: Object
    error: ApiError | None = None


def save_card(account: Account, card: Card, *, customer_id: str | None, email: str, name: str) -> Object:
    """A payment method; with a customer it is kept for later payments."""
    made = shapes.new(
        "payment_method",
        billing_details=_billing_details(email, name),
        card={
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": "pass", "cvc_check": "pass"},
            "country": "US",
            "display_brand": card.brand,
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": "Xt5EWLLDS7FJ" + card.last4,
            "funding": "credit",
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        created=account.now(customer_id),
        customer=customer_id,
        _nature=card.nature,
    )
    return account.add(made, "payment_method.attached" if customer_id else "")


def bank_account(account: Account, *, email: str, name: str, has_money: bool) -> Object:
    """A bank account that a sum is debited from; it is not kept."""
    made = shapes.new(
        "payment_method",
        billing_details=_billing_details(email, name),
        created=account.now(),
        type="us_bank_account",
        _nature=cards.GOOD if has_money else cards.EMPTY_ACCOUNT,
    )
    del made["card"]
    made["us_bank_account"] = {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "Practice Bank",
        "financial_connections_account": None,
        "fingerprint": shapes.letters(16),
        "last4": "6789",
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": None,
    }
    return account.add(made)


def _billing_details(email: str, name: str) -> Object:
    return {
        "address": shapes.part("address", country="US", postal_code="94107"),
        "email": email or None,
        "name": name or None,
        "phone": None,
        "tax_id": None,
    }


def promise(
    account: Account,
    *,
    amount: int,
    currency: str,
    customer_id: str | None,
    metadata: dict[str, str],
    description: str | None = None,
    receipt_email: str | None = None,
    status: str = "processing",
) -> Object:
    """A payment intent before any money is taken."""
    intent = shapes.new(
        "payment_intent",
        amount=amount,
        created=account.now(customer_id),
        currency=currency,
        customer=customer_id,
        description=description,
        latest_charge=None,
        metadata=metadata,
        payment_method=None,
        receipt_email=receipt_email,
        status=status,
    )
    intent["client_secret"] = f"{intent['id']}_secret_{shapes.letters(12)}"
    return account.add(intent, "payment_intent.processing" if status == "processing" else "")


def take(
    account: Account,
    method: Object,
    *,
    amount: int,
    currency: str,
    customer_id: str | None,
    metadata: dict[str, str],
    later: bool,
    description: str | None = None,
    receipt_email: str | None = None,
    intent_id: str | None = None,
) -> Payment:
    """Try to take a sum. A failed attempt is kept and told of too; ``intent_id`` goes on with an earlier one."""
    intent = account.store.get(intent_id) if intent_id else None
    if intent is None:
        intent = promise(
            account,
            amount=amount,
            currency=currency,
            customer_id=customer_id,
            metadata=metadata,
            description=description,
            receipt_email=receipt_email,
            status="requires_payment_method",
        )
    error = cards.refusal(method["_nature"], later=later)
    charge = _charge(account, method, intent, error)
    account.add(charge, "charge.failed" if error else "charge.succeeded")
    if error is not None:
        error.more |= {"charge": charge["id"]}
    with account.changing(intent["id"]) as intent:
        intent["latest_charge"] = charge["id"]
        if error is None:
            intent.update(
                status="succeeded", amount_received=amount, payment_method=method["id"], last_payment_error=None
            )
        else:
            intent["status"] = "requires_payment_method"
            intent["last_payment_error"] = {
                **_error(error),
                "charge": charge["id"],
                "payment_method": shapes.public(method),
            }
    account.emit("payment_intent.payment_failed" if error else "payment_intent.succeeded", intent)
    if method["_nature"] == cards.DISPUTED and error is None:
        disputes.open(account, charge["id"], "fraudulent")
    return Payment(intent, charge, error)


def _error(error: ApiError) -> dict[str, Any]:
    decline = error.more.get("decline_code")
    return {
        "code": error.code,
        **({"decline_code": decline} if decline else {}),
        "doc_url": f"https://stripe.com/docs/error-codes/{error.code.replace('_', '-')}",
        "message": error.message,
        "type": error.kind,
    }


def _charge(account: Account, method: Object, intent: Object, error: ApiError | None) -> Object:
    amount, details = intent["amount"], _details(method, intent["amount"], error)
    outcome = shapes.part("outcome")
    if error is not None:
        outcome.update(
            network_status="declined_by_network",
            reason=error.more.get("decline_code") or error.code,
            seller_message="The bank did not return any further details with this decline.",
            type="issuer_declined",
        )
    made = shapes.new(
        "charge",
        amount=amount,
        amount_captured=0 if error else amount,
        balance_transaction=None if error else "txn_1" + shapes.letters(23),
        billing_details=method["billing_details"],
        captured=error is None,
        created=account.now(intent["customer"]),
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        failure_code=error.code if error else None,
        failure_message=error.message if error else None,
        metadata=intent["metadata"],
        outcome=outcome,
        paid=error is None,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details=details,
        receipt_email=intent["receipt_email"],
        status="failed" if error else "succeeded",
        _nature=method["_nature"],
    )
    made["receipt_url"] = f"{account.site}/receipt/{made['id']}" if error is None else None
    return made


def _details(method: Object, amount: int, error: ApiError | None) -> Object:
    """``payment_method_details``: the card as it was when it paid."""
    if method["type"] != "card":
        known = method[method["type"]]
        names = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number")
        shown = {name: known[name] for name in names}
        return {"type": method["type"], method["type"]: {**shown, "mandate": None, "payment_reference": None}}
    card = method["card"]
    details = shapes.part("card_payment")
    details["card"].update(
        amount_authorized=amount if error is None else None,
        authorization_code="123456" if error is None else None,
        brand=card["brand"],
        checks=card["checks"],
        fingerprint=card["fingerprint"],
        last4=card["last4"],
        network=card["brand"],
        network_transaction_id="768909100610104",
    )
    details["card"]["overcapture"]["maximum_amount_capturable"] = amount
    if method["_nature"] == cards.ASKS:
        details["card"]["three_d_secure"] = {
            "authentication_flow": "challenge",
            "electronic_commerce_indicator": "05",
            "exemption_indicator": None,
            "result": "authenticated",
            "result_reason": None,
            "transaction_id": shapes.letters(20),
            "version": "2.2.0",
        }
    return details
