"""Step 1: the times, open to everybody; and the choice of time zone."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from accounts import signed_cookies
from accounts.services.profile import update_profile
from audit.actors import Actor
from billing import entitlements
from booking import zones
from booking.forms import OTHER, ZoneForm
from booking.views.shared import STEPS, person, picker, plan_words, remember_view, wants_part
from settings_app.services import business_zone
from techdeputies.lib.times import US_ZONES

TOPIC_LENGTH = 200


@login_not_required
@require_safe
def event_list(request: HttpRequest) -> HttpResponse:
    """The times of one week. Signed out: no more than two statements; htmx gets the week alone."""
    context = picker(request, href=reverse("booking:event_list"), suffix="/")
    if wants_part(request):
        return remember_view(request, render(request, "booking/partials/week_part.html", context))
    context["steps"] = STEPS
    if request.user.is_authenticated:
        plan = entitlements.for_user(person(request))
        context["plan_words"] = plan_words(plan, zones.zone_of(request))
        context["needs_plan"] = not plan.has_plan
    response = render(request, "booking/event_list.html", context)
    topic = request.GET.get("topic", "").replace("\0", "").strip()[:TOPIC_LENGTH]
    if topic:
        # It waits for the check page through other weeks, the choice of a zone and signing in.
        signed_cookies.remember(response, signed_cookies.TOPIC, topic)
    return remember_view(request, response)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def zone(request: HttpRequest) -> HttpResponse:
    """Choose the zone in which times are shown: kept in the profile, or on this device when signed out."""
    back = _own_path(request.POST.get("next", "") or request.GET.get("next", ""))
    if request.method == "POST":
        form = ZoneForm(request.POST)
        if form.is_valid():
            return _save_zone(request, form.cleaned_data["chosen"], back)
        return render(request, "booking/zone.html", {"form": form, "next": back}, status=422)
    present = zones.zone_of(request).key
    is_listed = present in {name for name, _ in US_ZONES}
    form = ZoneForm(initial={"zone": present if is_listed else OTHER, "other": "" if is_listed else present})
    return render(request, "booking/zone.html", {"form": form, "next": back})


def _save_zone(request: HttpRequest, chosen: str, back: str) -> HttpResponse:
    response = redirect(back or "booking:event_list")
    if request.user.is_authenticated:
        update_profile(user=person(request), actor=Actor.from_request(request), time_zone=chosen)
    zones.remember(response, zones.COOKIE, chosen, standard=business_zone().key)
    messages.success(request, "Saved. All times are shown in the time zone you chose.")
    return response


def _own_path(wanted: str) -> str:
    safe = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if safe else ""
