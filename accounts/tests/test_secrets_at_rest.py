"""What a stolen copy of the database would give away: nothing that opens anything."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog
from django.db import connection
from django.test import Client

from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import last_mail, path_of, secret_in, sign_in

pytestmark = pytest.mark.django_db


def dump() -> str:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [row[0] for row in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows)


def test_no_table_holds_a_cookie_a_mailed_secret_a_code_or_a_password() -> None:
    user = make_user()
    person, newcomer = Client(), Client()
    sign_in(person, user)
    newcomer.post("/accounts/signup/", {"name": "New", "email": "new@example.com", "password": "green lamp thursday"})
    Client().post("/accounts/password/reset/", {"email": user.email})
    person.post("/accounts/email/change/", {"email": "moved@example.com", "current_password": PASSWORD})

    content = dump()

    code = str(last_mail("verify_email")["code"])
    planted = {
        "the session's cookie": person.cookies["sessionid"].value,
        "the link of a sign-up": secret_in(last_mail("verify_email")),
        "the code of a sign-up": code,
        "the link of a reset": secret_in(last_mail("password_reset")),
        "the link of a new address": secret_in(last_mail("email_change_confirm")),
        "the link of the old address": secret_in(last_mail("email_change_notice")),
        "a password": PASSWORD,
        "a new password": "green lamp thursday",
    }
    assert [name for name, value in planted.items() if value in content] == []
    assert user.email in content


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the product's own handler would write."""
    root = logging.getLogger()
    ours = next(one for one in root.handlers if isinstance(one.formatter, structlog.stdlib.ProcessorFormatter))
    copy = logging.StreamHandler(StringIO())
    copy.setFormatter(ours.formatter)
    root.addHandler(copy)
    yield copy.stream
    root.removeHandler(copy)


def test_no_log_line_holds_a_password_a_secret_a_code_a_cookie_or_a_whole_address(log: StringIO) -> None:
    user = make_user(email="margaret.ellis@example.com")
    person, newcomer = Client(), Client()
    sign_in(person, user, "wrong-password-typed-here")
    sign_in(person, user)
    newcomer.post(
        "/accounts/signup/",
        {"name": "Newcomer Marker", "email": "new.comer@example.com", "password": "spoon-marker-word"},
    )
    Client().post("/accounts/password/reset/", {"email": user.email})
    code = str(last_mail("verify_email")["code"]).replace(" ", "")
    newcomer.get(path_of(last_mail("verify_email")))
    newcomer.post("/accounts/verify/", {"code": code})
    owner = Client()
    owner.get(path_of(last_mail("password_reset")))
    owner.post("/accounts/password/reset/confirm/", {"password": "river-marker-tuesday"})

    lines = log.getvalue()

    assert '"event": "request_finished"' in lines
    planted = [
        "wrong-password-typed-here",
        PASSWORD,
        "spoon-marker-word",
        "river-marker-tuesday",
        "Newcomer Marker",
        user.email,
        "new.comer@example.com",
        code,
        secret_in(last_mail("verify_email")),
        secret_in(last_mail("password_reset")),
        person.cookies["sessionid"].value,
        owner.cookies["sessionid"].value,
    ]
    assert [marker for marker in planted if marker in lines] == []
