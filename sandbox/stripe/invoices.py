"""Invoices: drawn up for a subscription, paid from the saved card, retried when that fails."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import errors, listing, payments, shapes
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import Params
from sandbox.stripe.shapes import Object

RETRY_DAYS = (3, 5, 7)
"""How long after each failed attempt the next follows; after the last the subscription is cancelled."""
LEAST_CHARGE = 50
_SIGNS = {"usd": "$", "eur": "€", "gbp": "£"}


# --- lines --------------------------------------------------------------------------------------------
def line(
    subscription: Object,
    item: Object,
    price: Object,
    *,
    amount: int,
    start: int,
    end: int,
    description: str,
    proration: bool = False,
) -> Object:
    """One line, which ``draw_up`` gives its invoice."""
    return shapes.new(
        "line_item",
        amount=amount,
        currency=price["currency"],
        description=description,
        discountable=not proration,
        livemode=False,
        metadata=subscription["metadata"],
        parent={
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": proration,
                "proration_details": {"credited_items": None},
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        period={"start": start, "end": end},
        pricing={
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        quantity=item["quantity"],
        quantity_decimal=str(item["quantity"]),
        subtotal=amount,
    )


def period_line(account: Account, subscription: Object, item: Object, price: Object, start: int, end: int) -> Object:
    """The line for a whole period: 1 × Basic (at $49.00 / month)."""
    sign = _SIGNS.get(price["currency"], price["currency"].upper() + " ")
    each = f"{sign}{price['unit_amount'] / 100:,.2f}"
    description = f"{item['quantity']} × {name_of(account, price)} (at {each} / {price['recurring']['interval']})"
    amount = price["unit_amount"] * item["quantity"]
    return line(subscription, item, price, amount=amount, start=start, end=end, description=description)


def name_of(account: Account, price: Object) -> str:
    product = account.store.get(price["product"])
    return str(product["name"]) if product else ""


# --- drawing up ---------------------------------------------------------------------------------------
def compose(
    account: Account,
    subscription: Object,
    lines: list[Object],
    *,
    reason: str,
    period: tuple[int, int],
    invoice_id: str = "",
) -> Object:
    """An invoice that is neither stored nor numbered: a preview, or the draft of a real one.

    A sum below zero is kept as the customer's credit, and so is one too small to charge, for the next invoice.
    """
    customer = account.store.get(subscription["customer"]) or {}
    invoice_id = invoice_id or shapes.new_id("invoice")
    subtotal = sum(entry["amount"] for entry in lines)
    starting = customer.get("balance", 0)
    owed = subtotal + starting
    due = owed if owed >= LEAST_CHARGE else 0
    return shapes.new(
        "invoice",
        id=invoice_id,
        amount_due=due,
        amount_remaining=due,
        billing_reason=reason,
        created=account.now(subscription["customer"]),
        currency=subscription["currency"],
        customer=subscription["customer"],
        customer_email=customer.get("email"),
        customer_name=customer.get("name"),
        ending_balance=None,
        lines=shapes.listing([{**entry, "invoice": invoice_id} for entry in lines], f"/v1/invoices/{invoice_id}/lines"),
        parent={
            "quote_details": None,
            "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
            "type": "subscription_details",
        },
        period_end=period[1],
        period_start=period[0],
        starting_balance=starting,
        status="draft",
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal,
        total=subtotal,
        total_excluding_tax=subtotal,
        _ending=0 if due else owed,
    )


def finalize(account: Account, invoice: Object) -> Object:
    """Number an invoice and store it; from now on it is owed."""
    account.store.put(invoice)
    account.emit("invoice.created", invoice)
    now = account.now(invoice["customer"])
    with account.changing(invoice["customer"]) as customer:
        number = customer["next_invoice_sequence"]
        customer["next_invoice_sequence"] = number + 1
        customer["balance"] = invoice["_ending"]
        customer["currency"] = invoice["currency"]
    with account.changing(invoice["id"], "invoice.finalized") as invoice:
        invoice.update(
            effective_at=now,
            ending_balance=invoice["_ending"],
            hosted_invoice_url=f"{account.site}/i/{invoice['id']}",
            invoice_pdf=f"{account.site}/i/{invoice['id']}/pdf",
            number=f"{customer['invoice_prefix']}-{number:04d}",
            status="open",
        )
        invoice["status_transitions"]["finalized_at"] = now
    return invoice


# --- paying -------------------------------------------------------------------------------------------
def method_of(account: Account, subscription: Object) -> Object | None:
    """The card that pays a subscription: its own, else the customer's."""
    customer = account.store.get(subscription["customer"]) or {}
    usual = (customer.get("invoice_settings") or {}).get("default_payment_method")
    wanted = subscription["default_payment_method"] or usual
    return account.store.get(wanted) if wanted else None


