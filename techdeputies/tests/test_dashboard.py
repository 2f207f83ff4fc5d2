"""A person's own page: the next session, the plan, and the one word on top."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_admin, make_user
from billing.models import FamilyInvitation, SubscriptionStatus
from billing.tests.factories import make_member, make_plan, make_subscriber, make_subscription
from billing.tests.pages import in_state, make_bought
from booking.models import Attendance, Booking, EventKind
from booking.tests.factories import make_booking, make_event
from techdeputies import dashboard
from techdeputies.tests.pages import own_links, words

pytestmark = pytest.mark.django_db

CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture
def person(client: Client) -> Any:
    """A signed-in person with a plan."""
    user = make_subscriber(phone="(312) 555-0187")
    client.force_login(user)
    return user


def test_dashboard_needs_signing_in(client: Client) -> None:
    response = client.get(reverse("dashboard"))

    assert response.status_code == 302
    assert response["Location"].startswith(reverse("accounts:login"))


def test_dashboard_shows_next_session_others_and_plan(client: Client, person: Any) -> None:
    now = timezone.now()
    next_one = make_booking(user=person, event=make_event(title="Ask us anything", start_time=now + timedelta(days=2)))
    later = make_booking(user=person, event=make_event(title="Smart home", start_time=now + timedelta(days=4)))
    past = make_booking(user=person, event=make_event(title="Email and photos", start_time=now - timedelta(days=4)))
    make_booking(event=make_event(title="Of somebody else"))
    make_booking(user=person, event=make_event(title="Given up"), status="cancelled")

    response = client.get(reverse("dashboard"))

    text = words(response)
    assert ", Margaret" in text
    assert "Deputy Rosa will call you at (312) 555-0187." in text
    assert "Smart home, with Deputy Rosa" in text
    assert "0 of 5 sessions used" in text
    assert "Of somebody else" not in text
    assert "Given up" not in text
    links = own_links(response, "/dashboard/")
    for name in ("booking_calendar", "booking_move", "booking_cancel", "booking_detail"):
        assert reverse(f"booking:{name}", args=[next_one.pk]) in links
    for booking in (later, past):
        assert reverse("booking:booking_detail", args=[booking.pk]) in links


def test_empty_account_is_offered_a_first_session(client: Client) -> None:
    client.force_login(make_user())

    text = words(client.get(reverse("dashboard")))

    assert "Book your first session" in text
    assert "You have no monthly plan." in text


def test_unverified_person_is_told_what_to_do(client: Client) -> None:
    client.force_login(make_user(email_verified=False, email="new@example.com"))

    response = client.get(reverse("dashboard"))

    assert "We have written to new@example.com" in words(response)
    assert reverse("accounts:verify") in own_links(response, "/dashboard/")


def test_failed_payment_comes_before_all_other_alerts(client: Client) -> None:
    user = make_user(email_verified=False)
    make_subscription(user=user, status=SubscriptionStatus.PAST_DUE)
    client.force_login(user)

    text = words(client.get(reverse("dashboard")))

    assert "Your payment did not go through" in text
    assert "Please tell us that this is your email address" not in text


def test_plan_card_says_what_comes_next(client: Client) -> None:
    now = timezone.now()
    stopping = make_bought(ends_at=now + timedelta(days=20))
    moving = make_bought(next_plan=make_plan(display_name="Small"))
    paid = make_bought(user=make_user(name="Margaret Ellis"))
    for user, said in (
        (stopping.user, "You pay nothing more."),
        (moving.user, "you have the Small plan."),
        (paid.user, "The next payment: $99 on"),
        (make_member(paid).user, "Margaret shares it with you."),
        (make_subscriber(), "It works until"),
    ):
        client.force_login(user)
        response = client.get(reverse("dashboard"))
        assert said in words(response), said
        assert {reverse("billing:my_plan"), reverse("billing:payment_list")} <= own_links(response, "/")


def test_failed_payment_leads_to_the_card(client: Client) -> None:
    client.force_login(in_state("past due").user)

    response = client.get(reverse("dashboard"))

    assert "Look at my card" in words(response)
    assert reverse("billing:portal") + "?for=card" in own_links(response, "/")


def test_plan_that_ends_soon_is_named_on_top_and_one_that_ends_later_is_not(client: Client) -> None:
    now = timezone.now()
    soon = make_bought(ends_at=now + timedelta(days=2), current_period_end=now + timedelta(days=2))
    later = make_bought(ends_at=now + timedelta(days=25), current_period_end=now + timedelta(days=25))

    for user, is_named in ((soon.user, True), (later.user, False)):
        client.force_login(user)
        assert ("Your plan stops on" in words(client.get(reverse("dashboard")))) is is_named


def test_offer_to_share_a_plan_is_named_to_somebody_without_one(client: Client) -> None:
    user = make_user(email="harold@example.com")
    FamilyInvitation.objects.create(
        subscription=make_bought(),
        email="Harold@example.com",
        token_hash="x",
        expires_at=timezone.now() + timedelta(days=3),
    )
    client.force_login(user)

    assert "Somebody would like to share their plan with you" in words(client.get(reverse("dashboard")))


def test_unlimited_plan_says_so(client: Client) -> None:
    client.force_login(make_subscriber(plan=make_plan(session_limit=0, display_name="Premium")))

    assert "Unlimited sessions." in words(client.get(reverse("dashboard")))


def test_missed_session_is_named(client: Client, person: Any) -> None:
    event = make_event(start_time=timezone.now() - timedelta(days=1))
    make_booking(user=person, event=event, attendance=Attendance.NO_SHOW)

    assert "Missed" in words(client.get(reverse("dashboard")))


def test_dashboard_runs_few_statements_whatever_the_number_of_sessions(
    client: Client, person: Any, django_assert_max_num_queries: Any
) -> None:
    deputy = make_admin()
    for day in range(-6, 7):
        event = make_event(deputy=deputy, start_time=timezone.now() + timedelta(days=day, hours=1))
        make_booking(user=person, event=event)
    client.get(reverse("dashboard"))

    with django_assert_max_num_queries(8):
        client.get(reverse("dashboard"))


@pytest.mark.parametrize(("hour", "expected"), [(8, "Good morning"), (13, "Good afternoon"), (21, "Good evening")])
def test_greeting_follows_the_clock_of_the_person(hour: int, expected: str) -> None:
    user = make_user(name=None)
    noon = datetime(2026, 12, 1, hour, tzinfo=CHICAGO)

    assert dashboard.greeting(user, noon, CHICAGO) == expected


def _next_session(booking: Booking, zone: ZoneInfo) -> dashboard.NextSession:
    now = timezone.now()
    coming, _ = dashboard.visits_of(booking.user, now)
    return dashboard.next_session(coming[0], booking.user, now, zone)


def test_other_zone_names_both_times() -> None:
    booking = make_booking()

    assert "For Deputy Rosa it is" in _next_session(booking, ZoneInfo("America/New_York")).zone_line
    assert "For Deputy Rosa" not in _next_session(booking, CHICAGO).zone_line


def test_session_in_person_names_the_place() -> None:
    booking = make_booking(event=make_event(kind=EventKind.IN_PERSON, place="the library"))

    assert _next_session(booking, CHICAGO).how == "You meet Deputy Rosa at the library."
