"""The staff desk: every page, under the strict policy, in few statements; and no change without its audit row."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Session
from accounts.tests.factories import make_admin, make_user
from billing.models import GiftCard
from settings_app import services as site_settings
from settings_app.models import Setting
from techdeputies.groups import DEPUTY, OWNER, RIGHTS, SUPPORT, make_groups
from techdeputies.tests.desk import fill, make_mail

pytestmark = pytest.mark.django_db

MOST_STATEMENTS = 12


@pytest.fixture
def full() -> None:
    """Every table with rows, so that every page has something to show."""
    for _ in range(4):
        fill()


def pages() -> list[tuple[str, str]]:
    """Name of the model and address of its list, for every registered table."""
    return [
        (
            model._meta.label_lower,
            reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"),
        )
        for model in admin.site._registry
    ]


def assert_strict(html: str) -> None:
    """Nothing that the content policy would refuse."""
    assert "<style" not in html
    assert not re.search(
        r"<script(?![^>]*\bsrc=)[^>]*>(?!\s*</script>)", html.replace('type="application/json"', "src=")
    )
    assert not re.search(r"<[^>]+\sstyle=", html)
    assert not re.search(r"<[^>]+\son[a-z]+=", html)
    assert "javascript:" not in html


class TestPages:
    def test_every_table_of_the_product_has_a_page(self) -> None:
        registered = {model._meta.db_table for model in admin.site._registry}
        own = {
            table
            for table in connection.introspection.table_names()
            if not table.startswith(("django_", "auth_permission", "auth_group_permissions", "users_"))
        }

        assert own - registered == set()

    @pytest.mark.usefixtures("full")
    def test_every_list_renders_strictly_in_few_statements(self, desk: Client) -> None:
        for label, address in pages():
            with CaptureQueriesContext(connection) as queries:
                answer = desk.get(address)

            assert answer.status_code == 200, label
            assert_strict(answer.content.decode())
            assert len(queries) <= MOST_STATEMENTS, f"{label}: {len(queries)}"

    @pytest.mark.usefixtures("full")
    def test_a_list_does_not_ask_more_when_it_holds_more(self, desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(site_settings, "CACHE_SECONDS", 3600.0)

        def counts() -> dict[str, int]:
            found = {}
            for label, address in pages():
                with CaptureQueriesContext(connection) as queries:
                    desk.get(address)
                found[label] = len(queries)
            return found

        counts()
        few = counts()
        for _ in range(6):
            fill()

        assert counts() == few

    @pytest.mark.usefixtures("full")
    def test_no_list_counts_a_whole_table(self, desk: Client) -> None:
        for label, address in pages():
            with CaptureQueriesContext(connection) as queries:
                desk.get(address)

            for query in queries:
                if "COUNT(" in query["sql"]:
                    assert "LIMIT" in query["sql"], f"{label}: {query['sql']}"

    @pytest.mark.usefixtures("full")
    def test_every_row_has_a_page(self, desk: Client) -> None:
        for model in admin.site._registry:
            row = Setting(key="business_phone") if model is Setting else model._default_manager.first()
            if row is None:
                continue
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
            with CaptureQueriesContext(connection) as queries:
                answer = desk.get(address)

            assert answer.status_code == 200, address
            assert_strict(answer.content.decode())
            assert len(queries) <= MOST_STATEMENTS + 4, f"{address}: {len(queries)}"

    def test_front_page_and_forms_render_strictly(self, desk: Client) -> None:
        for address in (
            reverse("admin:index"),
            reverse("admin:app_list", args=["booking"]),
            reverse("admin:booking_calendarevent_add"),
            reverse("admin:accounts_user_add"),
            reverse("admin:billing_plan_add"),
            reverse("admin:auth_group_add"),
            reverse("admin:booking_booking_book"),
            reverse("admin:billing_usersubscription_grant"),
            reverse("admin:jsi18n"),
        ):
            answer = desk.get(address)
            assert answer.status_code == 200, address
            assert_strict(answer.content.decode())

    def test_the_desk_has_the_products_look(self, desk: Client) -> None:
        html = desk.get(reverse("admin:index")).content.decode()

        assert "css/admin.css" in html
        assert "img/badge.svg" in html
        for group in ("Sessions", "People", "Money", "Courses", "Mail", "Questions", "Settings", "Audit"):
            assert f">{group}<" in html

    @pytest.mark.parametrize(
        "query", ["?q=%00", "?q=" + "x" * 5000, "?p=99999999999999", "?o=999", "?e=1", "?q=%E2%80%AE"]
    )
    def test_bad_queries_never_break_a_list(self, desk: Client, query: str) -> None:
        for label, address in pages():
            assert desk.get(address + query).status_code in (200, 302), label

    @pytest.mark.parametrize("query", ["?status=%00", "?role=nonsense", "?when=%00", "?deputy=999999999999999999999"])
    def test_bad_filters_never_break_a_list(self, desk: Client, query: str) -> None:
        for name in ("booking_calendarevent", "booking_booking", "accounts_user", "emails_emailjob"):
            assert desk.get(reverse(f"admin:{name}_changelist") + query).status_code in (200, 302, 400)

    @pytest.mark.parametrize("bad", ["%00", "999999999999999999999999", "-1", "x"])
    def test_bad_ids_are_not_found(self, desk: Client, bad: str) -> None:
        for path in (
            "booking/calendarevent/{}/change/",
            "booking/calendarevent/{}/cancel/",
            "booking/booking/{}/move/",
            "booking/booking/{}/cancel/",
            "accounts/user/{}/change/",
            "billing/usersubscription/{}/end/",
        ):
            answer = desk.get("/admin/" + path.format(bad), follow=True)
            assert answer.status_code in (200, 404), path


class TestSecrets:
    def test_a_gift_code_shows_its_last_four_letters_only(self, desk: Client) -> None:
        card = GiftCard.objects.create(
            code="ABCD-EFGH-JKLM-NPQR", original_amount=5000, remaining_amount=5000, purchaser_email="a@example.com"
        )

        for address in (
            reverse("admin:billing_giftcard_changelist"),
            reverse("admin:billing_giftcard_change", args=[card.pk]),
        ):
            html = desk.get(address).content.decode()
            assert "NPQR" in html
            assert "EFGH" not in html

    def test_a_mail_shows_its_text_and_hides_its_link(self, desk: Client) -> None:
        job = make_mail(content={"context": {"first_name": "Margaret"}, "secrets": "sealed-secret-link"})

        html = desk.get(reverse("admin:emails_emailjob_change", args=[job.pk])).content.decode()

        assert "[hidden]" in html
        assert "sealed-secret-link" not in html

    def test_no_page_of_a_person_offers_a_password_or_shows_its_hash(self, desk: Client) -> None:
        person = make_user()

        html = desk.get(reverse("admin:accounts_user_change", args=[person.pk])).content.decode()

        assert person.password not in html
        assert 'type="password"' not in html

    def test_a_device_shows_neither_its_key_nor_its_data(self, desk: Client) -> None:
        Client().force_login(make_user())
        session = Session.objects.latest("created_at")

        html = desk.get(reverse("admin:accounts_session_changelist")).content.decode()

        assert session.session_data not in html


class TestGroups:
    def test_every_right_exists(self) -> None:
        assert make_groups() == [OWNER, DEPUTY, SUPPORT]
        for name, rights in RIGHTS.items():
            assert Group.objects.get(name=name).permissions.count() == len(set(rights))

    def test_what_owners_changed_stays(self) -> None:
        make_groups()
        Group.objects.get(name=SUPPORT).permissions.clear()

        assert make_groups() == []
        assert not Group.objects.get(name=SUPPORT).permissions.exists()

    @pytest.mark.parametrize("name", [OWNER, DEPUTY, SUPPORT])
    def test_each_group_sees_its_own_pages_and_no_others(self, client: Client, full: Any, name: str) -> None:
        make_groups()
        person = make_admin(is_superuser=False)
        person.groups.add(Group.objects.get(name=name))
        client.force_login(person)

        for model in admin.site._registry:
            label, action = model._meta.app_label, model._meta.model_name
            may_see = any(f"{label}.{verb}_{action}" in RIGHTS[name] for verb in ("view", "change"))
            answer = client.get(reverse(f"admin:{label}_{action}_changelist"))
            assert answer.status_code == (200 if may_see else 403), f"{name}: {label}.{action}"
        assert client.get(reverse("admin:index")).status_code == 200
