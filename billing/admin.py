"""Plans, who has one, sessions used, gift cards and their ledger."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse

from accounts.models import User
from audit.actors import Actor
from audit.mixins import AuditedAdmin, NoDeleteMixin, ReadOnlyAdmin
from billing.models import GiftCard, GiftCardTransaction, Plan, UserSubscription, VisitUse
from billing.services import subscriptions
from techdeputies.lib.admin_words import link_to, tag
from techdeputies.lib.money import money_list

PERSON_HELP = "A person's name or mail address."
WRITE_REASON = {"required": "Write the reason, for the staff's own record."}


@admin.register(Plan)
class PlanAdmin(NoDeleteMixin, AuditedAdmin):
    audit_plain_fields = ("name", "display_name", "description")
    list_display = ("display_name", "price", "sessions", "course_inclusion", "support_tier", "family_size", "featured")
    ordering = ("price_in_cents",)
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "created_at", "updated_at") if obj else ("created_at", "updated_at")

    @admin.display(description="Price a month", ordering="price_in_cents")
    def price(self, row: Plan) -> str:
        return money_list(row.price_in_cents)

    @admin.display(description="Sessions a month", ordering="session_limit")
    def sessions(self, row: Plan) -> str:
        return "Unlimited" if row.is_unlimited else str(row.session_limit)


class GrantForm(forms.Form):
    """Give a person a plan without payment."""

    email = forms.EmailField(
        label="Mail address of the person",
        max_length=254,
        error_messages={
            "required": "Write the mail address of the person.",
            "invalid": "That is not a whole mail address. Write it like harold@example.com.",
        },
    )
    plan = forms.ModelChoiceField(
        label="Plan",
        queryset=Plan.objects.order_by("price_in_cents"),
        empty_label=None,
        error_messages={"required": "Choose a plan."},
    )
    reason = forms.CharField(
        label="Reason", max_length=255, help_text="For the staff's own record.", error_messages=WRITE_REASON
    )

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"]
        self.person = User.objects.present().with_email(address).first()
        if self.person is None:
            raise forms.ValidationError("Nobody has an account with that mail address. Please check it.")
        return address

    def chosen_person(self) -> User | None:
        """Whom the sent form names, once it fits."""
        return self.person if self.is_bound and self.is_valid() else None


class EndForm(forms.Form):
    """End a plan now."""

    reason = forms.CharField(
        label="Reason", max_length=255, help_text="For the staff's own record.", error_messages=WRITE_REASON
    )


@admin.register(UserSubscription)
class UserSubscriptionAdmin(ReadOnlyAdmin):
    list_display_links = ("plan",)
    list_display = ("person", "plan", "state", "used", "current_period_end", "source")
    list_filter = ("status", "plan", "current_period_end")
    list_select_related = ("user", "plan")
    ordering = ("-id",)
    search_fields = ("user__email", "user__name", "stripe_subscription_id__exact")
    search_help_text = PERSON_HELP
    fields = (
        "person",
        "plan",
        "state",
        "used",
        "current_period_start",
        "current_period_end",
        "cancelled_at",
        "source",
        "grant_reason",
        "created_at",
    )
    readonly_fields = fields
    change_list_template = "admin/billing/usersubscription/change_list.html"
    change_form_template = "admin/billing/usersubscription/change_form.html"

    @admin.display(description="Person")
    def person(self, row: UserSubscription) -> str:
        return link_to(row.user)

    @admin.display(description="State", ordering="status")
    def state(self, row: UserSubscription) -> str:
        return tag(row, "status")

    @admin.display(description="Sessions used")
    def used(self, row: UserSubscription) -> str:
        most = "no limit" if row.plan.is_unlimited else f"of {row.plan.session_limit}"
        return f"{row.session_booked_this_month} {most}"

    @admin.display(description="From")
    def source(self, row: UserSubscription) -> str:
        return "Given by staff" if row.is_granted else "Bought"

    def has_grant_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_usersubscription")

    def get_urls(self) -> list[Any]:
        own = [
            path("grant/", self.admin_site.admin_view(self.grant_view), name="billing_usersubscription_grant"),
            path("<int:pk>/end/", self.admin_site.admin_view(self.end_view), name="billing_usersubscription_end"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(
            request, {"may_grant": self.has_grant_permission(request), **(extra_context or {})}
        )

    def grant_view(self, request: HttpRequest) -> HttpResponse:
        """Give this person a plan."""
        self.demand(request, self.has_grant_permission(request), "granted")
        form = GrantForm(request.POST or None, initial={"email": request.GET.get("email", "")})
        actor = Actor.from_request(request)
        return self.act_page(
            request,
            form=form,
            act=lambda: subscriptions.grant_plan(
                user=form.person, plan=form.cleaned_data["plan"], actor=actor, reason=form.cleaned_data["reason"]
            ),
            verb="granted",
            target=form.chosen_person(),
            done="They have the plan now.",
            back_url=reverse("admin:billing_usersubscription_changelist"),
            title="Give a person a plan",
            button="Give this plan",
        )

    def end_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End a plan now, with a reason."""
        subscription: UserSubscription = self.found(request, pk)
        self.demand(request, self.has_grant_permission(request), "ended", subscription)
        form = EndForm(request.POST or None)
        actor = Actor.from_request(request)
        return self.act_page(
            request,
            form=form,
            act=lambda: subscriptions.end_plan(
                subscription=subscription, actor=actor, reason=form.cleaned_data["reason"]
            ),
            verb="ended",
            target=subscription,
            done="The plan has ended.",
            back_url=reverse("admin:billing_usersubscription_change", args=[pk]),
            title="End this plan now",
            button="Yes, end it now",
            warn=True,
            facts=[("Person", str(subscription.user)), ("Plan", subscription.plan.display_name)],
        )


@admin.register(VisitUse)
class VisitUseAdmin(ReadOnlyAdmin):
    list_display_links = ("used_at",)
    list_display = ("person", "subscription", "used_at", "returned_at", "period_start")
    list_filter = ("used_at",)
    list_select_related = ("user", "subscription")
    ordering = ("-id",)
    search_fields = ("user__email", "user__name", "cause__exact")
    search_help_text = PERSON_HELP

    @admin.display(description="Person")
    def person(self, row: VisitUse) -> str:
        return link_to(row.user)


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
