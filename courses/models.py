"""Which courses a person has bought."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from techdeputies.lib.models import one_of


class PurchaseStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    REFUNDED = "refunded", "Refunded"
    EXPIRED = "expired", "Ended"


class CoursePurchase(models.Model):
    """One row per person and course; buying again after a refund revives it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="course_purchases")
    course_slug = models.CharField(max_length=100)
    amount_paid = models.IntegerField(help_text="US cents.")
    gift_card_code = models.CharField(max_length=64, null=True, blank=True)
    status = models.CharField(
        max_length=20,
        choices=PurchaseStatus,
        default=PurchaseStatus.ACTIVE,
        db_default=PurchaseStatus.ACTIVE,
    )
    purchased_at = models.DateTimeField(default=timezone.now, db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "course_purchases"
        constraints = [
            models.UniqueConstraint(fields=["user", "course_slug"], name="course_purchase_once"),
            one_of("status", PurchaseStatus, name="course_purchase_status_known"),
            models.CheckConstraint(condition=models.Q(amount_paid__gte=0), name="course_purchase_amount_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.course_slug} of {self.user_id}"
