"""What Stripe's events say, and whom to ask about them.

An event is a hint that something about an object has changed. So the table below leads from a type to the look at
Stripe that brings our rows up to date; the event's own words are never written into a row. What is not in the table
needs nothing from us.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from billing import gateway
from billing.exceptions import CheckoutNotYours
from billing.models import Payment
from billing.services import checkout, disputes, refunds, syncing
from billing.services.refunds import NotKnownYet

_TEXT = re.compile(r"[\x21-\x7e]+")
_LONGEST_ID, _LONGEST_TYPE, _LONGEST_VERSION = 255, 100, 40
_LATEST = 2**33

# Who somebody is, how to reach them, and links that open without a password: nothing here needs them.
_PERSONAL = frozenset(
    {"address", "billing_details", "client_secret", "collected_information", "custom_fields", "customer_address"}
    | {"customer_details", "customer_email", "customer_name", "customer_phone", "customer_shipping", "description"}
    | {"email", "evidence", "hosted_invoice_url", "invoice_pdf", "name", "payment_method_details", "phone"}
    | {"receipt_email", "receipt_url", "shipping", "shipping_details", "url"}
)


class NotAnEvent(Exception):
    """Not an event as this API sends them; the text says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is kept. ``payload`` is JSON without what names or reaches a person."""

    event_id: str
    event_type: str
    object_id: str
    created: int
    api_version: str
    livemode: bool
    payload: str

    @property
    def is_handled(self) -> bool:
        return self.event_type in LOOKS

    @property
    def is_ours(self) -> bool:
        """Of the mode, test or live, that our key is for."""
        return self.livemode == is_live()


@dataclass(frozen=True, slots=True)
class Look:
    """One way to ask Stripe. Events of these types about the same object are all served by one look."""

    act: Callable[[str], object]
    types: tuple[str, ...]


def is_live() -> bool:
    """Whether our key is for real money."""
    return "_live_" in settings.STRIPE_SECRET_KEY


def read(body: Any) -> Event:
    """What a decoded body says. Raises NotAnEvent, and RecursionError for one nested too deeply."""
    if not isinstance(body, dict) or body.get("object") != "event":
        raise NotAnEvent("not a snapshot event")
    created, livemode = body.get("created"), body.get("livemode")
    if not isinstance(created, int) or isinstance(created, bool) or not 0 < created < _LATEST:
        raise NotAnEvent("no moment")
    if not isinstance(livemode, bool):
        raise NotAnEvent("no mode")
    data = body.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    if not isinstance(thing, dict):
        raise NotAnEvent("no object")
    event_type = _word(body.get("type"), _LONGEST_TYPE, "type")
    return Event(
        event_id=_word(body.get("id"), _LONGEST_ID, "id"),
        event_type=event_type,
        # Some things that Stripe tells of have no id; what we act on always has.
        object_id=_word(thing.get("id"), _LONGEST_ID, "object's id") if event_type in LOOKS or thing.get("id") else "",
        created=created,
        api_version=_word(body.get("api_version"), _LONGEST_VERSION, "version") if body.get("api_version") else "",
        livemode=livemode,
        payload=json.dumps(_without_people(body)),
    )


def _word(value: Any, longest: int, what: str) -> str:
    if not isinstance(value, str) or len(value) > longest or not _TEXT.fullmatch(value):
        raise NotAnEvent(f"no {what}")
    return value


def _without_people(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_people(item) for name, item in value.items() if name not in _PERSONAL}
    if isinstance(value, list):
        return [_without_people(item) for item in value]
    return value


# --- Whom to ask ----------------------------------------------------------------------------------------


def _fulfil(session_id: str) -> None:
    try:
        checkout.fulfil(session_id)
    except CheckoutNotYours:
        # Made by somebody else with the same Stripe account, or for something that is not sold here.
        return


def _refund(refund_id: str) -> None:
    try:
        refunds.sync_refund(refund_id)
    except NotKnownYet:
        _write_payment(gateway.refund(refund_id).payment_intent_id)
        refunds.sync_refund(refund_id)


def _dispute(dispute_id: str) -> None:
    try:
        disputes.sync_dispute(dispute_id)
    except NotKnownYet:
        _write_payment(gateway.dispute(dispute_id).payment_intent_id)
        disputes.sync_dispute(dispute_id)


def _write_payment(payment_intent_id: str) -> None:
    """News of the plan itself may come later, or never: the invoice that was paid leads to it."""
    invoice = gateway.invoice_of_intent(payment_intent_id)
    if invoice is not None:
        syncing.sync_invoice(invoice.id)


def _refunds_of_charge(charge_id: str) -> None:
    """A charge lists no refunds (facts, §1.15), so each one of its payment is looked at.

    Of a payment that is not here yet each refund's own event tells.
    """
    intents = Payment.objects.filter(stripe_charge_id=charge_id).values_list("stripe_payment_intent_id", flat=True)
    for intent_id in intents:
        for refund in gateway.refunds_of(intent_id) if intent_id else ():
            refunds.sync_refund(refund.id)


_TABLE = (
    Look(
        _fulfil,
        (
            "checkout.session.completed",
            "checkout.session.async_payment_succeeded",
            "checkout.session.async_payment_failed",
            "checkout.session.expired",
        ),
    ),
    Look(
        syncing.sync_subscription,
        (
            "customer.subscription.created",
            "customer.subscription.updated",
            "customer.subscription.deleted",
            "customer.subscription.paused",
            "customer.subscription.resumed",
        ),
    ),
    Look(syncing.sync_invoice, ("invoice.paid", "invoice.payment_failed", "invoice.payment_action_required")),
    Look(_refund, ("refund.created", "refund.updated", "refund.failed")),
    Look(_refunds_of_charge, ("charge.refunded",)),
    Look(_dispute, ("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed")),
    Look(syncing.customer_gone, ("customer.deleted",)),
)

LOOKS: dict[str, Look] = {event_type: look for look in _TABLE for event_type in look.types}
"""The types that need something from us: what the endpoint at Stripe subscribes to, and what is fetched."""
