"""The mails about money that goes back, and about a payment that a bank asks for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from billing.models import Dispute, Payment, Refund
from emails.models import EmailJob
from emails.services.outbox import enqueue_email
from settings_app.services import zone_for
from techdeputies.lib.money import money
from techdeputies.lib.times import long_date

STALE = timedelta(days=30)
"""Older than this is no news: it comes from old data moving in."""


def send_refunded(payment: Payment, refund: Refund, *, given_at: datetime) -> EmailJob | None:
    """Once for each refund, when it is on its way. Who paid twice has been told in words of its own."""
    subscription = payment.subscription
    if subscription is not None and subscription.duplicate_of_id is not None:
        return None
    if payment.user is None or given_at < timezone.now() - STALE:
        return None
    facts = {
        "amount": money(refund.amount_cents),
        "what": payment.what,
        "paid_amount": money(payment.amount_cents),
        "paid_day": long_date(payment.paid_at, zone_for(payment.user)),
        "back_to": payment.paid_with or "Your bank card",
        "button_url": f"{settings.SITE_URL}{reverse('billing:payment_detail', args=[payment.pk])}",
        "button_text": "See this payment",
    }
    return _send("plan_refunded", f"refund:{refund.pk}", payment, facts)


def send_disputed(payment: Payment, dispute: Dispute) -> EmailJob | None:
    """Once for each dispute, when the plan has to wait for it."""
    if payment.user is None or payment.subscription is None:
        return None
    facts = {
        "plan_name": payment.subscription.plan.display_name,
        "amount": money(dispute.amount_cents),
        "paid_day": long_date(payment.paid_at, zone_for(payment.user)),
        "paid_with": payment.paid_with or "Your bank card",
        "button_url": f"{settings.SITE_URL}{reverse('billing:payment_detail', args=[payment.pk])}",
        "button_text": "See this payment",
    }
    return _send("plan_disputed", f"dispute:{dispute.stripe_dispute_id}", payment, facts)


def _send(template: str, occasion: str, payment: Payment, facts: dict[str, Any]) -> EmailJob | None:
    user = payment.user
    if user is None or not user.is_active:
        return None
    return enqueue_email(
        template=template,
        occasion=occasion,
        to=user.email,
        name=user.name or "",
        context={"first_name": user.first_name_words, **facts},
    )
