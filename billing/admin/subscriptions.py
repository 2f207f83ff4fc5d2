"""Who has a plan, how it stands here and at Stripe, and the sessions used from it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from audit.actors import Actor
from audit.mixins import ReadOnlyAdmin
from billing import gateway
from billing.admin.shared import PERSON_HELP, PERSON_OR_STRIPE_HELP, WRITE_REASON, at_stripe, plan_words
from billing.models import Plan, UserSubscription, VisitUse
from billing.services import plan_mails, staff, subscriptions
from techdeputies.lib.admin_words import link_to, tag
from techdeputies.lib.money import money_list

PAGE_SECONDS = 10
LAST_PAYMENTS = 5
MONEY_FIELDS = ("price", "next_payment", "payments")


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


class StandingFilter(admin.SimpleListFilter):
    """What somebody may have to look at."""

    title = "what stands out"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("second", "A second plan, stopped and paid back"),
            ("disputed", "Waits for a disputed payment"),
            ("ends", "Will not be renewed"),
            ("unpaid", "Unpaid, the days of grace are over"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[UserSubscription]) -> QuerySet[UserSubscription]:
        match self.value():
            case "second":
                return queryset.filter(duplicate_of__isnull=False)
            case "disputed":
                return queryset.filter(frozen_at__isnull=False)
            case "ends":
                return queryset.filter(ends_at__isnull=False, ended_at__isnull=True)
            case "unpaid":
                return queryset.filter(grace_ended_at__isnull=False, ended_at__isnull=True)
        return queryset


@admin.register(UserSubscription)
class UserSubscriptionAdmin(ReadOnlyAdmin):
    list_display_links = ("plan",)
    list_display = ("person", "plan", "state", "used", "current_period_end", "ends_at", "source")
    list_filter = ("status", "plan", StandingFilter, "current_period_end")
    list_select_related = ("user", "plan", "next_plan", "duplicate_of__plan")
    linked_lookups = ("user__id__exact",)
    ordering = ("-id",)
    search_fields = ("user__email", "user__name", "stripe_subscription_id__exact")
    search_help_text = PERSON_OR_STRIPE_HELP
    fields = (
        "person",
        "plan",
        "state",
        "frozen_at",
        "used",
        "current_period_start",
        "current_period_end",
        "price",
        "next_payment",
        "next_plan",
        "ends_at",
        "cancelled_at",
        "ended_at",
        "past_due_since",
        "grace_ended_at",
        "source",
        "grant_reason",
        "stripe_status",
        "number",
        "second_of",
        "payments",
        "created_at",
    )
    readonly_fields = fields
    change_list_template = "admin/billing/usersubscription/change_list.html"
    change_form_template = "admin/billing/usersubscription/change_form.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        may_see = request.user.has_perm("billing.view_payment")
        return [name for name in self.fields if may_see or name not in MONEY_FIELDS]

    # --- columns ----------------------------------------------------------------------------------
    @admin.display(description="Person")
    def person(self, row: UserSubscription) -> SafeString | str:
        return link_to(row.user)

    @admin.display(description="State", ordering="status")
    def state(self, row: UserSubscription) -> SafeString | str:
        return tag(row, "status")

    @admin.display(description="Sessions used")
    def used(self, row: UserSubscription) -> str:
        most = "no limit" if row.plan.is_unlimited else f"of {row.plan.session_limit}"
        return f"{row.session_booked_this_month} {most}"

    @admin.display(description="From")
    def source(self, row: UserSubscription) -> str:
        return "Given by staff" if row.is_granted else "Bought"

    @admin.display(description="Price a month")
    def price(self, row: UserSubscription) -> str:
        return plan_mails.price_words(row)

    @admin.display(description="Next payment")
    def next_payment(self, row: UserSubscription) -> str:
        is_live = row.status in ("active", "past_due")
        return plan_mails.next_payment_words(row) if is_live else "None. The plan has ended."

    @admin.display(description="Number at Stripe")
    def number(self, row: UserSubscription) -> SafeString | str:
        return at_stripe("subscriptions", row.stripe_subscription_id)

    @admin.display(description="A second plan beside")
    def second_of(self, row: UserSubscription) -> SafeString | str:
        return link_to(row.duplicate_of, plan_words(row.duplicate_of))

    @admin.display(description="Last payments")
    def payments(self, row: UserSubscription) -> SafeString | str:
        last = list(row.payments.order_by("-paid_at")[:LAST_PAYMENTS])
        if not last:
            return "None"
        lines = format_html_join(
            "",
            "<li>{}: {}{}</li>",
            (
                (
                    money_list(payment.amount_cents),
                    link_to(payment),
                    f" ({money_list(payment.refunded_cents)} given back)" if payment.refunded_cents else "",
                )
                for payment in last
            ),
        )
        address = f"{reverse('admin:billing_payment_changelist')}?subscription__id__exact={row.pk}"
        return format_html('<ul class="desk-list">{}</ul><a href="{}">All payments of this plan</a>', lines, address)

    # --- acts -------------------------------------------------------------------------------------
    def has_grant_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_usersubscription")

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        own = [
            path("grant/", guard(self.grant_view), name="billing_usersubscription_grant"),
            path("<int:pk>/end/", guard(self.end_view), name="billing_usersubscription_end"),
            path("<int:pk>/ask/", guard(self.ask_view), name="billing_usersubscription_ask"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(
            request, {"may_grant": self.has_grant_permission(request), **(extra_context or {})}
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row: UserSubscription | None = self.get_object(request, object_id)
        context = {
            "may_act": self.has_grant_permission(request),
            "subtitle": f"{row.user}: {plan_words(row)}" if row is not None else "",
        }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

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
        """End a plan now, with a reason; one that was bought ends at Stripe first."""
        subscription: UserSubscription = self.found(request, pk)
        self.demand(request, self.has_grant_permission(request), "ended", subscription)
        form = EndForm(request.POST or None)
        actor = Actor.from_request(request)

        def act() -> None:
            with gateway.within(PAGE_SECONDS):
                staff.end_plan(subscription=subscription, actor=actor, reason=form.cleaned_data["reason"])

        note = "" if subscription.is_granted else "It ends at Stripe at once. No money goes back by itself."
        return self.act_page(
            request,
            form=form,
            act=act,
            verb="ended",
            target=subscription,
            done="The plan has ended.",
            back_url=reverse("admin:billing_usersubscription_change", args=[pk]),
            title="End this plan now",
            button="Yes, end it now",
            note=note,
            warn=True,
            facts=[("Person", str(subscription.user)), ("Plan", subscription.plan.display_name)],
        )

    def ask_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Bring the row to what Stripe says now."""
        subscription: UserSubscription = self.found(request, pk)
        self.demand(request, self.has_grant_permission(request), "asked_again", subscription)
        actor = Actor.from_request(request)

        def act() -> None:
            with gateway.within(PAGE_SECONDS):
                staff.ask_again(subscription=subscription, actor=actor)

        return self.act_page(
            request,
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=act,
            verb="asked_again",
            target=subscription,
            done="The plan is now as Stripe says.",
            back_url=reverse("admin:billing_usersubscription_change", args=[pk]),
            title="Ask Stripe again",
            button="Ask Stripe again",
            note="We look at Stripe and write down what it says about this plan. Nothing is changed there.",
            facts=[
                ("Person", str(subscription.user)),
                ("Plan", subscription.plan.display_name),
                ("Number at Stripe", subscription.stripe_subscription_id or "None"),
            ],
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
    def person(self, row: VisitUse) -> SafeString | str:
        return link_to(row.user)
