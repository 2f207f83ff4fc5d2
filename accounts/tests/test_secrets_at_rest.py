"""What a stolen copy of the database would give away: nothing that opens anything."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import last_mail, secret_in, sign_in

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
    newcomer.post("/accounts/signup/", {"name": "New", "email": "new@example.com", "password": "river spoon tuesday"})
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
        "a new password": "river spoon tuesday",
    }
    assert [name for name, value in planted.items() if value in content] == []
    assert user.email in content
