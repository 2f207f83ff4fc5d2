"""Fill the product's database for a run, and print what the load generator needs as JSON."""

from __future__ import annotations

import json
import secrets
import sys
from collections import Counter
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Role, Session, User
from accounts.session_store import SessionStore, row_id
from benchmarks.shape import (
    HOT_SLOTS,
    PEOPLE,
    RACE_PLACES,
    RACE_SLOTS,
    READERS,
    SLOTS,
    VISITS_AHEAD,
    VISITS_BEHIND,
)
from billing.models import CourseInclusion, Plan, PlanTier, SupportTier, UserSubscription, VisitUse
from booking.models import Booking, CalendarEvent
from emails.models import EmailJob, EmailStatus
from settings_app.models import Setting

PASSWORD = "river-spoon-tuesday"
DEPUTIES = 4
TIMES_A_DAY = 10
PAST_SLOTS = 40
LIMITS = {
    "limit_login_per_account": "1000",
    "limit_login_per_address": "10000",
    "limit_booking_per_account": "1000",
    "limit_booking_per_address": "10000",
}


def make_people() -> tuple[list[User], list[User]]:
    """The deputies, and everybody else with one password (hashed once: that is not what is measured)."""
    deputies = [
        User.objects.create_user(
            email=f"deputy{number}@example.com", name=f"Dana{number} Reyes", role=Role.ADMIN, email_verified=True
        )
        for number in range(DEPUTIES)
    ]
    password = make_password(PASSWORD)
    people = User.objects.bulk_create(
        User(
            email=f"person{number}@example.com",
            password=password,
            name=f"Person {number}",
            email_verified=True,
            phone="(312) 555-0100",
        )
        for number in range(PEOPLE)
    )
    return deputies, people


def give_plans(people: list[User], now: datetime) -> list[UserSubscription]:
    plan = Plan.objects.create(
        name="bench",
        display_name="Everything",
        price_in_cents=19900,
        tier=PlanTier.PREMIUM,
        session_limit=0,
        course_inclusion=CourseInclusion.FULL,
        support_tier=SupportTier.PREMIUM,
    )
    visits = VISITS_AHEAD + VISITS_BEHIND
    return UserSubscription.objects.bulk_create(
        UserSubscription(
            user=person,
            plan=plan,
            current_period_start=now - timedelta(days=10),
            current_period_end=now + timedelta(days=20),
            session_booked_this_month=visits if number < READERS else 0,
        )
        for number, person in enumerate(people)
    )


def sign_in(people: list[User]) -> list[str]:
    """A device for each, as the log-in writes it; the values of the cookies."""
    keys = []
    rows = []
    expires = timezone.now() + timedelta(days=14)
    for person in people:
        key = secrets.token_urlsafe(32)
        content = {
            SESSION_KEY: str(person.pk),
            BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
            HASH_SESSION_KEY: person.get_session_auth_hash(),
            "_role": person.role,
        }
        keys.append(key)
        rows.append(
            Session(id=row_id(key), user=person, expires_at=expires, session_data=SessionStore().encode(content))
        )
    Session.objects.bulk_create(rows)
    return keys


def slot(deputy: User, start: datetime, capacity: int = 1_000) -> CalendarEvent:
    return CalendarEvent(
        title="Help with your phone or tablet",
        description="Bring your questions. We go at your pace.",
        start_time=start,
        end_time=start + timedelta(minutes=45),
        capacity=capacity,
        deputy=deputy,
    )


def book_for_readers(
    subscriptions: list[UserSubscription], ahead: list[CalendarEvent], past: list[CalendarEvent]
) -> None:
    """Visits as the service leaves them: booking, use of the plan, mail. The slots' counts are set, not saved."""
    taken: Counter[str] = Counter()
    uses, bookings, mails = [], [], []
    for reader, subscription in enumerate(subscriptions[:READERS]):
        wanted = [ahead[(reader * VISITS_AHEAD + turn) % len(ahead)] for turn in range(VISITS_AHEAD)]
        wanted += [past[(reader * VISITS_BEHIND + turn) % len(past)] for turn in range(VISITS_BEHIND)]
        for event in wanted:
            taken[event.pk] += 1
            booking = Booking(user_id=subscription.user_id, event=event)
            use = VisitUse(
                subscription=subscription,
                user_id=subscription.user_id,
                cause=booking.occasion,
                period_start=subscription.current_period_start,
            )
            uses.append(use)
            booking.visit_use = use
            bookings.append(booking)
            mails.append(
                EmailJob(
                    template_type="booking_confirmed",
                    occasion=booking.occasion,
                    recipient_email=f"person{reader}@example.com",
                    subject="You are booked",
                    content={"context": {}},
                    status=EmailStatus.SENT,
                )
            )
    for event in (*ahead, *past):
        event.booked_count = taken[event.pk]
    CalendarEvent.objects.bulk_create([*ahead, *past])
    VisitUse.objects.bulk_create(uses)
    for booking in bookings:
        booking.visit_use = booking.visit_use  # its id is known only now
    Booking.objects.bulk_create(bookings)
    EmailJob.objects.bulk_create(mails)


def slots_ahead(deputies: list[User], now: datetime) -> list[CalendarEvent]:
    """A full week, the next one: what the booking page opens with. Neighbours in the list never overlap."""
    monday = now.replace(hour=14, minute=0, second=0, microsecond=0) + timedelta(days=7 - now.weekday())
    times = SLOTS // DEPUTIES
    return [
        slot(
            deputies[number // times],
            monday + timedelta(days=number % times // TIMES_A_DAY, hours=number % times % TIMES_A_DAY),
        )
        for number in range(SLOTS)
    ]


def named(events: list[CalendarEvent]) -> list[list[str]]:
    """What a booking form sends of each: the id in its address, and the start it showed."""
    return [[event.pk, event.start_time.isoformat()] for event in events]


def main() -> None:
    now = timezone.now()
    morning = now.replace(hour=14, minute=0, second=0, microsecond=0)
    with transaction.atomic():
        Setting.objects.bulk_create(Setting(key=key, value=value) for key, value in LIMITS.items())
        deputies, people = make_people()
        deputy = deputies[0]
        subscriptions = give_plans(people, now)
        keys = sign_in(people)
        ahead = slots_ahead(deputies, now)
        past = [slot(deputy, morning - timedelta(days=2 + number)) for number in range(PAST_SLOTS)]
        book_for_readers(subscriptions, ahead, past)
        hot = [slot(deputy, morning + timedelta(days=20, hours=number), 100_000) for number in range(HOT_SLOTS)]
        race = [slot(deputy, morning + timedelta(days=22, hours=number), RACE_PLACES) for number in range(RACE_SLOTS)]
        CalendarEvent.objects.bulk_create([*hot, *race])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    facts = {
        "session_cookie": settings.SESSION_COOKIE_NAME,
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "password": PASSWORD,
        "sessions": keys,
        "slots": named(ahead),
        "hot": named(hot),
        "race": named(race),
    }
    json.dump(facts, sys.stdout)
