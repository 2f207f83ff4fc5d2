"""The check page and booking: what it shows, what it refuses, what it costs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import make_user
from billing.tests.factories import make_plan, make_subscriber
from booking import services
from booking.models import Booking, CalendarEvent, EventKind, EventStatus
from booking.tests.factories import make_booking, make_event
from booking.tests.pages import HOUR, answers, check_url, client_of, in_hours, signed_in
from emails import wording
from settings_app import services as site_settings

pytestmark = pytest.mark.django_db


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
    assert f'href="{reverse("billing:plan_list")}"' in page.text
    assert "(312) 555-0142" in page.text
    assert "Yes, book this session" not in page.text


def test_with_no_session_left_the_page_says_until_when() -> None:
    client, user = signed_in(plan=make_plan(session_limit=1))
    services.book_event(user=user, event=make_event())

    page = client.get(check_url(make_event(start_time=in_hours(100))))

    assert "You have used your 1 session for this month" in page.text
    assert "The next ones come on" in page.text
    assert f'href="{reverse("billing:my_plan")}"' in page.text
    assert 'href="tel:' in page.text


def test_a_topic_pressed_on_the_home_page_waits_in_the_text_box() -> None:
    client, _ = signed_in()
    event = make_event()
    client.get(reverse("booking:event_list"), {"topic": "My printer \u201cdoes\u201d nothing"})
    client.get(reverse("booking:event_list"), {"week": "2030-01-01"})

    assert "My printer \u201cdoes\u201d nothing</textarea>" in client.get(check_url(event)).text

    client.post(check_url(event), answers(event))
    assert "My printer" not in client.get(check_url(make_event(start_time=in_hours(90)))).text


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
