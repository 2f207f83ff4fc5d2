"""Home, a person's own page, pages of words, the display settings and the error pages."""

from __future__ import annotations

from datetime import timedelta
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
from billing.tests.factories import make_subscriber
from booking.tests.factories import make_booking, make_event
from settings_app.decorators import too_many
from techdeputies import views
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
