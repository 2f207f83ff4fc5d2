"""Staff at their desk: offering a time, seeing who booked it, booking and cancelling for a caller."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.tests.factories import make_admin, make_user
from audit.models import AdminActionAudit
from billing.tests.factories import make_subscriber
from booking import services
from booking.models import Booking, CalendarEvent
from techdeputies.tests.browser.conftest import Visitors
from techdeputies.tests.browser.harness import Visitor
from techdeputies.tests.browser.times import CHICAGO, THURSDAY, TUESDAY, coming, offer, slot_name, when

PHONE = "(312) 555-0187"


@pytest.fixture
def staff(visitors: Visitors) -> Visitor:
    """Rosa, signed in at the staff desk."""
    visitor = visitors()
    visitor.go("admin:index")
    visitor.sign_in(make_admin(name="Rosa Lopez"))
    expect(visitor.page.get_by_role("heading", name="Staff desk")).to_be_visible()
    return visitor


def fill(visitor: Visitor, **answers: str) -> None:
    """Fill the boxes of an admin form by their names."""
    for name, text in answers.items():
        box = visitor.page.locator(f"#content [name={name}]")
        if box.evaluate("box => box.tagName") == "SELECT":
            box.select_option(text)
        else:
            box.fill(text)


def press(visitor: Visitor, name: str) -> None:
    content = visitor.page.locator("#content")
    button = content.get_by_role("button", name=name, exact=True)
    button.or_(content.get_by_role("link", name=name, exact=True)).first.click()


def says(visitor: Visitor, *sentences: str) -> None:
    for sentence in sentences:
        expect(visitor.page.locator("#container")).to_contain_text(sentence)


def test_a_time_offered_in_the_admin_is_booked_on_the_site_and_seen_by_staff(
    visitors: Visitors, staff: Visitor
) -> None:
    start = coming(TUESDAY, 10)
    staff.go("admin:booking_calendarevent_changelist")
    press(staff, "Add session time")
    fill(
        staff,
        title="Photos and video calls",
        start_time_0=f"{start:%Y-%m-%d}",
        start_time_1="10:00",
        end_time_0=f"{start:%Y-%m-%d}",
        end_time_1="11:00",
        capacity="1",
    )
    press(staff, "Save")
    says(staff, "Photos and video calls", "0 of 1 taken")
    event = CalendarEvent.objects.get()
    assert event.start_time == start

    visitor = visitors().is_signed_in_as(make_subscriber(name="Margaret Ellis", phone=PHONE))
    visitor.go("booking:event_list")
    visitor.press(slot_name(event, "Last place"))
    visitor.write(topic="How do I send a picture?")
    visitor.press("Yes, book this session")
    visitor.sees("You are booked, Margaret.")

    staff.page.reload()
    says(staff, "1 of 1 taken")
    staff.page.locator("#result_list tbody").get_by_role("link").first.click()
    says(staff, "Margaret Ellis", PHONE, "How do I send a picture?")
    fill(staff, capacity="0")
    press(staff, "Save")
    says(staff, "There must be at least one place.")


def test_staff_book_move_and_cancel_for_a_caller(staff: Visitor) -> None:
    tuesday, thursday = offer(), offer(THURSDAY, 14)
    caller = make_subscriber(name="Margaret Ellis", email="margaret@example.com", phone=PHONE)
    staff.go("admin:booking_booking_changelist")
    press(staff, "Book for a caller")
    fill(staff, email=caller.email, event=tuesday.pk, contact_phone=PHONE, topic="The letters are too small.")
    press(staff, "Book this session")
    says(staff, "Booked. The confirmation is on its way to them.", "Margaret Ellis")
    booking = Booking.objects.get()
    assert (booking.user, booking.event) == (caller, tuesday)
    assert booking.booked_by is not None

    staff.page.goto(f"/admin/booking/booking/{booking.pk}/change/")
    press(staff, "Move to another time")
    fill(staff, event=thursday.pk)
    press(staff, "Move this booking")
    says(staff, "Moved. One mail with the new time is on its way to them.")
    live = Booking.objects.confirmed().get()
    assert live.event == thursday

    staff.page.goto(f"/admin/booking/booking/{live.pk}/change/")
    press(staff, "Cancel this booking")
    says(staff, "Margaret Ellis", "Phones and tablets")
    press(staff, "Yes, cancel this booking")
    says(staff, "Cancelled. The session is back in their plan. They get a mail.")

    assert not Booking.objects.confirmed().exists()
    assert sorted(subjects(staff, caller.email)) == [
        f"Your session is booked: {when(tuesday)}",
        f"Your session is cancelled: {when(thursday)}",
        f"Your session is moved to {when(thursday)}",
    ]
    actions = AdminActionAudit.objects.filter(success=True).values_list("action", flat=True)
    assert {"booking_made", "booking_moved", "booking_cancelled"} <= set(actions)


def subjects(visitor: Visitor, to: str) -> list[str]:
    """Subjects of the mails in the mailbox page."""
    visitor.open_mail(to, "Your session")
    visitor.page.goto(f"{visitor.mailgun.site}/?to={to}")
    return visitor.page.locator(".tile__main").all_inner_texts()


def test_a_session_cancelled_by_staff_tells_everyone_with_a_place(visitors: Visitors, staff: Visitor) -> None:
    event = offer()
    people: list[Any] = [make_subscriber(phone=PHONE) for _ in range(2)]
    for person in people:
        services.book_event(user=person, event=event)
    staff.page.goto(f"/admin/booking/calendarevent/{event.pk}/change/")
    press(staff, "Cancel this session")
    fill(staff, reason="Deputy Rosa is ill.")

    press(staff, "Yes, cancel this session")

    says(staff, "The session is cancelled. Everyone who had a place gets a mail.")
    visitor = visitors().is_signed_in_as(people[0])
    visitor.open_mail(people[0].email, f"We are sorry: your session on {when(event)} is cancelled")
    assert "Deputy Rosa is ill." in visitor.mail_text()
    assert any("is cancelled" in mail.subject for mail in visitor.mailgun.messages(to=people[1].email))
    visitor.go("booking:booking_list")
    visitor.reads("Cancelled")


def test_a_refusal_in_the_admin_is_a_sentence_and_keeps_what_was_typed(staff: Visitor) -> None:
    event, caller = offer(), make_user(name="Margaret Ellis")
    staff.go("admin:booking_booking_book")
    fill(staff, email=caller.email, event=event.pk, topic="The letters are too small.")

    press(staff, "Book this session")

    expect(staff.page.locator("#content .errorlist")).to_contain_text("plan")
    expect(staff.page.locator("[name=topic]")).to_have_value("The letters are too small.")
    assert not Booking.objects.exists()


def test_customers_find_no_staff_desk(visitors: Visitors) -> None:
    visitor = visitors().is_signed_in_as(make_user())

    visitor.go("admin:index")

    visitor.sees("We cannot find that page")


def test_times_in_the_admin_are_the_businesss_own(staff: Visitor) -> None:
    """The browser stands in New York; the desk keeps Chicago's time."""
    event = offer(hour=10)

    staff.page.goto(f"/admin/booking/calendarevent/{event.pk}/change/")

    expect(staff.page.locator("[name=start_time_1]")).to_have_value("10:00:00")
    assert event.start_time.astimezone(CHICAGO).hour == 10
    expect(staff.page.locator(".timezonewarning").first).to_contain_text("1 hour ahead of server time")
