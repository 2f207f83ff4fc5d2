"""Courses people have bought."""

from __future__ import annotations

from django.contrib import admin

from audit.mixins import ReadOnlyAdmin
from courses.models import CoursePurchase
from techdeputies.lib.admin_words import link_to, tag
from techdeputies.lib.money import money_list


@admin.register(CoursePurchase)
class CoursePurchaseAdmin(ReadOnlyAdmin):
    list_display = ("course_slug", "person", "state", "paid", "card", "purchased_at", "expires_at")
    list_filter = ("status",)
    list_select_related = ("user",)
    ordering = ("-id",)
    search_fields = ("user__email", "user__name", "course_slug__exact")
    search_help_text = "A person's name or mail address, or the whole short name of a course."
    fields = ("person", "course_slug", "state", "paid", "card", "purchased_at", "expires_at")
    readonly_fields = fields

    @admin.display(description="Person")
    def person(self, row: CoursePurchase) -> str:
        return link_to(row.user)

    @admin.display(description="State", ordering="status")
    def state(self, row: CoursePurchase) -> str:
        return tag(row, "status")

    @admin.display(description="Paid")
    def paid(self, row: CoursePurchase) -> str:
        return money_list(row.amount_paid)

    @admin.display(description="Gift card")
    def card(self, row: CoursePurchase) -> str:
        return f"ends {row.gift_card_code[-4:]}" if row.gift_card_code else ""
