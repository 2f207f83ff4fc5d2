"""Money on the staff desk: giving it back, alerts, Stripe's events and the figures. By right, and written down."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import make_admin, make_user
from audit.models import AdminActionAudit
from billing import gateway
from billing.models import (
    Dispute,
    FamilyInvitation,
    Payment,
    Plan,
    PlanPrice,
    Refund,
    RefundState,
    StaffAlert,
    StripeEvent,
    StripeEventState,
    SubscriptionStatus,
    UserSubscription,
)
from billing.services import catalogue, refunds
from billing.tests import conftest as billing_fixtures
from billing.tests.factories import make_plan, make_subscriber
from billing.tests.test_refunds import paid
from emails.models import EmailJob
from sandbox.stripe import StandIn
from techdeputies.groups import DEPUTY, OWNER, SUPPORT, make_groups
from techdeputies.tests.desk import fill, fill_money
from techdeputies.tests.test_admin import assert_strict

pytestmark = pytest.mark.django_db

stripe = billing_fixtures.stripe

FIGURES = "/admin/billing/payment/figures/"
FILE = "/admin/billing/payment/figures.csv"


def member(group: str) -> Client:
    make_groups()
    person = make_admin(is_superuser=False)
    person.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(person)
    return client


def refund_url(payment: Payment) -> str:
    return reverse("admin:billing_payment_refund", args=[payment.pk])


def wish(payment: Payment, **changes: str) -> dict[str, str]:
    return {"how": "whole", "amount": "", "reason": "They asked for it", "left": str(payment.left_cents), **changes}


def actions() -> list[tuple[str, bool]]:
    return list(AdminActionAudit.objects.order_by("id").values_list("action", "success"))


@pytest.fixture
def payment(db: None) -> Payment:
    """Paid, and nothing else about it."""
    found = fill_money(make_subscriber(name="Margaret Ellis"))
    Refund.objects.all().delete()
    Dispute.objects.all().delete()
    return found


class TestGivingBack:
    def test_all_of_it(self, stripe: StandIn, desk: Client, staff: User) -> None:
        payment = paid(stripe)
        page = desk.get(refund_url(payment)).content.decode()
        assert_strict(page)
        assert "All that is left: $99.00" in page

        answer = desk.post(refund_url(payment), wish(payment), follow=True)
        assert "$99.00 goes back." in answer.content.decode()
        refund = Refund.objects.get()
        assert (refund.amount_cents, refund.actor, refund.reason) == (9900, staff, "They asked for it")
        assert actions() == [("refund_asked", True)]
        refunds.send_asked()
        assert [made.amount_cents for made in gateway.refunds_of(str(payment.stripe_payment_intent_id))] == [9900]

    def test_a_part_and_then_the_rest(self, desk: Client, payment: Payment) -> None:
        desk.post(refund_url(payment), wish(payment, how="part", amount="25.50"))
        payment.refresh_from_db()
        assert payment.refunded_cents == 2550
        desk.post(refund_url(payment), wish(payment))

        assert sorted(Refund.objects.values_list("amount_cents", flat=True)) == [2550, 7350]

    def test_a_button_pressed_twice_gives_a_part_back_once(self, desk: Client, payment: Payment) -> None:
        form = wish(payment, how="part", amount="25")
        desk.post(refund_url(payment), form)
        answer = desk.post(refund_url(payment), form)

        assert "Something was given back of this payment meanwhile." in answer.content.decode()
        assert Refund.objects.count() == 1
        assert actions() == [("refund_asked", True), ("billing.payment.refunded", False)]

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"how": "part", "amount": "99.01"}, "That is more than is left of this payment."),
            ({"how": "part", "amount": ""}, "Write how much goes back."),
            ({"how": "part", "amount": "0"}, "0.01"),
            ({"how": "part", "amount": "-5"}, "0.01"),
            ({"how": "part", "amount": "ten"}, "Write the sum in numbers"),
            ({"how": "part", "amount": "1.005"}, "2 decimal places"),
            ({"how": "whole", "amount": "5"}, "This is a part."),
            ({"how": ""}, "Choose all of it or a part."),
            ({"reason": ""}, "Write the reason"),
        ],
    )
    def test_what_makes_no_sense_is_said_beside_its_field(
        self, desk: Client, payment: Payment, changes: dict[str, str], words: str
    ) -> None:
        answer = desk.post(refund_url(payment), wish(payment, **changes))

        assert words in answer.content.decode()
        assert not Refund.objects.exists()

    def test_a_forged_rest_gives_nothing_back(self, desk: Client, payment: Payment) -> None:
        desk.post(refund_url(payment), wish(payment, left="99999999"))

        assert not Refund.objects.exists()

    @pytest.mark.parametrize("group", [SUPPORT, DEPUTY])
    def test_only_an_owner_may(self, payment: Payment, group: str) -> None:
        client = member(group)

        assert client.get(refund_url(payment)).status_code == 403
        assert client.post(refund_url(payment), wish(payment)).status_code == 403
        assert not Refund.objects.exists()
        assert actions() == [("billing.payment.refunded", False)] * 2

    def test_an_owner_may(self, payment: Payment) -> None:
        assert member(OWNER).post(refund_url(payment), wish(payment)).status_code == 302
        assert Refund.objects.count() == 1

    def test_support_sees_payments_and_no_button(self, payment: Payment) -> None:
        page = member(SUPPORT).get(reverse("admin:billing_payment_change", args=[payment.pk]))

        assert page.status_code == 200
        assert refund_url(payment) not in page.content.decode()

    @pytest.mark.parametrize("bad", ["%00", "no-such-payment", "1"])
    def test_a_payment_that_is_not_there(self, desk: Client, bad: str) -> None:
        assert desk.get(f"/admin/billing/payment/{bad}/refund/").status_code == 404


class TestPlansOfPeople:
    def test_stripe_is_asked_again(self, stripe: StandIn, desk: Client) -> None:
        subscription = paid(stripe).subscription
        assert subscription is not None
        stripe.end_now(str(subscription.stripe_subscription_id))
        address = reverse("admin:billing_usersubscription_ask", args=[subscription.pk])
        assert desk.get(address).status_code == 200

        desk.post(address)
        subscription.refresh_from_db()
        assert subscription.status == SubscriptionStatus.CANCELLED
        assert actions() == [("plan_asked_about", True)]

    def test_while_stripe_is_away_it_says_so(self, stripe: StandIn, desk: Client) -> None:
        subscription = paid(stripe).subscription
        assert subscription is not None
        stripe.faults.add(500, on="GET /v1/subscriptions")
        answer = desk.post(reverse("admin:billing_usersubscription_ask", args=[subscription.pk]))

        assert "We cannot reach the payment company right now." in answer.content.decode()
        assert actions() == [("billing.usersubscription.asked_again", False)]

    def test_a_bought_plan_ends_at_stripe_too(self, stripe: StandIn, desk: Client) -> None:
        subscription = paid(stripe).subscription
        assert subscription is not None
        number = str(subscription.stripe_subscription_id)
        desk.post(reverse("admin:billing_usersubscription_end", args=[subscription.pk]), {"reason": "Moved away"})

        subscription.refresh_from_db()
        assert subscription.status == SubscriptionStatus.CANCELLED
        assert gateway.subscription(number).status == "canceled"
        assert actions() == [("plan_ended", True)]

    def test_support_may_look_and_not_act(self, payment: Payment) -> None:
        client = member(SUPPORT)
        number = payment.subscription_id

        page = client.get(reverse("admin:billing_usersubscription_change", args=[number])).content.decode()
        assert "Next payment" in page
        assert "Margaret Ellis: Standard, active" in page
        assert "Ask Stripe again" not in page
        for name in ("ask", "end"):
            address = reverse(f"admin:billing_usersubscription_{name}", args=[number])
            assert client.post(address, {"reason": "x"}).status_code == 403

    def test_a_deputy_sees_no_money(self, payment: Payment) -> None:
        client = member(DEPUTY)
        page = client.get(reverse("admin:billing_usersubscription_change", args=[payment.subscription_id]))
        assert page.status_code == 200
        person = client.get(reverse("admin:accounts_user_change", args=[payment.user_id]))

        for html in (page.content.decode(), person.content.decode()):
            assert "$99" not in html
            assert "Next payment" not in html

    def test_the_page_of_a_person_shows_plan_and_payments(self, desk: Client, payment: Payment) -> None:
        html = desk.get(reverse("admin:accounts_user_change", args=[payment.user_id])).content.decode()

        assert_strict(html)
        assert reverse("admin:billing_payment_change", args=[payment.pk]) in html
        assert reverse("admin:billing_usersubscription_change", args=[payment.subscription_id]) in html
        every = f"{reverse('admin:billing_payment_changelist')}?user__id__exact={payment.user_id}"
        assert every in html
        assert desk.get(every).status_code == 200

    def test_second_plans_are_found(self, desk: Client, payment: Payment) -> None:
        other = fill_money(make_subscriber(name="Harold Stone"))
        UserSubscription.objects.filter(user=other.user).update(duplicate_of=payment.subscription)

        html = desk.get(reverse("admin:billing_usersubscription_changelist"), {"standing": "second"}).content.decode()
        assert "Harold Stone" in html
        assert "Margaret Ellis" not in html

    @pytest.mark.parametrize("value", ["second", "disputed", "ends", "unpaid", "nonsense"])
    def test_every_standing_answers(self, desk: Client, payment: Payment, value: str) -> None:
        address = reverse("admin:billing_usersubscription_changelist")
        assert desk.get(address, {"standing": value}).status_code == 200


class TestPlans:
    @staticmethod
    def form(plan: Plan, **changes: Any) -> dict[str, Any]:
        names = ("display_name", "price_in_cents", "tier", "session_limit", "course_inclusion", "family_size")
        values = {name: getattr(plan, name) for name in (*names, "support_tier")}
        return {**values, "description": "", "is_offered": "on", **changes}

    def test_a_new_price_is_for_new_people_and_says_so(self, stripe: StandIn, desk: Client) -> None:
        plan = make_plan(price_in_cents=9900)
        old = catalogue.current_price(plan)
        address = reverse("admin:billing_plan_change", args=[plan.pk])
        answer = desk.post(address, self.form(plan, price_in_cents=10900), follow=True)

        assert "New people pay $109 a month from now on." in answer.content.decode()
        assert PlanPrice.objects.get(is_current=True) == old
        plan.refresh_from_db()
        new = catalogue.current_price(plan)
        assert (new.price_in_cents, new.is_current) == (10900, True)

    def test_taking_it_off_the_offer_says_nothing_of_prices(self, desk: Client) -> None:
        plan = make_plan()
        form = self.form(plan)
        del form["is_offered"]
        answer = desk.post(reverse("admin:billing_plan_change", args=[plan.pk]), form, follow=True)

        plan.refresh_from_db()
        assert plan.is_offered is False
        assert "New people pay" not in answer.content.decode()

    def test_stripe_takes_no_less_than_fifty_cents(self, desk: Client) -> None:
        plan = make_plan()
        address = reverse("admin:billing_plan_change", args=[plan.pk])
        answer = desk.post(address, self.form(plan, price_in_cents=59))

        assert "That would be $0.59 a month." in answer.content.decode()


class TestAlerts:
    def test_open_ones_come_first_and_are_done_once(self, desk: Client, staff: User, payment: Payment) -> None:
        old = StaffAlert.objects.get()
        desk.post(reverse("admin:billing_staffalert_changelist"), {"action": "settle", "_selected_action": [old.pk]})
        old.refresh_from_db()
        assert old.settled_by == staff
        assert actions() == [("alert_settled", True)]

        fill_money(make_subscriber())
        rows = desk.get(reverse("admin:billing_staffalert_changelist")).context["cl"].result_list
        assert [row.settled_at is None for row in rows] == [True, False]

    def test_one_has_a_button_of_its_own(self, desk: Client, payment: Payment) -> None:
        alert = StaffAlert.objects.get()
        address = reverse("admin:billing_staffalert_settle", args=[alert.pk])
        assert address in desk.get(reverse("admin:billing_staffalert_change", args=[alert.pk])).content.decode()

        desk.post(address)
        alert.refresh_from_db()
        assert alert.settled_at is not None
        assert address not in desk.get(reverse("admin:billing_staffalert_change", args=[alert.pk])).content.decode()

    def test_the_front_page_shows_a_few_to_owners_only(self, payment: Payment) -> None:
        for _ in range(6):
            fill_money(make_subscriber())
        owner = member(OWNER).get(reverse("admin:index")).content.decode()
        assert_strict(owner)
        assert owner.count("A payment of $98 is disputed") == 5
        assert "See all of them" in owner

        for group in (SUPPORT, DEPUTY):
            assert "is disputed" not in member(group).get(reverse("admin:index")).content.decode()

    @pytest.mark.parametrize("group", [SUPPORT, DEPUTY])
    def test_only_an_owner_settles(self, payment: Payment, group: str) -> None:
        alert = StaffAlert.objects.get()
        answer = member(group).post(reverse("admin:billing_staffalert_settle", args=[alert.pk]))

        assert answer.status_code == 403
        alert.refresh_from_db()
        assert alert.settled_at is None
        assert actions() == [("billing.staffalert.settled", False)]


class TestEvents:
    def test_what_was_set_aside_is_applied_again_and_the_rest_is_not(self, desk: Client, payment: Payment) -> None:
        event = StripeEvent.objects.get()
        form = {"action": "try_again", "_selected_action": [event.pk]}
        address = reverse("admin:billing_stripeevent_changelist")
        desk.post(address, form)
        StripeEvent.objects.update(state=StripeEventState.BROKEN)
        desk.post(address, form)

        event.refresh_from_db()
        assert event.state == StripeEventState.WAITING
        assert actions() == [("billing.stripeevent.tried_again", False), ("billing.stripeevent.tried_again", True)]

    def test_its_words_are_not_shown(self, desk: Client, payment: Payment) -> None:
        StripeEvent.objects.update(payload={"data": {"object": {"email": "margaret@example.com"}}})
        event = StripeEvent.objects.get()

        assert (
            "margaret@example.com"
            not in desk.get(reverse("admin:billing_stripeevent_change", args=[event.pk])).content.decode()
        )

    def test_an_invitations_link_is_not_shown(self, desk: Client, payment: Payment) -> None:
        row = FamilyInvitation.objects.get()
        html = desk.get(reverse("admin:billing_familyinvitation_change", args=[row.pk])).content.decode()

        assert row.token_hash not in html
        answer = desk.get(reverse("admin:billing_familyinvitation_changelist"), {"token_hash__startswith": "0"})
        assert answer.status_code == 400


class TestFigures:
    def test_the_page_is_strict_and_asks_little(self, desk: Client) -> None:
        for _ in range(4):
            fill()
        desk.get(FIGURES)
        with CaptureQueriesContext(connection) as queries:
            answer = desk.get(FIGURES)

        html = answer.content.decode()
        assert_strict(html)
        assert len(queries) <= 8
        assert "$396.00" in html
        assert html.count("<rect") == 24

    def test_the_file_holds_the_same_and_no_formula(self, desk: Client, payment: Payment) -> None:
        answer = desk.get(FILE)
        rows = list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))

        assert len(rows) == 25
        assert dict(zip(rows[0], rows[-1], strict=True))["Money in"] == "99"
        assert "attachment" in answer["Content-Disposition"]

    @pytest.mark.parametrize("group", [SUPPORT, DEPUTY])
    def test_they_are_for_owners(self, payment: Payment, group: str) -> None:
        client = member(group)
        for address in (FIGURES, FILE):
            assert client.get(address).status_code == 403
        assert FIGURES not in client.get(reverse("admin:index")).content.decode()
        assert [success for _action, success in actions()] == [False, False]

    def test_an_owner_finds_them(self, payment: Payment) -> None:
        client = member(OWNER)
        assert client.get(FIGURES).status_code == client.get(FILE).status_code == 200
        assert FIGURES in client.get(reverse("admin:index")).content.decode()
        assert FIGURES in client.get(reverse("admin:billing_payment_changelist")).content.decode()


class TestLists:
    @pytest.mark.parametrize(
        ("table", "question", "finds"),
        [
            ("payment", {"q": "margaret"}, True),
            ("payment", {"q": "nobody@example.com"}, False),
            ("payment", {"kind__exact": "plan_start"}, True),
            ("payment", {"kind__exact": "plan_change"}, False),
            ("payment", {"back": "none"}, True),
            ("payment", {"back": "all"}, False),
            ("refund", {"state__exact": "asked"}, True),
            ("refund", {"state__exact": "failed"}, False),
            ("dispute", {"decision": "open"}, True),
            ("dispute", {"decision": "done"}, False),
            ("checkout", {"state__exact": "open"}, True),
            ("checkout", {"q": "margaret"}, True),
            ("familymember", {"shares": "open"}, True),
            ("familymember", {"shares": "done"}, False),
            ("stripeevent", {"q": "invoice.paid"}, True),
            ("stripeevent", {"state__exact": "broken"}, False),
            ("staffalert", {"settled": "open"}, True),
            ("staffalert", {"settled": "done"}, False),
        ],
    )
    def test_they_are_searched_and_filtered(
        self, desk: Client, table: str, question: dict[str, str], finds: bool
    ) -> None:
        fill_money(make_subscriber(name="Margaret Ellis"))
        answer = desk.get(reverse(f"admin:billing_{table}_changelist"), question)

        assert answer.status_code == 200
        assert bool(answer.context["cl"].result_list) is finds

    def test_a_whole_number_of_stripes_is_found(self, desk: Client, payment: Payment) -> None:
        for number in (payment.stripe_invoice_id, payment.stripe_payment_intent_id, payment.stripe_charge_id):
            answer = desk.get(reverse("admin:billing_payment_changelist"), {"q": str(number)})
            assert len(answer.context["cl"].result_list) == 1

    def test_nothing_is_added_changed_or_deleted_by_hand(self, desk: Client, payment: Payment) -> None:
        for table in ("payment", "refund", "dispute", "checkout", "stripeevent", "familymember", "staffalert"):
            assert desk.get(f"/admin/billing/{table}/add/").status_code == 403

    def test_numbers_lead_to_stripes_dashboard_only_for_real_payments(
        self, desk: Client, payment: Payment, settings: Any
    ) -> None:
        address = reverse("admin:billing_payment_change", args=[payment.pk])
        settings.STRIPE_API_BASE = "http://127.0.0.1:9"
        assert "dashboard.stripe.com" not in desk.get(address).content.decode()

        settings.STRIPE_API_BASE = "https://api.stripe.com"
        settings.STRIPE_SECRET_KEY = "sk_test_x"
        link = f"https://dashboard.stripe.com/test/invoices/{payment.stripe_invoice_id}"
        assert link in desk.get(address).content.decode()
        settings.STRIPE_SECRET_KEY = "sk_live_x"
        assert link.replace("/test", "") in desk.get(address).content.decode()


def test_a_refund_that_is_done_was_told_once(stripe: StandIn, desk: Client) -> None:
    """From the button to the mail."""
    payment = paid(stripe, user=make_user(name="Ruth Bell"))
    desk.post(refund_url(payment), wish(payment))
    refunds.send_asked()

    assert Refund.objects.get().state == RefundState.SUCCEEDED
    assert EmailJob.objects.filter(template_type="plan_refunded").count() == 1
