"""Money that came in by Stripe, went back, or is disputed."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models

from billing.models.plans import Plan, UserSubscription
from techdeputies.lib.ids import new_id
from techdeputies.lib.models import TimestampedModel, one_of


class CheckoutKind(models.TextChoices):
    PLAN = "plan", "Monthly plan"


class CheckoutState(models.TextChoices):
    OPEN = "open", "Open"
    PAID = "paid", "Paid"
    EXPIRED = "expired", "Not paid"
    FAILED = "failed", "Payment failed"


class PaymentKind(models.TextChoices):
    PLAN_START = "plan_start", "First month of a plan"
    PLAN_RENEWAL = "plan_renewal", "A further month of a plan"
    PLAN_CHANGE = "plan_change", "Change of plan"


class RefundState(models.TextChoices):
    ASKED = "asked", "Asked for"
    PENDING = "pending", "On its way"
    SUCCEEDED = "succeeded", "Given back"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Cancelled"


class CheckoutQuerySet(models.QuerySet["Checkout"]):
    def open(self) -> Self:
        return self.filter(state=CheckoutState.OPEN)


class Checkout(TimestampedModel):
    """One visit to Stripe's payment page, with every parameter that went there.

    Its id is what the idempotency keys are made of, so a repeat sends the same words and makes nothing new.
    """

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    kind = models.CharField(max_length=20, choices=CheckoutKind)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, null=True, blank=True, related_name="checkouts")
    email = models.CharField(max_length=254, help_text="As it went to Stripe.")
    name = models.CharField(max_length=255, blank=True, default="", db_default="")
    plan = models.ForeignKey(Plan, models.RESTRICT, null=True, blank=True, related_name="checkouts")
    stripe_price_id = models.CharField(max_length=255, blank=True, default="", db_default="")
    amount_cents = models.IntegerField(help_text="US cents.")
    state = models.CharField(
        max_length=20, choices=CheckoutState, default=CheckoutState.OPEN, db_default=CheckoutState.OPEN
    )
    stripe_session_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    stripe_customer_id = models.CharField(max_length=255, blank=True, default="", db_default="")
    subscription = models.ForeignKey(UserSubscription, models.RESTRICT, null=True, blank=True, related_name="checkouts")
    expires_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = CheckoutQuerySet.as_manager()

    class Meta:
        db_table = "checkouts"
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(state=CheckoutState.OPEN, kind=CheckoutKind.PLAN),
                name="checkout_one_open_plan_per_person",
            ),
            one_of("kind", CheckoutKind, name="checkout_kind_known"),
            one_of("state", CheckoutState, name="checkout_state_known"),
            models.CheckConstraint(condition=models.Q(amount_cents__gte=0), name="checkout_amount_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=models.Q(state=CheckoutState.OPEN), name="checkout_open_until"
            ),
            models.Index(fields=["-created_at"], name="checkout_latest"),
        ]

    def __str__(self) -> str:
        return f"Checkout {self.pk}"


class Payment(TimestampedModel):
    """One sum that reached us. ``refunded_cents`` is recounted from ``refunds``, never stepped."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    cause = models.CharField(max_length=255, unique=True, help_text="What was paid, once: invoice:<id>.")
    kind = models.CharField(max_length=20, choices=PaymentKind)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, null=True, blank=True, related_name="payments")
    subscription = models.ForeignKey(UserSubscription, models.RESTRICT, null=True, blank=True, related_name="payments")
    what = models.CharField(max_length=200, help_text="In words: Standard plan, November 14 to December 14.")
    amount_cents = models.IntegerField(help_text="US cents.")
    refunded_cents = models.IntegerField(default=0, db_default=0, help_text="US cents; recounted.")
    paid_at = models.DateTimeField()
    paid_with = models.CharField(max_length=100, blank=True, default="", db_default="")
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    stripe_invoice_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    stripe_payment_intent_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    stripe_charge_id = models.CharField(max_length=255, blank=True, default="", db_default="")

    class Meta:
        db_table = "payments"
        constraints = [
            one_of("kind", PaymentKind, name="payment_kind_known"),
            models.CheckConstraint(
                condition=models.Q(
                    amount_cents__gte=0, refunded_cents__gte=0, refunded_cents__lte=models.F("amount_cents")
                ),
                name="payment_never_below_zero",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-paid_at"], name="payment_of_person"),
            models.Index(fields=["paid_at"], name="payment_paid_at"),
        ]
        permissions = [("view_figures", "Can see the figures of the months")]

    def __str__(self) -> str:
        return f"{self.what}"

    @property
    def left_cents(self) -> int:
        """What could still be given back."""
        return self.amount_cents - self.refunded_cents


class RefundQuerySet(models.QuerySet["Refund"]):
    def counting(self) -> Self:
        """Money that has gone back or is on its way."""
        return self.exclude(state__in=[RefundState.FAILED, RefundState.CANCELED])


class Refund(TimestampedModel):
    """Money given back of one payment. Its id makes the idempotency key."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, models.RESTRICT, related_name="refunds")
    amount_cents = models.IntegerField(help_text="US cents.")
    reason = models.CharField(max_length=255, blank=True, default="", db_default="")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="refunds_made",
        help_text="Empty when the product or somebody at Stripe did it.",
    )
    state = models.CharField(
        max_length=20, choices=RefundState, default=RefundState.ASKED, db_default=RefundState.ASKED
    )
    stripe_refund_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    failure_reason = models.CharField(max_length=100, blank=True, default="", db_default="")
    stripe_read = models.BigIntegerField(default=0, db_default=0, editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        db_table = "refunds"
        constraints = [
            one_of("state", RefundState, name="refund_state_known"),
            models.CheckConstraint(condition=models.Q(amount_cents__gt=0), name="refund_above_zero"),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=models.Q(state__in=[RefundState.ASKED, RefundState.PENDING]),
                name="refund_unsettled",
            )
        ]

    def __str__(self) -> str:
        return f"Refund {self.pk}"


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def open(self) -> Self:
        return self.filter(closed_at__isnull=True)

    def lost(self) -> Self:
        """The bank took the money back for good."""
        return self.filter(status=Dispute.LOST)

    def against_us(self) -> Self:
        """Not decided yet, or lost."""
        return self.filter(models.Q(closed_at__isnull=True) | models.Q(status=Dispute.LOST))


class Dispute(TimestampedModel):
    """A payment that its payer denies at the bank."""

    LOST = "lost"

    stripe_dispute_id = models.CharField(max_length=255, unique=True)
    payment = models.ForeignKey(Payment, models.RESTRICT, related_name="disputes")
    amount_cents = models.IntegerField(help_text="US cents.")
    reason = models.CharField(max_length=100)
    status = models.CharField(max_length=50, help_text="Stripe's own word.")
    opened_at = models.DateTimeField()
    answer_by = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    stripe_read = models.BigIntegerField(default=0, db_default=0, editable=False)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        db_table = "disputes"

    def __str__(self) -> str:
        return f"Dispute {self.pk}"

    @property
    def is_lost(self) -> bool:
        return self.status == self.LOST
