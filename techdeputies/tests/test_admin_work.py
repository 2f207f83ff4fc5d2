"""Settings, mail, plans and sessions as staff run them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from audit.models import AdminActionAudit
from billing.models import UserSubscription
from billing.tests.factories import make_plan, make_subscriber, make_subscription
from booking.models import Attendance, Booking, BookingStatus, CalendarEvent, EventStatus
from booking.tests.factories import make_booking, make_event
from emails.models import EmailJob, EmailStatus
from settings_app import services as site_settings
from settings_app.models import RateLimit
from techdeputies.tests.desk import make_mail

pytestmark = pytest.mark.django_db


class TestSettings:
    def test_a_change_works_at_once_and_is_written_down(self, desk: Client, staff: User) -> None:
        desk.post(reverse("admin:settings_app_setting_change", args=["business_phone"]), {"text": "(312) 555-0199"})

        assert "555-0199" in desk.get("/help/").content.decode()
        row = AdminActionAudit.objects.get(action="setting_changed")
        assert (row.admin, row.object_id) == (staff, "business_phone")

    def test_a_value_out_of_bounds_is_refused_beside_its_field(self, desk: Client) -> None:
        answer = desk.post(
            reverse("admin:settings_app_setting_change", args=["booking_notice_hours"]), {"text": "a few"}
        )

        assert "Please write a whole number." in answer.content.decode()
        assert site_settings.value("booking_notice_hours") == 2

    def test_empty_goes_back_to_the_default(self, desk: Client) -> None:
        address = reverse("admin:settings_app_setting_change", args=["booking_notice_hours"])
        desk.post(address, {"text": "9"})
        desk.post(address, {"text": ""})

        assert site_settings.value("booking_notice_hours") == 2

    def test_an_unknown_setting_has_no_page(self, desk: Client) -> None:
        answer = desk.get(reverse("admin:settings_app_setting_change", args=["no_such_setting"]))

        assert answer.status_code == 302

    def test_a_counter_is_cleared(self, desk: Client) -> None:
        row = RateLimit.objects.create(ip_address="203.0.113.7", endpoint="limit_login_per_address", attempts=99)

        desk.post(reverse("admin:settings_app_ratelimit_changelist"), {"action": "clear", "_selected_action": [row.pk]})

        assert not RateLimit.objects.exists()
        assert AdminActionAudit.objects.filter(action="settings_app.ratelimit.cleared").exists()


class TestMail:
    def test_a_failed_mail_is_tried_again_once(self, desk: Client) -> None:
        job = make_mail()
        form = {"action": "try_again", "_selected_action": [job.pk]}

        desk.post(reverse("admin:emails_emailjob_changelist"), form)
        desk.post(reverse("admin:emails_emailjob_changelist"), form)

        again = EmailJob.objects.exclude(pk=job.pk).get()
        assert (again.status, again.recipient_email, again.message_id) == ("queued", job.recipient_email, None)
        assert [row.success for row in AdminActionAudit.objects.order_by("id")] == [True, False]

    def test_a_mail_whose_link_is_gone_is_not(self, desk: Client) -> None:
        job = make_mail(content={"context": {}, "secrets": None})

        answer = desk.post(
            reverse("admin:emails_emailjob_changelist"),
            {"action": "try_again", "_selected_action": [job.pk]},
            follow=True,
        )

        assert "Please send a new link instead." in answer.content.decode()
        assert EmailJob.objects.count() == 1

    def test_the_queue_is_searched_by_address_and_filtered_by_state(self, desk: Client) -> None:
        make_mail(recipient_email="Harold@example.com", subject="One")
        make_mail(recipient_email="ruth@example.com", subject="Two", status=EmailStatus.SENT)

        found = desk.get(reverse("admin:emails_emailjob_changelist"), {"q": "harold@example.com"}).content.decode()
        failed = desk.get(reverse("admin:emails_emailjob_changelist"), {"status__exact": "sent"}).content.decode()

        assert ">One<" in found
        assert ">Two<" not in found
        assert ">Two<" in failed
        assert ">One<" not in failed


class TestPlans:
    def test_staff_give_and_end_a_plan(self, desk: Client, staff: User) -> None:
        person, plan = make_user(), make_plan()

        desk.post(
            reverse("admin:billing_usersubscription_grant"),
            {"email": person.email.upper(), "plan": plan.pk, "reason": "A gift"},
        )
        subscription = UserSubscription.objects.get()
        assert (subscription.user, subscription.granted_by, subscription.status) == (person, staff, "active")

        desk.post(reverse("admin:billing_usersubscription_end", args=[subscription.pk]), {"reason": "Moved away"})
        subscription.refresh_from_db()
        assert subscription.status == "cancelled"
        assert AdminActionAudit.objects.filter(success=True).count() == 2

    def test_a_second_plan_is_refused_in_words_and_written_down(self, desk: Client) -> None:
        person = make_user()
        make_subscription(user=person)

        answer = desk.post(
            reverse("admin:billing_usersubscription_grant"),
            {"email": person.email, "plan": make_plan().pk, "reason": "Again"},
        )

        assert answer.status_code == 200
        assert UserSubscription.objects.count() == 1
        row = AdminActionAudit.objects.get()
        assert (row.success, row.target_user_id) == (False, person.pk)


class TestSessions:
    def form(self, deputy: User, **changes: Any) -> dict[str, Any]:
        return {
            "title": "Phones and tablets",
            "description": "",
            "start_time_0": "2031-07-01",
            "start_time_1": "14:00",
            "end_time_0": "2031-07-01",
            "end_time_1": "15:00",
            "deputy": deputy.pk,
            "capacity": "2",
            "kind": "phone",
            "place": "",
            **changes,
        }

    def test_a_time_is_offered_in_the_businesss_zone(self, desk: Client, staff: User) -> None:
        answer = desk.post(reverse("admin:booking_calendarevent_add"), self.form(staff))

        assert answer.status_code == 302, answer.context["adminform"].errors
        event = CalendarEvent.objects.get()
        assert event.start_time.isoformat() == "2031-07-01T19:00:00+00:00"
        assert AdminActionAudit.objects.filter(object_id=event.pk, success=True).count() == 1

    def test_a_deputy_cannot_be_in_two_places(self, desk: Client, staff: User) -> None:
        desk.post(reverse("admin:booking_calendarevent_add"), self.form(staff))

        answer = desk.post(reverse("admin:booking_calendarevent_add"), self.form(staff, start_time_1="14:30"))

        assert answer.status_code == 200
        assert "already has a session at that time" in answer.content.decode()
        assert CalendarEvent.objects.count() == 1

    @pytest.mark.parametrize(("day", "time"), [("2031-03-09", "02:30"), ("2031-11-02", "01:30")])
    def test_an_hour_that_is_missing_or_comes_twice_is_refused(
        self, desk: Client, staff: User, day: str, time: str
    ) -> None:
        form = self.form(staff, start_time_0=day, start_time_1=time, end_time_0=day, end_time_1="05:00")

        assert desk.post(reverse("admin:booking_calendarevent_add"), form).status_code == 200
        assert not CalendarEvent.objects.exists()

    def test_places_that_are_taken_stay_and_say_whose_they_are(self, desk: Client) -> None:
        event = make_event(start_time=timezone.now().replace(microsecond=0) + timedelta(days=5))
        make_booking(event=event, user=make_user(name="Margaret Ellis"))
        make_booking(event=event, user=make_user(name="George Hill"))
        local = timezone.localtime(event.start_time, site_settings.business_zone())
        form = self.form(
            event.deputy,
            start_time_0=f"{local:%Y-%m-%d}",
            start_time_1=f"{local:%H:%M:%S}",
            end_time_0=f"{local + timedelta(hours=1):%Y-%m-%d}",
            end_time_1=f"{local + timedelta(hours=1):%H:%M:%S}",
            capacity="1",
            **{
                "bookings-TOTAL_FORMS": "0",
                "bookings-INITIAL_FORMS": "0",
            },
        )

        html = desk.post(reverse("admin:booking_calendarevent_change", args=[event.pk]), form).content.decode()

        assert "Margaret Ellis, George Hill" in html
        event.refresh_from_db()
        assert event.capacity == 2

    def test_a_session_is_cancelled_with_a_reason_and_never_deleted(self, desk: Client) -> None:
        booking = make_booking()
        event = booking.event

        assert (
            desk.post(reverse("admin:booking_calendarevent_delete", args=[event.pk]), {"post": "yes"}).status_code
            == 403
        )
        desk.post(reverse("admin:booking_calendarevent_cancel", args=[event.pk]), {"reason": ""})
        event.refresh_from_db()
        assert event.status == EventStatus.OPEN
        desk.post(reverse("admin:booking_calendarevent_cancel", args=[event.pk]), {"reason": "Rosa is ill."})

        event.refresh_from_db()
        assert (event.status, event.cancel_reason) == (EventStatus.CANCELLED, "Rosa is ill.")

    def test_staff_book_move_and_cancel_for_a_caller(self, desk: Client, staff: User) -> None:
        person = make_subscriber()
        first = make_event(start_time=timezone.now() + timedelta(days=5))
        second = make_event(start_time=timezone.now() + timedelta(days=6))

        desk.post(
            reverse("admin:booking_booking_book"),
            {"email": person.email, "event": first.pk, "topic": "Sound", "contact_phone": ""},
        )
        booking = Booking.objects.get()
        assert (booking.user, booking.event, booking.booked_by) == (person, first, staff)

        desk.post(reverse("admin:booking_booking_move", args=[booking.pk]), {"event": second.pk})
        moved = Booking.objects.confirmed().get()
        assert moved.event == second

        desk.post(reverse("admin:booking_booking_cancel", args=[moved.pk]), {})
        assert not Booking.objects.confirmed().exists()
        assert AdminActionAudit.objects.filter(success=True).count() == 3

    def test_a_refusal_is_said_and_written_down(self, desk: Client) -> None:
        event = make_event(start_time=timezone.now() + timedelta(days=5))
        person = make_user()

        answer = desk.post(reverse("admin:booking_booking_book"), {"email": person.email, "event": event.pk})

        assert answer.status_code == 200
        assert not Booking.objects.exists()
        assert AdminActionAudit.objects.get().success is False

    def test_attendance_is_marked_after_the_start_only(self, desk: Client) -> None:
        past = make_booking(event=make_event(start_time=timezone.now() - timedelta(hours=2)))
        coming = make_booking()

        desk.post(
            reverse("admin:booking_booking_changelist") + "?when=all",
            {"action": "mark_attended", "_selected_action": [past.pk, coming.pk]},
        )

        past.refresh_from_db()
        coming.refresh_from_db()
        assert (past.attendance, coming.attendance) == (Attendance.ATTENDED, None)
        assert past.status == BookingStatus.CONFIRMED

    def test_the_list_opens_on_what_is_coming(self, desk: Client) -> None:
        make_event(title="Yesterday's", start_time=timezone.now() - timedelta(days=1))
        make_event(title="Tomorrow's", start_time=timezone.now() + timedelta(days=1))

        html = desk.get(reverse("admin:booking_calendarevent_changelist")).content.decode()

        assert "Tomorrow&#x27;s" in html
        assert "Yesterday&#x27;s" not in html
