"""What Stripe told us, the nightly comparison with it, and what a person must look at."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from audit.actors import Actor
from audit.mixins import ReadOnlyAdmin
from billing.admin.shared import OpenFilter, at_stripe, plan_words
from billing.models import StaffAlert, StripeEvent, StripeReconciliation
from billing.services import alerts, inbox
from techdeputies.lib.admin_words import link_to, tag


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    """An event is a hint; its own words are not shown, since Stripe's dashboard has them and who may see them."""

    list_display = ("received_at", "event_type", "object_id", "situation", "attempt_count")
    list_filter = ("state", "source", "received_at")
    ordering = ("-id",)
    search_fields = ("event_id__exact", "object_id__exact", "event_type__exact")
    search_help_text = "A whole number of Stripe's, or a type such as invoice.paid."
    actions = ("try_again",)
    fields = (
        "event_type",
        "number",
        "object_id",
        "situation",
        "attempt_count",
        "last_error",
        "happened_at",
        "received_at",
        "available_at",
        "processed_at",
        "source",
        "api_version",
        "livemode",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[StripeEvent]:
        rows: QuerySet[StripeEvent] = super().get_queryset(request)
        return rows.defer("payload")

    @admin.display(description="State", ordering="state")
    def situation(self, row: StripeEvent) -> SafeString | str:
        return tag(row, "state")

    @admin.display(description="Number at Stripe")
    def number(self, row: StripeEvent) -> SafeString | str:
        return at_stripe("events", row.event_id)

    @admin.action(description="Apply again (only what was set aside)", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> None:
        self.run_each(
            request,
            list(queryset.order_by("pk")),
            inbox.try_again,
            verb="tried_again",
            done="will be applied again within a minute.",
            recorded=False,
        )

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_stripeevent")


@admin.register(StripeReconciliation)
class StripeReconciliationAdmin(ReadOnlyAdmin):
    list_display = (
        "started_at",
        "finished_at",
        "subscriptions_checked",
        "invoices_checked",
        "events_fetched",
        "healed_count",
        "error",
    )
    list_filter = ("started_at",)
    ordering = ("-id",)
    fields = (
        "started_at",
        "finished_at",
        "subscriptions_checked",
        "invoices_checked",
        "events_fetched",
        "differences",
        "error",
    )
    readonly_fields = fields

    @admin.display(description="Put right")
    def healed_count(self, row: StripeReconciliation) -> int:
        return len(row.healed)

    @admin.display(description="What differed and was put right")
    def differences(self, row: StripeReconciliation) -> SafeString | str:
        lines = format_html_join("", "<li>{}: {}</li>", ((item["id"], item["words"]) for item in row.healed))
        return format_html('<ul class="desk-list">{}</ul>', lines) if row.healed else "Nothing differed."


class SettledFilter(OpenFilter):
    title = "whether it is done"
    parameter_name = "settled"
    column = "settled_at"


@admin.register(StaffAlert)
class StaffAlertAdmin(ReadOnlyAdmin):
    """Open ones first. Whoever has seen to one says so."""

    list_display = ("created_at", "situation", "words", "person")
    list_display_links = ("created_at", "words")
    list_filter = (SettledFilter, "kind", "created_at")
    list_select_related = ("user", "subscription__plan", "payment", "settled_by")
    ordering = (F("settled_at").desc(nulls_first=True), "-id")
    search_fields = ("user__email", "user__name", "cause__exact")
    search_help_text = "A person's name or mail address."
    actions = ("settle",)
    fields = ("words", "kind", "situation", "person", "plan_row", "payment_row", "created_at", "settled_at", "by")
    readonly_fields = fields
    change_form_template = "admin/billing/staffalert/change_form.html"

    @admin.display(description="State", ordering="settled_at")
    def situation(self, row: StaffAlert) -> SafeString:
        kind, words = ("bad", "Open") if row.settled_at is None else ("good", "Done")
        return format_html('<span class="tag tag-{}">{}</span>', kind, words)

    @admin.display(description="Person")
    def person(self, row: StaffAlert) -> SafeString | str:
        return link_to(row.user)

    @admin.display(description="Plan")
    def plan_row(self, row: StaffAlert) -> SafeString | str:
        return link_to(row.subscription, plan_words(row.subscription))

    @admin.display(description="Payment")
    def payment_row(self, row: StaffAlert) -> SafeString | str:
        return link_to(row.payment)

    @admin.display(description="Done by")
    def by(self, row: StaffAlert) -> str:
        return str(row.settled_by or "")

    # --- saying that it is done -------------------------------------------------------------------
    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_staffalert")

    @admin.action(description="Done: somebody has seen to it", permissions=["settle"])
    def settle(self, request: HttpRequest, queryset: QuerySet[StaffAlert]) -> None:
        actor = Actor.from_request(request)
        self.run_each(
            request,
            list(queryset.order_by("pk")),
            lambda alert: alerts.settle(alert=alert, actor=actor),
            verb="settled",
            done="done.",
        )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.settle_view)
        return [path("<int:pk>/settle/", view, name="billing_staffalert_settle"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        may_settle = {"may_settle": self.has_settle_permission(request)}
        return super().change_view(request, object_id, form_url, {**may_settle, **(extra_context or {})})

    def settle_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say that somebody has seen to it."""
        alert: StaffAlert = self.found(request, pk)
        self.demand(request, self.has_settle_permission(request), "settled", alert)
        actor = Actor.from_request(request)
        return self.act_page(
            request,
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=lambda: alerts.settle(alert=alert, actor=actor),
            verb="settled",
            target=alert,
            done="Done. It is kept in the list.",
            back_url=reverse("admin:billing_staffalert_changelist"),
            title="Somebody has seen to this",
            button="It is done",
            facts=[("What", alert.get_kind_display()), ("Words", alert.words)],
        )