def collect(account: Account, invoice_id: str, method: Object | None, *, later: bool = True) -> ApiError | None:
    """Try to pay an open invoice; why it failed, or None. The events of the invoice are written here."""
    invoice = account.get("invoice", invoice_id)
    if invoice["amount_due"] == 0:
        _settle(account, invoice_id)
        return None
    if method is None:
        error: ApiError | None = ApiError(
            "This customer has no attached payment source or default payment method.", code="resource_missing"
        )
        payment_id = ""
    else:
        found = account.store.find("invoice_payment", {"invoice": invoice_id}, limit=1)
        payment = payments.take(
            account,
            method,
            amount=invoice["amount_due"],
            currency=invoice["currency"],
            customer_id=invoice["customer"],
            metadata={},
            later=later,
            description=_words(invoice),
            intent_id=found[0]["payment"]["payment_intent"] if found else None,
        )
        payment_id = found[0]["id"] if found else _add_payment(account, invoice, payment.intent)
        error = payment.error
    if error is None:
        _settle(account, invoice_id, payment_id)
    else:
        _note_failure(account, invoice_id)
    return error


def _words(invoice: Object) -> str:
    return "Subscription creation" if invoice["billing_reason"] == "subscription_create" else "Subscription update"


def _add_payment(account: Account, invoice: Object, intent: Object) -> str:
    made = shapes.new(
        "invoice_payment",
        amount_requested=invoice["amount_due"],
        created=account.now(invoice["customer"]),
        currency=invoice["currency"],
        invoice=invoice["id"],
        payment={"payment_intent": intent["id"], "type": "payment_intent"},
    )
    return str(account.add(made)["id"])


def _settle(account: Account, invoice_id: str, payment_id: str = "") -> None:
    with account.changing(invoice_id) as invoice:
        now = account.now(invoice["customer"])
        invoice.update(
            amount_paid=invoice["amount_due"],
            amount_remaining=0,
            attempted=True,
            auto_advance=False,
            next_payment_attempt=None,
            status="paid",
        )
        if invoice["amount_due"]:
            invoice["attempt_count"] += 1
        invoice["status_transitions"]["paid_at"] = now
    if payment_id:
        with account.changing(payment_id) as payment:
            payment.update(amount_paid=payment["amount_requested"], status="paid")
            payment["status_transitions"]["paid_at"] = now
        account.emit("invoice_payment.paid", payment)
    account.emit("invoice.paid", invoice)
    account.emit("invoice.payment_succeeded", invoice)


def _note_failure(account: Account, invoice_id: str) -> None:
    with account.changing(invoice_id) as invoice:
        invoice["attempted"] = True
        invoice["attempt_count"] += 1
        tried = invoice["attempt_count"]
        days = RETRY_DAYS[tried - 1] if tried <= len(RETRY_DAYS) else None
        invoice["next_payment_attempt"] = account.now(invoice["customer"]) + days * 86400 if days else None
        invoice["auto_advance"] = days is not None
    account.emit("invoice.payment_failed", invoice)


# --- routes -------------------------------------------------------------------------------------------
def retrieve(account: Account, _params: Params, invoice_id: str) -> Object:
    return account.get("invoice", invoice_id)


def list_all(account: Account, params: Params) -> Object:
    fields = ("collection_method", "customer", "status")
    where = {"parent.subscription_details.subscription": params.get("subscription")}
    return listing.page(account, "invoice", params, "/v1/invoices", fields, handled=("subscription",), where=where)


def list_payments(account: Account, params: Params) -> Object:
    payment: dict[str, Any] = params.get("payment") or {}
    if payment.get("type") == "payment_intent" and "payment_intent" not in payment:
        raise errors.missing_param("payment[payment_intent]")
    where = {
        "payment.type": payment.get("type"),
        "payment.payment_intent": payment.get("payment_intent"),
    }
    fields = ("invoice", "status")
    return listing.page(
        account, "invoice_payment", params, "/v1/invoice_payments", fields, handled=("payment",), where=where
    )
