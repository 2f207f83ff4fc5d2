"""The main job, from the front page to the calendar: sign up, prove the address, book, move, cancel, book again."""

from __future__ import annotations

from typing import Any

import pytest
from icalendar import Calendar
from playwright.sync_api import expect

from accounts.models import User
from accounts.tests.factories import make_admin
from billing.models import VisitUse
from billing.tests.factories import make_plan, make_subscription
from booking.models import Booking, CalendarEvent
from techdeputies.tests.browser.conftest import Visitors
from techdeputies.tests.browser.harness import NARROW, WIDE, Visitor
from techdeputies.tests.browser.times import THURSDAY, offer, slot_name, when

EMAIL = "margaret@example.com"
PASSWORD = "porch lantern river walk"


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("width", [NARROW, WIDE], ids=["phone", "desk"])
def test_a_newcomer_books_moves_cancels_and_books_again(visitors: Visitors, width: int, javascript: bool) -> None:
    tuesday, thursday = offer(title="Phones and tablets"), offer(THURSDAY, 14, title="Email and passwords")
    visitor = visitors(width=width, javascript=javascript)

    make_account(visitor, by_button=javascript)
    user = User.objects.get(email=EMAIL)
    if javascript and width == WIDE:
        staff_give_a_plan(visitors(), user)
    else:
        make_subscription(user=user, plan=make_plan(display_name="Standard", session_limit=5))

    book(visitor, tuesday)
    booked = calendar_of_mail(visitor, f"Your session is booked: {when(tuesday)}")
    assert (booked["METHOD"], booked["SEQUENCE"]) == ("REQUEST", 0)
    assert booked["START"] == tuesday.start_time

    see_it_on_the_dashboard(visitor, tuesday)
    move(visitor, tuesday, thursday)
    moved = calendar_of_mail(visitor, f"Your session is moved to {when(thursday)}")
    assert moved["METHOD"] == "REQUEST"
    assert moved["START"] == thursday.start_time
    assert moved["UID"] == booked["UID"]
    assert moved["SEQUENCE"] > booked["SEQUENCE"]
    assert taken(tuesday) == 0
    assert taken(thursday) == 1

    cancel(visitor, thursday)
    cancelled = calendar_of_mail(visitor, f"Your session is cancelled: {when(thursday)}")
    assert cancelled["METHOD"] == "CANCEL"
    assert cancelled["UID"] == booked["UID"]
    assert cancelled["SEQUENCE"] > moved["SEQUENCE"]
    assert taken(thursday) == 0
    assert sessions_used(user) == 0

    visitor.press_link_in_mail("/booking/")
    choose(visitor, tuesday)
    press_book(visitor, tuesday)
    again = calendar_of_mail(visitor, f"Your session is booked: {when(tuesday)}")
    assert again["METHOD"] == "REQUEST"
    assert again["START"] == tuesday.start_time
    assert Booking.objects.confirmed().of(user.pk).count() == 1
    assert Booking.objects.of(user.pk).count() == 2  # the first row is revived, not doubled
    assert taken(tuesday) == 1
    assert sessions_used(user) == 1


# --- The steps ------------------------------------------------------------------------------------------
def make_account(visitor: Visitor, *, by_button: bool) -> None:
    visitor.go("home")
    visitor.menu("Sign in")
    visitor.press("Make an account")
    visitor.write(name="Margaret Ellis", email=EMAIL, password=PASSWORD)
    visitor.press("Make my account")
    visitor.sees("Look in your email")
    visitor.reads(EMAIL)
    visitor.open_mail(EMAIL, "Please confirm your email address")
    if by_button:
        visitor.press_button_in_mail("Confirm my address")
    else:
        visitor.press_link_in_mail("/accounts/verify/")
    visitor.sees("Is this you?")
    visitor.press("Yes, this is me")
    visitor.reads("Your address is confirmed, and you are signed in.", "Book your first session")


