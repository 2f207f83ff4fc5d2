"""One's own sessions: list, page, move, cancel, calendar file. Other people's are not found."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from booking import calendar_files, exceptions, services, words, zones
from booking.forms import MoveForm
from booking.models import Attendance, Booking, CalendarEvent, EventStatus
from booking.own import OwnSession, OwnSessions
from booking.services.places import check_bookable
from booking.views.shared import STEPS, counted, facts_rows, person, picker, remember_view, wants_part
from techdeputies.lib import times
from techdeputies.lib.exceptions import DomainError

PAGE_SIZE = 10
MOVE_STEPS = ("Pick a time", "Check it", "Moved")
MOST_MOVES = 50
COMING_UP = "Coming up"


# --- Finding --------------------------------------------------------------------------------------------
def _find(request: HttpRequest, booking_id: str) -> Booking:
    """The person's own booking, with its event and deputy; the one it was moved to, where it was."""
    mine = Booking.objects.of(person(request).pk).select_related("event__deputy")
    booking = mine.filter(pk=booking_id).first()
    for _ in range(MOST_MOVES):
        if booking is None or booking.is_confirmed or booking.moved_to_id is None:
            break
        booking = mine.filter(pk=booking.moved_to_id).first()
    if booking is None:
        raise Http404
    return booking


def _at_its_address(booking: Booking, booking_id: str, name: str) -> HttpResponse | None:
    """A redirect when the booking now lives elsewhere: the old address of a moved one leads on."""
    return None if booking.pk == booking_id else redirect(f"booking:{name}", booking.pk)


# --- The list -------------------------------------------------------------------------------------------
@require_safe
def booking_list(request: HttpRequest) -> HttpResponse:
    """Coming up, the nearest first; then what is over or cancelled, the latest first. Ten a page."""
    zone = zones.zone_of(request)
    page = Paginator(OwnSessions(person(request).pk), PAGE_SIZE).get_page(request.GET.get("page"))
    coming: list[dict[str, str]] = []
    past: list[dict[str, str]] = []
    for session in page:
        row = _row(session, zone)
        (coming if row["tag"] == COMING_UP else past).append(row)
    return render(
        request,
        "booking/booking_list.html",
        {"page": page, "coming": coming, "past": past, "zone_words": times.zone_name(zone)},
    )


def _row(session: OwnSession, zone: ZoneInfo) -> dict[str, str]:
    tag, kind = _state(session.is_confirmed, session.event_status, session.end_time, session.attendance)
    return {
        "id": session.id,
        "when": f"{times.long_date(session.start_time, zone)}, {times.clock(session.start_time, zone)}",
        "what": f"{session.title}, with {words.mid_sentence(words.deputy_name(session.deputy_name))}",
        "tag": tag,
        "kind": kind,
    }


def _state(is_confirmed: bool, event_status: str, end_time: datetime, attendance: str | None) -> tuple[str, str]:
    """Tag and its colour."""
    if not is_confirmed or event_status == EventStatus.CANCELLED:
        return "Cancelled", ""
    if end_time > timezone.now():
        return COMING_UP, "info"
    return ("Missed", "warn") if attendance == Attendance.NO_SHOW else ("Done", "good")


# --- The page of one session ------------------------------------------------------------------------------
@require_safe
def booking_detail(request: HttpRequest, booking_id: str) -> HttpResponse:
    booking = _find(request, booking_id)
    if moved := _at_its_address(booking, booking_id, "booking_detail"):
        return moved
    zone = zones.zone_of(request)
    event = booking.event
    tag, kind = _state(booking.is_confirmed, event.status, event.end_time, booking.attendance)
    rows = facts_rows(event, zone, phone=_phone(request, booking))
    if tag == "Cancelled":
        rows = [row for row in rows if row["key"] != "How"]
    if booking.topic:
        rows.append({"key": "What it is about", "value": booking.topic})
    context = {
        "booking": booking,
        "rows": rows,
        "tag": tag,
        "tag_kind": kind,
        "when": words.short_when(event.start_time, zone),
        "is_coming": tag == COMING_UP,
        "may_move": tag == COMING_UP and words.is_in_time(event),
        "may_cancel": tag == COMING_UP and not event.has_started,
        "is_cancelled": tag == "Cancelled",
        "cancel_reason": booking.cancel_reason or (event.cancel_reason if tag == "Cancelled" else ""),
        "free_words": words.free_words(event, zone),
    }
    return render(request, "booking/booking_detail.html", context)


