"""Rows for the staff desk's tests."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from audit.actors import Actor
from audit.models import AdminActionAudit, ChangeType
from audit.services import record_password_change, record_security_event
from billing.models import (
    AlertKind,
    Checkout,
    CheckoutKind,
    Dispute,
    FamilyInvitation,
    FamilyMember,
    GiftCard,
    GiftCardTransaction,
    LedgerKind,
    Payment,
    PaymentKind,
    PlanChange,
    PlanPrice,
    Refund,
    StaffAlert,
    StripeEvent,
    StripeReconciliation,
    UserSubscription,
)
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
    fill_money(person)
    other = Client()
    other.force_login(person)


def fill_money(person: User) -> Payment:
    """One more row in every table of plans and money; the payment of $99."""
    plan = UserSubscription.objects.select_related("plan").filter(user=person).latest("pk")
    number, now = person.pk, timezone.now()
    plan.stripe_subscription_id = f"sub_{number}"
    plan.save(update_fields=["stripe_subscription_id"])
    PlanPrice.objects.create(plan=plan.plan, stripe_price_id=f"price_{number}", price_in_cents=9900, is_current=False)
    PlanChange.objects.create(
        subscription=plan,
        from_plan=plan.plan,
        to_plan=plan.plan,
        stripe_price_id=f"price_{number}",
        priced_at=now,
        due_now_cents=0,
        acts_at=now,
    )
    Checkout.objects.create(
        kind=CheckoutKind.PLAN,
        user=person,
        email=person.email,
        plan=plan.plan,
        amount_cents=9900,
        stripe_session_id=f"cs_{number}",
        subscription=plan,
        expires_at=now,
    )
    payment = Payment.objects.create(
        cause=f"invoice:in_{number}",
        kind=PaymentKind.PLAN_START,
        user=person,
        subscription=plan,
        what="Standard plan, November 14 to December 14",
        amount_cents=9900,
        paid_at=now,
        paid_with="Visa card ending in 4242",
        stripe_invoice_id=f"in_{number}",
        stripe_payment_intent_id=f"pi_{number}",
        stripe_charge_id=f"ch_{number}",
    )
    Refund.objects.create(payment=payment, amount_cents=100, stripe_refund_id=f"re_{number}")
    Dispute.objects.create(
        stripe_dispute_id=f"dp_{number}",
        payment=payment,
        amount_cents=9800,
        reason="fraudulent",
        status="needs_response",
        opened_at=now,
    )
    FamilyMember.objects.create(subscription=plan, user=make_user())
    FamilyInvitation.objects.create(
        subscription=plan, email=f"asked{number}@example.com", token_hash=f"{number:064d}", expires_at=now
    )
    StripeEvent.objects.create(
        event_id=f"evt_{number}",
        event_type="invoice.paid",
        object_id=f"in_{number}",
        happened_at=now,
        livemode=False,
        payload={"type": "invoice.paid"},
    )
    StripeReconciliation.objects.create(healed=[{"id": f"sub_{number}", "words": "had no row here"}])
    StaffAlert.objects.create(
        cause=f"dispute:dp_{number}",
        kind=AlertKind.DISPUTE,
        words="A payment of $98 is disputed at the bank. Please call the person.",
        user=person,
        subscription=plan,
        payment=payment,
    )
    return payment


def make_mail(**fields: Any) -> EmailJob:
    defaults: dict[str, Any] = {
        "template_type": "password_reset",
        "recipient_email": "margaret@example.com",
        "subject": "Choose a new password",
        "content": {"context": {"first_name": "Margaret"}},
        "status": EmailStatus.FAILED,
    }
    return EmailJob.objects.create(**defaults | fields)
