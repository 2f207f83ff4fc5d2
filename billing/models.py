"""Plans, who has one, the sessions used from it, and gift cards with their ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from techdeputies.lib.models import TimestampedModel, one_of


class PlanTier(models.TextChoices):
    BASIC = "basic", "Basic"
    STANDARD = "standard", "Standard"
    PREMIUM = "premium", "Premium"


class CourseInclusion(models.TextChoices):
    NONE = "none", "No courses"
    PARTIAL = "partial", "Some courses"
    FULL = "full", "All courses"


class SupportTier(models.TextChoices):
    EMAIL = "email", "E-mail support"
    PRIORITY = "priority", "Priority support"
    PREMIUM = "premium", "Premium support"


class SubscriptionStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Ended"
    PAST_DUE = "past_due", "Payment did not go through"


class GiftCardStatus(models.TextChoices):
    ACTIVE = "active", "Ready to use"
    REDEEMED = "redeemed", "All used"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


class LedgerKind(models.TextChoices):
    LOAD = "load", "Loaded"
    SPEND = "spend", "Spent"
    REFUND = "refund", "Given back"
    ADJUST = "adjust", "Corrected by staff"
    EXPIRE = "expire", "Expired"
    IMPORT = "import", "Taken over from the old site"


class Plan(TimestampedModel):
    """A monthly plan. ``session_limit`` 0 means no limit; ask ``is_unlimited``."""

    name = models.CharField(max_length=255, unique=True)
    display_name = models.CharField(max_length=200)
    description = models.TextField(null=True, blank=True)
    price_in_cents = models.IntegerField()
    tier = models.CharField(max_length=20, choices=PlanTier)
    session_limit = models.IntegerField(help_text="Sessions a month; 0 means no limit.")
    course_inclusion = models.CharField(max_length=20, choices=CourseInclusion)
    family_size = models.IntegerField(default=1, db_default=1)
    support_tier = models.CharField(max_length=20, choices=SupportTier)
    featured = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "plans"
        constraints = [
            one_of("tier", PlanTier, name="plan_tier_known"),
            one_of("course_inclusion", CourseInclusion, name="plan_course_inclusion_known"),
            one_of("support_tier", SupportTier, name="plan_support_tier_known"),
            models.CheckConstraint(
                condition=models.Q(price_in_cents__gte=0, session_limit__gte=0, family_size__gte=1),
                name="plan_numbers_make_sense",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def is_unlimited(self) -> bool:
        return self.session_limit == 0


class SubscriptionQuerySet(models.QuerySet["UserSubscription"]):
    def active(self) -> Self:
        return self.filter(status=SubscriptionStatus.ACTIVE)

    def live(self) -> Self:
        """A plan that gives something: active, or in the days of grace after a failed payment."""
        return self.filter(status__in=[SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE])

    def ending_before(self, moment: datetime) -> Self:
        return self.active().filter(current_period_end__lt=moment)


class UserSubscription(TimestampedModel):
    """A person's plan for one paid period. One active row per person at most."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="subscriptions")
    plan = models.ForeignKey(Plan, models.RESTRICT, related_name="subscriptions")
    stripe_subscription_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    status = models.CharField(
        max_length=20,
        choices=SubscriptionStatus,
        default=SubscriptionStatus.ACTIVE,
        db_default=SubscriptionStatus.ACTIVE,
    )
    current_period_start = models.DateTimeField()
    current_period_end = models.DateTimeField(help_text="Access ends at this moment.")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    session_booked_this_month = models.IntegerField(
        default=0, db_default=0, help_text="Recounted from visit_uses, never stepped."
    )
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.RESTRICT, null=True, blank=True, related_name="plans_granted"
    )
    grant_reason = models.CharField(max_length=255, blank=True, default="", db_default="")

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        db_table = "user_subscriptions"
        verbose_name = "plan of a person"
        verbose_name_plural = "plans of people"
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(status=SubscriptionStatus.ACTIVE),
                name="subscription_one_active_per_user",
                violation_error_message="This person already has an active plan.",
            ),
            one_of("status", SubscriptionStatus, name="subscription_status_known"),
            models.CheckConstraint(
                condition=models.Q(session_booked_this_month__gte=0),
                name="subscription_count_not_negative",
            ),
        ]
        indexes = [
            models.Index(fields=["status"], name="subscription_status"),
            models.Index(fields=["current_period_end"], name="subscription_period_end"),
        ]

    def __str__(self) -> str:
        return f"Plan {self.plan_id} of {self.user_id}"

    @property
    def is_granted(self) -> bool:
        """Given by staff rather than bought."""
        return self.stripe_subscription_id is None