@require_safe
def booking_done(request: HttpRequest, booking_id: str) -> HttpResponse:
    """Step 3, after booking."""
    return _done(request, booking_id, "booking_done", steps=STEPS, verb="booked")


@require_safe
def booking_moved(request: HttpRequest, booking_id: str) -> HttpResponse:
    """The same after moving."""
    return _done(request, booking_id, "booking_moved", steps=MOVE_STEPS, verb="moved")


def _done(request: HttpRequest, booking_id: str, name: str, *, steps: tuple[str, ...], verb: str) -> HttpResponse:
    booking = _find(request, booking_id)
    if not booking.is_confirmed:
        return redirect("booking:booking_detail", booking.pk)
    if elsewhere := _at_its_address(booking, booking_id, name):
        return elsewhere
    user, zone = person(request), zones.zone_of(request)
    event = booking.event
    facts = words.facts(event, zone, phone=_phone(request, booking))
    name_words = f", {user.first_name_words}" if user.name else ""
    context = {
        "booking": booking,
        "steps": steps,
        "title": f"You are booked{name_words}." if verb == "booked" else f"Your session is moved{name_words}.",
        "when": facts.when,
        "text": f"{facts.zone}. {facts.elsewhere} {facts.how}".replace("  ", " "),
        "how": facts.how,
        "clock": times.clock(event.start_time, zone),
        "is_call": event.kind != "in_person",
        "free_words": words.free_words(event, zone),
        "may_move": words.is_in_time(event),
        "will_remind": words.will_remind(event),
    }
    return render(request, "booking/booking_done.html", context)


