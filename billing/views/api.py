"""What other programs may ask: the signed-in person's plan, and how the answer is made up. Always JSON, never a page."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.models import User
from accounts.web import person
from billing import api_description, entitlements
from billing.entitlements import Entitlement
from billing.models import UserSubscription
from billing.services import family, family_mails, subscriptions
from settings_app.decorators import count_try

SAFE = ("GET", "HEAD")


@login_not_required
@csrf_exempt  # Nothing but GET gets any further, and a refusal should be JSON too.
def api_subscriptions(request: HttpRequest) -> HttpResponse:
    """The plan of the signed-in person, own or shared, or null."""
    if refusal := _refusal(request):
        return refusal
    if not request.user.is_authenticated:
        return _error(401, "signed_out", "Please sign in first.")
    user = person(request)
    subscription = subscriptions.live(user)
    plan = entitlements.of(subscription, user)
    if subscription is None or not plan.has_plan:
        return _answer({"subscription": None})
    return _answer({"subscription": _words(subscription, plan, user)})


@login_not_required
@csrf_exempt  # As above.
def api_description_file(request: HttpRequest) -> HttpResponse:
    """The OpenAPI description of all there is to ask."""
    return _refusal(request) or _answer(api_description.document())


def _words(subscription: UserSubscription, plan: Entitlement, user: User) -> dict[str, Any]:
    return {
        "plan": {"name": plan.plan_name, "tier": plan.tier},
        "status": plan.status,
        "is_on_hold": plan.is_frozen,
        "is_bought": plan.is_bought,
        "can_book_sessions": plan.can_book,
        "period": {"start": plan.period_start, "end": plan.period_end},
        "sessions": {
            "limit": None if plan.is_unlimited else plan.visit_limit,
            "used": plan.visits_used,
            "left": None if plan.is_unlimited else plan.visits_left,
        },
        "grace_until": plan.in_grace_until,
        "cancellation": {"ends_at": plan.ends_at} if plan.ends_at else None,
        "planned_change": {"plan": plan.next_plan_name, "at": plan.period_end} if plan.next_plan_name else None,
        "family": _family(subscription, user),
    }


def _family(subscription: UserSubscription, user: User) -> dict[str, Any]:
    """Names only; who shares somebody's plan learns whose it is."""
    if subscription.user_id != user.pk:
        return {"role": "member", "owner_first_name": family_mails.first_name_of(subscription.user)}
    sharing = family.sharing_of(subscription)
    return {
        "role": "owner",
        "size": sharing.size,
        "members": [{"name": family_mails.name_of(member.user)} for member in sharing.members],
        "open_invitations": len(sharing.invitations),
    }


# --- Answers --------------------------------------------------------------------------------------------


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if request.method not in SAFE:
        response = _error(405, "method_not_allowed", "Only GET is answered here.")
        response.headers["Allow"] = ", ".join(SAFE)
        return response
    wait = count_try(request, "api", per_account=True)
    if wait:
        response = _error(429, "too_many_requests", f"Please ask again in {wait} seconds.")
        response.headers["Retry-After"] = str(wait)
        return response
    return None


def _error(status: int, code: str, message: str) -> HttpResponse:
    return _answer({"error": {"code": code, "message": message}}, status=status)


def _answer(content: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return JsonResponse(content, status=status, headers={"Cache-Control": "no-store"})
