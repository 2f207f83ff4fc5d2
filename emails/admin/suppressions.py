"""Addresses that are not written to, and what people chose."""

from __future__ import annotations

from django.contrib import admin

from audit.mixins import ReadOnlyAdmin
from emails.models import (
    EmailPreference,
    EmailSuppression,
)


@admin.register(EmailSuppression)
class EmailSuppressionAdmin(ReadOnlyAdmin):
    list_display = ("email", "type", "created_at", "expires_at")
    list_filter = ("type", "created_at")
    ordering = ("-id",)
    search_fields = ("email__istartswith",)
    search_help_text = "The start of a mail address."


@admin.register(EmailPreference)
class EmailPreferenceAdmin(ReadOnlyAdmin):
    list_display = ("email", "wants_news", "wants_reminders", "updated_at")
    list_filter = ("wants_news", "wants_reminders")
    ordering = ("-id",)
    search_fields = ("email__istartswith",)
