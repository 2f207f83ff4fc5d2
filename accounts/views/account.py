"""What a person sees and changes of their account: profile and devices."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import auth, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts import services
from accounts.devices import device_words
from accounts.forms import NameForm, PhoneForm, PlainForm, TimeZoneForm, zone_words
from accounts.models import Session
from accounts.views.entry import signed_out
from accounts.web import person
from audit.actors import Actor
from settings_app.services import zone_for
from techdeputies.lib.times import clock, day_words, long_date

PAGE = ["GET", "HEAD", "POST"]


@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    user = person(request)
    proof = "" if user.email_verified else "Not confirmed yet"
    rows = [
        {"key": "Name", "value": user.name or "Not given yet", "change_url": reverse("accounts:profile_name")},
        {"key": "Email", "value": user.email, "soft": proof, "change_url": reverse("accounts:email_change")},
        {
            "key": "Emails you get",
            "value": "Reminders and news",
            "change_url": reverse("emails:choices"),
            "change_text": "Choose",
        },
        {"key": "Phone", "value": user.phone or "Not given", "change_url": reverse("accounts:profile_phone")},
        {
            "key": "Time zone",
            "value": zone_words(user.time_zone),
            "change_url": reverse("accounts:profile_time_zone"),
        },
        {
            "key": "Password",
            "value": "We never show it, not even to you",
            "change_url": reverse("accounts:password_change"),
        },
        {
            "key": "Devices",
            "value": "Where you are signed in",
            "change_url": reverse("accounts:session_list"),
            "change_text": "Look at them",
        },
        {
            "key": "Your account",
            "value": "You can delete it yourself",
            "change_url": reverse("accounts:delete"),
            "change_text": "Delete my account",
        },
    ]
    return render(request, "accounts/profile.html", {"rows": rows, "person": user})


@require_http_methods(PAGE)
def profile_name(request: HttpRequest) -> HttpResponse:
    return _one_question(request, NameForm, "name", "Your name is saved.")


@require_http_methods(PAGE)
def profile_phone(request: HttpRequest) -> HttpResponse:
    return _one_question(request, PhoneForm, "phone", "Your phone number is saved.")


@require_http_methods(PAGE)
def profile_time_zone(request: HttpRequest) -> HttpResponse:
    return _one_question(request, TimeZoneForm, "time_zone", "Your time zone is saved.")


def _one_question(request: HttpRequest, form_class: type[PlainForm], field: str, saved: str) -> HttpResponse:
    user = person(request)
    initial = {field: getattr(user, field)}
    if request.method == "POST":
        form = form_class(request.POST, initial=initial)
        if form.is_valid():
            services.update_profile(user=user, actor=Actor.from_request(request), **{field: form.cleaned_data[field]})
            messages.success(request, saved)
            return redirect("accounts:profile")
    else:
        form = form_class(initial=initial)
    return render(request, f"accounts/profile_{field}.html", {"form": form, "field": form[field]})


@require_safe
def session_list(request: HttpRequest) -> HttpResponse:
    user = person(request)
    zone = zone_for(user)
    here = request.session.row_id  # type: ignore[attr-defined]
    devices = [
        _device(row, zone, is_here=row.pk == here)
        for row in Session.objects.live().filter(user=user).order_by("-last_seen_at", "pk")
    ]
    devices.sort(key=lambda device: not device["is_here"])
    return render(request, "accounts/session_list.html", {"devices": devices})


def _device(row: Session, zone: ZoneInfo, *, is_here: bool) -> dict[str, Any]:
    today = timezone.now().astimezone(zone).date()
    seen = row.last_seen_at
    day = "Today" if seen.astimezone(zone).date() == today else day_words(seen, zone)
    return {
        "id": row.pk,
        "words": device_words(row.user_agent),
        "is_here": is_here,
        "seen": f"{day} at {clock(seen, zone)}",
        "since": long_date(row.created_at, zone),
        "network": row.ip_address,
    }


@require_http_methods(PAGE)
def session_end(request: HttpRequest) -> HttpResponse:
    """Sign one device out. Its id comes in the form, so that it stands in no log of addresses."""
    if request.method != "POST":
        return redirect("accounts:session_list")
    user = person(request)
    wanted = request.POST.get("device", "").replace("\x00", "")[:64]
    session = get_object_or_404(Session.objects.select_related("user"), user=user, pk=wanted)
    is_here = session.pk == request.session.row_id  # type: ignore[attr-defined]
    services.end_session(session=session, actor=Actor.from_request(request))
    if is_here:
        auth.logout(request)
        messages.success(request, "You are signed out of this device.")
        return signed_out()
    messages.success(request, f"Signed out: {device_words(session.user_agent)}.")
    return redirect("accounts:session_list")


@require_http_methods(PAGE)
def session_end_all(request: HttpRequest) -> HttpResponse:
    """Sign every device out, this one too."""
    if request.method != "POST":
        return redirect("accounts:session_list")
    services.end_all_sessions(user=person(request), actor=Actor.from_request(request))
    auth.logout(request)
    messages.success(request, "You are signed out of all devices.")
    return signed_out()
