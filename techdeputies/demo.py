"""A small business that never was: people, deputies, four weeks of times and a few bookings.

Run again, it adds what is missing: the days that have come into view since, a plan that has run out. What
someone did with the demo meanwhile stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from accounts.models import Role, User
from audit.actors import Actor
from billing.models import Plan, PlanTier, UserSubscription
from billing.services import subscriptions
from booking.models import Attendance, Booking, CalendarEvent, EventKind
from settings_app.services import business_zone
from techdeputies.groups import DEPUTY, OWNER, SUPPORT, make_groups

PASSWORD = "porch-lantern-river"
DAYS_AHEAD = 28
DAYS_BACK = 14


@dataclass(frozen=True)
class Person:
    email: str
    name: str
    words: str
    plan: str = ""
    group: str = ""
    is_verified: bool = True


OWNER_PERSON = Person("owner@thetechdeputies.example", "Dana Whitfield", "Owner of the business", group=OWNER)
DEPUTIES = (
    Person("rosa@thetechdeputies.example", "Rosa Lopez", "Deputy", group=DEPUTY),
    Person("sam@thetechdeputies.example", "Sam Okafor", "Deputy", group=DEPUTY),
    Person("walt@thetechdeputies.example", "Walt Jensen", "Deputy", group=DEPUTY),
)
SUPPORT_PERSON = Person("june@thetechdeputies.example", "June Park", "Support", group=SUPPORT)
MARGARET = Person("margaret@example.com", "Margaret Ellis", "Customer, Standard plan", plan=PlanTier.STANDARD)
GEORGE = Person("george@example.com", "George Ellis", "Customer, Basic plan", plan=PlanTier.BASIC)
RUTH = Person("ruth@example.com", "Ruth Sullivan", "Customer, Premium plan", plan=PlanTier.PREMIUM)
HAROLD = Person("harold@example.com", "Harold Baker", "Customer without a plan")
EDITH = Person("edith@example.com", "Edith Moore", "Customer, mail address not yet verified", is_verified=False)

PEOPLE = (OWNER_PERSON, *DEPUTIES, SUPPORT_PERSON, MARGARET, GEORGE, RUTH, HAROLD, EDITH)


@dataclass(frozen=True)
class Slot:
    """A time of every week: local wall time, so it stays at 2 PM across a clock change."""

    weekday: int
    hour: int
    minute: int
    deputy: int
    title: str
    kind: EventKind
    place: str = ""
    minutes: int = 60
    capacity: int = 2


_ROSA, _SAM, _WALT = 0, 1, 2
_OFFICE = "120 Badge Street, Chicago"

WEEK = (
    Slot(0, 11, 0, _ROSA, "Ask us anything", EventKind.PHONE),
    Slot(0, 14, 0, _SAM, "Email and photos", EventKind.REMOTE),
    Slot(0, 16, 30, _ROSA, "Phones and tablets", EventKind.PHONE),
    Slot(1, 10, 0, _ROSA, "Ask us anything", EventKind.PHONE),
    Slot(1, 13, 0, _WALT, "Computers and printers", EventKind.IN_PERSON, _OFFICE, 90),
    Slot(1, 16, 0, _ROSA, "Phones and tablets", EventKind.PHONE),
    Slot(2, 9, 0, _SAM, "Phones and tablets", EventKind.PHONE),
    Slot(2, 15, 0, _SAM, "Staying safe online", EventKind.REMOTE, capacity=3),
    Slot(3, 10, 0, _ROSA, "Phones and tablets", EventKind.PHONE),
    Slot(3, 14, 0, _SAM, "Ask us anything", EventKind.PHONE),
    Slot(3, 18, 0, _WALT, "Smart home", EventKind.REMOTE, capacity=1),
    Slot(4, 9, 30, _SAM, "Email and photos", EventKind.REMOTE),
    Slot(4, 13, 0, _WALT, "Computers and printers", EventKind.IN_PERSON, _OFFICE, 90),
    Slot(5, 9, 0, _ROSA, "Ask us anything", EventKind.PHONE),
    Slot(5, 10, 30, _WALT, "Computers and printers", EventKind.IN_PERSON, _OFFICE, 90),
)

DESCRIPTIONS = {
    "Ask us anything": "Bring any question. We look at it together, as slowly as you like.",
    "Email and photos": "Reading and sending mail, finding photos, keeping them safe.",
    "Phones and tablets": "Calls, messages, pictures, bigger letters, and what all the signs mean.",
    "Computers and printers": "Setting up, tidying up, printing, and what to do when nothing moves.",
    "Staying safe online": "How to tell a trick from the real thing, and good passwords without a headache.",
    "Smart home": "Lamps, speakers, doorbells: what they are for, and how to make them listen to you.",
}


def make_demo() -> None:
    """All of it, in one transaction."""
    with transaction.atomic():
        make_groups()
        people = {person.email: _person(person) for person in PEOPLE}
        owner = Actor(user=people[OWNER_PERSON.email])
        for person in PEOPLE:
            if person.plan:
                _plan(people[person.email], person.plan, owner)
        deputies = [people[deputy.email] for deputy in DEPUTIES]
        _times(deputies)
        _bookings(people, deputies)


def _person(person: Person) -> User:
    found = User.objects.with_email(person.email).first()
    if found is not None:
        return found
    user = User.objects.create_user(
        email=person.email,
        password=PASSWORD,
        name=person.name,
        role=Role.ADMIN if person.group else Role.USER,
        email_verified=person.is_verified,
        phone="" if person.group else "(312) 555-0198",
    )
    if person.group:
        user.groups.add(Group.objects.get(name=person.group))
    return user


def _plan(user: User, tier: str, owner: Actor) -> None:
    if not user.is_active or UserSubscription.objects.live().filter(user=user).exists():
        return
    plan = Plan.objects.filter(tier=tier).order_by("pk").first()
    if plan is not None:
        subscriptions.grant_plan(user=user, plan=plan, actor=owner, reason="Demo data")


def _times(deputies: list[User]) -> None:
    """The weekly times of the past two weeks and the next four, where the deputy has nothing at that start."""
    zone = business_zone()
    today = timezone.now().astimezone(zone).date()
    wanted = [
        (deputies[slot.deputy], _start(today + timedelta(days=ahead), slot), slot)
        for ahead in range(-DAYS_BACK, DAYS_AHEAD + 1)
        for slot in WEEK
        if ahead != 0 and (today + timedelta(days=ahead)).weekday() == slot.weekday
    ]
    taken = set(
        CalendarEvent.objects.filter(
            deputy__in=deputies, start_time__gte=timezone.now() - timedelta(days=DAYS_BACK + 2)
        ).values_list("deputy_id", "start_time")
    )
    CalendarEvent.objects.bulk_create(
        [
            CalendarEvent(
                title=slot.title,
                description=DESCRIPTIONS[slot.title],
                start_time=start,
                end_time=start + timedelta(minutes=slot.minutes),
                capacity=slot.capacity,
                deputy=deputy,
                kind=slot.kind,
                place=slot.place,
            )
            for deputy, start, slot in wanted
            if (deputy.pk, start) not in taken
        ],
        ignore_conflicts=True,  # someone moved a neighbour into this hour: their wish counts
    )


def _start(day: date, slot: Slot) -> datetime:
    return datetime(day.year, day.month, day.day, slot.hour, slot.minute, tzinfo=business_zone()).astimezone(
        timezone.get_default_timezone()
    )


def _bookings(people: dict[str, User], deputies: list[User]) -> None:
    """Once: two past sessions, two coming ones for Margaret, and neighbours who fill a few places."""
    margaret, george, ruth = (people[person.email] for person in (MARGARET, GEORGE, RUTH))
    if Booking.objects.filter(user__in=[margaret, george, ruth]).exists():
        return
    now = timezone.now()
    mine = CalendarEvent.objects.open().filter(deputy__in=deputies).select_related("deputy")
    past = list(mine.filter(start_time__lt=now).order_by("-start_time")[:6])
    coming = list(mine.filter(start_time__gt=now + timedelta(days=1)).order_by("start_time")[:20])
    for event in past[1:6:3]:
        _book(margaret, event, topic="Photos on my phone", attendance=Attendance.ATTENDED)
    _book(george, past[0], attendance=Attendance.NO_SHOW)
    for event, topic in ((coming[4], "My tablet has no sound"), (coming[13], "Video calls with the grandchildren")):
        _book(margaret, event, topic=topic, is_counted=True)
    _book(ruth, coming[4], is_counted=True)
    for event in (coming[1], coming[7]):
        _book(george, event, is_counted=True)
        _book(ruth, event, is_counted=True)
    _book(ruth, coming[10], is_counted=True)


def _book(user: User, event: CalendarEvent, *, is_counted: bool = False, **fields: Any) -> None:
    """A place as the services leave it, without the mails: the demo's mailbox starts empty."""
    booking = Booking(user=user, event=event, contact_phone=user.phone, **fields)
    if event.has_started:
        booking.booked_at = event.start_time - timedelta(days=3)
    if is_counted:
        booking.visit_use = subscriptions.use_visit(user=user, cause=booking.occasion)
    locked = CalendarEvent.objects.locked(event.pk)
    taken = locked.bookings.confirmed().count()
    if taken >= locked.capacity:
        if booking.visit_use is not None:
            subscriptions.return_visit(use=booking.visit_use)
        return
    booking.save(force_insert=True)
    locked.booked_count = taken + 1
    locked.save(update_fields=["booked_count", "updated_at"])
