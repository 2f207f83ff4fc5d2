"""Settings that staff may change, and the counters of the limits."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class Setting(models.Model):
    """One value that differs from its default. The known keys are declared in ``registry.py``."""

    key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField(null=True, blank=True)
    encrypted = models.BooleanField(default=False, db_default=False)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())

    class Meta:
        db_table = "settings"

    def __str__(self) -> str:
        return self.key


class RateLimit(models.Model):
    """Tries in the present window. ``ip_address`` holds an address or ``user:<id>``."""

    ip_address = models.CharField(max_length=64)
    endpoint = models.CharField(max_length=255)
    attempts = models.IntegerField(default=1, db_default=1)
    window_start = models.DateTimeField(default=timezone.now, db_default=Now())

    class Meta:
        db_table = "rate_limits"
        constraints = [
            models.UniqueConstraint(fields=["ip_address", "endpoint"], name="rate_limit_one_row"),
        ]
        indexes = [models.Index(fields=["window_start"], name="rate_limit_window")]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.ip_address}: {self.attempts}"
