"""What staff do with the times they offer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_admin, make_user
from audit.actors import Actor
from audit.models import AdminActionAudit
from billing.models import UserSubscription
from billing.tests.factories import make_subscriber
from booking import exceptions, services, tasks
from booking.models import CalendarEvent, EventKind, EventStatus
from booking.tests.factories import make_booking
from emails.models import EmailJob

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def in_hours(hours: float) -> Any:
    return timezone.now().replace(microsecond=0) + timedelta(hours=hours)


@pytest.fixture
def rosa() -> User:
    return make_admin(name="Rosa Lopez")


@pytest.fixture
def actor(rosa: User) -> Actor:
    return Actor(user=rosa)


def offered(actor: Actor, **fields: Any) -> CalendarEvent:
    start = fields.pop("start_time", in_hours(72))
    defaults: dict[str, Any] = {
        "title": "Phones and tablets",
        "end_time": start + HOUR,
        "deputy": actor.user,
        "kind": EventKind.PHONE,
    }
    return services.create_event(actor=actor, start_time=start, **defaults | fields)


def allowance_used(user: User) -> int:
    return UserSubscription.objects.get(user=user).session_booked_this_month


# --- Offering -------------------------------------------------------------------------------------------
def test_a_time_is_offered_and_written_down(actor: Actor) -> None:
    event = offered(actor, capacity=3)

    event.refresh_from_db()
    assert (event.status, event.capacity, event.booked_count) == (EventStatus.OPEN, 3, 0)
    (row,) = AdminActionAudit.objects.filter(action="event_created")
    assert row.object_id == event.pk


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"end_time": in_hours(71)}, exceptions.EndsBeforeStart),
        ({"start_time": in_hours(-1)}, exceptions.StartsInThePast),
        ({"capacity": 0}, exceptions.CapacityTooSmall),
    ],
)
def test_what_makes_no_sense_is_refused(actor: Actor, fields: dict[str, Any], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        offered(actor, **fields)

    assert not CalendarEvent.objects.exists()
    assert not AdminActionAudit.objects.exists()


def test_only_staff_hold_sessions(actor: Actor) -> None:
    with pytest.raises(exceptions.DeputyNotStaff):
        offered(actor, deputy=make_user())


def test_one_deputy_cannot_be_in_two_sessions(actor: Actor) -> None:
    first = offered(actor)

    with pytest.raises(exceptions.DeputyBusy):
        offered(actor, start_time=first.start_time + HOUR / 2)

    assert offered(actor, start_time=first.end_time)
    assert offered(actor, start_time=first.start_time, deputy=make_admin())


# --- Changing -------------------------------------------------------------------------------------------
def test_a_new_time_is_told_to_everybody_once(actor: Actor) -> None:
    event = offered(actor)
    booking = services.book_event(user=make_subscriber(), event=event)
    later = event.start_time + HOUR

    services.change_event(event=event, actor=actor, start_time=later, end_time=later + HOUR)
    services.change_event(event=event, actor=actor, start_time=later, end_time=later + HOUR)

    booking.refresh_from_db()
    (mail,) = EmailJob.objects.filter(template_type="event_changed")
    assert mail.occasion == booking.occasion
    assert mail.content["context"]["old_when"]
    assert AdminActionAudit.objects.filter(action="event_changed").count() == 1


def test_a_new_title_or_more_places_are_not_worth_a_mail(actor: Actor) -> None:
    event = offered(actor)
    services.book_event(user=make_subscriber(), event=event)

    changed = services.change_event(event=event, actor=actor, title="Printers", capacity=4)

    assert (changed.title, changed.capacity) == ("Printers", 4)
    assert not EmailJob.objects.filter(template_type="event_changed").exists()


def test_places_cannot_drop_below_the_people_who_are_named(actor: Actor) -> None:
    event = offered(actor)
    for name in ("Margaret Ellis", "Henry Ford"):
        make_booking(event=event, user=make_user(name=name))

    with pytest.raises(exceptions.CapacityBelowBookings, match=r"2 people are booked: Margaret Ellis, Henry Ford\."):
        services.change_event(event=event, actor=actor, capacity=1)
    with pytest.raises(exceptions.HasBookings):
        services.change_event(event=event, actor=actor, status=EventStatus.DRAFT)


def test_a_change_into_another_session_of_the_deputy_is_refused(actor: Actor) -> None:
    first, second = offered(actor), offered(actor, start_time=in_hours(80))

    with pytest.raises(exceptions.DeputyBusy):
        services.change_event(event=second, actor=actor, start_time=first.start_time, end_time=first.end_time)

    second.refresh_from_db()
    assert second.start_time != first.start_time


def test_unknown_fields_cannot_be_changed(actor: Actor) -> None:
    with pytest.raises(TypeError):
        services.change_event(event=offered(actor), actor=actor, booked_count=5)


# --- Cancelling -----------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_cancelling_gives_everybody_one_mail_with_the_reason_and_the_visit_back(actor: Actor) -> None:
    event = offered(actor, start_time=in_hours(3))
    people = [make_subscriber(), make_subscriber()]
    for person in people:
        services.book_event(user=person, event=event)

    services.cancel_event(event=event, actor=actor, reason="Deputy Rosa is ill.")
    services.cancel_event(event=event, actor=actor, reason="again")
    tasks.finish_cancelled_events()

    event.refresh_from_db()
    assert (event.status, event.booked_count, event.cancel_reason) == (
        EventStatus.CANCELLED,
        0,
        "Deputy Rosa is ill.",
    )
    assert [allowance_used(person) for person in people] == [0, 0]
    mails = EmailJob.objects.filter(template_type="event_cancelled")
    assert {mail.recipient_email for mail in mails} == {person.email for person in people}
    assert len(mails) == 2
    assert mails[0].content["context"]["reason"] == "Deputy Rosa is ill."
    assert AdminActionAudit.objects.filter(action="event_cancelled").count() == 1


def test_the_sweep_finishes_what_a_crash_left(actor: Actor) -> None:
    event = offered(actor)
    person = make_subscriber()
    services.book_event(user=person, event=event)
    CalendarEvent.objects.filter(pk=event.pk).update(
        status=EventStatus.CANCELLED, cancelled_at=timezone.now(), cancel_reason="Snow."
    )

    assert services.finish_cancelled_events() == 1
    assert services.finish_cancelled_events() == 0

    assert allowance_used(person) == 0
    assert EmailJob.objects.filter(template_type="event_cancelled").count() == 1


def test_one_booking_in_trouble_does_not_keep_the_others(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    event = offered(actor)
    bookings = [services.book_event(user=make_subscriber(), event=event) for _ in range(2)]
    CalendarEvent.objects.filter(pk=event.pk).update(status=EventStatus.CANCELLED, cancelled_at=timezone.now())
    bad = min(booking.pk for booking in bookings)
    real = services.events._release_one

    def sometimes(booking: Any, reason: str) -> bool:
        if booking.pk == bad:
            raise RuntimeError("a row in trouble")
        return real(booking, reason)

    monkeypatch.setattr("booking.services.events._release_one", sometimes)
    assert services.finish_cancelled_events() == 1
    monkeypatch.undo()
    assert services.finish_cancelled_events() == 1


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_event_cannot_be_booked_or_changed(actor: Actor) -> None:
    event = offered(actor)
    services.cancel_event(event=event, actor=actor, reason="")

    with pytest.raises(exceptions.EventNotOpen):
        services.book_event(user=make_subscriber(), event=event)
    with pytest.raises(exceptions.EventIsCancelled):
        services.change_event(event=event, actor=actor, title="x")
