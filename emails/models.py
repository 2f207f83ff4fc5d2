"""The queue of mails, what became of each, their wording, and who must not be written to."""

from __future__ import annotations

from typing import Self

from django.conf import settings
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


class Choice(models.TextChoices):
    """What a person may say no to. The empty choice is mail that always goes."""

    NONE = "", "Always sent"
    NEWS = "news", "News"
    REMINDERS = "reminders", "Reminders"


class PostState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    APPLIED = "applied", "Applied"
    FOREIGN = "foreign", "Not our mail"
    USELESS = "useless", "Nothing to do"
    BROKEN = "broken", "Could not be applied"


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
    template_version = models.IntegerField(null=True, blank=True, help_text="Of the wording it was sent with.")
    purged_at = models.DateTimeField(null=True, blank=True, help_text="When its body was thrown away.")
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
            models.Index(
                fields=["created_at"],
                condition=models.Q(purged_at=None) & ~models.Q(status__in=[EmailStatus.QUEUED, EmailStatus.SENDING]),
                name="email_job_to_purge",
            ),
            models.Index(fields=["sent_at"], condition=models.Q(status=EmailStatus.SENT), name="email_job_unconfirmed"),
        ]

    def __str__(self) -> str:
        return f"{self.template_type} to {self.recipient_email}"


class EmailDeliveryEvent(models.Model):
    """What the provider said about a mail. Rows are kept, unique under the provider's own key."""

    email_job = models.ForeignKey(EmailJob, models.CASCADE, related_name="delivery_events")
    event_type = models.CharField(max_length=50)
    provider_key = models.CharField(max_length=200, null=True, blank=True, unique=True)
    timestamp = models.DateTimeField(default=timezone.now, db_default=Now())
    data = models.JSONField(null=True, blank=True)
    ip_address = models.CharField(max_length=64, null=True, blank=True)
    user_agent = models.TextField(null=True, blank=True)

    class Meta:
        db_table = "email_delivery_events"
        verbose_name = "delivery event"
        indexes = [
            models.Index(fields=["timestamp"], name="email_event_moment"),
            models.Index(
                fields=["timestamp"],
                condition=models.Q(data__isnull=False)
                | models.Q(ip_address__isnull=False)
                | models.Q(user_agent__isnull=False),
                name="email_event_to_blank",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} of {self.email_job_id}"


class EmailWebhookPost(models.Model):
    """One post of Mailgun as it came in, unique by its token; a task applies it. Foreign ones are kept too."""

    token = models.CharField(max_length=50, unique=True)
    body = models.JSONField(null=True, blank=True, help_text="The event-data. Thrown away with old bodies.")
    event_type = models.CharField(max_length=50, blank=True, default="", db_default="")
    state = models.CharField(max_length=20, choices=PostState, default=PostState.WAITING, db_default=PostState.WAITING)
    email_job = models.ForeignKey(EmailJob, models.SET_NULL, null=True, blank=True, related_name="webhook_posts")
    attempt_count = models.IntegerField(default=0, db_default=0)
    last_error = models.TextField(blank=True, default="", db_default="")
    available_at = models.DateTimeField(default=timezone.now, db_default=Now(), help_text="Not applied before.")
    received_at = models.DateTimeField(default=timezone.now, db_default=Now())
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "email_webhook_posts"
        verbose_name = "Mailgun post"
        constraints = [one_of("state", PostState, name="email_webhook_post_state_known")]
        indexes = [
            models.Index(
                fields=["available_at", "id"],
                condition=models.Q(state=PostState.WAITING),
                name="email_webhook_post_waiting",
            ),
            models.Index(fields=["received_at"], name="email_webhook_post_received"),
            models.Index(
                fields=["received_at"],
                condition=models.Q(body__isnull=False) & ~models.Q(state=PostState.WAITING),
                name="email_webhook_post_to_blank",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type or 'post'} of {self.received_at:%Y-%m-%d %H:%M}"


class EmailTemplate(TimestampedModel):
    """The wording of one kind of mail, in Liquid. Seeded from files; staff's own wording is kept."""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True, default="", db_default="")
    subject = models.CharField(max_length=255)
    html_content = models.TextField()
    text_content = models.TextField(null=True, blank=True)
    variables = models.JSONField(null=True, blank=True, help_text="Name to sample value.")
    stream = models.CharField(max_length=20, choices=Stream, default=Stream.SERVICE, db_default=Stream.SERVICE)
    choice = models.CharField(
        max_length=20,
        choices=Choice,
        blank=True,
        default=Choice.NONE,
        db_default=Choice.NONE,
        help_text="What a person says no to in order not to get it.",
    )
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
            one_of("choice", Choice, name="email_template_choice_known"),
        ]

    def __str__(self) -> str:
        return self.name


class EmailTemplateVersion(models.Model):
    """The wording of a template as it was at one version. Rows are only ever added."""

    template = models.ForeignKey(EmailTemplate, models.CASCADE, related_name="versions")
    version = models.IntegerField()
    subject = models.CharField(max_length=255)
    html_content = models.TextField()
    text_content = models.TextField(blank=True, default="", db_default="")
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty for wording that came with the product.",
    )
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "email_template_versions"
        verbose_name = "earlier wording"
        constraints = [
            models.UniqueConstraint(fields=["template", "version"], name="email_template_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.template_id} version {self.version}"


class EmailPreferenceQuerySet(models.QuerySet["EmailPreference"]):
    def of(self, email: str) -> Self:
        """The row of that address, compared as the unique index does."""
        return self.alias(email_folded=Lower("email")).filter(email_folded=email.strip().lower())


class EmailPreference(TimestampedModel):
    """What the owner of an address wants to get. Without a row: everything. Not touched by lifting a stop."""

    email = models.CharField(max_length=254)
    wants_news = models.BooleanField(default=True, db_default=True)
    wants_reminders = models.BooleanField(default=True, db_default=True)

    objects = EmailPreferenceQuerySet.as_manager()

    class Meta:
        db_table = "email_preferences"
        verbose_name = "mail choice"
        constraints = [models.UniqueConstraint(Lower("email"), name="email_preference_one_per_address")]

    def __str__(self) -> str:
        return self.email


class EmailSuppressionQuerySet(models.QuerySet["EmailSuppression"]):
    def of(self, email: str) -> Self:
        """The row of that address, compared as the unique index does."""
        return self.alias(email_folded=Lower("email")).filter(email_folded=email.strip().lower())

    def live(self) -> Self:
        """Those that stop mail now."""
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=Now()))

    def ended(self) -> Self:
        """Those whose end has passed. They stop nothing here; Mailgun may not know yet."""
        return self.filter(expires_at__lte=Now())


class EmailSuppression(models.Model):
    """An address that must not be written to, with its strongest cause.

    ``is_at_mailgun``: Mailgun's own list is thought to hold the address too, so it must be taken off there
    before anything is sent to it.
    """

    email = models.CharField(max_length=254, unique=True)
    type = models.CharField(max_length=20, choices=SuppressionType)
    reason = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    is_at_mailgun = models.BooleanField(default=True, db_default=True)

    objects = EmailSuppressionQuerySet.as_manager()

    class Meta:
        db_table = "email_suppressions"
        verbose_name = "stopped address"
        verbose_name_plural = "stopped addresses"
        constraints = [
            models.UniqueConstraint(Lower("email"), name="email_suppression_one_per_address"),
            one_of("type", SuppressionType, name="email_suppression_type_known"),
        ]

    def __str__(self) -> str:
        return f"{self.email}: {self.get_type_display()}"

    @property
    def has_ended(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()
