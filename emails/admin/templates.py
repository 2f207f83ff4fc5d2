"""The wording of each kind of mail."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.mixins import ReadOnlyAdmin
from emails.models import (
    EmailTemplate,
)


@admin.register(EmailTemplate)
class EmailTemplateAdmin(ReadOnlyAdmin):
    list_display = ("name", "description", "stream", "priority", "is_active", "version")
    list_filter = ("stream", "is_active")
    ordering = ("name",)
    search_fields = ("name", "description")
    fields = ("name", "description", "subject", "words", "stream", "priority", "is_active", "version", "updated_at")
    readonly_fields = fields

    @admin.display(description="Text")
    def words(self, row: EmailTemplate) -> SafeString:
        return format_html('<pre class="mail-text">{}</pre>', row.text_content or row.html_content)
