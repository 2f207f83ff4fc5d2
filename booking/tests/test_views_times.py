"""The times, open to everybody, and the choice of zone: what they show and what they cost."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_admin
from billing.tests.factories import make_subscriber
from booking import services, timetable, version
from booking.models import CalendarEvent, EventStatus
from booking.tests.factories import make_booking, make_event
from booking.tests.pages import HOUR, in_hours, signed_in, week_of
from settings_app import services as site_settings
from techdeputies.lib import fragments

pytestmark = pytest.mark.django_db


# --- The times ------------------------------------------------------------------------------------------
def test_everybody_sees_the_times(client: Any) -> None:
    event = make_event(title="Email <b>and</b> photos")

    page = client.get(week_of(event))

    assert page.status_code == 200
    assert "booking/event_list.html" in [template.name for template in page.templates]
    assert f'href="/booking/{event.pk}/"' in page.text
    assert "Email &lt;b&gt;and&lt;/b&gt; photos" in page.text
    assert "Central Time (Chicago)" in page.text
    assert "2 places left" in page.text
    assert not page.cookies


def test_full_near_and_last_places_are_told_in_words(client: Any) -> None:
    full = make_event(capacity=1)
    make_booking(event=full)
    near = make_event(start_time=in_hours(1))
    last = make_event(start_time=full.start_time, capacity=1)

    pages = client.get(week_of(full)).text + client.get(week_of(near)).text

    assert "Full" in pages
    assert f'href="/booking/{full.pk}/"' not in pages
    assert "Call us to book this one" in pages
    assert f'href="/booking/{near.pk}/"' not in pages
    assert f'href="/booking/{last.pk}/"' in pages
    assert "Last place" in pages


def test_drafts_cancelled_past_and_far_times_are_not_listed(client: Any) -> None:
    hidden = [
        make_event(title="Hidden draft", status=EventStatus.DRAFT),
        make_event(title="Hidden cancelled", status=EventStatus.CANCELLED),
        make_event(title="Hidden past", start_time=in_hours(-5)),
        make_event(title="Hidden far", start_time=in_hours(24 * 62)),
    ]

    for event in hidden:
        assert event.title not in client.get(week_of(event)).text


def test_the_first_page_is_the_first_week_with_times(client: Any) -> None:
    event = make_event(start_time=in_hours(24 * 20))

    page = client.get(reverse("booking:event_list"))

    assert f'href="/booking/{event.pk}/"' in page.text


def test_without_any_time_the_page_names_the_phone(client: Any) -> None:
    page = client.get(reverse("booking:event_list"))

    assert page.status_code == 200
    assert "There are no times this week" in page.text
    assert "(312) 555-0142" in page.text


@pytest.mark.parametrize(
    "week", ["x", "2026-13-01", "9999-12-31", "0001-01-01", "2026-1-1", "\x00", "٢٠٢٦-١١-٣٠", "2026-11-30T00", ""]
)
def test_an_odd_week_is_answered_with_a_page(client: Any, week: str) -> None:
    make_event()

    assert client.get(reverse("booking:event_list"), {"week": week, "view": week}).status_code == 200


def test_the_view_is_remembered(client: Any) -> None:
    event = make_event()

    assert "week--grid" in client.get(week_of(event)).text
    assert "week--grid" not in client.get(week_of(event) + "&view=list").text
    assert "week--grid" not in client.get(week_of(event)).text
    client.get(week_of(event) + "&view=week")
    assert "week--grid" in client.get(week_of(event)).text


def test_htmx_gets_the_week_alone(client: Any) -> None:
    event = make_event()

    part = client.get(week_of(event), headers={"HX-Request": "true"})

    assert part.text.lstrip().startswith('<div class="weekbar">')
    assert "<html" not in part.text
    assert "HX-Request" in part.headers["Vary"]


def test_own_sessions_are_marked_for_their_owner_only() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event())

    own = client.get(week_of(booking.event)).text
    other = Client().get(week_of(booking.event)).text

    assert "Your session, " in own
    assert f'href="/booking/visits/{booking.pk}/"' in own
    assert f'href="/booking/{booking.event_id}/"' not in own
    assert "Your session" not in other
    assert "Your Standard plan has <strong>" not in own
    assert "Your Standard plan has 4 of 5 sessions left until" in own


def test_a_change_is_seen_at_once_in_this_process(client: Any, django_capture_on_commit_callbacks: Any) -> None:
    event = make_event(capacity=1)
    assert "Last place" in client.get(week_of(event)).text

    time.sleep(version.QUIET_SECONDS)
    with django_capture_on_commit_callbacks(execute=True):
        services.book_event(user=make_subscriber(), event=event)

    assert "Last place" not in client.get(week_of(event)).text


@pytest.mark.parametrize("count", [20, 200])
def test_statements_of_the_list_do_not_grow(count: int, django_assert_num_queries: Any) -> None:
    deputies = [make_admin() for _ in range(10)]
    monday = timetable.midnight(
        timetable.monday_of(timezone.now().date()) + timedelta(days=14), site_settings.business_zone()
    )
    events = CalendarEvent.objects.bulk_create(
        CalendarEvent(
            title=f"Session {number}",
            start_time=monday + 2 * HOUR * (number // 10),
            end_time=monday + 2 * HOUR * (number // 10) + HOUR,
            deputy=deputies[number % 10],
        )
        for number in range(count)
    )
    anonymous, (client, user) = Client(), signed_in()
    services.book_event(user=user, event=events[3])
    url = week_of(events[0])
    assert Client().get(reverse("booking:event_list")).text.count('data-slot="') == count
    fragments.forget_all()
    site_settings.forget_cache()

    with django_assert_num_queries(2):  # settings, times
        anonymous.get(reverse("booking:event_list"))
    with django_assert_num_queries(1):  # times
        page = anonymous.get(url)
    assert page.text.count('data-slot="') == count
    with django_assert_num_queries(0):
        anonymous.get(url)
    with django_assert_num_queries(5):  # sign-in, person, own sessions, plan, allowance
        client.get(url)


# --- The zone -------------------------------------------------------------------------------------------
def test_a_signed_out_person_chooses_a_zone_and_the_days_regroup(client: Any) -> None:
    zone = site_settings.business_zone()
    late = (timezone.now() + timedelta(days=8)).astimezone(zone).replace(hour=22, minute=30, second=0, microsecond=0)
    while late.weekday() != 1:
        late += timedelta(days=1)
    event = make_event(start_time=late)
    assert "10:30 PM" in client.get(week_of(event)).text

    answer = client.post(reverse("booking:zone"), {"zone": "America/New_York", "next": week_of(event)})
    page = client.get(answer.url)

    assert answer.url == week_of(event)
    assert "Eastern Time (New York)" in page.text
    assert "11:30 PM" in page.text
    client.post(reverse("booking:zone"), {"zone": "other", "other": "Europe/Paris"})
    text = client.get(week_of(event)).text
    assert text.index("Wednesday") < text.index("data-slot")
    assert "Paris time" in text


def test_a_signed_in_person_keeps_the_zone_in_the_profile() -> None:
    client, user = signed_in()

    client.post(reverse("booking:zone"), {"zone": "America/Denver"})

    user.refresh_from_db()
    assert user.time_zone == "America/Denver"


@pytest.mark.parametrize(
    "answer", [{}, {"zone": "Mars/Olympus"}, {"zone": "other"}, {"zone": "other", "other": "x\x00"}]
)
def test_an_unknown_zone_is_refused_in_words(client: Any, answer: dict[str, str]) -> None:
    page = client.post(reverse("booking:zone"), answer)

    assert page.status_code == 422
    assert "Please choose a time zone" in page.text


def test_a_forged_zone_cookie_or_next_changes_nothing(client: Any) -> None:
    client.cookies["zone"] = "../../etc/passwd"

    assert client.get(reverse("booking:event_list")).status_code == 200
    answer = client.post(reverse("booking:zone"), {"zone": "America/Denver", "next": "//evil.example/"})
    assert answer.url == reverse("booking:event_list")
