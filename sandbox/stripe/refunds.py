"""Refunds: money back to the card it came from."""

from __future__ import annotations

from sandbox.stripe import cards, catalogue, listing, shapes
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError, missing
from sandbox.stripe.params import Params, merged
from sandbox.stripe.shapes import Object


def create(account: Account, params: Params) -> Object:
    catalogue.only(params, "amount", "charge", "metadata", "payment_intent", "reason")
    charge = _charge(account, params)
    left = charge["amount"] - charge["amount_refunded"]
    if charge["disputed"]:
        raise ApiError(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if left == 0:
        raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = params.get("amount", left)
    if amount < 1:
        raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise ApiError(
            f"Refund amount (${amount / 100:,.2f}) is greater than unrefunded amount on charge (${left / 100:,.2f})",
            param="amount",
        )
    pending = charge["_nature"] == cards.REFUND_PENDING
    made = shapes.new(
        "refund",
        amount=amount,
        balance_transaction="txn_1" + shapes.letters(23),
        charge=charge["id"],
        created=account.now(charge["customer"]),
        currency=charge["currency"],
        customer=charge["customer"],
        destination_details={
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
            "type": "card",
        },
        metadata=params.get("metadata") or {},
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        reason=params.get("reason"),
        status="pending" if pending else "succeeded",
    )
    account.add(made, "refund.created")
    with account.changing(charge["id"]) as charge:
        previous = {name: charge[name] for name in ("amount_refunded", "receipt_url", "refunded")}
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    account.emit("charge.refunded", charge, previous)
    return made


def _charge(account: Account, params: Params) -> Object:
    if ("charge" in params) == ("payment_intent" in params):
        raise ApiError(
            "One of the following params should be provided for this request: payment_intent or charge."
            if "charge" not in params
            else "You may only specify one of these parameters: charge, payment_intent.",
            code="" if "charge" in params else "parameter_missing",
        )
    if "charge" in params:
        charge = account.get("charge", params["charge"], param="charge")
    else:
        intent = account.get("payment_intent", params["payment_intent"], param="payment_intent")
        if intent["status"] != "succeeded":
            raise ApiError(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge = account.get("charge", intent["latest_charge"])
    if not charge["paid"]:
        raise ApiError(f"Charge {charge['id']} was not successful and cannot be refunded.", param="charge")
    return charge


def settle(account: Account, refund_id: str, status: str, failure_reason: str = "") -> Object:
    """What becomes of a refund at the bank: ``succeeded``, ``failed`` or ``canceled``.

    Money that comes back is the account's again, and the charge can be refunded once more.
    """
    if status not in ("succeeded", "failed", "canceled"):
        raise ValueError("A refund succeeds, fails or is canceled.")
    with account.transaction():
        before = account.get("refund", refund_id)
        if before["status"] in ("failed", "canceled") or before["status"] == status:
            raise ValueError(f"The refund is {before['status']}.")
        with account.changing(refund_id, "refund.updated") as refund:
            refund["status"] = status
            reference = refund["destination_details"]["card"]
            reference.update(reference_status="available", reference="5278149601234567")
            if status == "failed":
                refund["failure_reason"] = failure_reason or "expired_or_canceled_card"
        if status != "succeeded":
            with account.changing(refund["charge"]) as charge:
                charge["amount_refunded"] -= refund["amount"]
                charge["refunded"] = False
        account.emit("charge.refund.updated", refund)
        if status == "failed":
            account.emit("refund.failed", refund)
        return refund


# --- routes -------------------------------------------------------------------------------------------
def retrieve(account: Account, _params: Params, refund_id: str) -> Object:
    return account.get("refund", refund_id)


def update(account: Account, params: Params, refund_id: str) -> Object:
    catalogue.only(params, "metadata")
    account.get("refund", refund_id)
    with account.changing(refund_id, "refund.updated") as refund:
        refund["metadata"] = merged(refund["metadata"], params.get("metadata"))
    return refund


def list_all(account: Account, params: Params) -> Object:
    for kind in ("charge", "payment_intent"):
        if kind in params and account.store.number_of(kind, params[kind]) is None:
            raise missing(kind, params[kind], param=kind)
    return listing.page(account, "refund", params, "/v1/refunds", ("charge", "payment_intent"))
