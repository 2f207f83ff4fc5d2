"""The audit, to be read: by actor, person, action and date."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.mixins import ReadOnlyAdmin
from audit.models import AdminActionAudit, PasswordChangeAudit, SecurityEvent
from techdeputies.lib.admin_words import link_to


@admin.display(description="Details")
def details_words(row: Any) -> SafeString | str:
    if not row.details:
        return ""
    return format_html('<pre class="mail-text">{}</pre>', json.dumps(row.details, indent=2, sort_keys=True))


class OldestLastAdmin(ReadOnlyAdmin):
    """Newest first by the key, which the primary index gives without sorting."""

    ordering = ("-id",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """A number is a person's id; words are the start of an address or an action."""
        term = search_term.strip()
        if term.isascii() and term.isdigit() and len(term) < 10:
            return queryset.filter(**{self.person_field: int(term)}), False
        return super().get_search_results(request, queryset, search_term)

    person_field = "user_id"


@admin.register(AdminActionAudit)
class AdminActionAuditAdmin(OldestLastAdmin):
    person_field = "target_user_id"
    list_display = ("created_at", "staff", "action", "whom", "object_type", "object_id", "success")
    list_filter = ("success", "created_at")
    linked_lookups = ("object_type", "object_id")
    list_select_related = ("admin",)
    search_fields = ("action__startswith", "target_email__iexact", "admin__email__iexact", "object_id__exact")
    search_help_text = "A person's number, a mail address, the start of an action, or the id of a row."
    fields = (
        "created_at",
        "admin",
        "action",
        "whom",
        "object_type",
        "object_id",
        "success",
        "error_message",
        "ip_address",
        "user_agent",
        "words",
    )
    readonly_fields = ("created_at", "whom", "words")

    @admin.display(description="Staff", ordering="admin_id")
    def staff(self, row: AdminActionAudit) -> SafeString | str:
        return link_to(row.admin)

    @admin.display(description="Whom")
    def whom(self, row: AdminActionAudit) -> str:
        if row.target_user_id is None:
            return ""
        return f"Person {row.target_user_id}" + (f", {row.target_email}" if row.target_email else "")

    @admin.display(description="Details")
    def words(self, row: AdminActionAudit) -> SafeString | str:
        return details_words(row)


@admin.register(PasswordChangeAudit)
class PasswordChangeAuditAdmin(OldestLastAdmin):
    list_display = ("created_at", "user", "changed_by", "change_type", "success", "ip_address")
    list_filter = ("change_type", "success", "created_at")
    list_select_related = ("user", "changed_by")
    search_fields = ("user__email__iexact", "changed_by__email__iexact")
    search_help_text = "A person's number or whole mail address."


@admin.register(SecurityEvent)
class SecurityEventAdmin(OldestLastAdmin):
    list_display = ("created_at", "kind", "user", "ip_address")
    list_filter = ("created_at",)
    list_select_related = ("user",)
    search_fields = ("kind__startswith", "user__email__iexact", "ip_address__exact")
    search_help_text = "A person's number or mail address, the start of a kind, or a network address."
    fields = ("created_at", "kind", "user", "ip_address", "user_agent", "words")
    readonly_fields = ("created_at", "words")

    @admin.display(description="Details")
    def words(self, row: SecurityEvent) -> SafeString | str:
        return details_words(row)
