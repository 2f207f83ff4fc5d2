"""The demo business: enough to try everything, the same when made again, and never in production."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing.models import UserSubscription
from booking.models import Booking, CalendarEvent
from emails.models import EmailJob
from settings_app.services import business_zone
from techdeputies import demo

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(settings: Any) -> str:
    """What the command prints."""
    settings.IS_DEVELOPMENT = True
    out = io.StringIO()
    call_command("seed_demo", stdout=out)
    return out.getvalue()


def test_it_is_refused_outside_development(settings: Any) -> None:
    settings.IS_DEVELOPMENT = False

    with pytest.raises(CommandError):
        call_command("seed_demo")

    assert not User.objects.exists()


def test_every_log_in_is_printed_and_opens(made: str, client: Client) -> None:
    for person in demo.PEOPLE:
        assert person.email in made
        answer = client.post(reverse("accounts:login"), {"email": person.email, "password": demo.PASSWORD})
        assert answer.status_code == 302, person.email
        client.post(reverse("accounts:logout"))


@pytest.mark.usefixtures("made")
def test_there_are_free_times_for_weeks_at_the_same_hour_of_the_day() -> None:
    coming = CalendarEvent.objects.filter(start_time__gt=timezone.now())

    assert coming.filter(booked_count__lt=F("capacity")).count() >= 20
    hours = {event.start_time.astimezone(business_zone()).hour for event in coming.filter(title="Smart home")}
    assert hours == {18}


@pytest.mark.usefixtures("made")
def test_counts_agree_with_rows() -> None:
    for event in CalendarEvent.objects.all():
        assert event.booked_count == event.bookings.confirmed().count() <= event.capacity
    for subscription in UserSubscription.objects.all():
        assert subscription.session_booked_this_month == subscription.visit_uses.standing().count()
    assert not EmailJob.objects.exists()


@pytest.mark.usefixtures("made")
def test_a_second_run_changes_nothing() -> None:
    def counts() -> list[int]:
        return [model.objects.count() for model in (User, CalendarEvent, Booking, UserSubscription)]

    before = counts()
    call_command("seed_demo", verbosity=0)

    assert counts() == before


@pytest.mark.usefixtures("made")
def test_an_owner_runs_the_desk_without_being_a_superuser(client: Client) -> None:
    owner = User.objects.get(email=demo.OWNER_PERSON.email)
    client.force_login(owner)

    assert not owner.is_superuser
    assert client.get(reverse("admin:index")).status_code == 200
    assert client.get(reverse("admin:settings_app_setting_changelist")).status_code == 200
