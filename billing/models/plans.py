"""Plans, who has one, the sessions used from it, and wishes to change it."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from techdeputies.lib.ids import new_id
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


class ChangeState(models.TextChoices):
    ASKED = "asked", "Asked for"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"


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
    is_offered = models.BooleanField(
        "on offer", default=True, db_default=True, help_text="Off: nobody new can choose it; who has it keeps it."
    )
    stripe_product_id = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)

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


class PlanPrice(models.Model):
    """A price of a plan at Stripe. They never change: a new amount is a new row, and old ones still name their plan."""

    plan = models.ForeignKey(Plan, models.RESTRICT, related_name="prices")
    stripe_price_id = models.CharField(max_length=255, unique=True)
    price_in_cents = models.IntegerField()
    is_current = models.BooleanField(default=True, db_default=True, help_text="What a new customer pays.")
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "plan_prices"
        constraints = [
            models.UniqueConstraint(
                fields=["plan"], condition=models.Q(is_current=True), name="plan_price_one_current_per_plan"
            )
        ]

    def __str__(self) -> str:
        return f"{self.price_in_cents} cents for plan {self.plan_id}"


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
    stripe_status = models.CharField(
        max_length=30, blank=True, default="", db_default="", help_text="Stripe's own word for the state."
    )
    stripe_read = models.BigIntegerField(
        default=0, db_default=0, editable=False, help_text="Ticket of the look at Stripe that was written last."
    )
    stripe_created_at = models.DateTimeField(null=True, blank=True, help_text="When Stripe made it; the elder stays.")
    price_in_cents = models.IntegerField(null=True, blank=True, help_text="What this person pays a month.")
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Set when the plan will not be renewed.")
    ended_at = models.DateTimeField(null=True, blank=True)
    past_due_since = models.DateTimeField(null=True, blank=True)
    grace_ended_at = models.DateTimeField(null=True, blank=True)
    frozen_at = models.DateTimeField(null=True, blank=True, help_text="Set while a payment of it is disputed.")
    next_plan = models.ForeignKey(
        Plan,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="From the next month on.",
    )
    duplicate_of = models.ForeignKey(
        "self",
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="duplicates",
        db_index=False,
        help_text="Stopped and paid back.",
    )

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


class PlanChange(models.Model):
    """A wish to move to another plan, as it was previewed and confirmed; its id makes the idempotency key."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    subscription = models.ForeignKey(UserSubscription, models.RESTRICT, related_name="changes")
    from_plan = models.ForeignKey(Plan, models.RESTRICT, related_name="+")
    to_plan = models.ForeignKey(Plan, models.RESTRICT, related_name="+")
    stripe_price_id = models.CharField(max_length=255)
    priced_at = models.DateTimeField(help_text="The moment the sums were worked out for.")
    due_now_cents = models.IntegerField(help_text="US cents, as previewed; 0 for a change at the period's end.")
    acts_at = models.DateTimeField(help_text="At once, or the end of the period.")
    state = models.CharField(
        max_length=20, choices=ChangeState, default=ChangeState.ASKED, db_default=ChangeState.ASKED
    )
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "plan_changes"
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "to_plan", "priced_at"], name="plan_change_once_per_preview"
            ),
            one_of("state", ChangeState, name="plan_change_state_known"),
        ]

    def __str__(self) -> str:
        return f"Change of {self.subscription_id} to {self.to_plan_id}"
