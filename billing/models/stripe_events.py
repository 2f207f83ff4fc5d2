"""What Stripe told us, what a comparison with it found, and what staff must look at."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from billing.models.payments import Payment
from billing.models.plans import UserSubscription
from techdeputies.lib.models import one_of


class StripeEventState(models.TextChoices):
    WAITING = "waiting", "Waits"
    DONE = "done", "Applied"
    IGNORED = "ignored", "Nothing to do"
    BROKEN = "broken", "Set aside after failing"


class AlertKind(models.TextChoices):
    DOUBLE_PLAN = "double_plan", "A second plan was paid"
    REFUND_FAILED = "refund_failed", "A refund failed"
    DISPUTE = "dispute", "A payment is disputed"
    STRIPE_VERSION = "stripe_version", "Events in another API version"
    STRIPE_MODE = "stripe_mode", "Events of the other mode (test or live)"
    STRIPE_EVENT = "stripe_event", "An event could not be applied"
    STRIPE_DIFFERS = "stripe_differs", "Stripe and our tables differed"
    UNKNOWN_PAYER = "unknown_payer", "Money without a known person or plan"


class StripeEvent(models.Model):
    """One event of Stripe as it came in, unique by its id. Used as a hint only: a task asks for the object itself."""

    event_id = models.CharField(max_length=255, unique=True)
    event_type = models.CharField(max_length=100)
    object_id = models.CharField(max_length=255, blank=True, default="", db_default="")
    happened_at = models.DateTimeField(help_text="By Stripe's clock.")
    api_version = models.CharField(max_length=40, blank=True, default="", db_default="")
    livemode = models.BooleanField()
    payload = models.JSONField(null=True, blank=True, help_text="Thrown away after some months.")
    source = models.CharField(max_length=20, default="post", db_default="post", help_text="post, or list: fetched.")
    state = models.CharField(
        max_length=20,
        choices=StripeEventState,
        default=StripeEventState.WAITING,
        db_default=StripeEventState.WAITING,
    )
    attempt_count = models.IntegerField(default=0, db_default=0)
    last_error = models.TextField(blank=True, default="", db_default="")
    available_at = models.DateTimeField(default=timezone.now, db_default=Now(), help_text="Not applied before.")
    received_at = models.DateTimeField(default=timezone.now, db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "stripe_events"
        constraints = [one_of("state", StripeEventState, name="stripe_event_state_known")]
        indexes = [
            models.Index(
                fields=["available_at", "id"],
                condition=models.Q(state=StripeEventState.WAITING),
                name="stripe_event_waiting",
            ),
            models.Index(fields=["object_id", "happened_at"], name="stripe_event_object"),
            models.Index(fields=["received_at"], name="stripe_event_received"),
            models.Index(
                fields=["received_at"],
                condition=models.Q(payload__isnull=False) & ~models.Q(state=StripeEventState.WAITING),
                name="stripe_event_to_blank",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"


class StripeReconciliation(models.Model):
    """One nightly comparison of our tables with Stripe, in figures."""

    started_at = models.DateTimeField(default=timezone.now, db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    events_fetched = models.IntegerField(default=0, db_default=0, help_text="Events that had not reached us.")
    subscriptions_checked = models.IntegerField(default=0, db_default=0)
    invoices_checked = models.IntegerField(default=0, db_default=0)
    healed = models.JSONField(default=list, help_text="What differed and was put right: Stripe's ids and our words.")
    error = models.TextField(blank=True, default="", db_default="")

    class Meta:
        db_table = "stripe_reconciliations"
        verbose_name = "comparison with Stripe"
        verbose_name_plural = "comparisons with Stripe"

    def __str__(self) -> str:
        return f"Comparison of {self.started_at:%Y-%m-%d}"


class StaffAlertQuerySet(models.QuerySet["StaffAlert"]):
    def open(self) -> Self:
        return self.filter(settled_at__isnull=True)


class StaffAlert(models.Model):
    """Something about money that a person must look at. Told once per cause, by mail and on the staff desk."""

    cause = models.CharField(max_length=255, unique=True)
    kind = models.CharField(max_length=30, choices=AlertKind)
    words = models.CharField(max_length=500, help_text="What happened and what to do; no names.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, null=True, blank=True, related_name="+")
    subscription = models.ForeignKey(UserSubscription, models.RESTRICT, null=True, blank=True, related_name="alerts")
    payment = models.ForeignKey(Payment, models.RESTRICT, null=True, blank=True, related_name="alerts")
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.RESTRICT, null=True, blank=True, related_name="alerts_settled"
    )

    objects = StaffAlertQuerySet.as_manager()

    class Meta:
        db_table = "staff_alerts"
        constraints = [one_of("kind", AlertKind, name="staff_alert_kind_known")]
        indexes = [
            models.Index(fields=["-created_at"], condition=models.Q(settled_at__isnull=True), name="staff_alert_open")
        ]

    def __str__(self) -> str:
        return self.words
