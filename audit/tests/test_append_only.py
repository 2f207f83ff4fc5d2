"""The database itself refuses to change the past. Asked in SQL, past every model."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.tests.factories import make_admin, make_user
from audit.actors import Actor
from audit.models import ChangeType
from audit.services import record_admin_action, record_password_change, record_security_event

pytestmark = pytest.mark.django_db

TABLES = ("password_change_audits", "admin_action_audits", "security_events")


@pytest.fixture
def rows() -> dict[str, int]:
    """One row in each table, with an address and a browser."""
    staff, person = make_admin(), make_user()
    actor = Actor(user=staff, ip_address="203.0.113.7", user_agent="Browser 1")
    return {
        "password_change_audits": record_password_change(
            user=person, actor=actor, change_type=ChangeType.ADMIN_RESET
        ).pk,
        "admin_action_audits": record_admin_action(actor=actor, action="tried", target=person).pk,
        "security_events": record_security_event(kind="signed_in", user=person, actor=actor).pk,
    }


def run(sql: str, *values: Any) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


@pytest.mark.parametrize("table", TABLES)
def test_a_row_cannot_be_deleted(rows: dict[str, int], table: str) -> None:
    with pytest.raises(IntegrityError, match="only ever added"):
        run(f"DELETE FROM {table} WHERE id = %s", rows[table])


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("password_change_audits", "success", False),
        ("password_change_audits", "change_type", "self_change"),
        ("password_change_audits", "error_message", "other"),
        ("admin_action_audits", "action", "other"),
        ("admin_action_audits", "details", '{"other": 1}'),
        ("admin_action_audits", "target_user_id", None),
        ("security_events", "kind", "other"),
        ("security_events", "created_at", "2020-01-01"),
    ],
)
def test_a_column_cannot_be_changed(rows: dict[str, int], table: str, column: str, value: Any) -> None:
    with pytest.raises(IntegrityError, match="only ever added"):
        run(f"UPDATE {table} SET {column} = %s WHERE id = %s", value, rows[table])


@pytest.mark.parametrize("table", TABLES)
def test_address_and_browser_may_be_blanked(rows: dict[str, int], table: str) -> None:
    assert run(f"UPDATE {table} SET ip_address = NULL, user_agent = NULL WHERE id = %s", rows[table]) == 1


def test_the_mail_address_may_be_blanked(rows: dict[str, int]) -> None:
    row = rows["admin_action_audits"]
    assert run("UPDATE admin_action_audits SET target_email = NULL WHERE id = %s", row) == 1


@pytest.mark.parametrize("column", ["ip_address", "user_agent"])
@pytest.mark.parametrize("table", TABLES)
def test_they_may_not_be_replaced(rows: dict[str, int], table: str, column: str) -> None:
    with pytest.raises(IntegrityError, match="may only be blanked"):
        run(f"UPDATE {table} SET {column} = 'forged' WHERE id = %s", rows[table])


def test_blanking_does_not_carry_another_change(rows: dict[str, int]) -> None:
    with pytest.raises(IntegrityError, match="only ever added"):
        run(
            "UPDATE admin_action_audits SET ip_address = NULL, success = false WHERE id = %s",
            rows["admin_action_audits"],
        )
