"""Posts as Stripe makes them: the sample story as files, signed by us, and what the inbox made of them."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import stripe
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from billing import gateway
from billing.models import StripeEvent
from billing.services import inbox

ADDRESS = "/webhooks/stripe"
SECRET = "whsec_of_these_tests"
SAMPLES = Path(__file__).resolve().parents[2] / "sandbox" / "stripe" / "tests" / "data"
STORY = (
    "customer.subscription.created",
    "invoice.paid--first",
    "customer.subscription.updated--active",
    "checkout.session.completed--plan",
    "checkout.session.expired",
    "payment_intent.succeeded--gift_card",
    "checkout.session.completed--gift_card",
    "customer.subscription.updated--plan_change",
    "invoice.paid--proration",
    "checkout.session.completed--course_part_gift_card",
    "checkout.session.completed--nothing_to_pay",
    "checkout.session.completed--unpaid",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "refund.created",
    "charge.refunded",
    "refund.failed",
    "charge.dispute.created",
    "invoice.paid--renewal",
    "customer.subscription.updated--renewal",
    "invoice.payment_failed",
    "customer.subscription.updated--past_due",
    "customer.subscription.updated--recovered",
    "customer.subscription.updated--cancel_scheduled",
    "customer.subscription.deleted",
    "customer.deleted",
)
"""The samples in the order in which one customer's story happened."""


def sample(name: str) -> dict[str, Any]:
    """One event of the story, by its name in ``STORY``."""
    body: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return body


def an_event(event_type: str = "customer.subscription.updated", object_id: str = "sub_1", **changes: Any) -> Any:
    """A small event of that type about that object."""
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "api_version": gateway.API_VERSION,
        "created": int(time.time()),
        "data": {"object": {"id": object_id, "object": "anything"}},
        "livemode": False,
        "type": event_type,
        **copy.deepcopy(changes),
    }


def signature(body: str, *, secret: str = SECRET, moment: float | None = None) -> str:
    """By the package's own code, which is what Stripe's servers agree with."""
    at = int(time.time() if moment is None else moment)
    return str(stripe.WebhookSignature.generate_signature_header(body, secret, at))


def post(client: Client, body: Any, *, header: str | None = None, address: str = ADDRESS, **options: Any) -> Any:
    """Post it, signed unless a header is given."""
    text = body if isinstance(body, str) else json.dumps(body)
    content_type = options.pop("content_type", "application/json; charset=utf-8")
    sealed = signature(text, **options) if header is None else header
    return client.post(address, text.encode(), content_type, headers={"Stripe-Signature": sealed})


def keep(*bodies: Any) -> None:
    """Post each to the inbox, which must take it."""
    for body in bodies:
        assert post(Client(), body).status_code == 200


def states() -> list[tuple[str, str]]:
    return list(StripeEvent.objects.order_by("pk").values_list("event_type", "state"))


def let_time_pass() -> None:
    """Let everything that waits be due: leases are over, retries may begin."""
    StripeEvent.objects.filter(available_at__gt=timezone.now()).update(available_at=Now(), received_at=F("received_at"))


def apply_all(rounds: int = 4) -> None:
    """What woken workers and the clock do, until nothing waits."""
    for _ in range(rounds):
        let_time_pass()
        inbox.apply_waiting()
        if not StripeEvent.objects.filter(state="waiting").exists():
            return
