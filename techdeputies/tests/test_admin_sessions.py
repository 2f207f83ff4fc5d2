"""How staff read and fill in the pages of sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_admin, make_user
from audit.actors import Actor
from billing.tests.factories import make_subscriber
from booking import services
from booking.models import Booking, CalendarEvent
from booking.tests.factories import make_booking, make_event

pytestmark = pytest.mark.django_db


def booked(staff: User, **ahead: float) -> Booking:
    """A place of Harold's, taken from his plan."""
    event = make_event(start_time=timezone.now() + timedelta(**ahead))
    return services.book_event(user=make_subscriber(name="Harold Baker"), event=event, actor=Actor(user=staff))


class TestNameOfATime:
    @pytest.mark.parametrize(
        ("zone", "words"),
        [
            ("America/Chicago", "Near one, Tuesday, July 1 at 2:30 PM, Central Time (Chicago)"),
            ("UTC", "Near one, Tuesday, July 1 at 7:30 PM, UTC time"),
        ],
    )
    def test_it_says_the_zone_it_is_told_in(self, zone: str, words: str) -> None:
        start = datetime(2031, 7, 1, 19, 30, tzinfo=UTC).astimezone(ZoneInfo("America/Chicago"))
        event = CalendarEvent(title="Near one", start_time=start)

        with timezone.override(ZoneInfo(zone)):
            assert str(event) == words

    def test_staff_read_the_businesss_zone(self, desk: Client) -> None:
        event = make_event(title="Near one", start_time=datetime(2031, 7, 1, 19, 30, tzinfo=UTC))

        html = desk.get(reverse("admin:booking_calendarevent_change", args=[event.pk])).content.decode()

        assert "Near one, Tuesday, July 1 at 2:30 PM, Central Time (Chicago)" in html


class TestCancelForACaller:
    def page(self, desk: Client, booking: Booking) -> str:
        return desk.get(reverse("admin:booking_booking_cancel", args=[booking.pk])).content.decode()

    def press(self, desk: Client, booking: Booking, reason: str = "") -> str:
        address = reverse("admin:booking_booking_cancel", args=[booking.pk])
        return desk.post(address, {"override_reason": reason}, follow=True).content.decode()

    def test_in_time_it_goes_back_without_a_reason(self, desk: Client, staff: User) -> None:
        booking = booked(staff, days=5)

        assert "The session does not begin within 24 hours. It goes back to the plan" in self.page(desk, booking)
        assert "Cancelled. The session is back in their plan." in self.press(desk, booking)

    @pytest.mark.parametrize(
        ("reason", "words"),
        [("", "Cancelled. The session counts as used."), ("Ill", "Cancelled. The session is back in their plan.")],
    )
    def test_late_the_reason_decides(self, desk: Client, staff: User, reason: str, words: str) -> None:
        booking = booked(staff, hours=5)

        page = self.page(desk, booking)
        assert "The session begins in less than 24 hours. Without a reason it counts as used." in page
        assert "With a reason it goes back to the plan." in page
        assert words in self.press(desk, booking, reason)

    def test_moving_late_asks_for_a_reason(self, desk: Client, staff: User) -> None:
        booking = booked(staff, hours=5)

        html = desk.get(reverse("admin:booking_booking_move", args=[booking.pk])).content.decode()

        assert "You can move it only with a reason." in html


class TestBookForACaller:
    def press(self, desk: Client, person: User, **fields: str) -> str:
        event = make_event(start_time=timezone.now() + timedelta(days=5))
        form = {"email": person.email, "event": event.pk, **fields}
        return desk.post(reverse("admin:booking_booking_book"), form).content.decode()

    def test_without_a_plan_staff_are_led_to_give_one(self, desk: Client) -> None:
        html = self.press(desk, make_user(name="Harold <b>Baker", email="harold@example.com"))

        address = reverse("admin:billing_usersubscription_grant")
        assert "Harold &lt;b&gt;Baker has no plan that runs now." in html
        assert f'<a href="{address}?email=harold%40example.com">Give them a plan first.</a>' in html
        assert "Please call us" not in html

    def test_an_address_not_confirmed_is_told_of_the_person(self, desk: Client) -> None:
        person = make_user(name="Edith Moore", email="edith@example.com", email_verified=False)

        html = self.press(desk, person)

        assert "Edith Moore has not confirmed the address edith@example.com." in html
        assert reverse("admin:accounts_user_change", args=[person.pk]) in html

    def test_a_clash_is_told_of_the_person(self, desk: Client, staff: User) -> None:
        booking = booked(staff, days=5)
        other = make_event(start_time=booking.event.start_time)

        html = desk.post(
            reverse("admin:booking_booking_book"), {"email": booking.user.email, "event": other.pk}
        ).content.decode()

        assert "Harold Baker already has another session at that time." in html

    @pytest.mark.parametrize(("typed", "kept"), [("", "(312) 555-0187"), ("(312) 555-0111", "(312) 555-0111")])
    def test_an_empty_phone_is_that_of_the_profile(self, desk: Client, typed: str, kept: str) -> None:
        self.press(desk, make_subscriber(phone="(312) 555-0187"), contact_phone=typed)

        assert Booking.objects.get().contact_phone == kept
        assert kept in desk.get(reverse("admin:booking_booking_changelist")).content.decode()


