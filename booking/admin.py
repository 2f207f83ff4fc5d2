"""Times that staff offer and the places in them. Every act goes through the services the site uses."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from audit.actors import Actor
from audit.mixins import AuditedAdmin, ReadOnlyAdmin
from booking import services
from booking.admin_filters import BookingDeputyFilter, BookingWhenFilter, DeputyFilter, WhenFilter
from booking.admin_forms import BookForm, CancelEventForm, EventForm, MoveForm, OverrideForm
from booking.admin_words import cancel_note, cancelled_words, move_note, refusals_for_staff
from booking.models import Attendance, Booking, CalendarEvent, EventStatus
from settings_app.services import business_zone
from techdeputies.lib.admin_words import link_to, tag
from techdeputies.lib.times import clock, day_words


def when_words(row: CalendarEvent) -> str:
    zone = business_zone()
    return f"{day_words(row.start_time, zone)}, {clock(row.start_time, zone)} to {clock(row.end_time, zone)}"


class BookingInline(admin.TabularInline):
    model = Booking
    fk_name = "event"
    fields = ("person", "state", "contact_phone", "topic", "attendance", "page")
    readonly_fields = fields
    ordering = ("booked_at",)
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        rows: QuerySet[Booking] = super().get_queryset(request)
        return rows.select_related("user")

    @admin.display(description="Person")
    def person(self, row: Booking) -> SafeString | str:
        return link_to(row.user)

    @admin.display(description="State")
    def state(self, row: Booking) -> SafeString | str:
        return tag(row, "status")

    @admin.display(description="Move or cancel")
    def page(self, row: Booking) -> SafeString | str:
        return link_to(row, "Open")


@admin.register(CalendarEvent)
class CalendarEventAdmin(AuditedAdmin):
    form = EventForm
    audit_plain_fields = ("title",)
    list_display = ("when", "title", "deputy", "how", "places", "state")
    list_filter = (WhenFilter, DeputyFilter, "status", "kind")
    list_select_related = ("deputy",)
    ordering = ("start_time",)
    search_fields = ("title", "id__exact")
    search_help_text = "Words of the title."
    actions = None
    inlines = (BookingInline,)
    change_form_template = "admin/booking/calendarevent/change_form.html"
    fields = (
        "title",
        "description",
        "start_time",
        "end_time",
        "deputy",
        "capacity",
        "taken",
        "kind",
        "place",
        "state",
        "cancel_reason",
    )
    readonly_fields = ("taken", "state", "cancel_reason")

    @admin.display(description="When", ordering="start_time")
    def when(self, row: CalendarEvent) -> str:
        return when_words(row)

    @admin.display(description="How", ordering="kind")
    def how(self, row: CalendarEvent) -> str:
        return row.get_kind_display()

    @admin.display(description="Places", ordering="booked_count")
    def places(self, row: CalendarEvent) -> str:
        return f"{row.booked_count} of {row.capacity} taken"

    @admin.display(description="Places taken")
    def taken(self, row: CalendarEvent) -> int:
        return row.booked_count

    @admin.display(description="State", ordering="status")
    def state(self, row: CalendarEvent) -> SafeString | str:
        return tag(row, "status")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else [name for name in self.fields if name not in self.readonly_fields]

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.inlines if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"deputy": request.user.pk, "capacity": 2}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_open = obj is None or obj.status != EventStatus.CANCELLED
        return is_open and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A time nobody ever booked may go; any other is cancelled."""
        return obj is not None and super().has_delete_permission(request, obj) and not obj.bookings.exists()

    def save_model(self, request: HttpRequest, obj: CalendarEvent, form: Any, change: bool) -> None:
        actor = Actor.from_request(request)
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            if changes:
                services.change_event(event=CalendarEvent.objects.get(pk=obj.pk), actor=actor, **changes)
            return
        made = services.create_event(actor=actor, **{name: form.cleaned_data[name] for name in form.fields})
        obj.pk = made.pk
        obj._state.adding = False

    def log_addition(self, request: HttpRequest, object: Any, message: Any) -> Any:
        """Written by the service."""

    def log_change(self, request: HttpRequest, object: Any, message: Any) -> Any:
        """Written by the service."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.cancel_view)
        return [path("<str:pk>/cancel/", view, name="booking_calendarevent_cancel"), *super().get_urls()]

    def cancel_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Cancel a session for everyone who has a place in it."""
        event: CalendarEvent = self.found(request, pk)
        self.demand(request, request.user.has_perm("booking.change_calendarevent"), "cancelled", event)
        form = CancelEventForm(request.POST or None)
        actor = Actor.from_request(request)
        return self.act_page(
            request,
            form=form,
            act=lambda: services.cancel_event(event=event, actor=actor, reason=form.cleaned_data["reason"]),
            verb="cancelled",
            target=event,
            done="The session is cancelled. Everyone who had a place gets a mail.",
            back_url=reverse("admin:booking_calendarevent_change", args=[event.pk]),
            title="Cancel this session",
            button="Yes, cancel this session",
            warn=True,
            facts=[
                ("Session", event.title),
                ("When", when_words(event)),
                ("Deputy", str(event.deputy)),
                ("Places taken", str(event.booked_count)),
            ],
        )


