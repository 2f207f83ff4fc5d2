"""One change by staff leaves one row in the audit: the service's or the page's, never both."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_user
from audit.models import AdminActionAudit
from billing.models import UserSubscription
from billing.tests.factories import make_plan, make_subscriber
from booking.models import Booking, CalendarEvent
from booking.tests.factories import make_event
from settings_app.services import business_zone
from techdeputies.tests.desk import make_mail

pytestmark = pytest.mark.django_db


def actions() -> list[str]:
    return list(AdminActionAudit.objects.order_by("id").values_list("action", flat=True))


def event_form(event: CalendarEvent, **changes: str) -> dict[str, str]:
    zone = business_zone()
    start, end = event.start_time.astimezone(zone), event.end_time.astimezone(zone)
    return {
        "title": event.title,
        "description": "",
        "start_time_0": f"{start:%Y-%m-%d}",
        "start_time_1": f"{start:%H:%M}",
        "end_time_0": f"{end:%Y-%m-%d}",
        "end_time_1": f"{end:%H:%M}",
        "deputy": str(event.deputy_id),
        "capacity": str(event.capacity),
        "kind": event.kind,
        "place": event.place,
        "bookings-TOTAL_FORMS": "0",
        "bookings-INITIAL_FORMS": "0",
        **changes,
    }


def test_a_setting_changed_and_reset(desk: Client) -> None:
    address = reverse("admin:settings_app_setting_change", args=["booking_notice_hours"])

    desk.post(address, {"text": "9"})
    assert actions() == ["setting_changed"]
    desk.post(address, {"text": "9"})
    assert actions() == ["setting_changed"]
    desk.post(address, {"text": ""})
    assert actions() == ["setting_changed"] * 2


def test_a_setting_refused(desk: Client) -> None:
    desk.post(reverse("admin:settings_app_setting_change", args=["booking_notice_hours"]), {"text": "a few"})

    assert actions() == ["settings_app.setting.changed"]
    assert AdminActionAudit.objects.get().success is False


def test_a_time_offered_changed_and_cancelled(desk: Client) -> None:
    start = (timezone.now() + timedelta(days=5)).replace(second=0, microsecond=0)
    model = make_event(start_time=start, end_time=start + timedelta(hours=1))
    later = event_form(model, start_time_0="2031-11-30", end_time_0="2031-11-30")

    desk.post(reverse("admin:booking_calendarevent_add"), later)
    assert actions() == ["event_created"]
    address = reverse("admin:booking_calendarevent_change", args=[model.pk])
    desk.post(address, event_form(model, title="Sound and pictures"))
    assert actions() == ["event_created", "event_changed"]
    model.refresh_from_db()
    desk.post(address, event_form(model))
    assert actions() == ["event_created", "event_changed"]
    desk.post(reverse("admin:booking_calendarevent_cancel", args=[model.pk]), {"reason": "Ill"})
    assert actions() == ["event_created", "event_changed", "event_cancelled"]


def test_a_place_booked_moved_and_cancelled(desk: Client) -> None:
    first, second = (make_event(start_time=timezone.now() + timedelta(days=days)) for days in (5, 6))

    desk.post(reverse("admin:booking_booking_book"), {"email": make_subscriber().email, "event": first.pk})
    booking = Booking.objects.get()
    desk.post(reverse("admin:booking_booking_move", args=[booking.pk]), {"event": second.pk})
    booking = Booking.objects.confirmed().get()
    desk.post(reverse("admin:booking_booking_cancel", args=[booking.pk]), {})

    assert actions() == ["booking_made", "booking_moved", "booking_cancelled"]


def test_a_plan_given_and_ended_and_a_mail_tried_again(desk: Client) -> None:
    form = {"email": make_user().email, "plan": make_plan().pk, "reason": "A gift"}
    desk.post(reverse("admin:billing_usersubscription_grant"), form)
    subscription = UserSubscription.objects.get()
    desk.post(reverse("admin:billing_usersubscription_end", args=[subscription.pk]), {"reason": "Moved away"})
    job = make_mail()
    desk.post(reverse("admin:emails_emailjob_changelist"), {"action": "try_again", "_selected_action": [job.pk]})

    assert actions() == ["plan_granted", "plan_ended", "mail_tried_again"]
