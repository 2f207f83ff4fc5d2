"""What every answer carries, who may see what, and what a bad day or a bad guest gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils.module_loading import import_string

from accounts.tests.factories import PASSWORD, make_admin, make_user
from techdeputies.middleware import DatabaseDownMiddleware, SecurityHeadersMiddleware

pytestmark = pytest.mark.django_db

# Everything else asks for a log-in. A new public page is added here on purpose or not at all.
PUBLIC = {
    "home",
    "help",
    "privacy",
    "terms",
    "display_settings",
    "livez",
    "readyz",
    "admin:login",
    "accounts:signup",
    "accounts:login",
    "accounts:logout",
    "accounts:verify",
    "accounts:verify_send",
    "accounts:password_reset",
    "accounts:password_reset_sent",
    "accounts:password_reset_confirm",
    "accounts:email_change_confirm",
    "accounts:email_change_undo",
    "accounts:delete_done",
    "accounts:delete_undo",
    "billing:plan_list",
    "booking:event_list",
    "booking:zone",
    "mailgun_webhook",
    "stripe_webhook",
    "emails:unsubscribe",
    "billing:family_join",
    "api_subscriptions",
    "api_description",
}

# Only vendors' posts and one-click unsubscribe may come without a token; the API refuses every post, in JSON.
WITHOUT_CSRF = {"emails:unsubscribe", "mailgun_webhook", "stripe_webhook", "api_subscriptions", "api_description"}

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def patterns(resolver: Any = None, prefix: str = "", space: str = "") -> Iterator[tuple[str, str, URLPattern]]:
    """Name, sample path and pattern of every address."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + sample(entry)
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from patterns(entry, route, inner)
        else:
            yield f"{space}{entry.name or ''}", "/" + route, entry


def sample(entry: URLPattern | URLResolver) -> str:
    """The route with something harmless in place of each argument."""
    route = str(entry.pattern)
    if not hasattr(entry.pattern, "_route"):
        return {"^(?P<app_label>": "booking/"}.get(route[:15], "nothing/")
    for converter in ("int:pk", "int:object_id", "str:pk", "slug:act", "path:object_id"):
        route = route.replace(f"<{converter}>", "1")
    while "<" in route:
        start, end = route.index("<"), route.index(">")
        route = f"{route[:start]}1{route[end + 1 :]}"
    return route


def test_only_the_listed_pages_are_open_to_strangers(client: Client) -> None:
    seen = set()
    for name, address, _pattern in patterns():
        answer = client.get(address)
        if name in PUBLIC:
            seen.add(name)
            assert not (answer.status_code == 302 and answer["Location"].startswith(reverse("accounts:login"))) or (
                name == "admin:login"
            ), address
            continue
        if name.startswith("admin:"):
            assert answer.status_code in (302, 404), address
            assert answer.status_code == 404 or "/login/" in answer["Location"], address
            continue
        assert answer.status_code in (302, 405), f"{name} {address} answered {answer.status_code}"
        if answer.status_code == 302:
            assert answer["Location"].startswith(reverse("accounts:login")), address
    assert seen == PUBLIC


def test_a_public_view_says_so_itself() -> None:
    for name, address, pattern in patterns():
        is_open = not getattr(pattern.callback, "login_required", True)
        assert is_open == (name in PUBLIC), address


def test_no_view_goes_without_the_csrf_check() -> None:
    exempt = {name for name, _address, pattern in patterns() if getattr(pattern.callback, "csrf_exempt", False)}

    assert exempt == WITHOUT_CSRF


def assert_headed(answer: Any) -> None:
    for name, value in HEADERS.items():
        assert answer.headers.get(name) == value, name
    assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert "camera=()" in answer.headers["Permissions-Policy"]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert "nonce" not in policy


