"""Booking when things come in between: signing in, other people, two presses, two tabs, other weeks and zones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import User
from accounts.tests.factories import make_user
from audit.actors import Actor
from billing.models import VisitUse
from billing.tests.factories import make_plan, make_subscriber
from booking import services
from booking.models import Booking
from booking.tests.factories import make_booking
from techdeputies.lib.times import clock, day_words
from techdeputies.tests.browser.conftest import Visitors
from techdeputies.tests.browser.harness import NARROW, Visitor
from techdeputies.tests.browser.times import CHICAGO, THURSDAY, coming, offer, slot_name, when

SCRIPT = pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
PHONE = "(312) 555-0187"
HOUR = timedelta(hours=1)


def caller(**fields: Any) -> User:
    """A person with a plan whose phone number we know."""
    return make_subscriber(**{"phone": PHONE, **fields})


# --- Signing in on the way --------------------------------------------------------------------------------
@SCRIPT
def test_a_time_chosen_while_signed_out_is_still_chosen_after_signing_in(visitors: Visitors, javascript: bool) -> None:
    event, user = offer(), caller()
    visitor = visitors(width=NARROW, javascript=javascript)
    visitor.go("booking:event_list")

    visitor.press(slot_name(event, "2 places left"))
    visitor.sign_in(user)

    visitor.sees("Is this right?")
    visitor.reads(event.title, day_words(event.start_time, CHICAGO))
    visitor.press("Yes, book this session")
    visitor.sees("You are booked, Margaret.")


def test_a_time_chosen_while_signed_out_is_still_chosen_after_signing_up(visitor: Visitor) -> None:
    event = offer()
    visitor.go("booking:event_list")
    visitor.press(slot_name(event, "2 places left"))
    visitor.press("Make an account")
    visitor.write(name="Margaret Ellis", email="margaret@example.com", password="porch lantern river walk")
    visitor.press("Make my account")
    visitor.open_mail("margaret@example.com", "Please confirm your email address")
    visitor.press_link_in_mail("/accounts/verify/")

    visitor.press("Yes, this is me")

    visitor.sees("Is this right?")
    visitor.reads(event.title, day_words(event.start_time, CHICAGO))


@SCRIPT
def test_without_a_plan_the_page_says_what_will_help(visitors: Visitors, javascript: bool) -> None:
    event = offer()
    visitor = visitors(javascript=javascript).is_signed_in_as(make_user())

    visitor.go("booking:event_detail", event.pk)

    visitor.reads("One thing first", "On the phone we can help you with it, or book this one session for you.")
    expect(visitor.thing("Look at the plans")).to_have_attribute("href", "/subscriptions/")
    expect(visitor.thing("Call (312) 555-0142")).to_have_attribute("href", "tel:+13125550142")
    expect(visitor.thing("Yes, book this session")).to_be_hidden()


# --- Other people -----------------------------------------------------------------------------------------
@SCRIPT
def test_who_loses_the_last_place_keeps_their_words_and_finds_another_time(
    visitors: Visitors, javascript: bool
) -> None:
    event, other = offer(capacity=1), offer(THURSDAY)
    visitor = visitors(width=NARROW, javascript=javascript).is_signed_in_as(caller())
    visitor.go("booking:event_list")
    visitor.press(slot_name(event, "Last place"))
    visitor.write(contact_phone="(312) 555-0199", topic="My printer says it is offline.")
    services.book_event(user=caller(name="George Ellis"), event=event, contact_phone=PHONE)

    with visitor.page.expect_response(lambda answer: answer.request.method == "POST") as sent:
        visitor.press("Yes, book this session")

    assert sent.value.status == 409
    visitor.sees("That place is gone")
    visitor.reads("Someone else has just taken that place.", "You are not booked, and you have not paid anything.")
    visitor.page.locator("main .tiles").get_by_role("link").first.click()
    visitor.sees("Is this right?")
    visitor.reads(day_words(other.start_time, CHICAGO))
    expect(visitor.page.get_by_label("What would you like help with?")).to_have_value("My printer says it is offline.")
    visitor.press("Yes, book this session")
    visitor.sees("You are booked, Margaret.")
    visitor.reads("(312) 555-0199")
    assert Booking.objects.confirmed().filter(event=event).count() == 1


def test_a_time_that_was_moved_meanwhile_is_shown_again_before_it_is_booked(visitor: Visitor) -> None:
    event = offer()
    visitor.is_signed_in_as(caller())
    visitor.go("booking:event_detail", event.pk)
    visitor.write(topic="My printer says it is offline.")
    later = coming(THURSDAY, 14)
    services.change_event(event=event, actor=Actor(user=event.deputy), start_time=later, end_time=later + HOUR)

    visitor.press("Yes, book this session")

    visitor.reads("You are not booked yet", day_words(later, CHICAGO))
    expect(visitor.page.get_by_label("What would you like help with?")).to_have_value("My printer says it is offline.")
    assert not Booking.objects.exists()


# --- Two presses, two tabs ----------------------------------------------------------------------------------
@SCRIPT
def test_a_double_press_of_the_button_makes_one_booking(visitors: Visitors, javascript: bool) -> None:
    event, user = offer(), caller()
    visitor = visitors(javascript=javascript).is_signed_in_as(user)
    visitor.go("booking:event_detail", event.pk)

    visitor.thing("Yes, book this session").dblclick()

    visitor.sees("You are booked, Margaret.")
    visitor.open_mail(user.email, "Your session is booked")
    assert len(visitor.mailgun.messages(to=user.email)) == 1
    assert Booking.objects.of(user.pk).count() == 1
    assert VisitUse.objects.filter(user=user).count() == 1
    event.refresh_from_db()
    assert event.booked_count == 1


def test_the_same_time_booked_in_two_tabs_is_one_booking(visitor: Visitor) -> None:
    event, user = offer(), caller()
    visitor.is_signed_in_as(user)
    visitor.go("booking:event_detail", event.pk)
    first = visitor.page
    visitor.page = visitor.context.new_page()
    visitor.go("booking:event_detail", event.pk)
    visitor.press("Yes, book this session")
    visitor.sees("You are booked, Margaret.")

    visitor.page = first
    visitor.press("Yes, book this session")

    visitor.sees("You are booked, Margaret.")
    assert Booking.objects.of(user.pk).count() == 1
    assert VisitUse.objects.filter(user=user).count() == 1


def test_what_is_cancelled_in_one_tab_cannot_be_moved_in_another(visitor: Visitor) -> None:
    event, other, user = offer(), offer(THURSDAY), caller()
    booking = services.book_event(user=user, event=event, contact_phone=PHONE)
    visitor.is_signed_in_as(user)
    visitor.go("booking:booking_move", booking.pk)
    visitor.press(slot_name(other, "2 places left"))
    services.cancel_booking(booking=booking)

    visitor.press("Yes, move my session")

    visitor.sees("This session cannot be moved here")
    expect(visitor.thing("Book another time")).to_be_visible()
    assert not Booking.objects.confirmed().exists()


def test_the_back_button_after_booking_leads_to_the_booking_and_not_to_a_second_one(visitor: Visitor) -> None:
    event, user = offer(), caller()
    visitor.is_signed_in_as(user)
    visitor.go("booking:event_list")
    visitor.press(slot_name(event, "2 places left"))
    visitor.press("Yes, book this session")
    visitor.sees("You are booked, Margaret.")

    visitor.page.go_back()

    visitor.sees(event.title)
    visitor.reads("Coming up")
    visitor.go("booking:event_list")
    expect(
        visitor.page.get_by_role("link", name=f"Your session, {day_words(event.start_time, CHICAGO)}")
    ).to_be_visible()
    assert Booking.objects.of(user.pk).count() == 1


# --- Weeks, views, zones --------------------------------------------------------------------------------------
@SCRIPT
def test_weeks_and_views_are_links_that_keep_their_address(visitors: Visitors, javascript: bool) -> None:
    first, later = offer(), offer(weeks=1, title="Email and passwords")
    visitor = visitors(javascript=javascript)
    visitor.go("booking:event_list")
    expect(visitor.thing(slot_name(first, "2 places left"))).to_be_visible()

    visitor.press("Go to the next week")

    expect(visitor.thing(slot_name(later, "2 places left"))).to_be_visible()
    expect(visitor.thing(slot_name(first, "2 places left"))).to_be_hidden()
    assert "week=" in visitor.page.url
    if javascript:
        expect(visitor.page.locator("#week-h")).to_be_focused()
    visitor.press("List")
    expect(visitor.thing(slot_name(later, "2 places left"))).to_be_visible()
    expect(visitor.thing("List")).to_have_attribute("aria-current", "true")
    visitor.press("Go to the week before")
    expect(visitor.thing(slot_name(first, "2 places left"))).to_be_visible()
    expect(visitor.thing("List")).to_have_attribute("aria-current", "true")


def test_the_back_button_goes_to_the_week_before(visitor: Visitor) -> None:
    first, later = offer(), offer(weeks=1)
    visitor.go("booking:event_list")
    visitor.press("Go to the next week")
    expect(visitor.thing(slot_name(later, "2 places left"))).to_be_visible()

    visitor.page.go_back()

    expect(visitor.thing(slot_name(first, "2 places left"))).to_be_visible()
    expect(visitor.thing(slot_name(later, "2 places left"))).to_be_hidden()


@SCRIPT
def test_a_chosen_zone_regroups_the_times_and_stays_on_the_booking(visitors: Visitors, javascript: bool) -> None:
    event, user = offer(hour=10), caller()
    visitor = visitors(javascript=javascript)
    visitor.go("booking:event_list")
    visitor.press("Show another time zone")
    visitor.page.get_by_label("Pacific Time (Los Angeles)").check()
    visitor.press("Show times in this zone")

    visitor.reads("Times are shown in Pacific Time (Los Angeles).", "8:00 AM")
    visitor.page.get_by_role("link", name="8:00 AM").click()
    visitor.sign_in(user)
    visitor.reads("Pacific Time (Los Angeles)", f"it is {clock(event.start_time, CHICAGO)}, Central Time (Chicago)")
    visitor.press("Yes, book this session")
    visitor.reads("8:00 AM", "Pacific Time (Los Angeles)")
    visitor.open_mail(user.email, "Your session is booked")
    assert "Pacific Time (Los Angeles)" in visitor.mail_text()


def test_a_full_time_stays_in_view_and_cannot_be_pressed(visitor: Visitor) -> None:
    event = offer(capacity=1)
    make_booking(event=event)

    visitor.go("booking:event_list")

    visitor.reads(event.title, "Full")
    expect(visitor.page.locator("#week a.slot")).to_have_count(0)


def test_a_plan_that_is_used_up_says_when_the_next_sessions_come(visitor: Visitor) -> None:
    first, second = offer(), offer(THURSDAY)
    user = caller(plan=make_plan(display_name="Basic", session_limit=1))
    services.book_event(user=user, event=first, contact_phone=PHONE)
    visitor.is_signed_in_as(user)

    visitor.go("booking:event_detail", second.pk)

    visitor.reads("You have used your 1 session for this month.")
    expect(visitor.thing("Call (312) 555-0142")).to_be_visible()


def test_a_form_that_is_not_right_keeps_every_answer(visitor: Visitor) -> None:
    event = offer()
    visitor.is_signed_in_as(caller())
    visitor.go("booking:event_detail", event.pk)
    visitor.write(contact_phone="12", topic="My printer says it is offline.")

    visitor.press("Yes, book this session")

    expect(visitor.page.get_by_role("alert")).to_be_focused()
    visitor.reads("Please write your phone number with the area code, such as (312) 555-0187.")
    expect(visitor.page.get_by_label("What would you like help with?")).to_have_value("My printer says it is offline.")
    expect(visitor.page.locator("[name=contact_phone]")).to_have_value("12")
    assert not Booking.objects.exists()


def test_another_persons_session_is_not_found(visitor: Visitor) -> None:
    booking = make_booking(event=offer())
    visitor.is_signed_in_as(caller())

    visitor.go("booking:booking_detail", booking.pk)

    visitor.sees("We cannot find that page")
    assert when(booking.event) not in visitor.words
