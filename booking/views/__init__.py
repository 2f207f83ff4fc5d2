"""The pages of booking: the times, taking one, and one's own sessions."""

from booking.views.book import event_detail
from booking.views.times import event_list, zone
from booking.views.visits import (
    booking_calendar,
    booking_cancel,
    booking_cancelled,
    booking_detail,
    booking_done,
    booking_list,
    booking_move,
    booking_moved,
)

__all__ = [
    "booking_calendar",
    "booking_cancel",
    "booking_cancelled",
    "booking_detail",
    "booking_done",
    "booking_list",
    "booking_move",
    "booking_moved",
    "event_detail",
    "event_list",
    "zone",
]