@require_safe
def booking_calendar(request: HttpRequest, booking_id: str) -> HttpResponse:
    """The calendar file; of a cancelled session the one that takes it out again."""
    booking = _find(request, booking_id)
    if moved := _at_its_address(booking, booking_id, "booking_calendar"):
        return moved
    event = booking.event
    is_off = not booking.is_confirmed or event.status == EventStatus.CANCELLED
    content = calendar_files.calendar_file(
        booking,
        event,
        user=person(request),
        url=calendar_files.session_url(booking),
        method="CANCEL" if is_off else "PUBLISH",
    )
    response = HttpResponse(content, content_type="text/calendar; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{calendar_files.FILE_NAME}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


# --- Cancelling -----------------------------------------------------------------------------------------
@require_http_methods(["GET", "HEAD", "POST"])
@counted
@never_cache
def booking_cancel(request: HttpRequest, booking_id: str) -> HttpResponse:
    """GET shows what it means, POST does it. Opening the link changes nothing."""
    booking = _find(request, booking_id)
    if not booking.is_confirmed:
        return redirect("booking:booking_cancelled", booking.pk)
    if request.method == "POST":
        if booking.pk != booking_id:
            # The page was about a time that has since been moved: show the one that counts now.
            return redirect("booking:booking_cancel", booking.pk)
        try:
            services.cancel_booking(booking=booking)
        except DomainError as refusal:
            messages.error(request, refusal.message)
            return redirect("booking:booking_detail", booking.pk)
        return redirect("booking:booking_cancelled", booking.pk)
    if moved := _at_its_address(booking, booking_id, "booking_cancel"):
        return moved
    zone = zones.zone_of(request)
    event = booking.event
    if event.has_started:
        messages.error(request, exceptions.VisitHasBegun.message)
        return redirect("booking:booking_detail", booking.pk)
    context = {
        "booking": booking,
        "rows": facts_rows(event, zone, phone=_phone(request, booking)),
        "in_time": words.is_in_time(event),
        "has_visit": booking.visit_use_id is not None,
        "cutoff_words": words.cutoff_words(),
        "until": words.short_when(words.free_until(event), zone),
    }
    return render(request, "booking/booking_cancel.html", context)


@require_safe
def booking_cancelled(request: HttpRequest, booking_id: str) -> HttpResponse:
    """What became of it."""
    booking = _find(request, booking_id)
    if booking.is_confirmed:
        return redirect("booking:booking_detail", booking.pk)
    booking = Booking.objects.select_related("event__deputy", "visit_use").get(pk=booking.pk)
    use = booking.visit_use
    context = {
        "booking": booking,
        "when": words.short_when(booking.event.start_time, zones.zone_of(request)),
        "cost_words": words.cost_words(had_visit=use is not None, returned=use is None or use.returned_at is not None),
    }
    return render(request, "booking/booking_cancelled.html", context)


# --- Moving ---------------------------------------------------------------------------------------------
@require_http_methods(["GET", "HEAD", "POST"])
@counted
@never_cache
def booking_move(request: HttpRequest, booking_id: str) -> HttpResponse:
    """The same picker; with ``?to=`` the check page, old and new side by side. POST moves."""
    booking = _find(request, booking_id)
    if request.method == "POST":
        return _move(request, booking)
    if moved := _at_its_address(booking, booking_id, "booking_move"):
        return moved
    try:
        services.check_may_move(booking)
    except DomainError as refusal:
        return _cannot_move(request, booking, refusal)
    if "to" in request.GET:
        return _check_move(request, booking, request.GET["to"])
    context = picker(request, href="?to=")
    if wants_part(request):
        return remember_view(request, render(request, "booking/partials/week_part.html", context))
    zone = zones.zone_of(request)
    context |= {
        "booking": booking,
        "steps": MOVE_STEPS,
        "old_words": words.short_when(booking.event.start_time, zone),
    }
    return remember_view(request, render(request, "booking/booking_move.html", context))


def _target(event_id: str) -> CalendarEvent:
    known = CalendarEvent.objects.exclude(status=EventStatus.DRAFT).select_related("deputy")
    event = known.filter(pk=event_id).first() if event_id.isascii() and event_id.isprintable() else None
    if event is None:
        raise Http404
    return event


def _check_move(
    request: HttpRequest, booking: Booking, event_id: str, *, refusal: DomainError | None = None, status: int = 200
) -> HttpResponse:
    zone, target = zones.zone_of(request), _target(event_id)
    if target.pk == booking.event_id:
        return redirect("booking:booking_detail", booking.pk)
    if refusal is None:
        try:
            check_bookable(target, by_staff=False)
        except exceptions.EventFull:
            refusal = exceptions.EventFull("All places in that session are taken. Please pick another time.")
        except DomainError as found:
            refusal = found
    context: dict[str, Any] = {
        "booking": booking,
        "steps": MOVE_STEPS,
        "refusal": refusal.message if refusal is not None else "",
        "may_press": refusal is None or isinstance(refusal, exceptions.EventHasChanged),
        "old_rows": facts_rows(booking.event, zone, phone=_phone(request, booking)),
        "new_rows": facts_rows(target, zone, phone=_phone(request, booking)),
        "target": target,
        "seen_start": target.start_time.isoformat(),
        "free_words": words.free_words(target, zone),
    }
    return render(request, "booking/booking_move_check.html", context, status=status)


def _move(request: HttpRequest, booking: Booking) -> HttpResponse:
    form = MoveForm(request.POST)
    if not form.is_valid():
        return redirect("booking:booking_move", booking.pk)
    target = _target(form.cleaned_data["to"])
    try:
        live = services.move_booking(booking=booking, event=target, seen_start=form.cleaned_data["seen_start"])
    except (exceptions.NotBooked, exceptions.TooLateToMove, exceptions.VisitHasBegun) as refusal:
        return _cannot_move(request, booking, refusal, status=409)
    except exceptions.EventFull:
        kind = exceptions.EventFull(
            "Someone else has just taken that place. You still have your old time. Please pick another one."
        )
        return _check_move(request, booking, target.pk, refusal=kind, status=409)
    except DomainError as refusal:
        return _check_move(request, booking, target.pk, refusal=refusal, status=409)
    return redirect("booking:booking_moved", live.pk)


def _cannot_move(request: HttpRequest, booking: Booking, refusal: DomainError, *, status: int = 200) -> HttpResponse:
    context = {
        "booking": booking,
        "text": refusal.message,
        "old_words": words.short_when(booking.event.start_time, zones.zone_of(request)),
        "cutoff_words": words.cutoff_words() if isinstance(refusal, exceptions.TooLateToMove) else "",
        "is_cancelled": not booking.is_confirmed,
        "times_url": reverse("booking:event_list"),
    }
    return render(request, "booking/booking_cannot_move.html", context, status=status)


def _phone(request: HttpRequest, booking: Booking) -> str:
    return booking.contact_phone or person(request).phone