class VisitUseQuerySet(models.QuerySet["VisitUse"]):
    def standing(self) -> Self:
        return self.filter(returned_at__isnull=True)


class VisitUse(models.Model):
    """One visit taken from a plan's allowance in one period, and when it was given back.

    A visit given back in a later period counts for that one: ``credited_period_start`` says which.
    """

    subscription = models.ForeignKey(UserSubscription, models.RESTRICT, related_name="visit_uses")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, related_name="visit_uses")
    cause = models.CharField(max_length=200, unique=True, help_text="Booking id and revision.")
    period_start = models.DateTimeField()
    used_at = models.DateTimeField(default=timezone.now, db_default=Now())
    returned_at = models.DateTimeField(null=True, blank=True)
    credited_period_start = models.DateTimeField(null=True, blank=True)

    objects = VisitUseQuerySet.as_manager()

    class Meta:
        db_table = "visit_uses"
        verbose_name = "session used"
        verbose_name_plural = "sessions used"
        indexes = [
            models.Index(fields=["subscription", "period_start"], name="visit_use_period"),
            models.Index(
                fields=["subscription", "credited_period_start"],
                condition=models.Q(credited_period_start__isnull=False),
                name="visit_use_credit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cause} from {self.subscription_id}"


class GiftCard(models.Model):
    """A card with money on it. ``remaining_amount`` equals the sum of its ledger, always."""

    code = models.CharField(max_length=64, unique=True)
    original_amount = models.IntegerField(help_text="US cents.")
    remaining_amount = models.IntegerField(help_text="US cents; the sum of the ledger.")
    purchaser_email = models.CharField(max_length=254)
    purchaser_name = models.CharField(max_length=255, null=True, blank=True)
    recipient_email = models.CharField(max_length=254, null=True, blank=True)
    recipient_name = models.CharField(max_length=255, null=True, blank=True)
    message = models.TextField(null=True, blank=True)
    status = models.CharField(
        max_length=20,
        choices=GiftCardStatus,
        default=GiftCardStatus.ACTIVE,
        db_default=GiftCardStatus.ACTIVE,
    )
    purchased_at = models.DateTimeField(default=timezone.now, db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "gift_cards"
        constraints = [
            one_of("status", GiftCardStatus, name="gift_card_status_known"),
            models.CheckConstraint(
                condition=models.Q(remaining_amount__gte=0, remaining_amount__lte=models.F("original_amount")),
                name="gift_card_balance_within_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"Gift card ending {self.code[-4:]}"


class GiftCardTransaction(models.Model):
    """One line of a card's ledger, never changed: positive cents load the card, negative spend."""

    gift_card = models.ForeignKey(GiftCard, models.CASCADE, related_name="transactions")
    amount = models.IntegerField(help_text="US cents, signed.")
    kind = models.CharField(max_length=20, choices=LedgerKind, default=LedgerKind.IMPORT, db_default=LedgerKind.IMPORT)
    balance_after = models.IntegerField(null=True, blank=True, help_text="US cents.")
    cause = models.CharField(max_length=200, null=True, blank=True, unique=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.RESTRICT, null=True, blank=True, related_name="ledger_lines"
    )
    description = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "gift_card_transactions"
        verbose_name = "line of the gift-card ledger"
        verbose_name_plural = "gift-card ledger"
        constraints = [one_of("kind", LedgerKind, name="gift_card_transaction_kind_known")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} on {self.gift_card_id}"
