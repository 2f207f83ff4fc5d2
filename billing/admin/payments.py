"""Payments, giving them back, and visits to Stripe's payment page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from audit.actors import Actor
from audit.mixins import ReadOnlyAdmin
from billing.admin.figures import FigurePages
from billing.admin.shared import PERSON_OR_STRIPE_HELP, WRITE_REASON, at_stripe, plan_words
from billing.models import Checkout, Payment
from billing.services import refunds
from techdeputies.lib.admin_words import link_to, tag
from techdeputies.lib.money import money_list

WHOLE, PART = "whole", "part"


class RefundForm(forms.Form):
    """Give a payment back, whole or in part. ``left`` is what was left when the page was shown."""

    how = forms.ChoiceField(
        label="How much",
        widget=forms.RadioSelect,
        initial=WHOLE,
        error_messages={"required": "Choose all of it or a part."},
    )
    amount = forms.DecimalField(
        label="The part, in dollars",
        required=False,
        min_value=Decimal("0.01"),
        max_digits=9,
        decimal_places=2,
        help_text="Such as 25 or 25.50. Leave it empty to give back all of it.",
        error_messages={"invalid": "Write the sum in numbers, such as 25.50."},
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )
    reason = forms.CharField(
        label="Reason", max_length=255, help_text="For the staff's own record.", error_messages=WRITE_REASON
    )
    left = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, left_cents: int) -> None:
        super().__init__(data, initial={"left": left_cents})
        how: Any = self.fields["how"]
        how.choices = [(WHOLE, f"All that is left: {money_list(left_cents)}"), (PART, "A part of it")]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("how") == PART and not cleaned.get("amount") and "amount" not in self.errors:
            self.add_error("amount", "Write how much goes back.")
        elif cleaned.get("how") == WHOLE and cleaned.get("amount"):
            self.add_error("amount", "This is a part. Choose the part above, or leave this empty.")
        return cleaned

    def cents(self) -> int:
        if self.cleaned_data["how"] == WHOLE:
            return int(self.cleaned_data["left"])
        return int(self.cleaned_data["amount"] * 100)


class GivenBackFilter(admin.SimpleListFilter):
    title = "money given back"
    parameter_name = "back"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("none", "Nothing"), ("part", "A part"), ("all", "All of it")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        match self.value():
            case "none":
                return queryset.filter(refunded_cents=0)
            case "part":
                return queryset.filter(refunded_cents__gt=0, refunded_cents__lt=F("amount_cents"))
            case "all":
                return queryset.filter(refunded_cents__gt=0, refunded_cents=F("amount_cents"))
        return queryset


@admin.register(Payment)
class PaymentAdmin(FigurePages, ReadOnlyAdmin):
    list_display = ("paid_at", "person", "what", "amount", "back")
    list_filter = ("kind", GivenBackFilter, "paid_at")
    list_select_related = ("user", "subscription__plan")
    linked_lookups = ("user__id__exact", "subscription__id__exact")
    ordering = ("-paid_at",)
    search_fields = (
        "user__email",
        "user__name",
        "stripe_invoice_id__exact",
        "stripe_payment_intent_id__exact",
        "stripe_charge_id__exact",
    )
    search_help_text = PERSON_OR_STRIPE_HELP
    fields = (
        "person",
        "plan_row",
        "what",
        "kind",
        "amount",
        "back",
        "paid_at",
        "paid_with",
        "period_start",
        "period_end",
        "refunds_words",
        "disputes_words",
        "invoice",
        "intent",
    )
    readonly_fields = fields
    change_list_template = "admin/billing/payment/change_list.html"
    change_form_template = "admin/billing/payment/change_form.html"

    # --- columns ----------------------------------------------------------------------------------
    @admin.display(description="Person")
    def person(self, row: Payment) -> SafeString | str:
        return link_to(row.user)

    @admin.display(description="Plan")
    def plan_row(self, row: Payment) -> SafeString | str:
        return link_to(row.subscription, plan_words(row.subscription))

    @admin.display(description="Amount", ordering="amount_cents")
    def amount(self, row: Payment) -> str:
        return money_list(row.amount_cents)

    @admin.display(description="Given back", ordering="refunded_cents")
    def back(self, row: Payment) -> str:
        return money_list(row.refunded_cents) if row.refunded_cents else ""

    @admin.display(description="Refunds")
    def refunds_words(self, row: Payment) -> SafeString | str:
        found = row.refunds.order_by("created_at", "pk")
        lines = ((link_to(item, money_list(item.amount_cents)), tag(item, "state")) for item in found)
        return format_html_join(" ", "{} {}", lines) or "None"

    @admin.display(description="Disputes at the bank")
    def disputes_words(self, row: Payment) -> SafeString | str:
        found = row.disputes.order_by("opened_at", "pk")
        lines = ((link_to(item, money_list(item.amount_cents)), item.status.replace("_", " ")) for item in found)
        return format_html_join(" ", "{} {}", lines) or "None"

    @admin.display(description="Invoice at Stripe")
    def invoice(self, row: Payment) -> SafeString | str:
        return at_stripe("invoices", row.stripe_invoice_id)

    @admin.display(description="Payment at Stripe")
    def intent(self, row: Payment) -> SafeString | str:
        return at_stripe("payments", row.stripe_payment_intent_id)

    # --- giving back ------------------------------------------------------------------------------
    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_refund")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.refund_view)
        return [path("<str:pk>/refund/", view, name="billing_payment_refund"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        may_refund = {"may_refund": self.has_refund_permission(request)}
        return super().change_view(request, object_id, form_url, {**may_refund, **(extra_context or {})})

    def refund_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Give all or a part of this payment back."""
        payment: Payment = self.found(request, pk)
        self.demand(request, self.has_refund_permission(request), "refunded", payment)
        form = RefundForm(request.POST if request.method == "POST" else None, left_cents=payment.left_cents)
        actor = Actor.from_request(request)
        return self.act_page(
            request,
            form=form,
            act=lambda: refunds.ask(
                payment=payment,
                amount_cents=form.cents(),
                reason=form.cleaned_data["reason"],
                actor=actor,
                left_cents=form.cleaned_data["left"],
            ),
            verb="refunded",
            target=payment,
            done=lambda refund: f"{money_list(refund.amount_cents)} goes back. The person gets a mail.",
            back_url=reverse("admin:billing_payment_change", args=[pk]),
            title="Give this payment back",
            button="Give the money back",
            warn=True,
            note="It goes to the card it came from, and cannot be taken back. The plan goes on; end it on its own page.",
            facts=[
                ("Person", str(payment.user or "Nobody")),
                ("For", payment.what),
                ("Paid", money_list(payment.amount_cents)),
                ("Given back so far", money_list(payment.refunded_cents)),
                ("Goes back to", payment.paid_with or "The card it came from"),
            ],
        )


