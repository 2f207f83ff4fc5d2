"""The queue of mails, what became of each, their wording, and who must not be written to."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models.functions import Lower, Now
from django.utils import timezone

from techdeputies.lib.models import TimestampedModel, one_of


class EmailStatus(models.TextChoices):
    QUEUED = "queued", "Waiting"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    OPENED = "opened", "Opened"
    CLICKED = "clicked", "Link pressed"
    BOUNCED = "bounced", "Came back"
    COMPLAINED = "complained", "Marked as spam"
    FAILED = "failed", "Not sent"
    CANCELLED = "cancelled", "Cancelled"


class Priority(models.TextChoices):
    LOW = "low", "Low"
    NORMAL = "normal", "Normal"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


class Stream(models.TextChoices):
    SECURITY = "security", "Security"
    SERVICE = "service", "Service"
    NEWS = "news", "News"


class SuppressionType(models.TextChoices):
    BOUNCE = "bounce", "Mail came back"
    COMPLAINT = "complaint", "Marked as spam"
    UNSUBSCRIBE = "unsubscribe", "Wants no news"
    MANUAL = "manual", "Stopped by staff"


# The labels do not sort, so index and queries order by this same expression.
PRIORITY_RANK = models.Case(
    models.When(priority=Priority.CRITICAL, then=models.Value(0)),
    models.When(priority=Priority.HIGH, then=models.Value(1)),
    models.When(priority=Priority.NORMAL, then=models.Value(2)),
    default=models.Value(3),
    output_field=models.SmallIntegerField(),
)


class EmailJobQuerySet(models.QuerySet["EmailJob"]):
    def queued(self) -> Self:
        return self.filter(status=EmailStatus.QUEUED)

    def due(self) -> Self:
        return self.queued().filter(available_at__lte=Now())

    def stuck(self) -> Self:
        """Claimed by a worker whose lease has run out."""
        return self.filter(status=EmailStatus.SENDING, lease_until__lt=Now())

    def failed(self) -> Self:
        return self.filter(status=EmailStatus.FAILED)


class EmailJob(TimestampedModel):
    """One mail to one person: the row is the promise, written in the transaction of its cause.

    ``content`` is ``{"context": {...}, "secrets": "<encrypted>", "attachments": [...]}``; the wording is
    rendered at sending time. ``occasion`` names the cause (row id and revision), so each cause mails once.
    """

    message_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    template_type = models.CharField(max_length=100)
    occasion = models.CharField(max_length=200, null=True, blank=True)
    stream = models.CharField(max_length=20, choices=Stream, default=Stream.SERVICE, db_default=Stream.SERVICE)
    recipient_email = models.CharField(max_length=254)
    recipient_name = models.CharField(max_length=255, null=True, blank=True)
    subject = models.CharField(max_length=255)
    content = models.JSONField()
    status = models.CharField(
        max_length=20, choices=EmailStatus, default=EmailStatus.QUEUED, db_default=EmailStatus.QUEUED
    )
    priority = models.CharField(max_length=20, choices=Priority, default=Priority.NORMAL, db_default=Priority.NORMAL)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    available_at = models.DateTimeField(
        default=timezone.now, db_default=Now(), help_text="Not before: the wish, or the next try."
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="After this it is worth nothing.")
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    complained_at = models.DateTimeField(null=True, blank=True)
    bounce_reason = models.TextField(null=True, blank=True)
    complaint_type = models.CharField(max_length=100, null=True, blank=True)
    retry_count = models.IntegerField(default=0, db_default=0)
    max_retries = models.IntegerField(default=3, db_default=3)
    last_error = models.TextField(null=True, blank=True)

    objects = EmailJobQuerySet.as_manager()

    class Meta:
        db_table = "email_jobs"
        verbose_name = "mail"
        constraints = [
            models.UniqueConstraint(fields=["template_type", "occasion"], name="email_job_once_per_occasion"),
            one_of("status", EmailStatus, name="email_job_status_known"),
            one_of("priority", Priority, name="email_job_priority_known"),
            one_of("stream", Stream, name="email_job_stream_known"),
        ]
        indexes = [
            models.Index(
                PRIORITY_RANK,
                "available_at",
                "id",
                condition=models.Q(status=EmailStatus.QUEUED),
                name="email_job_claim",
            ),
            models.Index(
                fields=["available_at", "id"],
                condition=models.Q(status=EmailStatus.QUEUED),
                name="email_job_oldest",
            ),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(status=EmailStatus.SENDING),
                name="email_job_lease",
            ),
            models.Index(fields=["created_at", "status"], name="email_job_report"),
            models.Index(fields=["status", "-created_at"], name="email_job_by_status"),
            models.Index(Lower("recipient_email"), name="email_job_recipient"),
        ]

    def __str__(self) -> str:
        return f"{self.template_type} to {self.recipient_email}"


class EmailDeliveryEvent(models.Model):
    """What the provider said about a mail. Kept for ever, unique under the provider's own key."""

    email_job = models.ForeignKey(EmailJob, models.CASCADE, related_name="delivery_events")
    event_type = models.CharField(max_length=50)
    provider_key = models.CharField(max_length=200, null=True, blank=True, unique=True)
    timestamp = models.DateTimeField(default=timezone.now, db_default=Now())
    data = models.JSONField(null=True, blank=True)
    ip_address = models.CharField(max_length=64, null=True, blank=True)
    user_agent = models.TextField(null=True, blank=True)

    class Meta:
        db_table = "email_delivery_events"

    def __str__(self) -> str:
        return f"{self.event_type} of {self.email_job_id}"


class EmailTemplate(TimestampedModel):
    """The wording of one kind of mail, in Liquid. Seeded from files; staff's own wording is kept."""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True, default="", db_default="")
    subject = models.CharField(max_length=255)
    html_content = models.TextField()
    text_content = models.TextField(null=True, blank=True)
    variables = models.JSONField(null=True, blank=True, help_text="Name to sample value.")
    stream = models.CharField(max_length=20, choices=Stream, default=Stream.SERVICE, db_default=Stream.SERVICE)
    priority = models.CharField(max_length=20, choices=Priority, default=Priority.NORMAL, db_default=Priority.NORMAL)
    is_active = models.BooleanField(default=True, db_default=True)
    version = models.IntegerField(default=1, db_default=1)
    seed_digest = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="Of the files last taken in."
    )

    class Meta:
        db_table = "email_templates"
        verbose_name = "mail template"
        constraints = [
            one_of("stream", Stream, name="email_template_stream_known"),
            one_of("priority", Priority, name="email_template_priority_known"),
        ]

    def __str__(self) -> str:
        return self.name


class EmailSuppression(models.Model):
    """An address that must not be written to, with its strongest cause."""

    email = models.CharField(max_length=254, unique=True)
    type = models.CharField(max_length=20, choices=SuppressionType)
    reason = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "email_suppressions"
        constraints = [
            models.UniqueConstraint(Lower("email"), name="email_suppression_one_per_address"),
            one_of("type", SuppressionType, name="email_suppression_type_known"),
        ]

    def __str__(self) -> str:
        return f"{self.email}: {self.type}"
