"""Disputes: the holder of a card asks the bank for the money back."""

from __future__ import annotations

from sandbox.stripe import listing, shapes
from sandbox.stripe.account import Account
from sandbox.stripe.params import Params
from sandbox.stripe.shapes import Object

_ANSWER_SECONDS = 7 * 86400


def open(account: Account, charge_id: str, reason: str = "fraudulent") -> Object:
    """The bank takes the money of a charge back until the dispute is decided."""
    with account.transaction():
        charge = account.get("charge", charge_id)
        amount = charge["amount"] - charge["amount_refunded"]
        if charge["disputed"] or not charge["paid"] or not amount:
            raise ValueError("Only a charge that was paid and not refunded can be disputed, and only once.")
        now = account.now(charge["customer"])
        made = shapes.new(
            "dispute",
            amount=amount,
            charge=charge_id,
            created=now,
            currency=charge["currency"],
            metadata={},
            payment_intent=charge["payment_intent"],
            reason=reason,
            status="needs_response",
        )
        made["evidence_details"]["due_by"] = now + _ANSWER_SECONDS
        with account.changing(charge_id, "charge.updated") as charge:
            charge["disputed"] = True
        account.add(made, "charge.dispute.created")
        account.emit("charge.dispute.funds_withdrawn", made)
        return made


def close(account: Account, dispute_id: str, status: str) -> Object:
    """The bank decides: ``won`` gives the money back to the account, ``lost`` leaves it with the holder."""
    if status not in ("won", "lost"):
        raise ValueError("A dispute is won or lost.")
    with account.transaction():
        if account.get("dispute", dispute_id)["status"] in ("won", "lost"):
            raise ValueError("The dispute is closed already.")
        with account.changing(dispute_id) as dispute:
            dispute["status"] = status
            dispute["evidence_details"]["past_due"] = status == "lost"
        account.emit("charge.dispute.closed", dispute, {"status": "needs_response"})
        if status == "won":
            account.emit("charge.dispute.funds_reinstated", dispute)
        return dispute


# --- routes -------------------------------------------------------------------------------------------
def retrieve(account: Account, _params: Params, dispute_id: str) -> Object:
    return account.get("dispute", dispute_id)


def list_all(account: Account, params: Params) -> Object:
    return listing.page(account, "dispute", params, "/v1/disputes", ("charge", "payment_intent"))
