"""Invoices, what paid them, refunds and disputes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from billing.gateway.client import call, each, options
from billing.gateway.shapes import StripeCharge, StripeDispute, StripeInvoice, StripeRefund, id_of

_BRANDS = {"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "discover": "Discover"}


def invoice(invoice_id: str) -> StripeInvoice:
    """Raises StripeMissing."""
    return StripeInvoice.read(call(lambda v1: v1.invoices.retrieve(invoice_id)))


def invoices_of(subscription_id: str) -> list[StripeInvoice]:
    """The newest hundred of one subscription."""
    page = call(lambda v1: v1.invoices.list({"subscription": subscription_id, "limit": 100}))
    return [StripeInvoice.read(item) for item in page["data"]]


def paid_invoices_since(since: datetime, *, after: str = "") -> Iterator[StripeInvoice]:
    """Invoices made since then and paid, newest first, page by page, beginning behind the one named ``after``."""
    asked: dict[str, Any] = {"status": "paid", "created": {"gte": int(since.timestamp())}}
    if after:
        asked["starting_after"] = after
    for item in each(lambda v1, params: v1.invoices.list(params), asked):
        yield StripeInvoice.read(item)


def charge_of_invoice(invoice_id: str) -> StripeCharge | None:
    """What paid it; None for an invoice of zero. Invoices name no charge: their payments do (facts, §1.12)."""
    page = call(lambda v1: v1.invoice_payments.list({"invoice": invoice_id, "status": "paid", "limit": 1}))
    if not page["data"]:
        return None
    intent_id = id_of(page["data"][0]["payment"].get("payment_intent"))
    return charge_of_intent(intent_id) if intent_id else None


def invoice_of_intent(payment_intent_id: str) -> StripeInvoice | None:
    """What it paid; None for a payment without an invoice."""
    payment = {"type": "payment_intent", "payment_intent": payment_intent_id}
    page = call(lambda v1: v1.invoice_payments.list({"payment": payment, "limit": 1}))
    return invoice(id_of(page["data"][0]["invoice"])) if page["data"] else None


def charge_of_intent(payment_intent_id: str) -> StripeCharge:
    intent = call(lambda v1: v1.payment_intents.retrieve(payment_intent_id, {"expand": ["latest_charge"]}))
    charge = intent.get("latest_charge") or {}
    return StripeCharge(id=id_of(charge), payment_intent_id=payment_intent_id, paid_with=_paid_with(charge))


def _paid_with(charge: Any) -> str:
    card = ((charge.get("payment_method_details") or {}).get("card") or {}) if isinstance(charge, dict) else {}
    if not card.get("last4"):
        return ""
    return f"{_BRANDS.get(card.get('brand') or '', 'Bank')} card ending in {card['last4']}"


def create_refund(*, payment_intent_id: str, amount_cents: int, metadata: dict[str, str], key: str) -> StripeRefund:
    """Raises StripeRefused when there is less left than that."""
    made = call(
        lambda v1: v1.refunds.create(
            {
                "payment_intent": payment_intent_id,
                "amount": amount_cents,
                "reason": "requested_by_customer",
                "metadata": metadata,
            },
            options(key),
        )
    )
    return StripeRefund.read(made)


def refund(refund_id: str) -> StripeRefund:
    """Raises StripeMissing."""
    return StripeRefund.read(call(lambda v1: v1.refunds.retrieve(refund_id)))


def refunds_of(payment_intent_id: str) -> list[StripeRefund]:
    page = call(lambda v1: v1.refunds.list({"payment_intent": payment_intent_id, "limit": 100}))
    return [StripeRefund.read(item) for item in page["data"]]


def dispute(dispute_id: str) -> StripeDispute:
    """Raises StripeMissing."""
    return StripeDispute.read(call(lambda v1: v1.disputes.retrieve(dispute_id)))
