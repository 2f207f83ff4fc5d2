"""What Mailgun said: the events of our mails, and its posts as they came."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from audit.mixins import ReadOnlyAdmin
from emails.models import EmailDeliveryEvent, EmailWebhookPost
from emails.services import inbox
from techdeputies.lib.admin_words import link_to, tag


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
    list_display = ("received_at", "event_type", "situation", "mail", "attempt_count")
    list_filter = ("state", "received_at")
    list_select_related = ("email_job",)
    ordering = ("-id",)
    actions = ("try_again",)
    fields = ("received_at", "event_type", "situation", "mail", "attempt_count", "last_error", "applied_at", "body")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailWebhookPost]:
        rows: QuerySet[EmailWebhookPost] = super().get_queryset(request)
        is_list = request.resolver_match is not None and not request.resolver_match.kwargs
        return rows.defer("body", "email_job__content") if is_list else rows

    @admin.display(description="State", ordering="state")
    def situation(self, row: EmailWebhookPost) -> SafeString | str:
        return tag(row, "state")

    @admin.display(description="Mail")
    def mail(self, row: EmailWebhookPost) -> SafeString | str:
        return link_to(row.email_job)

    @admin.action(description="Try again to apply", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[EmailWebhookPost]) -> None:
        self.run_each(
            request,
            list(queryset.order_by("pk")),
            inbox.try_again,
            verb="tried_again",
            done="will be applied again within a minute.",
            recorded=False,
        )

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("emails.change_emailwebhookpost")
