"""Gift cards and their ledger. Their whole codes are shown to nobody."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.mixins import ReadOnlyAdmin
from billing.models import GiftCard, GiftCardTransaction
from techdeputies.lib.admin_words import link_to, tag
from techdeputies.lib.money import money_list


class LedgerInline(admin.TabularInline):
    model = GiftCardTransaction
    fields = ("created_at", "kind", "sum_words", "balance_words", "description")
    readonly_fields = fields
    ordering = ("id",)
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Sum")
    def sum_words(self, row: GiftCardTransaction) -> str:
        return money_list(row.amount)

    @admin.display(description="Left afterwards")
    def balance_words(self, row: GiftCardTransaction) -> str:
        return "" if row.balance_after is None else money_list(row.balance_after)


@admin.register(GiftCard)
class GiftCardAdmin(ReadOnlyAdmin):
    """The code opens the money, so staff see its last four letters only."""

    list_display = ("ending", "state", "original", "left", "purchaser_email", "recipient_email", "purchased_at")
    list_filter = ("status", "purchased_at")
    ordering = ("-id",)
    search_fields = ("code__endswith", "purchaser_email__iexact", "recipient_email__iexact")
    search_help_text = "The last four letters of the code, or a whole mail address."
    fields = (
        "ending",
        "state",
        "original",
        "left",
        "purchaser_email",
        "purchaser_name",
        "recipient_email",
        "recipient_name",
        "message",
        "purchased_at",
        "expires_at",
    )
    readonly_fields = fields
    inlines = (LedgerInline,)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """A whole code cannot be tried out here: four letters are as far as the search goes."""
        term = search_term.strip()
        if "@" not in term:
            term = term.replace("-", "").upper()[-4:]
        return super().get_search_results(request, queryset, term)

    @admin.display(description="Code")
    def ending(self, row: GiftCard) -> str:
        return f"ends {row.code[-4:]}"

    @admin.display(description="State", ordering="status")
    def state(self, row: GiftCard) -> str:
        return tag(row, "status")

    @admin.display(description="Bought for", ordering="original_amount")
    def original(self, row: GiftCard) -> str:
        return money_list(row.original_amount)

    @admin.display(description="Left", ordering="remaining_amount")
    def left(self, row: GiftCard) -> str:
        return money_list(row.remaining_amount)


@admin.register(GiftCardTransaction)
class GiftCardTransactionAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "card", "kind", "sum_words", "actor")
    list_filter = ("kind", "created_at")
    list_select_related = ("gift_card", "actor")
    ordering = ("-id",)
    search_fields = ("gift_card__code__endswith",)
    search_help_text = "The last four letters of the code."
    fields = ("created_at", "card", "kind", "sum_words", "balance_after", "actor", "description")
    readonly_fields = fields

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Any], bool]:
        return super().get_search_results(request, queryset, search_term.strip().replace("-", "").upper()[-4:])

    @admin.display(description="Card")
    def card(self, row: GiftCardTransaction) -> str:
        return link_to(row.gift_card, f"ends {row.gift_card.code[-4:]}")

    @admin.display(description="Sum", ordering="amount")
    def sum_words(self, row: GiftCardTransaction) -> str:
        return money_list(row.amount)