class TestWhoseBookings:
    def test_the_list_names_the_deputy_and_narrows_to_ones_own(self, desk: Client, staff: User) -> None:
        other = make_admin(name="Sam Okafor")
        make_booking(event=make_event(title="Hers", deputy=staff))
        make_booking(event=make_event(title="His", deputy=other))
        address = reverse("admin:booking_booking_changelist")

        both, mine, his, odd = (
            desk.get(address, {"deputy": value}).content.decode() for value in ("", "mine", str(other.pk), "\u00b2")
        )

        assert '<td class="field-deputy">Sam Okafor</td>' in both
        assert ("Hers<" in mine, "His<" in mine) == (True, False)
        assert ("Hers<" in his, "His<" in his) == (False, True)
        assert ("Hers<" in odd, "His<" in odd) == (True, True)

    def test_the_list_stays_within_twelve_statements(self, desk: Client, django_assert_max_num_queries: Any) -> None:
        for _ in range(5):
            make_booking()

        with django_assert_max_num_queries(12):
            desk.get(reverse("admin:booking_booking_changelist"), {"deputy": "mine"})
        with django_assert_max_num_queries(12):
            desk.get(reverse("admin:booking_booking_changelist"))


class TestFormOfATime:
    def press(self, desk: Client, holder: User, **changes: str) -> Any:
        form = {
            "title": "Phones and tablets",
            "description": "",
            "start_time_0": "11/30/2031",
            "start_time_1": "3:30 PM",
            "end_time_0": "2031-11-30",
            "end_time_1": "16:30",
            "deputy": holder.pk,
            "capacity": "2",
            "kind": "phone",
            "place": "",
            **changes,
        }
        return desk.post(reverse("admin:booking_calendarevent_add"), form)

    @pytest.mark.parametrize(
        ("day", "typed", "utc"),
        [
            ("11/30/2031", "3:30 PM", "21:30"),
            ("2031-11-30", "3:30pm", "21:30"),
            ("11/30/2031", "2 pm", "20:00"),
            ("11/30/31", "2PM", "20:00"),
            ("2031-11-30", "15:30", "21:30"),
            ("2031-11-30", "15:30:00", "21:30"),
        ],
    )
    def test_days_and_times_are_taken_as_people_write_them(
        self, desk: Client, staff: User, day: str, typed: str, utc: str
    ) -> None:
        self.press(desk, staff, start_time_0=day, start_time_1=typed)

        event = CalendarEvent.objects.get()
        assert f"{event.start_time.astimezone(UTC):%Y-%m-%d %H:%M}" == f"2031-11-30 {utc}"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"start_time_1": "half past"}, "Write the time with AM or PM, such as 3:30 PM."),
            ({"start_time_0": "30.11."}, "Write the day as month/day/year, such as 11/30/2026."),
            ({"start_time_0": ""}, "Write the day and the time it begins, such as 11/30/2026 and 3:30 PM."),
            ({"title": ""}, "Write a title; people will read it."),
            ({"capacity": ""}, "Write how many places there are, such as 2."),
            ({"deputy": ""}, "Choose who holds the session."),
        ],
    )
    def test_a_mistake_says_what_to_write(self, desk: Client, staff: User, changes: dict[str, str], words: str) -> None:
        assert words in self.press(desk, staff, **changes).content.decode()

    def test_the_labels_are_words(self, desk: Client) -> None:
        html = desk.get(reverse("admin:booking_calendarevent_add")).content.decode()

        assert "Places:</label>" in html
        assert "How it happens:</label>" in html


class TestEmptyForms:
    def test_each_says_what_to_write(self, desk: Client) -> None:
        cancel = desk.post(reverse("admin:booking_calendarevent_cancel", args=[make_event().pk]), {"reason": ""})
        book = desk.post(reverse("admin:booking_booking_book"), {"email": "", "event": ""})
        grant = desk.post(reverse("admin:billing_usersubscription_grant"), {"email": "harold", "reason": ""})

        assert "Write the reason; people will read it." in cancel.content.decode()
        assert "Write the mail address of the person." in book.content.decode()
        assert "Choose a time." in book.content.decode()
        for words in (
            "That is not a whole mail address. Write it like harold@example.com.",
            "Choose a plan.",
            "Write the reason, for the staff&#x27;s own record.",
        ):
            assert words in grant.content.decode()
