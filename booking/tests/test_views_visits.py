"""One's own sessions: list, page, cancelling, moving; other people's are not found."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from booking import services
from booking.models import Booking, BookingStatus
from booking.tests.factories import make_booking, make_event
from booking.tests.pages import in_hours, signed_in, week_of, without_token

pytestmark = pytest.mark.django_db


# --- One's own sessions -----------------------------------------------------------------------------------
def test_my_sessions_come_nearest_first_and_then_the_past() -> None:
    client, user = signed_in()
    for hours, title in [(100, "Second"), (50, "First"), (-50, "Third"), (-100, "Fourth")]:
        make_booking(user=user, event=make_event(start_time=in_hours(hours), title=title))
    cancelled = make_booking(user=user, event=make_event(start_time=in_hours(70), title="Called off"))
    services.cancel_booking(booking=cancelled)

    page = client.get(reverse("booking:booking_list")).text

    order = [page.index(title) for title in ("First", "Second", "Third", "Fourth")]
    assert order == sorted(order)
    assert page.index("Past and cancelled") < page.index("Called off")
    for tag in ("Coming up", "Done", "Cancelled"):
        assert tag in page


@pytest.mark.parametrize("count", [5, 40])
def test_my_sessions_are_ten_a_page_at_a_flat_cost(count: int, django_assert_num_queries: Any) -> None:
    client, user = signed_in()
    for number in range(count):
        make_booking(user=user, event=make_event(start_time=in_hours(-10 - 2 * number)))
    client.get(reverse("booking:booking_list"))

    with django_assert_num_queries(4):  # sign-in, person, count, page
        page = client.get(reverse("booking:booking_list"))

    assert page.text.count('class="rows__main"') == min(count, 10)
    for odd in ("0", "-1", "x", "9" * 30, "\x00"):
        assert client.get(reverse("booking:booking_list"), {"page": odd}).status_code == 200


def test_an_empty_list_offers_the_first_session() -> None:
    page = signed_in()[0].get(reverse("booking:booking_list")).text

    assert "Book your first session" in page


def test_the_page_of_a_session_tells_all_and_offers_all() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event(), topic="My <printer>", contact_phone="312 555 0187")

    page = client.get(reverse("booking:booking_detail", args=[booking.pk])).text

    assert "My &lt;printer&gt;" in page
    assert "Deputy Rosa will call you at 312 555 0187." in page
    for name in ("booking_calendar", "booking_move", "booking_cancel"):
        assert reverse(f"booking:{name}", args=[booking.pk]) in page


NAMES = (
    "booking_detail",
    "booking_calendar",
    "booking_done",
    "booking_move",
    "booking_moved",
    "booking_cancel",
    "booking_cancelled",
)


@pytest.mark.parametrize("name", NAMES)
def test_other_peoples_sessions_are_not_found(name: str) -> None:
    booking = make_booking(topic="A secret of mine")
    client, _ = signed_in()
    url = reverse(f"booking:{name}", args=[booking.pk])
    missing = reverse(f"booking:{name}", args=["nosuchbooking"])

    answer = client.get(url)

    assert answer.status_code == 404
    assert without_token(answer.text) == without_token(client.get(missing).text)
    assert client.post(url, {"to": make_event().pk}).status_code in (404, 405)
    booking.refresh_from_db()
    assert booking.is_confirmed


@pytest.mark.parametrize("name", NAMES)
def test_sessions_need_a_sign_in(client: Any, name: str) -> None:
    answer = client.get(reverse(f"booking:{name}", args=[make_booking().pk]))

    assert answer.status_code == 302
    assert answer.url.startswith(reverse("accounts:login"))


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("post", "event_list"),
        ("post", "booking_list"),
        ("delete", "zone"),
        ("put", "event_detail"),
        ("post", "booking_detail"),
        ("post", "booking_calendar"),
        ("delete", "booking_cancel"),
        ("patch", "booking_move"),
    ],
)
def test_the_wrong_method_is_refused(method: str, name: str) -> None:
    client, user = signed_in()
    booking = make_booking(user=user)
    args = [booking.event_id] if name == "event_detail" else [booking.pk] if name.startswith("booking_d") else []
    if name in ("booking_calendar", "booking_cancel", "booking_move"):
        args = [booking.pk]

    assert getattr(client, method)(reverse(f"booking:{name}", args=args)).status_code == 405
    booking.refresh_from_db()
    assert booking.is_confirmed


# --- Cancelling -----------------------------------------------------------------------------------------
def test_opening_the_cancel_link_changes_nothing_and_keeping_comes_first() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event())

    page = client.get(reverse("booking:booking_cancel", args=[booking.pk])).text

    booking.refresh_from_db()
    assert booking.is_confirmed
    assert page.index("Keep my session") < page.index("Yes, cancel it")
    assert "goes back to your plan" in page


def test_cancelling_leads_to_a_page_that_offers_another_time() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event())

    answer = client.post(reverse("booking:booking_cancel", args=[booking.pk]), follow=True)

    assert "Your session is cancelled." in answer.text
    assert "back in your plan" in answer.text
    assert "Book another time" in answer.text
    assert client.post(reverse("booking:booking_cancel", args=[booking.pk])).status_code == 302


def test_cancelling_late_says_first_that_it_counts() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event(start_time=in_hours(5)))

    before = client.get(reverse("booking:booking_cancel", args=[booking.pk])).text
    after = client.post(reverse("booking:booking_cancel", args=[booking.pk]), follow=True).text

    assert "This session will count as used" in before
    assert "(312) 555-0142" in before
    assert "counts as used" in after


def test_a_session_that_has_begun_cannot_be_cancelled_here() -> None:
    client, user = signed_in()
    booking = make_booking(user=user, event=make_event(start_time=in_hours(-0.2)))
    url = reverse("booking:booking_cancel", args=[booking.pk])

    assert "already begun" in client.get(url, follow=True).text
    assert "already begun" in client.post(url, follow=True).text
    booking.refresh_from_db()
    assert booking.is_confirmed


# --- Moving ---------------------------------------------------------------------------------------------
def test_moving_shows_the_picker_then_old_and_new_then_moves() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event(title="Old title"))
    target = make_event(start_time=in_hours(100), title="New title")
    url = reverse("booking:booking_move", args=[booking.pk])
    week = week_of(target).partition("?")[2]

    picker = client.get(f"{url}?{week}").text
    check = client.get(f"{url}?to={target.pk}").text
    answer = client.post(url, {"to": target.pk, "seen_start": target.start_time.isoformat()})

    assert "You are moving:" in picker
    assert f'href="?to={target.pk}"' in picker
    assert "Old title" in check
    assert "New title" in check
    live = Booking.objects.confirmed().get()
    assert live.event_id == target.pk
    assert answer.url == reverse("booking:booking_moved", args=[live.pk])
    assert "Your session is moved, Margaret." in client.get(answer.url).text


def test_the_old_address_of_a_moved_session_leads_to_the_new_one() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event())
    live = services.move_booking(booking=booking, event=make_event(start_time=in_hours(100)))

    for name in ("booking_detail", "booking_calendar", "booking_move", "booking_cancel"):
        answer = client.get(reverse(f"booking:{name}", args=[booking.pk]))
        assert answer.status_code == 302
        assert answer.url == reverse(f"booking:{name}", args=[live.pk])
    # A stale cancel page must not cancel the new time unseen.
    client.post(reverse("booking:booking_cancel", args=[booking.pk]))
    live.refresh_from_db()
    assert live.is_confirmed


def test_moving_to_a_place_just_taken_keeps_the_old_one() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event())
    target = make_event(start_time=in_hours(100), capacity=1)
    make_booking(event=target)

    page = client.post(reverse("booking:booking_move", args=[booking.pk]), {"to": target.pk})

    assert page.status_code == 409
    assert "You still have your old time" in page.text
    booking.refresh_from_db()
    assert booking.is_confirmed


def test_moving_late_names_the_phone() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event(start_time=in_hours(5)))
    url = reverse("booking:booking_move", args=[booking.pk])

    assert "It is too late to move this session here" in client.get(url).text
    page = client.post(url, {"to": make_event(start_time=in_hours(100)).pk})
    assert page.status_code == 409
    assert "(312) 555-0142" in page.text


@pytest.mark.parametrize("target", ["", "nosuch", "\x00", "x" * 500, "é"])
def test_moving_to_nothing_changes_nothing(target: str) -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event())
    url = reverse("booking:booking_move", args=[booking.pk])

    assert client.post(url, {"to": target}).status_code in (302, 404)
    assert client.get(url, {"to": target}).status_code == 404
    booking.refresh_from_db()
    assert booking.is_confirmed


def test_a_session_that_staff_cancelled_says_why_and_promises_no_call() -> None:
    client, user = signed_in()
    booking = make_booking(user=user, status=BookingStatus.CANCELLED, cancel_reason="Rosa has to see her dentist.")

    page = client.get(reverse("booking:booking_detail", args=[booking.pk]))

    assert "We had to cancel this session" in page.text
    assert "Rosa has to see her dentist." in page.text
    assert "will call you" not in page.text
