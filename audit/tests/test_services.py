from __future__ import annotations

import pytest
from django.test import RequestFactory

from accounts.models import User
from accounts.tests.factories import make_admin, make_user
from audit.actors import Actor
from audit.masking import describe_change
from audit.models import AdminActionAudit, ChangeType, PasswordChangeAudit, SecurityEvent
from audit.services import record_admin_action, record_password_change, record_security_event

pytestmark = pytest.mark.django_db


def test_an_action_tells_who_what_and_whom() -> None:
    staff, person = make_admin(), make_user()
    actor = Actor(user=staff, ip_address="203.0.113.7", user_agent="Browser 1")

    record_admin_action(actor=actor, action="role_changed", target=person, details={"role": "admin"})

    row = AdminActionAudit.objects.get()
    assert (row.admin, row.action, row.target_user_id) == (staff, "role_changed", person.pk)
    assert (row.target_email, row.object_type, row.object_id) == (person.email, "accounts.user", str(person.pk))
    assert (row.ip_address, row.user_agent, row.success) == ("203.0.113.7", "Browser 1", True)


def test_a_refusal_keeps_its_reason() -> None:
    record_admin_action(
        actor=Actor(user=make_admin()), action="plan_granted", success=False, error_message="PlanAlreadyActive"
    )

    row = AdminActionAudit.objects.get()
    assert (row.success, row.error_message) == (False, "PlanAlreadyActive")


def test_an_act_of_the_system_becomes_a_security_event() -> None:
    record_admin_action(actor=Actor.system(), action="setting_keys_rotated", details={"count": 2})

    assert not AdminActionAudit.objects.exists()
    assert SecurityEvent.objects.get().details == {"count": 2}


def test_a_password_change_without_a_signed_in_person_is_their_own() -> None:
    person = make_user()

    record_password_change(user=person, actor=Actor(ip_address="203.0.113.7"), change_type=ChangeType.SELF_CHANGE)

    assert PasswordChangeAudit.objects.get().changed_by == person


def test_a_security_event_may_have_nobody() -> None:
    record_security_event(kind="sign_in_failed", actor=Actor(ip_address="203.0.113.7"))

    assert SecurityEvent.objects.get().user is None


def test_the_address_is_the_one_limits_count_by_and_the_browser_is_cut() -> None:
    request = RequestFactory().get(
        "/", REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="198.51.100.1", HTTP_USER_AGENT="x\x00" * 2_000
    )

    actor = Actor.from_request(request)

    assert (actor.user, actor.ip_address) == (None, "203.0.113.9")
    assert actor.user_agent == "x" * 500


@pytest.mark.parametrize("name", ["name", "email", "phone", "password", "time_zone"])
def test_what_people_wrote_is_only_changed(name: str) -> None:
    assert describe_change(User, name, "old", "new") == "changed"


def test_labels_and_switches_are_told() -> None:
    assert describe_change(User, "role", "user", "admin") == {"before": "user", "after": "admin"}
    assert describe_change(User, "email_verified", False, True) == {"before": False, "after": True}
