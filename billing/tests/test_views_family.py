"""The pages of sharing: who is on a plan, asking, joining by a mailed link, and leaving."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import PASSWORD, make_user
from accounts.tests.helpers import last_mail, path_of
from billing.models import FamilyInvitation, FamilyMember, UserSubscription
from billing.services import family
from billing.tests.factories import make_member, make_plan, make_subscription
from emails.models import EmailJob
from settings_app.models import Setting
from settings_app.services import forget_cache

pytestmark = pytest.mark.django_db

PAGE = "/subscriptions/family/"
JOIN = "/subscriptions/family/join/"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()
    forget_cache()


@pytest.fixture
def owner() -> User:
    return make_user(name="Margaret Ellis", email="margaret@example.com")


@pytest.fixture
def subscription(owner: User) -> UserSubscription:
    return make_subscription(user=owner, plan=make_plan(family_size=3))


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())


def link(owner: User, email: str = "henry@example.com") -> str:
    family.invite(owner=owner, email=email)
    return path_of(last_mail("family_invitation"))


class TestPage:
    def test_the_owner_sees_names_and_open_offers_and_no_address_of_a_member(
        self, owner: User, subscription: UserSubscription
    ) -> None:
        make_member(subscription, make_user(name="Henry <b>Ellis", email="hidden@example.com"))
        link(owner, "asked@example.com")

        page = text(client_of(owner).get(PAGE))

        assert "2 of 3 people" in page
        assert "Henry &lt;b&gt;Ellis" in page
        assert "hidden@example.com" not in page
        assert "asked@example.com" in page
        assert "All places of your plan are taken" in page

    def test_a_member_sees_whose_plan_it_is_and_nothing_of_the_others(
        self, owner: User, subscription: UserSubscription
    ) -> None:
        member = make_member(subscription).user
        make_member(subscription, make_user(name="Ruth Sullivan"))
        page = text(client_of(member).get(PAGE))

        assert "You share the plan of Margaret" in page
        assert "Ruth" not in page
        assert owner.email not in page
        assert "5 of 5 left this month" in page

    def test_other_faces(self, owner: User) -> None:
        assert "You have no plan to share yet" in text(client_of(make_user()).get(PAGE))
        make_subscription(user=owner, plan=make_plan(family_size=1))
        assert "Your plan is for one person" in text(client_of(owner).get(PAGE))
        waiting = make_subscription(frozen_at=timezone.now())
        assert "has to wait" in text(client_of(make_member(waiting).user).get(PAGE))

    def test_it_costs_few_statements(
        self, owner: User, subscription: UserSubscription, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(2):
            make_member(subscription)
        client = client_of(owner)
        client.get(PAGE)

        with django_assert_max_num_queries(7):
            client.get(PAGE)


class TestAsking:
    def test_an_offer_is_mailed(self, owner: User, subscription: UserSubscription) -> None:
        answer = client_of(owner).post(PAGE + "invite/", {"email": " Henry@Example.com "}, follow=True)

        assert last_mail("family_invitation")["to"] == "Henry@Example.com"
        assert "We have sent an email to Henry@Example.com" in text(answer)

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("", "Please write the email address of the person"),
            ("not an address", "That does not look like an email address"),
            ("a@example.com, b@example.com", "That does not look like an email address"),
            ("margaret@example.com", "This is your own email address"),
            ("x" * 300 + "@example.com", "That does not look like an email address"),
            ("nul\x00@example.com", "That does not look like an email address"),
        ],
    )
    def test_what_is_not_right_is_said_at_the_field_and_kept(
        self, owner: User, subscription: UserSubscription, typed: str, said: str
    ) -> None:
        answer = client_of(owner).post(PAGE + "invite/", {"email": typed})

        assert (answer.status_code, said in text(answer)) == (200, True)
        assert "Who shares your plan" in text(answer)
        assert not EmailJob.objects.exists()

    def test_a_plan_that_is_full_says_so(self, owner: User) -> None:
        make_subscription(user=owner, plan=make_plan(family_size=1))
        answer = client_of(owner).post(PAGE + "invite/", {"email": "henry@example.com"}, follow=True)

        assert "All places of your plan are taken" in text(answer)

    def test_the_count_of_a_day_is_limited(self, owner: User) -> None:
        make_subscription(user=owner, plan=make_plan(family_size=9))
        Setting.objects.create(key="limit_family_per_account", value="2")
        forget_cache()
        client = client_of(owner)
        statuses = [
            client.post(PAGE + "invite/", {"email": f"guest{number}@example.com"}).status_code for number in range(3)
        ]

        assert statuses == [302, 302, 429]
        assert FamilyInvitation.objects.count() == 2

    def test_an_offer_is_taken_back(self, owner: User, subscription: UserSubscription) -> None:
        path = link(owner)
        invitation = FamilyInvitation.objects.get()
        stranger = client_of(make_subscription().user)
        assert stranger.post(f"{PAGE}withdraw/{invitation.pk}/").status_code == 404

        client_of(owner).post(f"{PAGE}withdraw/{invitation.pk}/")

        assert Client().get(path, follow=True).status_code == 410


class TestJoining:
    def test_looking_changes_nothing_and_the_token_leaves_the_address(
        self, owner: User, subscription: UserSubscription
    ) -> None:
        path, client = link(owner), Client()

        first = client.get(path)
        assert (first.status_code, first["Location"], first["Referrer-Policy"]) == (302, JOIN, "no-referrer")
        for _ in range(3):
            answer = client.get(JOIN)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert FamilyInvitation.objects.open().count() == 1

    def test_signed_out_people_sign_in_and_come_back(self, owner: User, subscription: UserSubscription) -> None:
        path, client, guest = link(owner), Client(), make_user(name="Henry Ellis")
        page = text(client.get(path, follow=True))
        assert "Share a plan with Margaret?" in page
        login = f"{reverse('accounts:login')}?next=%2Fsubscriptions%2Ffamily%2Fjoin%2F"
        assert login in page
        assert f"{reverse('accounts:signup')}?next=%2Fsubscriptions%2Ffamily%2Fjoin%2F" in page
        assert "Yes, share this plan" not in page

        back = client.post(login, {"email": guest.email, "password": PASSWORD}, follow=True)
        assert "Yes, share this plan" in text(back)
        done = client.post(JOIN, follow=True)

        assert FamilyMember.objects.current().get().user == guest
        assert "You share the plan of Margaret now" in text(done)
        again = client.get(JOIN, follow=True)
        assert (again.status_code, again.request["PATH_INFO"]) == (200, PAGE)

    def test_somebody_new_signs_up_and_comes_back(self, owner: User, subscription: UserSubscription) -> None:
        client = Client()
        client.get(link(owner))
        goal = f"{reverse('accounts:signup')}?next=%2Fsubscriptions%2Ffamily%2Fjoin%2F"
        typed = {"name": "Henry", "email": "new@example.com", "password": "green lamp thursday", "next": JOIN}
        client.post(goal, typed)

        answer = client.post(reverse("accounts:verify"), {"code": last_mail("verify_email")["code"]}, follow=True)

        assert answer.request["PATH_INFO"] == JOIN
        assert "Yes, share this plan" in text(answer)

    def test_an_address_that_is_not_proven_is_asked_for(self, owner: User, subscription: UserSubscription) -> None:
        client = client_of(make_user(email_verified=False))
        page = text(client.get(link(owner), follow=True))
        assert "Please confirm your email address" in page
        assert "Yes, share this plan" not in page

        client.post(JOIN)
        assert not FamilyMember.objects.exists()

    def test_what_stands_in_the_way_is_said_before_and_after_the_press(
        self, owner: User, subscription: UserSubscription
    ) -> None:
        path = link(owner)
        for user, said in (
            (make_subscription().user, "You have a plan of your own"),
            (make_member(make_subscription()).user, "You share another plan"),
            (owner, "This is your own plan"),
        ):
            client = client_of(user)
            assert said in text(client.get(path, follow=True))
            client.post(JOIN)
        assert FamilyMember.objects.filter(subscription=subscription).count() == 0

    def test_a_press_without_a_log_in_joins_nobody(self, owner: User, subscription: UserSubscription) -> None:
        client = Client()
        client.get(link(owner))

        assert client.post(JOIN)["Location"] == JOIN
        assert not FamilyMember.objects.exists()

    @pytest.mark.parametrize("query", ["", "?token=", "?token=unread", "?token=%00", "?token=" + "x" * 900])
    def test_a_link_that_is_none_gets_a_kind_page(self, query: str) -> None:
        client = client_of(make_user())
        answer = client.get(JOIN + query, follow=True)

        assert answer.status_code == 410
        assert "This invitation does not work any more" in text(answer)
        assert client.post(JOIN).status_code == 410


class TestLeaving:
    def test_taking_somebody_off_is_checked_first(self, owner: User, subscription: UserSubscription) -> None:
        member = make_member(subscription)
        client, path = client_of(owner), f"{PAGE}remove/{member.pk}/"

        assert "Take Henry Ellis off your plan?" in text(client.get(path))
        assert FamilyMember.objects.current().count() == 1
        answers = [client.post(path, follow=True) for _ in range(2)]

        assert not FamilyMember.objects.current().exists()
        assert "We have sent them an email" in text(answers[0])
        assert answers[1].status_code == 200
        assert client.get(path)["Location"] == PAGE

    def test_nobody_takes_off_people_of_another_plan(self, subscription: UserSubscription) -> None:
        member = make_member(subscription)
        for user in (make_subscription().user, member.user):
            for method in ("get", "post"):
                assert getattr(client_of(user), method)(f"{PAGE}remove/{member.pk}/").status_code == 404
        assert FamilyMember.objects.current().count() == 1

    def test_leaving_is_checked_first(self, owner: User, subscription: UserSubscription) -> None:
        member = make_member(subscription)
        client, path = client_of(member.user), PAGE + "leave/"

        assert "Stop sharing the plan of Margaret?" in text(client.get(path))
        assert FamilyMember.objects.current().count() == 1
        client.post(path)

        assert not FamilyMember.objects.current().exists()
        assert client.post(path)["Location"] == PAGE

    def test_looking_at_an_address_of_a_press_leads_to_the_page(
        self, owner: User, subscription: UserSubscription
    ) -> None:
        link(owner)
        invitation = FamilyInvitation.objects.get()
        client = client_of(owner)

        for path in ("invite/", f"withdraw/{invitation.pk}/"):
            assert client.get(PAGE + path)["Location"] == PAGE
        assert FamilyInvitation.objects.open().exists()
