"""The pages: what they show, what they refuse, what they cost."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_admin, make_user
from billing.tests.factories import make_plan, make_subscriber
from booking import services, timetable, version
from booking.models import Booking, CalendarEvent, EventKind, EventStatus
from booking.tests.factories import make_booking, make_event
from emails import wording
from settings_app import services as site_settings
from techdeputies.lib import fragments

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    fragments.forget_all()
    version.forget()
    site_settings.forget_cache()


def in_hours(hours: float) -> Any:
    return timezone.now().replace(microsecond=0) + timedelta(hours=hours)


def signed_in(**fields: Any) -> tuple[Any, Any]:
    user = make_subscriber(**fields)
    return client_of(user), user


def client_of(user: Any) -> Any:
    client = Client()
    client.force_login(user)
    return client


def without_token(page: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page)


def check_url(event: CalendarEvent) -> str:
    return reverse("booking:event_detail", args=[event.pk])


def answers(event: CalendarEvent, **more: str) -> dict[str, str]:
    return {"contact_phone": "(312) 555-0187", "topic": "My printer.", **more}


def week_of(event: CalendarEvent) -> str:
    zone = site_settings.business_zone()
    return f"{reverse('booking:event_list')}?week={event.start_time.astimezone(zone).date().isoformat()}"


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


# --- The check page -------------------------------------------------------------------------------------
def test_choosing_leads_signed_out_people_to_sign_in_with_the_choice_kept(client: Any) -> None:
    event = make_event()

    answer = client.get(check_url(event))

    assert answer.status_code == 302
    assert quote(check_url(event)) in answer.url or check_url(event) in answer.url


def test_the_check_page_tells_the_facts() -> None:
    client, _ = signed_in(phone="(312) 555-0187")
    event = make_event()

    page = client.get(check_url(event))

    assert page.status_code == 200
    for words in ("Is this right?", "Deputy Rosa", "60 minutes", "One other person may be", "5 sessions left on your"):
        assert words in page.text
    assert 'value="(312) 555-0187"' in page.text
    assert "without charge until" in page.text
    assert not Booking.objects.exists()


def test_both_times_are_given_where_the_zones_differ() -> None:
    client, _ = signed_in(time_zone="America/New_York")

    page = client.get(check_url(make_event())).text

    assert "Eastern Time (New York)" in page
    assert "For Deputy Rosa it is" in page


def test_without_a_plan_the_page_says_what_helps() -> None:
    page = client_of(make_user()).get(check_url(make_event()))

    assert page.status_code == 200
    assert "You do not have a plan yet" in page.text
    assert "(312) 555-0142" in page.text
    assert "Yes, book this session" not in page.text


def test_with_no_session_left_the_page_says_until_when() -> None:
    client, user = signed_in(plan=make_plan(session_limit=1))
    services.book_event(user=user, event=make_event())

    page = client.get(check_url(make_event(start_time=in_hours(100))))

    assert "You have used your 1 session for this month" in page.text
    assert "See times in your next month" in page.text


def test_unverified_people_are_shown_how() -> None:
    page = signed_in(email_verified=False)[0].get(check_url(make_event()))

    assert reverse("accounts:verify") in page.text
    assert "Yes, book this session" not in page.text


@pytest.mark.parametrize(
    ("hours", "fields", "words"),
    [
        (1, {}, "Please call us to book this one"),
        (-1, {}, "already begun"),
        (24 * 62, {}, "cannot be booked yet"),
        (80, {"status": EventStatus.CANCELLED}, "does not take place"),
        (80, {"capacity": 1}, "All places in this session are taken"),
    ],
)
def test_a_time_that_cannot_be_booked_says_why_and_offers_others(
    hours: int, fields: dict[str, Any], words: str
) -> None:
    event = make_event(start_time=in_hours(hours), **fields)
    if fields.get("capacity") == 1:
        make_booking(event=event)
    other = make_event(start_time=in_hours(90))

    page = signed_in()[0].get(check_url(event))

    assert page.status_code == 200
    assert words in page.text
    assert f'href="/booking/{other.pk}/"' in page.text


def test_the_check_page_of_a_session_one_has_leads_to_it() -> None:
    client, user = signed_in()
    booking = services.book_event(user=user, event=make_event())

    assert client.get(check_url(booking.event)).url == reverse("booking:booking_detail", args=[booking.pk])


@pytest.mark.parametrize("event_id", ["nosuchid", "x" * 37, "a%00b", "%F0%9F%98%80", "a b", "1;drop"])
def test_unknown_times_are_not_found(event_id: str) -> None:
    client, _ = signed_in()

    assert client.get(f"/booking/{event_id}/").status_code == 404
    assert client.post(f"/booking/{event_id}/", {"contact_phone": "3125550187"}).status_code == 404


def test_a_draft_is_not_found() -> None:
    client, _ = signed_in()
    event = make_event(status=EventStatus.DRAFT)

    assert client.get(check_url(event)).status_code == 404
    assert client.post(check_url(event), answers(event)).status_code == 404


# --- Booking --------------------------------------------------------------------------------------------
def test_booking_leads_to_the_booked_page() -> None:
    client, user = signed_in()
    event = make_event()
    page = client.get(check_url(event))
    seen = page.context["form"].initial["seen_start"]

    answer = client.post(check_url(event), answers(event, seen_start=seen, kind="phone"))
    booking = Booking.objects.get()

    assert answer.status_code == 302
    assert answer.url == reverse("booking:booking_done", args=[booking.pk])
    assert (booking.user, booking.topic, booking.contact_phone) == (user, "My printer.", "(312) 555-0187")
    done = client.get(answer.url).text
    assert "You are booked, Margaret." in done
    assert user.email in done
    assert "reminder the day before" in done


def test_pressing_twice_books_once() -> None:
    client, _ = signed_in()
    event = make_event()

    first = client.post(check_url(event), answers(event))
    second = client.post(check_url(event), answers(event))

    assert first.url == second.url
    assert Booking.objects.count() == 1


def test_a_form_without_its_token_is_refused() -> None:
    user = make_subscriber()
    client: Any = Client(enforce_csrf_checks=True)
    client.force_login(user)
    event = make_event()

    assert client.post(check_url(event), answers(event)).status_code == 403
    assert not Booking.objects.exists()


def test_a_missing_or_short_number_is_asked_for_and_the_rest_kept() -> None:
    client, _ = signed_in()
    event = make_event()

    for phone, words in [("", "Please write the phone number we should call."), ("12", "with the area code")]:
        page = client.post(check_url(event), {"contact_phone": phone, "topic": "Kept words."})
        assert page.status_code == 422
        assert words in page.text
        assert "Kept words." in page.text
        assert "<title>Error: " in page.text
    assert not Booking.objects.exists()


def test_where_people_meet_no_number_is_needed() -> None:
    client, _ = signed_in()
    event = make_event(kind=EventKind.IN_PERSON, place="120 Badge Street")
    page = client.get(check_url(event))
    assert "120 Badge Street" in page.text

    answer = client.post(check_url(event), {"contact_phone": "", "topic": "", "kind": "in_person"})

    assert answer.status_code == 302


@pytest.mark.parametrize("topic", ["x" * 2001, "é" * 5000])
def test_too_long_a_text_is_refused_in_words(topic: str) -> None:
    client, _ = signed_in()
    event = make_event()

    page = client.post(check_url(event), answers(event, topic=topic))

    assert page.status_code == 422
    assert "a little long" in page.text


def test_odd_characters_do_no_harm() -> None:
    client, _ = signed_in()
    event = make_event()

    answer = client.post(
        check_url(event),
        answers(event, topic="a\x00b\u202ec<script>", contact_phone="312\x00 555 0187", seen_start="\x00nonsense"),
    )

    assert answer.status_code == 302
    assert "\x00" not in Booking.objects.get().topic
    page = client.get(reverse("booking:booking_detail", args=[Booking.objects.get().pk])).text
    assert "c<script>" not in page


def test_a_stale_form_shows_the_new_time_first() -> None:
    client, _ = signed_in()
    event = make_event()
    seen = event.start_time.isoformat()
    CalendarEvent.objects.filter(pk=event.pk).update(start_time=event.start_time + HOUR, end_time=event.end_time + HOUR)

    page = client.post(check_url(event), answers(event, seen_start=seen))

    assert page.status_code == 409
    assert "We have changed the time of this session" in page.text
    assert "My printer." in page.text
    assert not Booking.objects.exists()
    again = client.post(check_url(event), answers(event, seen_start=page.context["form"].initial["seen_start"]))
    assert again.status_code == 302


def test_losing_the_last_place_keeps_the_words_for_the_next_time() -> None:
    client, _ = signed_in()
    event = make_event(capacity=1)
    other = make_event(start_time=in_hours(100))
    make_booking(event=event)

    page = client.post(check_url(event), answers(event))

    assert page.status_code == 409
    assert "Someone else has just taken that place. You are not booked" in page.text
    assert f'href="/booking/{other.pk}/"' in page.text
    kept = client.get(check_url(other)).text
    assert "My printer." in kept
    assert "(312) 555-0187" in kept
    client.post(check_url(other), answers(other))
    assert "booking_words" not in client.session


def test_a_refusal_of_the_plan_answers_409_with_help() -> None:
    event = make_event()

    page = client_of(make_user()).post(check_url(event), answers(event))

    assert page.status_code == 409
    assert "(312) 555-0142" in page.text


def test_an_overlap_is_told_and_what_was_typed_is_kept() -> None:
    client, user = signed_in()
    event = make_event()
    services.book_event(user=user, event=make_event(start_time=event.start_time))

    page = client.post(check_url(event), answers(event))

    assert page.status_code == 409
    assert "You already have another session at that time" in page.text
    assert "My printer." in page.text


def test_a_zone_chosen_before_signing_in_becomes_ones_own() -> None:
    client, user = signed_in()
    client.cookies["zone"] = "America/Denver"
    event = make_event()

    client.post(check_url(event), answers(event))

    user.refresh_from_db()
    assert user.time_zone == "America/Denver"


def test_too_many_presses_are_slowed_down() -> None:
    client, _ = signed_in()
    event = make_event()
    statuses = {client.post(check_url(event), {"contact_phone": "1"}).status_code for _ in range(21)}

    assert statuses == {422, 429}


@pytest.mark.parametrize("count", [1, 50])
def test_statements_of_a_booking_are_few_and_do_not_grow(count: int, django_assert_max_num_queries: Any) -> None:
    client, user = signed_in()
    for number in range(count):
        make_booking(user=user, event=make_event(start_time=in_hours(-200 - 2 * number)))
    event = make_event(capacity=10)
    client.get(check_url(event))
    site_settings.value("booking_notice_hours")
    wording.find("booking_confirmed")

    # Sign-in, person, two limits; then look, BEGIN, plan, allowance, use, count, event, booking, count, mail, COMMIT.
    with django_assert_max_num_queries(15):
        assert client.post(check_url(event), answers(event)).status_code == 302


def test_statements_of_the_check_page_are_few(django_assert_max_num_queries: Any) -> None:
    client, _ = signed_in(phone="312 555 0187")
    event = make_event()
    client.get(check_url(event))

    with django_assert_max_num_queries(6):
        client.get(check_url(event))


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
