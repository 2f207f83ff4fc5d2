"""What staff do at the desk: it works, it is written down, and what is refused is written down too."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import Role, Session, User
from accounts.tests.factories import make_admin, make_user
from audit.models import AdminActionAudit, ChangeType, PasswordChangeAudit
from billing.tests.factories import make_plan
from emails.models import EmailJob
from techdeputies.groups import DEPUTY, SUPPORT, make_groups
from techdeputies.tests.desk import fill

pytestmark = pytest.mark.django_db


@pytest.fixture
def full() -> None:
    fill()


class TestAudit:
    def last(self) -> AdminActionAudit:
        return AdminActionAudit.objects.latest("id")

    def test_a_form_leaves_who_what_whom_and_from_where(self, desk: Client, staff: User) -> None:
        person = make_user(name="Margaret Ellis", phone="(312) 555-0100")

        answer = desk.post(
            reverse("admin:accounts_user_change", args=[person.pk]),
            {"name": "Margaret Stone", "phone": "(312) 555-0100", "time_zone": "", "role": "user"},
            REMOTE_ADDR="203.0.113.7",
            HTTP_USER_AGENT="Browser 1",
        )

        assert answer.status_code == 302
        row = self.last()
        assert (row.admin, row.action, row.target_user_id) == (staff, "accounts.user.changed", person.pk)
        assert (row.ip_address, row.user_agent, row.success) == ("203.0.113.7", "Browser 1", True)
        assert row.details == {"name": "changed"}

    def test_labels_are_told_before_and_after(self, desk: Client) -> None:
        person = make_user(name="Sam Okafor")
        group = Group.objects.create(name="Deputy")

        desk.post(
            reverse("admin:accounts_user_change", args=[person.pk]),
            {"name": "Sam Okafor", "phone": "", "time_zone": "", "role": "admin", "groups": [group.pk]},
        )

        assert self.last().details == {
            "role": {"before": "user", "after": "admin"},
            "groups": {"before": [], "after": ["Deputy"]},
        }

    def test_a_refused_form_leaves_a_row_and_changes_nothing(self, desk: Client) -> None:
        plan = make_plan()

        answer = desk.post(
            reverse("admin:billing_plan_change", args=[plan.pk]), {"display_name": "Gold", "price_in_cents": "-5"}
        )

        assert answer.status_code == 200
        row = self.last()
        assert (row.action, row.success) == ("billing.plan.changed", False)
        assert "price_in_cents" in (row.details or {})["refused"] or row.details
        plan.refresh_from_db()
        assert plan.price_in_cents == 9900

    def test_what_may_not_be_done_leaves_a_row(self, client: Client) -> None:
        make_groups()
        deputy = make_admin(is_superuser=False)
        deputy.groups.add(Group.objects.get(name=DEPUTY))
        client.force_login(deputy)
        person = make_user()

        assert client.post(reverse("admin:accounts_user_act", args=[person.pk, "reset"])).status_code == 403
        assert client.post(reverse("admin:accounts_user_change", args=[person.pk]), {"name": "X"}).status_code == 403

        assert [row.success for row in AdminActionAudit.objects.order_by("id")] == [False, False]
        assert not EmailJob.objects.exists()

    def test_django_s_own_log_keeps_nothing(self, desk: Client) -> None:
        plan = make_plan()
        desk.post(reverse("admin:billing_plan_change", args=[plan.pk]), plan_form(plan, price_in_cents=12000))

        assert self.last().details == {"price_in_cents": {"before": 9900, "after": 12000}}
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM django_admin_log")
            assert cursor.fetchone() == (0,)

    def test_the_history_of_a_row_is_the_audit(self, desk: Client) -> None:
        plan = make_plan()
        desk.post(reverse("admin:billing_plan_change", args=[plan.pk]), plan_form(plan, price_in_cents=12000))

        answer = desk.get(reverse("admin:billing_plan_history", args=[plan.pk]), follow=True)

        assert "billing.plan.changed" in answer.content.decode()

    def test_a_bulk_action_leaves_a_row_for_each(self, desk: Client) -> None:
        people = [make_user(), make_user()]

        desk.post(
            reverse("admin:accounts_user_changelist"),
            {"action": "sign_out", "_selected_action": [person.pk for person in people]},
        )

        rows = AdminActionAudit.objects.filter(action="accounts.user.sign_out")
        assert {row.target_user_id for row in rows} == {person.pk for person in people}

    @pytest.mark.parametrize(
        "name",
        [
            "accounts_user",
            "booking_booking",
            "billing_usersubscription",
            "billing_giftcardtransaction",
            "audit_adminactionaudit",
        ],
    )
    def test_history_cannot_be_deleted(self, desk: Client, full: Any, name: str) -> None:
        html = desk.get(reverse(f"admin:{name}_changelist")).content.decode()
        model: Any = apps.get_model(name.replace("_", "."))
        row = model.objects.first()

        assert "delete_selected" not in html
        assert desk.post(reverse(f"admin:{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        assert model.objects.filter(pk=row.pk).exists()


def plan_form(plan: Any, **changes: Any) -> dict[str, Any]:
    return {
        "display_name": plan.display_name,
        "description": "",
        "price_in_cents": plan.price_in_cents,
        "tier": plan.tier,
        "session_limit": plan.session_limit,
        "course_inclusion": plan.course_inclusion,
        "is_offered": "on",
        "family_size": plan.family_size,
        "support_tier": plan.support_tier,
        **changes,
    }


class TestPeople:
    def test_staff_send_a_link_instead_of_a_password(self, desk: Client, staff: User) -> None:
        person = make_user()

        assert desk.get(reverse("admin:accounts_user_act", args=[person.pk, "reset"])).status_code == 200
        assert not EmailJob.objects.exists()
        desk.post(reverse("admin:accounts_user_act", args=[person.pk, "reset"]))

        assert EmailJob.objects.get().template_type == "password_reset"
        row = PasswordChangeAudit.objects.get()
        assert (row.user, row.changed_by, row.change_type) == (person, staff, ChangeType.ADMIN_RESET)

    def test_staff_ask_for_a_new_password(self, desk: Client) -> None:
        person = make_user()

        desk.post(reverse("admin:accounts_user_act", args=[person.pk, "force"]))

        person.refresh_from_db()
        assert person.must_change_password
        assert PasswordChangeAudit.objects.get().change_type == ChangeType.ADMIN_FORCE_CHANGE

    def test_staff_sign_a_person_out(self, desk: Client) -> None:
        person = make_user()
        theirs = Client()
        theirs.force_login(person)

        desk.post(reverse("admin:accounts_user_act", args=[person.pk, "sign_out"]))

        assert theirs.get(reverse("accounts:profile")).status_code == 302

    def test_an_account_for_a_caller_gets_no_password_but_a_link(self, desk: Client) -> None:
        desk.post(reverse("admin:accounts_user_add"), {"email": " Harold@Example.com ", "name": "Harold", "phone": ""})

        person = User.objects.with_email("harold@example.com").get()
        assert not person.has_usable_password()
        assert EmailJob.objects.get().recipient_email == person.email

    def test_an_address_is_taken_whatever_its_case(self, desk: Client) -> None:
        make_user(email="harold@example.com")

        answer = desk.post(reverse("admin:accounts_user_add"), {"email": "HAROLD@example.com", "name": "", "phone": ""})

        assert 'name="email"' in answer.content.decode()
        assert "already an account" in answer.content.decode()
        assert User.objects.filter(role=Role.USER).count() == 1

    def test_support_cannot_make_itself_staff_nor_touch_staff(self, client: Client, staff: User) -> None:
        make_groups()
        support = make_admin(is_superuser=False)
        support.groups.add(Group.objects.get(name=SUPPORT))
        client.force_login(support)
        person = make_user()
        form = {
            "name": "Margaret",
            "phone": "",
            "time_zone": "",
            "role": "admin",
            "is_superuser": "on",
            "groups": ["1"],
        }

        client.post(reverse("admin:accounts_user_change", args=[person.pk]), form)
        client.post(reverse("admin:accounts_user_change", args=[support.pk]), form)
        refused = client.post(reverse("admin:accounts_user_change", args=[staff.pk]), form)

        person.refresh_from_db()
        support.refresh_from_db()
        assert (person.name, person.role, person.is_superuser) == ("Margaret", "user", False)
        assert (support.is_superuser, support.groups.count()) == (False, 1)
        assert refused.status_code == 403
        assert client.post(reverse("admin:accounts_user_act", args=[staff.pk, "reset"])).status_code == 403

    def test_a_new_role_signs_the_person_out(self, desk: Client) -> None:
        person = make_admin()
        theirs = Client()
        theirs.force_login(person)

        desk.post(
            reverse("admin:accounts_user_change", args=[person.pk]),
            {"name": "Rosa", "phone": "", "time_zone": "", "role": "user"},
        )

        assert not Session.objects.filter(user=person).exists()


@pytest.mark.parametrize("typed", ["3125550199", "312.555.0199", "(312) 555-0199", "555 0199", "5550199"])
def test_a_person_is_found_by_the_digits_of_the_phone(desk: Client, typed: str) -> None:
    make_user(name="Harold Baker", phone="312.555.0199")
    make_user(name="Edith Moore", phone="312.555.0111")

    html = desk.get(reverse("admin:accounts_user_changelist"), {"q": typed}).content.decode()

    assert "Harold Baker" in html
    assert "Edith Moore" not in html
