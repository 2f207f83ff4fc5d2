"""Rows for the staff desk's tests."""

from __future__ import annotations

from typing import Any

from django.test import Client

from audit.actors import Actor
from audit.models import AdminActionAudit, ChangeType
from audit.services import record_password_change, record_security_event
from billing.models import GiftCard, GiftCardTransaction, LedgerKind
from billing.tests.factories import make_subscriber
from booking.tests.factories import make_booking
from courses.models import CoursePurchase
from emails.models import (
    EmailDeliveryEvent,
    EmailJob,
    EmailPreference,
    EmailStatus,
    EmailSuppression,
    EmailTemplate,
    EmailTemplateVersion,
    EmailWebhookPost,
    SuppressionType,
)
from settings_app.models import RateLimit
from support.models import Ticket, TicketComment


def fill() -> None:
    """One more row in every table that staff see."""
    person = make_subscriber()
    booking = make_booking(user=person)
    actor = Actor(user=booking.event.deputy, ip_address="203.0.113.7", user_agent="Browser")
    record_password_change(user=person, actor=actor, change_type=ChangeType.ADMIN_RESET)
    record_security_event(kind="signed_in", user=person, actor=actor, details={"device": 1})
    AdminActionAudit.objects.create(admin=booking.event.deputy, action="x", target_user_id=person.pk)
    card = GiftCard.objects.create(
        code=f"ABCD-EFGH-JKLM-{person.pk:04d}",
        original_amount=5000,
        remaining_amount=5000,
        purchaser_email=person.email,
    )
    GiftCardTransaction.objects.create(gift_card=card, amount=5000, kind=LedgerKind.LOAD, balance_after=5000)
    CoursePurchase.objects.create(user=person, course_slug="computer-basics-101", amount_paid=2900)
    ticket = Ticket.objects.create(user=person, title="No sound")
    TicketComment.objects.create(ticket=ticket, user=person, content="Since Monday.")
    job = make_mail(recipient_email=person.email)
    EmailDeliveryEvent.objects.create(email_job=job, event_type="delivered")
    EmailSuppression.objects.create(email=f"gone{person.pk}@example.com", type=SuppressionType.BOUNCE)
    EmailPreference.objects.create(email=person.email, wants_news=False)
    EmailWebhookPost.objects.create(token=f"token-{person.pk}", event_type="delivered", body={}, email_job=job)
    template = EmailTemplate.objects.create(name=f"t{person.pk}", subject="Hello", html_content="<p>Hello</p>")
    EmailTemplateVersion.objects.create(template=template, version=1, subject="Hello", html_content="<p>Hello</p>")
    RateLimit.objects.create(ip_address=f"user:{person.pk}", endpoint="limit_login_per_account", attempts=9)
    other = Client()
    other.force_login(person)


def make_mail(**fields: Any) -> EmailJob:
    defaults: dict[str, Any] = {
        "template_type": "password_reset",
        "recipient_email": "margaret@example.com",
        "subject": "Choose a new password",
        "content": {"context": {"first_name": "Margaret"}},
        "status": EmailStatus.FAILED,
    }
    return EmailJob.objects.create(**defaults | fields)
