"""Functions that change events and bookings, each in its own transactions."""

from booking.services.bookings import book_event, cancel_booking, check_may_move, mark_attendance, move_booking
from booking.services.events import cancel_event, change_event, create_event, finish_cancelled_events
from booking.services.farewells import (
    PLAN_NOT_PAID,
    cancel_visits_of_member,
    cancel_visits_of_person,
    cancel_visits_of_plan,
)
from booking.services.reminders import send_due_reminders

__all__ = [
    "PLAN_NOT_PAID",
    "book_event",
    "cancel_booking",
    "cancel_event",
    "cancel_visits_of_member",
    "cancel_visits_of_person",
    "cancel_visits_of_plan",
    "change_event",
    "check_may_move",
    "create_event",
    "finish_cancelled_events",
    "mark_attendance",
    "move_booking",
    "send_due_reminders",
]
