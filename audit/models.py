"""What happened and who did it. Rows are only ever added; triggers refuse the rest."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from techdeputies.lib.models import one_of


class ChangeType(models.TextChoices):
    SELF_CHANGE = "self_change", "By the person"
    ADMIN_FORCE_CHANGE = "admin_force_change", "Staff asked for a new one"
    ADMIN_RESET = "admin_reset", "Staff sent a reset link"


class PasswordChangeAudit(models.Model):
    """Every change of a password, and every refusal, with where it came from."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="password_changes")
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.RESTRICT,
        related_name="password_changes_made",
        db_column="changed_by",
    )
    change_type = models.CharField(max_length=20, choices=ChangeType)
    ip_address = models.CharField(max_length=64, null=True, blank=True)
    user_agent = models.TextField(null=True, blank=True)
    success = models.BooleanField(default=True, db_default=True)
    error_message = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "password_change_audits"
        verbose_name = "password change"
        constraints = [one_of("change_type", ChangeType, name="password_change_type_known")]
        indexes = [models.Index(fields=["-created_at"], name="password_change_newest")]

    def __str__(self) -> str:
        return f"{self.change_type} for {self.user_id}"


class AdminActionAudit(models.Model):
    """Every act of staff, bulk and refused ones too. Details name fields, never personal data."""

    admin = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="admin_actions")
    action = models.CharField(max_length=100)
    target_user_id = models.IntegerField(null=True, blank=True, help_text="No key: outlives its person.")
    target_email = models.CharField(max_length=254, null=True, blank=True)
    object_type = models.CharField(max_length=100, blank=True, default="", db_default="", help_text="Kind of row.")
    object_id = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="Its key.")
    details = models.JSONField(null=True, blank=True)
    ip_address = models.CharField(max_length=64, null=True, blank=True)
    user_agent = models.TextField(null=True, blank=True)
    success = models.BooleanField(default=True, db_default=True)
    error_message = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "admin_action_audits"
        verbose_name = "staff action"
        indexes = [
            models.Index(fields=["-created_at"], name="admin_action_newest"),
            models.Index(fields=["target_user_id"], name="admin_action_target"),
            models.Index(fields=["object_type", "object_id"], name="admin_action_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.admin_id}"


class SecurityEvent(models.Model):
    """Sign-ins, failures, exports and acts of the system, which may have no person."""

    kind = models.CharField(max_length=60)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.RESTRICT, null=True, blank=True, related_name="security_events"
    )
    details = models.JSONField(null=True, blank=True)
    ip_address = models.CharField(max_length=64, null=True, blank=True)
    user_agent = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "security_events"
        indexes = [
            models.Index(fields=["-created_at"], name="security_event_newest"),
            models.Index(fields=["kind", "-created_at"], name="security_event_kind"),
        ]

    def __str__(self) -> str:
        return self.kind