@admin.register(Checkout)
class CheckoutAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "person", "plan", "amount", "situation", "expires_at", "finished_at")
    list_filter = ("state", "kind", "plan", "created_at")
    list_select_related = ("user", "plan", "subscription__plan")
    ordering = ("-created_at",)
    search_fields = ("user__email", "user__name", "stripe_session_id__exact", "stripe_customer_id__exact")
    search_help_text = PERSON_OR_STRIPE_HELP
    fields = (
        "person",
        "email",
        "kind",
        "plan",
        "amount",
        "situation",
        "plan_row",
        "created_at",
        "expires_at",
        "finished_at",
        "session",
        "customer",
    )
    readonly_fields = fields

    @admin.display(description="Person")
    def person(self, row: Checkout) -> SafeString | str:
        return link_to(row.user)

    @admin.display(description="Amount", ordering="amount_cents")
    def amount(self, row: Checkout) -> str:
        return money_list(row.amount_cents)

    @admin.display(description="State", ordering="state")
    def situation(self, row: Checkout) -> SafeString | str:
        return tag(row, "state")

    @admin.display(description="Became")
    def plan_row(self, row: Checkout) -> SafeString | str:
        return link_to(row.subscription, plan_words(row.subscription))

    @admin.display(description="Payment page at Stripe")
    def session(self, row: Checkout) -> str:
        return row.stripe_session_id or ""

    @admin.display(description="Customer at Stripe")
    def customer(self, row: Checkout) -> SafeString | str:
        return at_stripe("customers", row.stripe_customer_id)
