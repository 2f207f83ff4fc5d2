"""Money that goes back, and payments that are denied at the bank."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from audit.mixins import ReadOnlyAdmin
from billing.admin.shared import PERSON_OR_STRIPE_HELP, OpenFilter, at_stripe, plan_words
from billing.models import Dispute, Refund
from techdeputies.lib.admin_words import link_to, tag
from techdeputies.lib.money import money_list


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "person", "amount", "situation", "by", "reason")
    list_filter = ("state", "created_at")
    list_select_related = ("payment__user", "actor")
    ordering = ("-created_at",)
    search_fields = ("payment__user__email", "payment__user__name", "stripe_refund_id__exact")
    search_help_text = PERSON_OR_STRIPE_HELP
    fields = (
        "person",
        "payment_row",
        "amount",
        "situation",
        "failure_reason",
        "reason",
        "by",
        "created_at",
        "settled_at",
        "stripe_refund_id",
        "at_stripes",
    )
    readonly_fields = fields

    @admin.display(description="Person")
    def person(self, row: Refund) -> SafeString | str:
        return link_to(row.payment.user)

    @admin.display(description="Payment")
    def payment_row(self, row: Refund) -> SafeString | str:
        return link_to(row.payment)

    @admin.display(description="Amount", ordering="amount_cents")
    def amount(self, row: Refund) -> str:
        return money_list(row.amount_cents)

    @admin.display(description="State", ordering="state")
    def situation(self, row: Refund) -> SafeString | str:
        return tag(row, "state")

    @admin.display(description="By")
    def by(self, row: Refund) -> str:
        return str(row.actor) if row.actor is not None else "By itself, or at Stripe"

    @admin.display(description="Payment at Stripe")
    def at_stripes(self, row: Refund) -> SafeString | str:
        return at_stripe("payments", row.payment.stripe_payment_intent_id)


class UndecidedFilter(OpenFilter):
    title = "decision of the bank"
    parameter_name = "decision"
    column = "closed_at"
    words = ("Not decided yet", "Decided")


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    list_display = ("opened_at", "person", "amount", "status_words", "reason_words", "answer_by", "closed_at")
    list_filter = (UndecidedFilter, "opened_at")
    list_select_related = ("payment__user", "payment__subscription__plan")
    ordering = ("-id",)
    search_fields = ("payment__user__email", "payment__user__name", "stripe_dispute_id__exact")
    search_help_text = PERSON_OR_STRIPE_HELP
    fields = (
        "person",
        "payment_row",
        "plan_row",
        "amount",
        "status_words",
        "reason_words",
        "opened_at",
        "answer_by",
        "closed_at",
        "number",
    )
    readonly_fields = fields

    @admin.display(description="Person")
    def person(self, row: Dispute) -> SafeString | str:
        return link_to(row.payment.user)

    @admin.display(description="Payment")
    def payment_row(self, row: Dispute) -> SafeString | str:
        return link_to(row.payment)

    @admin.display(description="Plan")
    def plan_row(self, row: Dispute) -> SafeString | str:
        return link_to(row.payment.subscription, plan_words(row.payment.subscription))

    @admin.display(description="Amount", ordering="amount_cents")
    def amount(self, row: Dispute) -> str:
        return money_list(row.amount_cents)

    @admin.display(description="State at Stripe", ordering="status")
    def status_words(self, row: Dispute) -> str:
        return row.status.replace("_", " ").capitalize()

    @admin.display(description="What the bank says", ordering="reason")
    def reason_words(self, row: Dispute) -> str:
        return row.reason.replace("_", " ").capitalize()

    @admin.display(description="Answer it at Stripe")
    def number(self, row: Dispute) -> SafeString | str:
        return at_stripe("disputes", row.stripe_dispute_id)
