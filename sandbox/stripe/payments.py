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
        billing_details={
            "address": shapes.part("address", country="US", postal_code="94107"),
            "email": email or None,
            "name": name or None,
            "phone": None,
            "tax_id": None,
        },
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
    now = account.now(customer_id)
    intent = account.store.get(intent_id) if intent_id else None
    if intent is None:
        intent = shapes.new(
            "payment_intent",
            amount=amount,
            created=now,
            currency=currency,
            customer=customer_id,
            description=description,
            latest_charge=None,
            metadata=metadata,
            payment_method=None,
            receipt_email=receipt_email,
            status="requires_payment_method",
        )
        intent["client_secret"] = f"{intent['id']}_secret_{shapes.letters(12)}"
        account.add(intent)
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
    amount, card = intent["amount"], method["card"]
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
