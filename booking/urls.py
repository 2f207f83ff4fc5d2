"""Addresses under /booking/."""

from __future__ import annotations

from django.urls import path, register_converter

from booking import views

app_name = "booking"


class RowIdConverter:
    """An id as we make them, or as the old site made them. Anything else is no address of ours."""

    regex = "[A-Za-z0-9_-]{1,36}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(RowIdConverter, "row_id")

urlpatterns = [
    path("", views.event_list, name="event_list"),
    path("zone/", views.zone, name="zone"),
    path("visits/", views.booking_list, name="booking_list"),
    path("visits/<row_id:booking_id>/", views.booking_detail, name="booking_detail"),
    path("visits/<row_id:booking_id>.ics", views.booking_calendar, name="booking_calendar"),
    path("visits/<row_id:booking_id>/booked/", views.booking_done, name="booking_done"),
    path("visits/<row_id:booking_id>/move/", views.booking_move, name="booking_move"),
    path("visits/<row_id:booking_id>/moved/", views.booking_moved, name="booking_moved"),
    path("visits/<row_id:booking_id>/cancel/", views.booking_cancel, name="booking_cancel"),
    path("visits/<row_id:booking_id>/cancelled/", views.booking_cancelled, name="booking_cancelled"),
    path("<row_id:event_id>/", views.event_detail, name="event_detail"),
]
