"""Who shares a plan, and who was asked to. An invitation's link is shown to nobody."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from audit.actors import Actor
from audit.mixins import ReadOnlyAdmin
from billing.admin.shared import PERSON_HELP, OpenFilter
from billing.models import FamilyInvitation, FamilyMember
from billing.services import family
from techdeputies.lib.admin_words import link_to


class SharesFilter(OpenFilter):
    title = "whether they share it now"
    parameter_name = "shares"
    column = "ended_at"
    words = ("They share it", "They left it")


@admin.register(FamilyMember)
class FamilyMemberAdmin(ReadOnlyAdmin):
    list_display = ("joined_at", "person", "owner", "plan_row", "ended_at")
    list_display_links = ("joined_at",)
    list_filter = (SharesFilter, "joined_at")
    list_select_related = ("user", "subscription__user", "subscription__plan")
    linked_lookups = ("user__id__exact", "subscription__id__exact")
    ordering = ("-joined_at",)
    actions = ("take_off",)
    search_fields = ("user__email", "user__name", "subscription__user__email")
    search_help_text = PERSON_HELP
    fields = ("person", "owner", "plan_row", "joined_at", "ended_at")
    readonly_fields = fields

    @admin.display(description="Person")
    def person(self, row: FamilyMember) -> SafeString | str:
        return link_to(row.user)

    @admin.display(description="Whose plan it is")
    def owner(self, row: FamilyMember) -> SafeString | str:
        return link_to(row.subscription.user)

    @admin.display(description="Plan")
    def plan_row(self, row: FamilyMember) -> SafeString | str:
        return link_to(row.subscription, row.subscription.plan.display_name)

    @admin.action(description="Take off the plan (their coming sessions are cancelled)", permissions=["end"])
    def take_off(self, request: HttpRequest, queryset: QuerySet[FamilyMember]) -> None:
        actor = Actor.from_request(request)
        self.run_each(
            request,
            list(queryset.order_by("pk")),
            lambda row: family.remove_by_staff(member=row, actor=actor),
            verb="removed",
            done="no longer share a plan.",
        )

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_familymember")


@admin.register(FamilyInvitation)
class FamilyInvitationAdmin(ReadOnlyAdmin):
    list_display = ("invited_at", "email", "owner", "situation", "expires_at")
    list_filter = ("invited_at",)
    list_select_related = ("subscription__user", "subscription__plan", "accepted_by")
    ordering = ("-invited_at",)
    actions = ("withdraw",)
    search_fields = ("email__iexact", "subscription__user__email", "subscription__user__name")
    search_help_text = "A whole mail address, or the name of the person who asked."
    fields = ("email", "owner", "plan_row", "situation", "invited_at", "expires_at", "accepted_by", "withdrawn_at")
    readonly_fields = fields

    @admin.display(description="Who asked")
    def owner(self, row: FamilyInvitation) -> SafeString | str:
        return link_to(row.subscription.user)

    @admin.display(description="Plan")
    def plan_row(self, row: FamilyInvitation) -> SafeString | str:
        return link_to(row.subscription, row.subscription.plan.display_name)

    @admin.display(description="State")
    def situation(self, row: FamilyInvitation) -> str:
        if row.accepted_at is not None:
            return "Taken up"
        if row.withdrawn_at is not None:
            return "Withdrawn"
        return "Waits for an answer" if row.expires_at > timezone.now() else "Its time is over"

    @admin.action(description="Take back (the link stops working)", permissions=["end"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[FamilyInvitation]) -> None:
        actor = Actor.from_request(request)
        self.run_each(
            request,
            list(queryset.order_by("pk")),
            lambda row: family.withdraw_by_staff(invitation=row, actor=actor),
            verb="withdrawn",
            done="do not work any more.",
        )

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_familyinvitation")