@admin.register(Booking)
class BookingAdmin(ReadOnlyAdmin):
    list_display = ("when", "session", "person", "deputy", "state", "came", "contact_phone", "booked_by")
    list_filter = (BookingWhenFilter, BookingDeputyFilter, "status", "attendance")
    list_select_related = ("event__deputy", "user", "booked_by")
    ordering = ("event__start_time",)
    search_fields = ("user__email", "user__name", "id__exact")
    search_help_text = "A person's name or mail address."
    actions = ("mark_attended", "mark_no_show")
    change_list_template = "admin/booking/booking/change_list.html"
    change_form_template = "admin/booking/booking/change_form.html"
    fields = (
        "when",
        "session",
        "person",
        "deputy",
        "state",
        "came",
        "topic",
        "contact_phone",
        "booked_at",
        "booked_by",
        "cancelled_at",
        "cancel_reason",
        "visit_use",
        "moved_to",
    )
    readonly_fields = fields

    @admin.display(description="When", ordering="event__start_time")
    def when(self, row: Booking) -> str:
        return when_words(row.event)

    @admin.display(description="Session")
    def session(self, row: Booking) -> SafeString | str:
        return link_to(row.event, row.event.title)

    @admin.display(description="Person")
    def person(self, row: Booking) -> SafeString | str:
        return link_to(row.user)

    @admin.display(description="Deputy", ordering="event__deputy__name")
    def deputy(self, row: Booking) -> str:
        return str(row.event.deputy)

    @admin.display(description="State", ordering="status")
    def state(self, row: Booking) -> SafeString | str:
        return tag(row, "status")

    @admin.display(description="Came", ordering="attendance")
    def came(self, row: Booking) -> SafeString | str:
        return tag(row, "attendance")

    def has_mark_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("booking.change_booking")

    @admin.action(description="They came", permissions=["mark"])
    def mark_attended(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        self._mark(request, queryset, Attendance.ATTENDED)

    @admin.action(description="They did not come", permissions=["mark"])
    def mark_no_show(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        self._mark(request, queryset, Attendance.NO_SHOW)

    def _mark(self, request: HttpRequest, queryset: QuerySet[Booking], attendance: Attendance) -> None:
        actor = Actor.from_request(request)
        self.run_each(
            request,
            list(queryset.order_by("pk")),
            lambda row: services.mark_attendance(booking=row, attendance=attendance, actor=actor),
            verb=attendance.value,
            done="marked.",
        )

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        own = [
            path("book/", guard(self.book_view), name="booking_booking_book"),
            path("<str:pk>/move/", guard(self.move_view), name="booking_booking_move"),
            path("<str:pk>/cancel/", guard(self.cancel_view), name="booking_booking_cancel"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may_book = {"may_book": request.user.has_perm("booking.add_booking")}
        return super().changelist_view(request, {**may_book, **(extra_context or {})})

    def book_view(self, request: HttpRequest) -> HttpResponse:
        """Book a session for a caller."""
        self.demand(request, request.user.has_perm("booking.add_booking"), "booked")
        form = BookForm(request.POST or None, initial={"email": request.GET.get("email", "")})

        def act() -> None:
            with refusals_for_staff(form.person):
                services.book_event(
                    user=form.person,
                    event=form.chosen(),
                    actor=Actor.from_request(request),
                    topic=form.cleaned_data["topic"],
                    contact_phone=form.cleaned_data["contact_phone"] or form.person.phone,
                )

        return self.act_page(
            request,
            form=form,
            act=act,
            verb="booked",
            target=None,
            done="Booked. The confirmation is on its way to them.",
            back_url=reverse("admin:booking_booking_changelist"),
            title="Book a session for a caller",
            button="Book this session",
        )

    def move_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Move a booking to another time."""
        booking = self._may_change(request, pk, "moved")
        form = MoveForm(request.POST or None, but=booking.event_id)

        def act() -> None:
            with refusals_for_staff(booking.user):
                services.move_booking(
                    booking=booking,
                    event=form.chosen(),
                    actor=Actor.from_request(request),
                    override_reason=form.cleaned_data["override_reason"],
                )

        return self.act_page(
            request,
            form=form,
            act=act,
            verb="moved",
            target=booking,
            done="Moved. One mail with the new time is on its way to them.",
            note=move_note(booking),
            back_url=reverse("admin:booking_booking_change", args=[booking.pk]),
            title="Move to another time",
            button="Move this booking",
            facts=self._facts(booking),
        )

    def cancel_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Cancel a booking for a caller."""
        booking = self._may_change(request, pk, "cancelled")
        form = OverrideForm(request.POST if request.method == "POST" else None)

        def act() -> Booking:
            return services.cancel_booking(
                booking=booking,
                actor=Actor.from_request(request),
                override_reason=form.cleaned_data["override_reason"],
            )

        return self.act_page(
            request,
            form=form,
            act=act,
            verb="cancelled",
            target=booking,
            done=cancelled_words,
            note=cancel_note(booking),
            back_url=reverse("admin:booking_booking_change", args=[booking.pk]),
            title="Cancel this booking",
            button="Yes, cancel this booking",
            warn=True,
            facts=self._facts(booking),
        )

    def _may_change(self, request: HttpRequest, pk: str, verb: str) -> Booking:
        booking: Booking = self.found(request, pk)
        self.demand(request, request.user.has_perm("booking.change_booking"), verb, booking)
        return booking

    @staticmethod
    def _facts(booking: Booking) -> list[tuple[str, str]]:
        return [
            ("Person", str(booking.user)),
            ("Session", booking.event.title),
            ("When", when_words(booking.event)),
        ]
