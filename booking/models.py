"""Times that staff offer, and the places people have in them."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Cast, Now
from django.utils import timezone

from techdeputies.lib.ids import ID_MAX_LENGTH, new_id
from techdeputies.lib.models import TimestampedModel, one_of
from techdeputies.lib.times import when_words

UTC_ZONE = ZoneInfo("UTC")


class EventKind(models.TextChoices):
    PHONE = "phone", "By phone"
    REMOTE = "remote", "On your screen, from afar"
    IN_PERSON = "in_person", "In person"


class EventStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    OPEN = "open", "Open"
    CANCELLED = "cancelled", "Cancelled"


class BookingStatus(models.TextChoices):
    CONFIRMED = "confirmed", "Booked"
    CANCELLED = "cancelled", "Cancelled"


class Attendance(models.TextChoices):
    ATTENDED = "attended", "Attended"
    NO_SHOW = "no_show", "Did not come"


class TsTzRange(models.Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class CalendarEventQuerySet(models.QuerySet["CalendarEvent"]):
    def open(self) -> Self:
        return self.filter(status=EventStatus.OPEN)

    def between(self, start: datetime, end: datetime) -> Self:
        return self.filter(start_time__gte=start, start_time__lt=end)

    def with_places(self) -> Self:
        return self.filter(booked_count__lt=models.F("capacity"))

    def locked(self, event_id: str) -> CalendarEvent:
        """The row, locked until the transaction ends. Count places in a later statement.

        FOR NO KEY UPDATE: a plain FOR UPDATE can deadlock with the KEY SHARE lock that a foreign key takes
        when another transaction inserts a booking.
        """
        return self.select_for_update(no_key=True).get(pk=event_id)


class CalendarEvent(TimestampedModel):
    """A time slot one deputy offers. ``booked_count`` is recounted from its bookings under its lock."""

    id = models.CharField(max_length=ID_MAX_LENGTH, primary_key=True, default=new_id, editable=False)
    title = models.CharField(max_length=255)
    description = models.TextField(null=True, blank=True)
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()
    capacity = models.IntegerField(default=2, db_default=2)
    booked_count = models.IntegerField(default=0, db_default=0, editable=False)
    deputy = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, related_name="events", db_column="admin_id")
    kind = models.CharField(max_length=20, choices=EventKind, default=EventKind.PHONE, db_default=EventKind.PHONE)
    place = models.CharField(max_length=255, blank=True, default="", db_default="")
    status = models.CharField(max_length=20, choices=EventStatus, default=EventStatus.OPEN, db_default=EventStatus.OPEN)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.TextField(blank=True, default="", db_default="")
    overlap_exempt = models.BooleanField(
        default=False, db_default=False, help_text="Imported from the old site with an overlap."
    )

    objects = CalendarEventQuerySet.as_manager()

    class Meta:
        db_table = "calendar_events"
        verbose_name = "session time"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(booked_count__gte=0, booked_count__lte=models.F("capacity")),
                name="event_never_oversold",
            ),
            models.CheckConstraint(
                condition=models.Q(end_time__gt=models.F("start_time")), name="event_ends_after_start"
            ),
            one_of("kind", EventKind, name="event_kind_known"),
            one_of("status", EventStatus, name="event_status_known"),
            ExclusionConstraint(
                name="event_no_overlap_for_one_deputy",
                expressions=[
                    ("deputy", RangeOperators.EQUAL),
                    (TsTzRange("start_time", "end_time", RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                condition=models.Q(status=EventStatus.OPEN, overlap_exempt=False),
                violation_error_message="This deputy already has a session at that time.",
            ),
        ]
        indexes = [
            models.Index(fields=["start_time"], name="event_start"),
            models.Index(
                fields=["cancelled_at"],
                condition=models.Q(status=EventStatus.CANCELLED, booked_count__gt=0),
                name="event_cancelled_unfinished",
            ),
        ]

    def __str__(self) -> str:
        """With the zone it is told in: the one of the page, which is the business's for staff, else UTC."""
        zone = timezone.get_current_timezone()
        return f"{self.title}, {when_words(self.start_time, zone if isinstance(zone, ZoneInfo) else UTC_ZONE)}"

    @property
    def has_started(self) -> bool:
        return self.start_time <= timezone.now()

    @property
    def places_left(self) -> int:
        return max(0, self.capacity - self.booked_count)


class BookingQuerySet(models.QuerySet["Booking"]):
    def confirmed(self) -> Self:
        return self.filter(status=BookingStatus.CONFIRMED)

    def of(self, user_id: int) -> Self:
        return self.filter(user_id=user_id)

    def upcoming(self) -> Self:
        return self.confirmed().filter(event__end_time__gt=Now())


class Booking(TimestampedModel):
    """One person's place in an event. Booking again after cancelling revives the row.

    ``revision`` rises with each confirmation, cancellation and change of hands, so that every one of them
    has its own mail and its own line in the allowance (``occasion``).
    """

    id = models.CharField(max_length=ID_MAX_LENGTH, primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, related_name="bookings")
    event = models.ForeignKey(CalendarEvent, models.CASCADE, related_name="bookings")
    booked_at = models.DateTimeField(default=timezone.now, db_default=Now())
    cancelled_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(
        max_length=20,
        choices=BookingStatus,
        default=BookingStatus.CONFIRMED,
        db_default=BookingStatus.CONFIRMED,
    )
    revision = models.PositiveIntegerField(default=1, db_default=1)
    visit_use = models.ForeignKey("billing.VisitUse", models.RESTRICT, null=True, blank=True, related_name="bookings")
    topic = models.TextField(blank=True, default="", db_default="", help_text="What it is about.")
    contact_phone = models.CharField(max_length=40, blank=True, default="", db_default="")
    calendar_uid = models.CharField(
        max_length=100,
        unique=True,
        default=new_id,
        db_default=Cast(RandomUUID(), models.CharField(max_length=100)),
        editable=False,
    )
    calendar_sequence = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    moved_to = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="moved_from", editable=False
    )
    booked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="bookings_made",
        help_text="The member of staff who booked for a caller.",
    )
    cancel_reason = models.TextField(blank=True, default="", db_default="")
    attendance = models.CharField(max_length=20, choices=Attendance, null=True, blank=True)
    reminded_revision = models.PositiveIntegerField(
        null=True, blank=True, editable=False, help_text="The revision a reminder was decided for."
    )

    objects = BookingQuerySet.as_manager()

    class Meta:
        db_table = "bookings"
        constraints = [
            models.UniqueConstraint(
                fields=["event", "user"],
                name="booking_once_per_person",
                violation_error_message="This person already has a place in that session.",
            ),
            one_of("status", BookingStatus, name="booking_status_known"),
            models.CheckConstraint(
                condition=models.Q(attendance__isnull=True) | models.Q(attendance__in=Attendance.values),
                name="booking_attendance_known",
            ),
        ]
        indexes = [models.Index(fields=["status"], name="booking_status")]

    def __str__(self) -> str:
        return f"Booking {self.pk}"

    @property
    def occasion(self) -> str:
        """The cause key of this confirmation or cancellation: row and revision."""
        return f"booking:{self.pk}:{self.revision}"

    @property
    def is_confirmed(self) -> bool:
        return self.status == BookingStatus.CONFIRMED
