"""Sharing a plan: who is on it, asking somebody, joining by a mailed link, and leaving."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.signed_cookies import FAMILY_LINK, forget
from accounts.web import person, private, secret_of, take_token
from billing import entitlements
from billing.exceptions import (
    AlreadyInvited,
    AlreadyShares,
    CannotInviteSelf,
    InvitationOver,
    NotAMember,
)
from billing.forms import InviteForm
from billing.models import FamilyInvitation, FamilyMember, UserSubscription
from billing.services import family, family_mails, subscriptions
from billing.views.shared import PAGE
from settings_app.decorators import too_many
from settings_app.services import hit_known_limit, zone_for
from techdeputies.lib.exceptions import DomainError
from techdeputies.lib.times import day_words, long_date


# --- The page -------------------------------------------------------------------------------------------
@require_safe
def family_page(request: HttpRequest) -> HttpResponse:
    return _page(request, InviteForm())


def _page(request: HttpRequest, form: InviteForm) -> HttpResponse:
    """One page with three faces: the person whose plan it is, somebody who shares one, and without a plan."""
    user = person(request)
    subscription = subscriptions.live(user)
    plan = entitlements.of(subscription, user)
    if subscription is None or not plan.has_plan:
        return render(request, "billing/family_none.html")
    if plan.is_shared:
        sessions = "Unlimited sessions"
        if not plan.is_unlimited:
            sessions = f"{plan.visits_left} of {plan.visit_limit} left this month"
        rows = [
            {"key": "Plan", "value": plan.plan_name},
            {"key": "Whose plan it is", "value": family_mails.name_of(subscription.user)},
            {"key": "Sessions", "value": sessions, "soft": "For everybody who shares the plan together"},
        ]
        context = {"owner": family_mails.first_name_of(subscription.user), "rows": rows, "why_not": plan.why_not}
        return render(request, "billing/family_shared.html", context)
    return render(request, "billing/family.html", {"form": form, **_own(subscription, user)})


def _own(subscription: UserSubscription, user: User) -> dict[str, Any]:
    zone = zone_for(user)
    sharing = family.sharing_of(subscription)
    return {
        "plan": subscription.plan,
        "people_words": family_mails.people_words(sharing.taken, subscription.plan),
        "members": [
            {
                "id": member.pk,
                "name": family_mails.name_of(member.user),
                "since": f"Shares your plan since {long_date(member.joined_at, zone)}",
            }
            for member in sharing.members
        ],
        "invitations": [
            {
                "id": invitation.pk,
                "email": invitation.email,
                "until": f"Asked. The email works until {day_words(invitation.expires_at, zone)}.",
            }
            for invitation in sharing.invitations
        ],
        "has_place": sharing.has_place,
    }


# --- Asking ---------------------------------------------------------------------------------------------
@require_http_methods(PAGE)
def family_invite(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return redirect("billing:family")
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    user, email = person(request), form.cleaned_data["email"]
    hit = hit_known_limit("limit_family_per_account", subject=f"user:{user.pk}")
    if not hit.allowed:
        return too_many(request, hit.retry_after_seconds)
    try:
        family.invite(owner=user, email=email)
    except (AlreadyInvited, AlreadyShares, CannotInviteSelf) as refusal:
        form.add_error("email", refusal.message)
        return _page(request, form)
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"We have sent an email to {email}. When they say yes, you will see their name here.")
    return redirect("billing:family")


@require_http_methods(PAGE)
def family_withdraw(request: HttpRequest, invitation_id: str) -> HttpResponse:
    if request.method == "POST":
        mine = FamilyInvitation.objects.filter(subscription__user=person(request))
        invitation = get_object_or_404(mine, pk=invitation_id)
        try:
            family.withdraw(owner=person(request), invitation=invitation)
        except InvitationOver:
            messages.info(request, "This person has said yes already. You can take them off your plan here.")
        else:
            messages.success(request, f"The invitation to {invitation.email} does not work any more.")
    return redirect("billing:family")


# --- Leaving --------------------------------------------------------------------------------------------
@require_http_methods(PAGE)
def family_remove(request: HttpRequest, member_id: str) -> HttpResponse:
    """Taking somebody off one's plan: a page to check, then the press."""
    mine = FamilyMember.objects.filter(subscription__user=person(request)).select_related("user")
    member = get_object_or_404(mine, pk=member_id)
    name = family_mails.name_of(member.user)
    if request.method == "POST":
        try:
            family.remove(owner=person(request), member=member)
        except NotAMember:
            messages.info(request, f"{name} does not share your plan any more.")
        else:
            messages.success(request, f"{name} does not share your plan any more. We have sent them an email.")
        return redirect("billing:family")
    if member.ended_at is not None:
        return redirect("billing:family")
    return render(request, "billing/family_remove.html", {"name": name, "member": member})


