"""The mails about sessions: each can be rendered, and says what it must."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.tests.factories import make_admin
from audit.actors import Actor
from billing.tests.factories import make_subscriber
from booking import services
from booking.models import Booking
from booking.tests.factories import make_event
from emails import rendering, wording
from emails.models import EmailJob

pytestmark = pytest.mark.django_db

MESSAGES = (
    "booking_confirmed",
    "booking_moved",
    "booking_cancelled",
    "booking_reminder",
    "event_cancelled",
    "event_changed",
)


def rendered(template: str) -> rendering.Rendered:
    job = EmailJob.objects.filter(template_type=template).latest("pk")
    return rendering.render(
        wording.find(template),
        job.content["context"],
        site=rendering.site_values(),
        recipient_name=job.recipient_name or "",
    )


@pytest.mark.parametrize("name", MESSAGES)
def test_each_wording_fills_in_with_its_own_samples(name: str) -> None:
    words = wording.read_folder(wording.FOLDER / name)

    rendering.check(words)

    assert words.stream == "service"
    assert words.description


@pytest.mark.parametrize("name", MESSAGES)
def test_each_mail_names_phone_and_session_and_has_one_button(name: str) -> None:
    words = wording.read_folder(wording.FOLDER / name)
    mail = rendering.render(words, words.variables, site=rendering.site_values(), recipient_name="Margaret")

    for part in (mail.text, mail.html):
        assert "(312) 555-0142" in part
        assert "Tuesday, December 1" in part
        assert "Central Time (Chicago)" in part
        assert words.variables["button_url"] in part
    assert mail.html.count(words.variables["button_text"]) >= 1


def test_the_mails_of_a_session_from_booking_to_cancelling(django_capture_on_commit_callbacks: Any) -> None:
    user = make_subscriber(name="Margaret Ellis", time_zone="America/New_York")
    booking = services.book_event(user=user, event=make_event(), contact_phone="(312) 555-0187")
    confirmed = rendered("booking_confirmed")
    other = make_event(start_time=booking.event.start_time.replace(minute=17))
    live = services.move_booking(booking=booking, event=other)
    moved = rendered("booking_moved")
    services.change_event(event=other, actor=Actor(user=make_admin()), deputy=make_admin(name="Walt"))
    changed = rendered("event_changed")
    with django_capture_on_commit_callbacks(execute=True):
        services.cancel_event(event=other, actor=Actor(user=make_admin()), reason="Deputy Walt is ill.")
    cancelled = rendered("event_cancelled")

    assert "You are booked, Margaret." in confirmed.text
    assert "Deputy Rosa will call you at (312) 555-0187." in confirmed.text
    assert "Eastern Time (New York)" in confirmed.text
    assert "For Deputy Rosa it is" in confirmed.text
    assert f"/booking/visits/{booking.pk}/" in confirmed.html
    assert "It was on " in moved.text
    assert f"/booking/visits/{live.pk}/" in moved.html
    assert "The time stays the same" in changed.text
    assert "Deputy Walt" in changed.text
    assert "Deputy Walt is ill." in cancelled.html
    assert "back in your plan" in cancelled.text
    assert not Booking.objects.confirmed().exists()
    assert "{{" not in confirmed.html + moved.html + changed.html + cancelled.html


def test_names_of_people_are_text_in_mails() -> None:
    user = make_subscriber(name="<b>Bold</b> Ellis")
    services.book_event(user=user, event=make_event(title="<script>alert(1)</script>"))

    mail = rendered("booking_confirmed")

    assert "<script>alert" not in mail.html
    assert "&lt;script&gt;alert(1)" in mail.html
    assert "<b>Bold" not in mail.html
