"""Questions and answers, to be read and worked through."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.mixins import AuditedAdmin, NoDeleteMixin, ReadOnlyAdmin
from support.models import Ticket, TicketComment
from techdeputies.lib.admin_words import link_to, tag


class CommentInline(admin.TabularInline):
    model = TicketComment
    fields = ("created_at", "user", "content")
    readonly_fields = fields
    ordering = ("created_at",)
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user")


@admin.register(Ticket)
class TicketAdmin(NoDeleteMixin, AuditedAdmin):
    list_display = ("title", "person", "state", "urgency", "created_at")
    list_filter = ("status", "priority", "created_at")
    list_select_related = ("user",)
    ordering = ("-created_at",)
    search_fields = ("title", "user__email", "user__name")
    search_help_text = "Words of the title, a person's name or mail address."
    fields = ("person", "title", "description", "status", "priority", "created_at", "updated_at")
    readonly_fields = ("person", "title", "description", "created_at", "updated_at")
    inlines = (CommentInline,)
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description="Person")
    def person(self, row: Ticket) -> str:
        return link_to(row.user)

    @admin.display(description="State", ordering="status")
    def state(self, row: Ticket) -> str:
        return tag(row, "status")

    @admin.display(description="Urgency", ordering="priority")
    def urgency(self, row: Ticket) -> str:
        return row.get_priority_display()


@admin.register(TicketComment)
class TicketCommentAdmin(ReadOnlyAdmin):
    list_display = ("ticket", "user", "created_at")
    list_select_related = ("ticket", "user")
    ordering = ("-created_at",)
    search_fields = ("ticket__title", "user__email")
    fields = ("ticket", "user", "content", "created_at", "updated_at")
    readonly_fields = fields