def staff_give_a_plan(staff: Visitor, user: User) -> None:
    make_plan(display_name="Standard", session_limit=5)
    staff.go("accounts:login")
    staff.sign_in(make_admin())
    staff.press("Staff desk")
    staff.page.get_by_role("link", name="People", exact=True).last.click()
    staff.page.get_by_role("link", name=user.email).click()
    staff.page.get_by_role("link", name="Give them a plan").click()
    expect(staff.page.get_by_label("Mail address of the person")).to_have_value(user.email)
    staff.page.get_by_label("Reason").fill("A gift from the business")
    staff.page.get_by_role("button", name="Give this plan").click()
    expect(staff.page.locator("#content, .messagelist").first).to_be_visible()
    staff.page.get_by_text("They have the plan now.").wait_for()


def book(visitor: Visitor, event: CalendarEvent) -> None:
    visitor.go("dashboard")
    visitor.press("Book a session")
    choose(visitor, event)
    visitor.reads("Nothing more to pay")
    visitor.write(contact_phone="(312) 555-0187", topic="The letters on my tablet are too small.")
    press_book(visitor, event)
    assert calendar(visitor.calendar_file())["METHOD"] == "PUBLISH"


def choose(visitor: Visitor, event: CalendarEvent) -> None:
    visitor.sees("Pick a time")
    visitor.press(slot_name(event, "2 places left"))
    visitor.sees("Is this right?")
    visitor.reads(event.title, "Deputy Rosa", "Central Time (Chicago)")


def press_book(visitor: Visitor, event: CalendarEvent) -> None:
    visitor.press("Yes, book this session")
    visitor.sees("You are booked, Margaret.")
    visitor.reads(when(event), "Central Time (Chicago)", "(312) 555-0187")


def see_it_on_the_dashboard(visitor: Visitor, event: CalendarEvent) -> None:
    visitor.page.goto(visitor.site)
    visitor.menu("My account")
    visitor.reads("Your next session", when(event).replace(" at ", ", at "), "1 of 5 sessions used")
    visitor.press(f"{event.title}: see the details")
    visitor.sees(event.title)
    visitor.reads("Coming up", "The letters on my tablet are too small.")


def move(visitor: Visitor, old: CalendarEvent, new: CalendarEvent) -> None:
    visitor.press("Pick another time")
    visitor.sees("Pick another time")
    visitor.reads(f"You are moving: {when(old)}")
    visitor.press(slot_name(new, "2 places left"))
    visitor.sees("Is this right?")
    visitor.reads("Your old time", "Your new time", old.title, new.title)
    visitor.press("Yes, move my session")
    visitor.sees("Your session is moved, Margaret.")
    visitor.reads(when(new))


def cancel(visitor: Visitor, event: CalendarEvent) -> None:
    visitor.press_link_in_mail("/booking/visits/")
    visitor.sees(event.title)
    visitor.press("Cancel this session")
    visitor.sees("Cancel your session?")
    visitor.reads("the session goes back to your plan")
    visitor.press("Yes, cancel it")
    visitor.sees("Your session is cancelled.")
    visitor.reads("The session is back in your plan.")


def calendar_of_mail(visitor: Visitor, subject: str) -> dict[str, Any]:
    """What the calendar file of the newest mail of that subject says."""
    visitor.open_mail(EMAIL, subject)
    assert "Margaret" in visitor.mail_text()
    return calendar(visitor.attachment("session.ics"))


def calendar(text: str) -> dict[str, Any]:
    whole = Calendar.from_ical(text)
    (item,) = whole.walk("VEVENT")
    return {
        "METHOD": str(whole["METHOD"]),
        "UID": str(item["UID"]),
        "SEQUENCE": int(str(item["SEQUENCE"])),
        "START": item.decoded("DTSTART"),
    }


def taken(event: CalendarEvent) -> int:
    event.refresh_from_db()
    assert event.booked_count == event.bookings.confirmed().count()
    return event.booked_count


def sessions_used(user: User) -> int:
    return VisitUse.objects.filter(user=user, returned_at__isnull=True).count()
