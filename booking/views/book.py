"""Steps 2 and 3: is this right, and booked. Also what is said when it cannot be booked."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts import signed_cookies
from accounts.exceptions import NotVerified
from accounts.models import User
from accounts.services.profile import update_profile
from audit.actors import Actor
from billing import entitlements
from billing.entitlements import Entitlement
from booking import exceptions, services, timetable, words, zones
from booking.forms import BookingForm
from booking.models import Booking, CalendarEvent, EventStatus
from booking.services.places import check_bookable
from booking.views.shared import STEPS, cost_row, counted, facts_rows, person
from techdeputies.lib.exceptions import DomainError
from techdeputies.lib.times import zone_name

KEPT_WORDS = "booking_words"
"""Key of the session: what somebody wrote who lost a race, until they have booked another time."""
KEPT_SECONDS = 3600


@require_http_methods(["GET", "HEAD", "POST"])
@counted
def event_detail(request: HttpRequest, event_id: str) -> HttpResponse:
    """The check page. GET shows, POST books."""
    if request.method == "POST":
        return _book(request, event_id)
    user, event = person(request), _find(event_id)
    own = Booking.objects.confirmed().of(user.pk).filter(event=event).first()
    if own is not None:
        return redirect("booking:booking_detail", own.pk)
    try:
        check_bookable(event, by_staff=False)
    except DomainError as refusal:
        return _not_this_one(request, event, refusal, status=200)
    return _check_page(request, event, None)


def _find(event_id: str) -> CalendarEvent:
    """The event with its deputy; a draft is nobody's business yet."""
    event = CalendarEvent.objects.exclude(status=EventStatus.DRAFT).select_related("deputy").filter(pk=event_id).first()
    if event is None:
        raise Http404
    return event


def _book(request: HttpRequest, event_id: str) -> HttpResponse:
    """The service loads the event itself, so it is read here only when something was refused."""
    user = person(request)
    form = BookingForm(request.POST, known_phone=user.phone)
    if not form.is_valid():
        return _check_page(request, _find(event_id), form, status=422)
    _take_over_zone(request, user)
    try:
        booking = services.book_event(
            user=user,
            event=CalendarEvent(id=event_id),  # "pk=" would make a new id first
            topic=form.cleaned_data["topic"],
            contact_phone=form.cleaned_data["contact_phone"],
            seen_start=form.cleaned_data["seen_start"],
        )
    except DomainError as refusal:
        return _refused(request, _find(event_id), form, refusal)
    if KEPT_WORDS in request.session:
        del request.session[KEPT_WORDS]
    response = redirect("booking:booking_done", booking.pk)
    if signed_cookies.recall(request, signed_cookies.TOPIC):
        signed_cookies.forget(response, signed_cookies.TOPIC)
    return response


def _take_over_zone(request: HttpRequest, user: User) -> None:
    """A zone chosen before signing in becomes the person's own, so that the mail says what the page said."""
    chosen = zones.chosen_here(request)
    if chosen is not None and not user.time_zone:
        update_profile(user=user, actor=Actor.from_request(request), time_zone=chosen.key)
        user.time_zone = chosen.key


# --- What is said when it cannot be -----------------------------------------------------------------------
def _refused(request: HttpRequest, event: CalendarEvent, form: BookingForm, refusal: DomainError) -> HttpResponse:
    """409 with what was typed kept: nothing is booked, and there is a way on."""
    if isinstance(refusal, exceptions.EventFull):
        _keep_words(request, form)
    if isinstance(refusal, exceptions.EventHasChanged):
        fresh = BookingForm(initial={**_initial(request, event), **_typed(form)})
        return _check_page(request, event, fresh, refusal=refusal, status=409)
    try:
        check_bookable(event, by_staff=False)
    except DomainError:
        return _not_this_one(request, event, refusal, status=409)
    return _check_page(request, event, form, refusal=refusal, status=409)


def _not_this_one(request: HttpRequest, event: CalendarEvent, refusal: DomainError, *, status: int) -> HttpResponse:
    """This time cannot be had: why, and the nearest ones that can."""
    zone = zones.zone_of(request)
    is_full = isinstance(refusal, exceptions.EventFull)
    # Who only looks has lost nothing.
    text = "All places in this session are taken." if is_full and status == 200 else refusal.message
    context = {
        "steps": STEPS,
        "title": "That place is gone" if is_full and status == 409 else "This time cannot be booked",
        "text": text,
        "is_near": isinstance(refusal, exceptions.TooSoonToBook),
        "session_words": f"{event.title}, {words.short_when(event.start_time, zone)}, {zone_name(zone)}",
        "nearest": timetable.nearest_html(event.start_time, zone, href=reverse("booking:event_list"), suffix="/"),
    }
    return render(request, "booking/not_this_one.html", context, status=status)


def _check_page(
    request: HttpRequest,
    event: CalendarEvent,
    form: BookingForm | None,
    *,
    refusal: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    """The facts, the two questions and the one button; where it cannot be paid for, what will help instead."""
    user, zone = person(request), zones.zone_of(request)
    plan = entitlements.for_user(user)
    rows = facts_rows(event, zone, change_url=reverse("booking:event_list"))
    may_book = user.email_verified and plan.can_book
    if may_book:
        rows.append(cost_row(plan))
    context = {
        "steps": STEPS,
        "rows": rows,
        "form": (form or BookingForm(initial=_initial(request, event))) if may_book else None,
        "refusal": refusal.message if refusal is not None else "",
        "why_not": "" if may_book else _why_not(user, plan),
        "is_unverified": not user.email_verified,
        "has_plan": plan.has_plan,
        "free_words": words.free_words(event, zone),
    }
    return render(request, "booking/event_detail.html", context, status=status)


def _why_not(user: User, plan: Entitlement) -> str:
    return NotVerified.message if not user.email_verified else plan.why_not


def _initial(request: HttpRequest, event: CalendarEvent) -> dict[str, Any]:
    """What we know already is not asked again: the number, and the words of somebody who lost a race."""
    user = person(request)
    kept = _kept_words(request)
    phone = kept.get("phone") or user.phone or _last_phone(user)
    return {
        "contact_phone": phone,
        "topic": kept.get("topic") or signed_cookies.recall(request, signed_cookies.TOPIC) or "",
        "seen_start": event.start_time.isoformat(),
        "kind": str(event.kind),
    }


def _typed(form: BookingForm) -> dict[str, Any]:
    return {name: form.cleaned_data[name] for name in ("contact_phone", "topic")}


def _last_phone(user: User) -> str:
    last = Booking.objects.of(user.pk).exclude(contact_phone="").order_by("-booked_at").first()
    return last.contact_phone if last is not None else ""


def _keep_words(request: HttpRequest, form: BookingForm) -> None:
    typed = _typed(form)
    if not typed["topic"] and typed["contact_phone"] == person(request).phone:
        return
    request.session[KEPT_WORDS] = {
        "topic": typed["topic"],
        "phone": typed["contact_phone"],
        "at": int(timezone.now().timestamp()),
    }


def _kept_words(request: HttpRequest) -> dict[str, Any]:
    kept = request.session.get(KEPT_WORDS)
    if not isinstance(kept, dict) or kept.get("at", 0) < timezone.now().timestamp() - KEPT_SECONDS:
        return {}
    return kept
