"""Home, a person's own page, pages of words, the display settings and the error pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.core.management import call_command
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import make_admin, make_user
from billing.models import FamilyInvitation, SubscriptionStatus
from billing.tests.factories import make_member, make_plan, make_subscriber, make_subscription
from billing.tests.pages import in_state, make_bought
from booking.models import Attendance, Booking, EventKind
from booking.tests.factories import make_booking, make_event
from settings_app.decorators import too_many
from techdeputies import dashboard, views
from techdeputies.lib import fragments
from techdeputies.tests.pages import own_links, read, words

pytestmark = pytest.mark.django_db

PUBLIC = ("home", "help", "privacy", "terms", "display_settings")
CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture(autouse=True)
def _fresh_fragments() -> None:
    fragments.forget_all()


@pytest.fixture
def person(client: Client) -> Any:
    """A signed-in person with a plan."""
    user = make_subscriber(phone="(312) 555-0187")
    client.force_login(user)
    return user


# --- Everybody ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", PUBLIC)
def test_public_page_opens_without_an_account(client: Client, name: str) -> None:
    response = client.get(reverse(name))

    assert response.status_code == 200
    assert settings.SESSION_COOKIE_NAME not in response.cookies
    assert "(312) 555-0142" in words(response)


@pytest.mark.parametrize("name", ["home", "help", "privacy", "terms"])
def test_page_without_a_form_gives_no_csrf_cookie(client: Client, name: str) -> None:
    assert settings.CSRF_COOKIE_NAME not in client.get(reverse(name)).cookies


@pytest.mark.parametrize("name", PUBLIC)
def test_page_has_one_of_each_id_and_no_inline_style(client: Client, name: str) -> None:
    response = client.get(reverse(name))

    ids = read(response).ids
    assert len(ids) == len(set(ids))
    assert b"style=" not in response.content
    assert b"<style" not in response.content


@pytest.mark.parametrize("name", PUBLIC)
def test_pages_of_words_refuse_other_methods(client: Client, name: str) -> None:
    assert client.delete(reverse(name)).status_code == 405


def test_no_link_of_the_public_pages_leads_nowhere(client: Client) -> None:
    call_command("seed_plans", verbosity=0)
    make_event()
    queue, seen = [reverse(name) for name in PUBLIC], set()

    while queue:
        path = queue.pop()
        address = path.partition("#")[0]
        if address in seen:
            continue
        seen.add(address)
        response = client.get(address)
        signs_in_first = response.status_code == 302 and response["Location"].startswith(reverse("accounts:login"))
        assert response.status_code == 200 or signs_in_first, f"{address} answered {response.status_code}"
        if response.status_code == 200 and "text/html" in response["Content-Type"] and len(seen) < 60:
            queue.extend(own_links(response, address))

    assert reverse("booking:event_list") in seen


@pytest.mark.parametrize("name", PUBLIC)
def test_links_within_pages_find_their_place(client: Client, name: str) -> None:
    for link in own_links(client.get(reverse(name)), reverse(name)):
        parts = urlsplit(link)
        if parts.fragment and parts.path in {reverse(other) for other in PUBLIC}:
            assert parts.fragment in read(client.get(parts.path)).ids, link


def test_signed_in_header_offers_the_account_and_a_way_out(client: Client, person: Any) -> None:
    response = client.get(reverse("home"))

    assert reverse("dashboard") in own_links(response, "/")
    assert f'action="{reverse("accounts:logout")}"' in response.content.decode()
    assert reverse("accounts:login") not in own_links(response, "/")


# --- Home -----------------------------------------------------------------------------------------------
def test_home_shows_the_next_three_free_times(client: Client) -> None:
    soon = timezone.now().replace(microsecond=0)
    first = make_event(title="Ask us anything", start_time=soon + timedelta(hours=30))
    last_place = make_event(title="Email and photos", start_time=soon + timedelta(hours=40), capacity=1)
    third = make_event(title="Smart home", start_time=soon + timedelta(hours=50))
    fourth = make_event(title="Too far", start_time=soon + timedelta(hours=60))

    response = client.get(reverse("home"))

    links = own_links(response, "/")
    shown = [reverse("booking:event_detail", args=[event.pk]) in links for event in (first, last_place, third, fourth)]
    assert shown == [True, True, True, False]
    text = words(response)
    assert "2 places left" in text
    assert "Last place" in text
    assert "Each session is 60 minutes." in text


def test_home_leaves_out_full_cancelled_and_all_too_near_times(client: Client) -> None:
    soon = timezone.now()
    full = make_event(title="Full one", capacity=1)
    make_booking(event=full)
    make_event(title="Gone one", status="cancelled")
    make_event(title="Near one", start_time=soon + timedelta(minutes=30))
    make_event(title="Far one", start_time=soon + timedelta(days=9))

    text = words(client.get(reverse("home")))

    assert not [name for name in ("Full one", "Gone one", "Near one", "Far one") if name in text]
    assert "Every time in the next 7 days is taken." in text


def test_home_shows_times_in_the_persons_own_zone(client: Client) -> None:
    make_event()
    client.force_login(make_user(time_zone="Pacific/Honolulu"))

    assert "Hawaii Time (Honolulu)" in words(client.get(reverse("home")))
    client.logout()
    client.cookies["zone"] = "America/Denver"
    assert "Mountain Time (Denver)" in words(client.get(reverse("home")))
    assert "Central Time (Chicago)" in words(Client().get(reverse("home")))


def test_home_lists_the_plans_by_price(client: Client) -> None:
    call_command("seed_plans", verbosity=0)

    text = words(client.get(reverse("home")))

    assert "Monthly plans, from $49" in text
    assert text.index("Basic") < text.index("Standard") < text.index("Premium")
    assert "Unlimited" in text
    assert reverse("billing:plan_list") in own_links(client.get(reverse("home")), "/")


def test_home_asks_hand_the_topic_to_booking(client: Client) -> None:
    links = own_links(client.get(reverse("home")), "/")

    assert f"{reverse('booking:event_list')}?topic=My%20printer%20says%20it%20is%20offline." in links


def test_warm_home_runs_no_query(client: Client, django_assert_num_queries: Any) -> None:
    make_event()
    client.get(reverse("home"))

    with django_assert_num_queries(0):
        client.get(reverse("home"))


def test_cold_home_does_not_grow_with_the_calendar(client: Client, django_assert_max_num_queries: Any) -> None:
    deputy = make_admin()
    for day in range(1, 8):
        make_event(deputy=deputy, start_time=timezone.now() + timedelta(hours=20 * day))

    with django_assert_max_num_queries(3):  # settings, times, plans: each kept for seconds
        client.get(reverse("home"))


# --- A person's own page --------------------------------------------------------------------------------
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


# --- Display settings -----------------------------------------------------------------------------------
def test_chosen_size_and_colors_stay_on_the_device(client: Client) -> None:
    response = client.post(reverse("display_settings"), {"text": "larger", "theme": "dark"})

    assert response.status_code == 302
    page = client.get(reverse("home")).content.decode()
    assert '<html lang="en" data-theme="dark" data-text="larger">' in page


def test_going_back_to_normal_drops_the_cookies(client: Client) -> None:
    client.post(reverse("display_settings"), {"text": "large", "theme": "light"})
    client.post(reverse("display_settings"), {"text": "", "theme": ""})

    assert '<html lang="en">' in client.get(reverse("home")).content.decode()


def test_nonsense_in_form_or_cookie_changes_nothing(client: Client) -> None:
    client.cookies["theme"] = '"><script>'
    client.post(reverse("display_settings"), {"text": "huge\x00", "theme": ["light", "pink"]})

    assert '<html lang="en">' in client.get(reverse("home")).content.decode()


def test_saving_says_so_once(client: Client) -> None:
    response = client.post(reverse("display_settings"), {"text": "large"}, follow=True)

    assert 'role="status"' in response.content.decode()
    assert "Saved. This device will show our pages this way." in words(response)
    assert "Saved." not in words(client.get(reverse("display_settings")))


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [("/help/", "/help/"), ("https://evil.example/", "/display/"), ("//evil.example", "/display/"), ("", "/display/")],
)
def test_saving_leads_back_but_never_away(client: Client, wanted: str, leads_to: str) -> None:
    response = client.post(reverse("display_settings"), {"text": "large", "next": wanted})

    assert response["Location"] == leads_to


# --- When something goes wrong ----------------------------------------------------------------------------
def test_unknown_address_says_what_to_do(client: Client) -> None:
    response = client.get("/no-such-page/")

    assert response.status_code == 404
    assert "We cannot find that page" in words(response)
    assert len(own_links(response, "/") & {"/help/", "/dashboard/"}) == 2


def test_form_without_its_token_is_refused_kindly() -> None:
    response = Client(enforce_csrf_checks=True).post(reverse("display_settings"), {"text": "large"})

    assert response.status_code == 403
    assert "The page was open for a long time. Please go back and send it again; we kept nothing." in words(response)


@pytest.mark.parametrize(
    ("view", "status", "said"),
    [
        (views.bad_request, 400, "Something in that link was not right"),
        (views.permission_denied, 403, "This page belongs to another account"),
    ],
)
def test_other_refusals_have_their_words(rf: RequestFactory, view: Any, status: int, said: str) -> None:
    response = view(rf.get("/"), Exception())

    assert response.status_code == status
    assert said in words(response)


def test_too_many_tries_names_the_time(rf: RequestFactory) -> None:
    response = too_many(rf.get("/"), 15 * 60)

    assert response["Retry-After"] == "900"
    text = words(response)
    assert "Let us pause for a minute" in text
    assert "about 15 minutes" in text
    assert "Central Time (Chicago)" in text


def test_server_error_page_needs_no_database(rf: RequestFactory, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = views.server_error(rf.get("/"))

    assert response.status_code == 500
    text = words(response)
    assert "It is not your fault." in text
    assert "number 500, reference" in text


@pytest.mark.parametrize("template", ["500.html", "503.html"])
def test_plain_pages_need_no_variable(template: str) -> None:
    page = render_to_string(template)

    assert "(312) 555-0142" in page
    assert "/static/css/tokens.css" in page


def test_error_page_that_cannot_be_rendered_becomes_the_plain_one(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(views, "render", broken)

    response = views.page_not_found(rf.get("/"), Exception())

    assert response.status_code == 503
    assert response["Retry-After"] == "10"
