"""The queue of mails and what became of each."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.actors import Actor
from audit.mixins import ReadOnlyAdmin
from emails import rendering, wording
from emails.exceptions import TemplateFault, UnknownTemplate
from emails.models import EmailDeliveryEvent, EmailJob
from emails.services import retry
from techdeputies.lib.admin_words import tag

HIDDEN = "[hidden]"


def text_without_secrets(job: EmailJob) -> str:
    """The mail as its reader sees it, with links and codes hidden. They are sealed, and stay so."""
    try:
        words = wording.find(job.template_type)
        values = {**dict.fromkeys(words.variables, HIDDEN), **job.content.get("context", {})}
        if "secrets" in job.content:
            values["button_url"] = HIDDEN
        return rendering.render(
            words,
            values,
            site=rendering.site_values(),
            recipient_name=job.recipient_name or "",
            subject_line=job.subject,
        ).text
    except (TemplateFault, UnknownTemplate) as fault:
        return f"This mail cannot be shown: {fault}"


class DeliveryInline(admin.TabularInline):
    model = EmailDeliveryEvent
    fields = ("timestamp", "event_type")
    readonly_fields = fields
    ordering = ("timestamp",)
    extra = 0
    can_delete = False
    verbose_name_plural = "what the mail service said"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(EmailJob)
class EmailJobAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "state", "subject_words", "recipient_email", "priority", "due", "retry_count")
    list_filter = ("status", "priority", "stream", "created_at")
    ordering = ("-id",)
    search_fields = ("recipient_email",)
    search_help_text = "A whole mail address, or the name of a template."
    actions = ("try_again",)
    inlines = (DeliveryInline,)
    fields = (
        "state",
        "template_type",
        "recipient_email",
        "recipient_name",
        "subject",
        "text",
        "priority",
        "stream",
        "available_at",
        "expires_at",
        "sent_at",
        "delivered_at",
        "opened_at",
        "clicked_at",
        "bounced_at",
        "bounce_reason",
        "complained_at",
        "complaint_type",
        "retry_count",
        "max_retries",
        "last_error",
        "message_id",
        "occasion",
        "created_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailJob]:
        rows: QuerySet[EmailJob] = super().get_queryset(request)
        is_list = request.resolver_match is not None and not request.resolver_match.kwargs
        return rows.defer("content", "last_error", "bounce_reason") if is_list else rows

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By whole address, which an index answers, or by template."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            folded = queryset.alias(folded=Lower("recipient_email"))
            return folded.filter(folded=term.lower()), False
        return queryset.filter(template_type=term), False

    @admin.display(description="State", ordering="status")
    def state(self, row: EmailJob) -> SafeString | str:
        return tag(row, "status")

    @admin.display(description="Subject")
    def subject_words(self, row: EmailJob) -> str:
        return row.subject or row.template_type

    @admin.display(description="Not before", ordering="available_at")
    def due(self, row: EmailJob) -> Any:
        return row.available_at

    @admin.display(description="Text")
    def text(self, row: EmailJob) -> SafeString:
        return format_html('<pre class="mail-text">{}</pre>', text_without_secrets(row))

    @admin.action(description="Try again to send", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[EmailJob]) -> None:
        actor = Actor.from_request(request)
        self.run_each(
            request,
            list(queryset.order_by("pk")),
            lambda job: retry.try_again(job=job, actor=actor),
            verb="tried_again",
            done="queued again.",
        )

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("emails.change_emailjob")