class TestHeaders:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/", 200),
            ("/help/", 200),
            ("/dashboard/", 302),
            ("/admin/", 302),
            ("/help", 301),
            ("/no-such-page/", 404),
            ("/static/css/admin.css", 200),
            ("/static/no-such-file.css", 404),
            ("/livez", 200),
            ("/.git/config", 404),
            ("/.env", 404),
            ("/metrics", 404),
            ("/static/", 404),
            ("/static/../manage.py", 404),
        ],
    )
    def test_an_answer_carries_them(self, client: Client, path: str, status: int) -> None:
        answer = client.get(path)
        answer.close()

        assert answer.status_code == status
        assert_headed(answer)

    def test_so_do_refusals(self, client: Client) -> None:
        strict = Client(enforce_csrf_checks=True)
        login = reverse("accounts:login")

        assert_headed(client.get("/", headers={"host": "evil.example"}))
        assert client.get("/", headers={"host": "evil.example"}).status_code == 400
        assert_headed(client.delete("/help/"))
        assert client.delete("/help/").status_code == 405
        assert client.generic("TRACE", "/").status_code == 405
        forged = strict.post(login, {"email": "a@example.com", "password": "x"})
        assert forged.status_code == 403
        assert_headed(forged)

    def test_so_does_a_page_that_broke(self, monkeypatch: pytest.MonkeyPatch) -> None:
        client = Client(raise_request_exception=False)
        monkeypatch.setattr("techdeputies.views.front.body", lambda zone: 1 / 0)

        answer = client.get("/")

        assert answer.status_code == 500
        assert_headed(answer)
        assert "ZeroDivisionError" not in answer.content.decode()

    def test_a_page_sent_over_tls_pins_it(self, settings: Any) -> None:
        settings.SECURE_HSTS_SECONDS = 63_072_000
        client = Client()

        for path in ("/", "/livez", "/static/css/admin.css", "/no-such-page/"):
            answer = client.get(path, secure=True)
            answer.close()
            pinned = answer.headers["Strict-Transport-Security"]
            assert pinned == "max-age=63072000; includeSubDomains; preload", path
        assert "Strict-Transport-Security" not in client.get("/").headers

    def test_the_redirect_to_tls_is_headed_too(self, settings: Any) -> None:
        settings.SECURE_SSL_REDIRECT = True

        answer = Client().get("/help/")

        assert (answer.status_code, answer["Location"]) == (301, "https://testserver/help/")
        assert_headed(answer)

    def test_what_a_view_chose_stays(self) -> None:
        def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse(headers={"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})

        answer = SecurityHeadersMiddleware(view)(RequestFactory().get("/"))

        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"

    def test_pages_of_a_signed_in_person_are_not_kept(self, client: Client) -> None:
        assert "no-store" not in client.get("/help/").headers.get("Cache-Control", "")
        client.force_login(make_user())

        for path in ("/help/", reverse("accounts:profile"), "/no-such-page/"):
            assert "no-store" in client.get(path).headers["Cache-Control"], path

    def test_no_server_version_is_told(self, client: Client) -> None:
        answer = client.get("/")

        assert "X-Powered-By" not in answer.headers
        assert "Server" not in answer.headers


class TestCookies:
    def test_the_session_cookie_is_closed_to_scripts_and_other_sites(self, client: Client) -> None:
        client.post(reverse("accounts:login"), {"email": make_user().email, "password": PASSWORD})
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]

        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"

    def test_a_stranger_gets_no_session(self, client: Client) -> None:
        client.get("/")
        client.get(reverse("accounts:login"))

        assert settings.SESSION_COOKIE_NAME not in client.cookies


class TestDatabaseDown:
    def test_a_view_without_its_database_answers_calmly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def down(zone: Any) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr("techdeputies.views.front.body", down)

        answer = Client().get("/")

        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "10"
        assert "no-store" in answer.headers["Cache-Control"]
        assert_headed(answer)

    def test_so_does_a_log_in_check_that_cannot_ask(self, monkeypatch: pytest.MonkeyPatch) -> None:
        client = Client(raise_request_exception=False)
        client.force_login(make_user())

        def down(*_: Any) -> None:
            raise OperationalError("server closed the connection")

        monkeypatch.setattr("accounts.backends.EmailBackend.get_user", down)

        answer = client.get("/dashboard/")

        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "10"

    def test_another_fault_is_left_to_the_fault_page(self) -> None:
        middleware = DatabaseDownMiddleware(lambda request: HttpResponse())

        assert middleware.process_exception(RequestFactory().get("/"), ValueError()) is None


class TestAdminDoor:
    def test_a_stranger_is_sent_to_the_products_own_log_in(self, client: Client) -> None:
        answer = client.get("/admin/booking/booking/?when=today", follow=True)

        path, _ = answer.redirect_chain[-1]
        assert path.startswith(reverse("accounts:login"))
        assert parse_qs(urlsplit(path).query)["next"] == ["/admin/booking/booking/?when=today"]

    @pytest.mark.parametrize(
        "next_page", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
    )
    def test_it_never_sends_anyone_elsewhere(self, client: Client, next_page: str) -> None:
        stranger = client.get("/admin/login/", {"next": next_page})
        assert stranger["Location"] == f"{reverse('accounts:login')}?next=%2Fadmin%2F"
        client.force_login(make_admin())

        assert client.get("/admin/login/", {"next": next_page})["Location"] == "/admin/"

    def test_a_customer_finds_nothing(self, client: Client) -> None:
        client.force_login(make_user())

        for path in ("/admin/", "/admin/accounts/user/", "/admin/booking/booking/book/"):
            assert client.get(path, follow=True).status_code == 404

    def test_django_s_own_forms_for_passwords_are_closed(self, client: Client) -> None:
        client.force_login(make_admin())
        person = make_user()

        assert client.get("/admin/password_change/")["Location"] == reverse("accounts:password_change")
        assert client.get(f"/admin/accounts/user/{person.pk}/password/", follow=True).status_code in (200, 404)
        client.post(f"/admin/accounts/user/{person.pk}/password/", {"password1": "x" * 14, "password2": "x" * 14})
        before = person.password
        person.refresh_from_db()
        assert person.password == before


def test_the_cache_is_asked_gently() -> None:
    """Short waits and no error: a dead cache must not take sign-in with it."""
    options: Any = settings.CACHES["default"]["OPTIONS"]

    assert options["IGNORE_EXCEPTIONS"]
    assert options["SOCKET_CONNECT_TIMEOUT"] <= 0.5
    assert import_string(settings.RATELIMIT_IP_META_KEY)(RequestFactory().get("/")) == "127.0.0.1"


def test_the_badge_in_mails_may_be_shown_by_web_mail(client: Client) -> None:
    answer = client.get("/static/img/badge-email.png")
    answer.close()

    assert answer.status_code == 200
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
