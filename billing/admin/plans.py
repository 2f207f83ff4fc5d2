"""Plans, what they cost at Stripe, and wishes to change from one to another."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.safestring import SafeString

from audit.mixins import AuditedAdmin, NoDeleteMixin, ReadOnlyAdmin
from billing.admin.shared import PERSON_HELP, at_stripe, plan_words
from billing.models import Plan, PlanChange, PlanPrice
from techdeputies.lib.admin_words import link_to, tag
from techdeputies.lib.money import money, money_list

LEAST_CENTS = 500
"""A plan for less than $5 is no plan: somebody has written dollars where cents are meant."""

NEW_PRICE = (
    "New people pay {} a month from now on. It is brought to Stripe by itself the next time somebody chooses this "
    "plan, or at once with the command sync_stripe. Who has the plan already goes on paying what they pay."
)


class PlanForm(forms.ModelForm):
    """A plan. Its short name never changes once Stripe knows it."""

    class Meta:
        model = Plan
        fields = (
            "name",
            "display_name",
            "description",
            "price_in_cents",
            "is_offered",
            "tier",
            "session_limit",
            "course_inclusion",
            "family_size",
            "support_tier",
            "featured",
        )
        help_texts = {
            "price_in_cents": "US cents a month: 9900 is $99. A new price is for new people only; who has the plan "
            "already keeps paying what they pay.",
        }

    def clean_price_in_cents(self) -> int:
        cents: int = self.cleaned_data["price_in_cents"]
        if cents < LEAST_CENTS:
            raise forms.ValidationError(
                f"That would be {money(cents)} a month. Write the price in cents: 5900 is $59. The least is $5."
            )
        return cents

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not re.fullmatch(r"[a-z0-9-]{1,60}", name) or name == "forget":
            raise forms.ValidationError("Please use small letters, digits and dashes only, such as standard.")
        return name


@admin.register(Plan)
class PlanAdmin(NoDeleteMixin, AuditedAdmin):
    form = PlanForm
    audit_plain_fields = ("name", "display_name", "description")
    list_display = (
        "display_name",
        "price",
        "is_offered",
        "sessions",
        "course_inclusion",
        "support_tier",
        "family_size",
        "featured",
    )
    list_filter = ("is_offered",)
    ordering = ("price_in_cents",)
    actions = None

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = PlanForm.Meta.fields
        return [*fields, "product", "created_at", "updated_at"] if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "product", "created_at", "updated_at") if obj else ()

    def save_model(self, request: HttpRequest, obj: Plan, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "price_in_cents" in form.changed_data:
            self.message_user(request, NEW_PRICE.format(money(obj.price_in_cents)), messages.WARNING)

    @admin.display(description="Price a month", ordering="price_in_cents")
    def price(self, row: Plan) -> str:
        return money_list(row.price_in_cents)

    @admin.display(description="Sessions a month", ordering="session_limit")
    def sessions(self, row: Plan) -> str:
        return "Unlimited" if row.is_unlimited else str(row.session_limit)

    @admin.display(description="Product at Stripe")
    def product(self, row: Plan) -> SafeString | str:
        return at_stripe("products", row.stripe_product_id) or "Not there yet"


@admin.register(PlanPrice)
class PlanPriceAdmin(ReadOnlyAdmin):
    list_display = ("plan", "price", "is_current", "created_at", "number")
    list_filter = ("plan", "is_current")
    list_select_related = ("plan",)
    ordering = ("-id",)
    search_fields = ("stripe_price_id__exact",)
    search_help_text = "A whole number of Stripe's."
    fields = ("plan", "price", "is_current", "created_at", "number")
    readonly_fields = fields

    @admin.display(description="Price a month", ordering="price_in_cents")
    def price(self, row: PlanPrice) -> str:
        return money_list(row.price_in_cents)

    @admin.display(description="At Stripe")
    def number(self, row: PlanPrice) -> SafeString | str:
        return at_stripe("prices", row.stripe_price_id)


@admin.register(PlanChange)
class PlanChangeAdmin(ReadOnlyAdmin):
    list_display = ("priced_at", "person", "from_plan", "to_plan", "due_now", "acts_at", "situation")
    list_filter = ("state", "acts_at")
    list_select_related = ("subscription__user", "subscription__plan", "from_plan", "to_plan")
    linked_lookups = ("subscription__id__exact",)
    ordering = ("-priced_at",)
    search_fields = ("subscription__user__email", "subscription__user__name")
    search_help_text = PERSON_HELP
    fields = ("person", "plan_row", "from_plan", "to_plan", "due_now", "priced_at", "acts_at", "situation")
    readonly_fields = fields

    @admin.display(description="Person")
    def person(self, row: PlanChange) -> SafeString | str:
        return link_to(row.subscription.user)

    @admin.display(description="Their plan")
    def plan_row(self, row: PlanChange) -> SafeString | str:
        return link_to(row.subscription, plan_words(row.subscription))

    @admin.display(description="Due at once", ordering="due_now_cents")
    def due_now(self, row: PlanChange) -> str:
        return money_list(row.due_now_cents)

    @admin.display(description="State", ordering="state")
    def situation(self, row: PlanChange) -> SafeString | str:
        return tag(row, "state")