@require_http_methods(PAGE)
def family_leave(request: HttpRequest) -> HttpResponse:
    """Sharing somebody's plan no more: a page to check, then the press."""
    user = person(request)
    shared = FamilyMember.objects.current().filter(user=user).select_related("subscription__user").first()
    if shared is None:
        return redirect("billing:family")
    owner = family_mails.first_name_of(shared.subscription.user)
    if request.method == "POST":
        family.leave(user=user)
        messages.success(request, f"You do not share the plan of {owner} any more.")
        return redirect("billing:plan_list")
    return render(request, "billing/family_leave.html", {"owner": owner})


# --- Joining --------------------------------------------------------------------------------------------
@login_not_required
@require_http_methods(PAGE)
def family_join(request: HttpRequest) -> HttpResponse:
    """Behind the mailed link. Looking changes nothing, since mail scanners open links; the press joins."""
    if request.method != "POST" and "token" in request.GET:
        return take_token(request, FAMILY_LINK)
    secret = secret_of(request, FAMILY_LINK)
    if request.method == "POST":
        if not request.user.is_authenticated:
            return redirect("billing:family_join")
        try:
            member = family.accept(user=person(request), token=secret)
        except InvitationOver:
            return _over(request)
        except DomainError as refusal:
            messages.error(request, refusal.message)
            return redirect("billing:family_join")
        owner = family_mails.first_name_of(member.subscription.user)
        messages.success(request, f"You share the plan of {owner} now. You can book a session with it.")
        return _done(redirect("billing:family"))
    invitation = family.open_invitation(secret)
    if invitation is None:
        return _over(request)
    return private(render(request, "billing/family_join.html", _join_words(request, invitation)))


def _join_words(request: HttpRequest, invitation: FamilyInvitation) -> dict[str, Any]:
    owner, plan = invitation.subscription.user, invitation.subscription.plan
    return {
        "owner": family_mails.first_name_of(owner),
        "rows": [
            {"key": "From", "value": family_mails.name_of(owner)},
            {"key": "Plan", "value": plan.display_name},
            {"key": "You would share", "value": family_mails.share_words(plan)},
            {"key": "Cost for you", "value": "Nothing"},
        ],
        "refusal": _why_not_join(person(request), invitation) if request.user.is_authenticated else "",
        "next": urlencode({"next": request.path}),
    }


def _why_not_join(user: User, invitation: FamilyInvitation) -> str:
    """A look: what would be said to a press. The address that is not proven yet is asked for on the page itself."""
    if invitation.subscription.user_id == user.pk:
        return "This is your own plan. The email is for the person you want to share it with."
    if UserSubscription.objects.live().filter(user=user).exists():
        return family.OWN_PLAN_FIRST
    if FamilyMember.objects.current().filter(user=user).exists():
        return family.SHARES_ANOTHER
    return ""


def _over(request: HttpRequest) -> HttpResponse:
    """The link is used up, old or taken back. Whoever shares a plan already has most likely used it: there they go."""
    if request.user.is_authenticated and FamilyMember.objects.current().filter(user=person(request)).exists():
        return _done(redirect("billing:family"))
    return _done(private(render(request, "billing/family_old.html", status=410)))


def _done(response: HttpResponse) -> HttpResponse:
    forget(response, FAMILY_LINK)
    return response
