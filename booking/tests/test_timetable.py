"""Weeks, days and clocks: the right day, the right time, in every zone and both clock changes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from accounts.tests.factories import make_admin
from booking import timetable, words
from booking.models import CalendarEvent
from booking.tests.factories import make_booking, make_event

CHICAGO = ZoneInfo("America/Chicago")
ZONES = [
    "America/Chicago",
    "America/New_York",
    "America/Los_Angeles",
    "Pacific/Honolulu",
    "Europe/Paris",
    "Australia/Lord_Howe",
]


def at(text: str, zone: ZoneInfo = CHICAGO) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def event_at(start: datetime, **fields: Any) -> CalendarEvent:
    """An event that is not stored: for words alone."""
    return CalendarEvent(
        title="Session",
        start_time=start,
        end_time=start + timedelta(hours=1),
        deputy=make_admin(name="Rosa Lopez"),
        capacity=2,
        **fields,
    )


def clocks(html: str) -> list[tuple[str, str]]:
    """(day in words, time) of each time that can be pressed."""
    return re.findall(r'<span class="vh">([^<]*), </span><span class="slot__time">([^<]*)</span>', html)


def week_in(monday: date, zone: ZoneInfo, now: datetime) -> str:
    week = timetable.Window(monday, zone, now)
    return timetable._render(week, timetable.WEEK_VIEW, timetable._rows(week.start, week.end))


# --- Clock changes ----------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("first", "change_day", "way"),
    [("2027-03-02", "Sunday, March 14", "forward"), ("2027-10-26", "Sunday, November 7", "back")],
)
def test_a_weekly_two_oclock_stays_at_two_across_a_clock_change(first: str, change_day: str, way: str) -> None:
    tuesday = date.fromisoformat(first)
    days = [tuesday + timedelta(weeks=number) for number in range(4)]
    for day in days:
        make_event(start_time=at(f"{day}T14:00"))
    now = at(f"{first}T08:00") - timedelta(days=1)

    pages = [week_in(timetable.monday_of(day), CHICAGO, now) for day in days]

    assert [clocks(page) for page in pages] == [[(words.times.date_words(day), "2:00 PM")] for day in days]
    assert [f"the clocks go {way}" in page for page in pages].count(True) == 1
    assert any(f"On {change_day} the clocks go {way} in Central Time (Chicago)." in page for page in pages)


@pytest.mark.django_db
def test_the_repeated_hour_is_shown_in_its_true_order() -> None:
    first = at("2027-11-07T01:30")
    deputy = make_admin()
    for hours, title in [(0, "Before"), (1, "After")]:
        make_event(start_time=first + timedelta(hours=hours), title=title, deputy=deputy)

    page = week_in(date(2027, 11, 1), CHICAGO, first - timedelta(days=2))

    assert [clock for _, clock in clocks(page)] == ["1:30 AM", "1:30 AM"]
    assert page.index("Before") < page.index("After")
    assert "Sunday" in page


@pytest.mark.django_db
def test_a_person_elsewhere_sees_both_clocks_when_only_one_has_changed() -> None:
    """Europe changes two weeks after America in spring, and a week before it in autumn."""
    paris = ZoneInfo("Europe/Paris")
    usual, between = event_at(at("2027-03-10T14:00")), event_at(at("2027-03-17T14:00"))

    assert words.facts(usual, paris).hours == "9:00 PM to 10:00 PM"
    assert words.facts(between, paris).hours == "8:00 PM to 9:00 PM"
    for event in (usual, between):
        assert words.facts(event, paris).elsewhere == "For Deputy Rosa it is 2:00 PM, Central Time (Chicago)."
    assert words.facts(usual, CHICAGO).elsewhere == ""


@pytest.mark.django_db
def test_another_day_elsewhere_is_named() -> None:
    event = event_at(at("2027-06-01T20:00"))

    assert words.facts(event, ZoneInfo("Europe/Paris")).elsewhere == (
        "For Deputy Rosa it is Tuesday, June 1 at 8:00 PM, Central Time (Chicago)."
    )


@pytest.mark.parametrize("name", ZONES)
def test_the_instant_of_midnight_is_the_first_of_its_day(name: str) -> None:
    zone = ZoneInfo(name)
    for number in range(800):
        day = date(2026, 1, 1) + timedelta(days=number)
        moment = timetable.midnight(day, zone)
        assert moment.astimezone(zone).date() == day
        assert (moment - timedelta(seconds=1)).astimezone(zone).date() == day - timedelta(days=1)


# --- Days and weeks -----------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize("name", ZONES)
def test_days_are_grouped_by_the_zones_own_dates(name: str) -> None:
    zone = ZoneInfo(name)
    start = at("2027-06-02T05:00")
    moments = [start + timedelta(hours=7 * number) for number in range(20)]
    deputy = make_admin()
    for moment in moments:
        make_event(start_time=moment, deputy=deputy)
    now = start - timedelta(days=3)

    shown = [pair for monday in (date(2027, 5, 31), date(2027, 6, 7)) for pair in clocks(week_in(monday, zone, now))]

    assert shown == [(words.times.day_words(moment, zone), words.times.clock(moment, zone)) for moment in moments]


@pytest.mark.django_db
def test_a_sunday_is_shown_only_with_times() -> None:
    make_event(start_time=at("2027-06-06T10:00"))
    now = at("2027-05-31T08:00")

    with_sunday = week_in(date(2027, 5, 31), CHICAGO, now)
    without = week_in(date(2027, 6, 7), CHICAGO, now)

    assert "Sunday" in with_sunday
    assert "There are no sessions on Sunday." not in with_sunday
    assert "There are no sessions on Sunday." in without
    assert without.count("No sessions this day") == 6


@pytest.mark.django_db
def test_past_days_are_left_out_and_today_is_named() -> None:
    page = week_in(date(2027, 5, 31), CHICAGO, at("2027-06-03T12:00"))

    assert "Thursday" in page
    assert "(today)" in page
    assert "Wednesday" not in page
    assert "Thursday, June 3 to Saturday, June 5" in page


@pytest.mark.django_db
def test_the_weeks_end_at_the_horizon() -> None:
    now = at("2027-06-03T12:00")
    last = timetable.Window(date(2027, 8, 2), CHICAGO, now)

    assert timetable.Window(date(2027, 5, 31), CHICAGO, now).before is None
    assert timetable.Window(date(2027, 7, 26), CHICAGO, now).after == date(2027, 8, 2)
    assert last.after is None
    assert last.last == date(2027, 8, 2)
    assert "You can book up to 60 days ahead." in week_in(last.monday, CHICAGO, now)


@pytest.mark.django_db
def test_a_week_is_kept_within_what_can_be_booked() -> None:
    today = timezone.now().astimezone(CHICAGO).date()

    early, _ = timetable.shown(date(1999, 1, 1), CHICAGO, timetable.WEEK_VIEW)
    late, _ = timetable.shown(date(2999, 1, 1), CHICAGO, timetable.WEEK_VIEW)

    assert early.monday == timetable.monday_of(today)
    assert late.monday == timetable.monday_of((timezone.now() + timedelta(days=60)).astimezone(CHICAGO).date())


@pytest.mark.django_db
def test_a_week_with_too_many_times_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timetable, "MOST_SLOTS", 2)
    for hour in (10, 11, 12):
        make_event(start_time=at(f"2027-06-02T{hour}:00"))

    page = week_in(date(2027, 5, 31), CHICAGO, at("2027-05-31T08:00"))

    assert page.count("data-slot") == 2
    assert "There are more times this week" in page


# --- A few times ------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_the_next_free_times_have_a_place_and_notice() -> None:
    now = timezone.now().replace(microsecond=0)
    full = make_event(start_time=now + timedelta(hours=5), capacity=1)
    make_booking(event=full)
    make_event(start_time=now + timedelta(hours=1))
    make_event(start_time=now + timedelta(days=70))
    wanted = [make_event(start_time=now + timedelta(hours=hours)) for hours in (6, 30, 50)]
    make_event(start_time=now + timedelta(hours=60))

    assert timetable.next_free_events() == wanted
    assert timetable.next_free_events(2) == wanted[:2]


@pytest.mark.django_db
def test_the_nearest_times_lie_on_both_sides(django_assert_num_queries: Any) -> None:
    now = timezone.now().replace(microsecond=0)
    events = [make_event(start_time=now + timedelta(hours=hours)) for hours in (10, 40, 48, 52, 90)]
    timetable.next_free_events()

    with django_assert_num_queries(1):
        found = timetable.next_free_events(near=now + timedelta(hours=50))

    assert found == events[1:4]
