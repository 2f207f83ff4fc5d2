"""What Mailgun said: the events of our mails, and its posts as they came."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from audit.mixins import ReadOnlyAdmin
from emails.models import (
    EmailDeliveryEvent,
    EmailWebhookPost,
)
from techdeputies.lib.admin_words import link_to


@admin.register(EmailDeliveryEvent)
class EmailDeliveryEventAdmin(ReadOnlyAdmin):
    list_display = ("timestamp", "event_type", "mail")
    list_filter = ("timestamp",)
    list_select_related = ("email_job",)
    ordering = ("-id",)
    search_fields = ("email_job__recipient_email__iexact",)
    fields = ("timestamp", "event_type", "mail", "provider_key", "ip_address", "user_agent", "data")
    readonly_fields = fields

    @admin.display(description="Mail")
    def mail(self, row: EmailDeliveryEvent) -> SafeString | str:
        return link_to(row.email_job)


@admin.register(EmailWebhookPost)
class EmailWebhookPostAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "event_type", "state", "attempt_count")
    list_filter = ("state", "received_at")
    ordering = ("-id",)
    fields = ("received_at", "event_type", "state", "email_job", "attempt_count", "last_error", "applied_at", "body")
    readonly_fields = fields
