"""Staff end the sharing of a plan for somebody who calls."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from accounts.tests.factories import make_admin, make_user
from accounts.tests.helpers import last_mail
from audit.models import AdminActionAudit
from billing.models import FamilyInvitation, FamilyMember
from billing.services import family
from billing.tests.factories import make_member, make_plan, make_subscription
from techdeputies.groups import DEPUTY, SUPPORT

pytestmark = pytest.mark.django_db


def press(client: Client, model: str, act: str, row: Any) -> Any:
    address = reverse(f"admin:billing_{model}_changelist")
    return client.post(address, {"action": act, "_selected_action": [row.pk]}, follow=True)


def staff(group: str = "") -> Client:
    user = make_admin() if not group else make_admin(is_superuser=False, role=Role.ADMIN)
    if group:
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def test_a_member_is_taken_off_once_and_both_presses_are_written_down() -> None:
    member = make_member(make_subscription(plan=make_plan(family_size=3)))
    client = staff()

    first = press(client, "familymember", "take_off", member)
    second = press(client, "familymember", "take_off", member)

    assert "1 no longer share a plan." in first.content.decode()
    assert "This person does not share the plan any more." in second.content.decode()
    assert not FamilyMember.objects.current().exists()
    assert last_mail("family_ended")["to"] == member.user.email
    rows = AdminActionAudit.objects.order_by("pk").values_list("action", "success")
    assert list(rows) == [("family_member_removed", True), ("billing.familymember.removed", False)]


def test_an_offer_is_taken_back() -> None:
    subscription = make_subscription(user=make_user(), plan=make_plan(family_size=3))
    invitation = family.invite(owner=subscription.user, email="guest@example.com")

    press(staff(), "familyinvitation", "withdraw", invitation)

    assert not FamilyInvitation.objects.open().exists()


@pytest.mark.parametrize(("group", "may"), [(SUPPORT, True), (DEPUTY, False)])
def test_support_may_and_a_deputy_may_not(group: str, may: bool) -> None:
    call_command("seed_groups")
    member = make_member(make_subscription())

    press(staff(group), "familymember", "take_off", member)

    assert FamilyMember.objects.current().exists() != may
