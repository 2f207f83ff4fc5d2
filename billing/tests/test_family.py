"""Asking somebody to share a plan, joining, leaving, and what ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.exceptions import NotVerified
from accounts.models import User
from accounts.tests.factories import make_admin, make_user
from accounts.tests.helpers import last_mail, mails, secret_in
from audit.actors import Actor
from audit.models import AdminActionAudit
from billing import entitlements
from billing.exceptions import (
    AlreadyInvited,
    AlreadyShares,
    CannotInviteSelf,
    FamilyFull,
    HasPlanAlready,
    InvitationOver,
    NoActivePlan,
    NotAMember,
    NotThePlansOwner,
    PlanAlreadyActive,
    PlanFrozen,
    SharesPlanAlready,
)
from billing.models import FamilyInvitation, FamilyMember, SubscriptionStatus, UserSubscription
from billing.services import family, subscriptions
from billing.tests.factories import make_member, make_plan, make_subscription
from emails.models import EmailJob, EmailStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return make_user(name="Margaret Ellis", email="margaret@example.com")


@pytest.fixture
def subscription(owner: User) -> UserSubscription:
    return make_subscription(user=owner, plan=make_plan(family_size=3))


def invite(owner: User, email: str = "henry@example.com") -> str:
    """The secret of the mailed link."""
    family.invite(owner=owner, email=email)
    return secret_in(last_mail("family_invitation"))


def names(subscription: UserSubscription) -> list[str]:
    return [str(member.user.name) for member in family.sharing_of(subscription).members]


class TestAsking:
    def test_a_mail_goes_out_with_a_link_that_no_table_holds(self, owner: User, subscription: UserSubscription) -> None:
        secret = invite(owner)

        mail = last_mail("family_invitation")
        assert mail["to"] == "henry@example.com"
        assert (mail["owner_name"], mail["owner_first_name"]) == ("Margaret Ellis", "Margaret")
        assert mail["share_words"] == "5 sessions each month, and some of the courses"
        row = FamilyInvitation.objects.get()
        assert secret not in row.token_hash
        assert secret not in str(mail["job"].content)
        assert mail["job"].expires_at == row.expires_at
        assert row.expires_at - row.invited_at > timedelta(days=13)

    def test_known_and_unknown_addresses_are_treated_alike(self, owner: User, subscription: UserSubscription) -> None:
        make_user(email="known@example.com")

        family.invite(owner=owner, email="known@example.com")
        family.invite(owner=owner, email="unknown@example.com")

        known, unknown = (job.content["context"] for job in EmailJob.objects.order_by("pk"))
        assert known == unknown

    def test_members_and_open_offers_fill_the_places(self, owner: User, subscription: UserSubscription) -> None:
        make_member(subscription)
        invite(owner)

        with pytest.raises(FamilyFull):
            invite(owner, "third@example.com")

    def test_an_old_or_withdrawn_offer_frees_its_place(self, owner: User, subscription: UserSubscription) -> None:
        for email in ("one@example.com", "two@example.com"):
            invite(owner, email)
        FamilyInvitation.objects.filter(email="one@example.com").update(expires_at=timezone.now())
        family.withdraw(owner=owner, invitation=FamilyInvitation.objects.get(email="two@example.com"))

        for email in ("three@example.com", "four@example.com"):
            family.invite(owner=owner, email=email)
        assert EmailJob.objects.filter(status=EmailStatus.CANCELLED).count() == 1

    @pytest.mark.parametrize("email", ["margaret@example.com", "Margaret@Example.com"])
    def test_nobody_asks_themselves(self, owner: User, subscription: UserSubscription, email: str) -> None:
        with pytest.raises(CannotInviteSelf):
            invite(owner, email)

    def test_nobody_is_asked_twice(self, owner: User, subscription: UserSubscription) -> None:
        secret = invite(owner)
        with pytest.raises(AlreadyInvited):
            invite(owner, "Henry@example.com")

        family.accept(user=make_user(), token=secret)
        with pytest.raises(AlreadyShares):
            invite(owner)

    def test_a_plan_for_one_person_has_no_place(self, owner: User) -> None:
        make_subscription(user=owner, plan=make_plan(family_size=1))
        with pytest.raises(FamilyFull):
            invite(owner)

    def test_without_a_plan_that_works_nobody_can_be_asked(self, owner: User) -> None:
        with pytest.raises(NoActivePlan):
            invite(owner)
        subscription = make_subscription(user=owner, frozen_at=timezone.now())
        with pytest.raises(PlanFrozen):
            invite(owner)
        with pytest.raises(NotThePlansOwner):
            invite(make_member(subscription).user)
        User.objects.filter(pk=owner.pk).update(email_verified=False)
        owner.refresh_from_db()
        with pytest.raises(NotVerified):
            invite(owner)
        assert not EmailJob.objects.exists()


class TestJoining:
    def test_whoever_holds_the_link_joins_and_the_owner_is_told(
        self, owner: User, subscription: UserSubscription
    ) -> None:
        guest = make_user(name="Henry Ellis", email="another@example.com")

        family.accept(user=guest, token=invite(owner))

        assert names(subscription) == ["Henry Ellis"]
        mail = last_mail("family_joined")
        assert (mail["to"], mail["member_name"], mail["people_words"]) == (owner.email, "Henry Ellis", "2 of 3 people")
        assert entitlements.for_user(guest).owner_first_name == "Margaret"

    def test_a_second_press_changes_nothing(self, owner: User, subscription: UserSubscription) -> None:
        guest, secret = make_user(), invite(owner)

        assert family.accept(user=guest, token=secret) == family.accept(user=guest, token=secret)

        assert FamilyMember.objects.count() == 1
        assert len(mails("family_joined")) == 1

    def test_a_link_works_for_one_person(self, owner: User, subscription: UserSubscription) -> None:
        secret = invite(owner)
        family.accept(user=make_user(), token=secret)

        with pytest.raises(InvitationOver):
            family.accept(user=make_user(), token=secret)

    @pytest.mark.parametrize("how", ["unknown", "old", "withdrawn", "plan ended", "plan over"])
    def test_a_dead_link_joins_nobody(self, owner: User, subscription: UserSubscription, how: str) -> None:
        secret = invite(owner)
        invitation = FamilyInvitation.objects.get()
        if how == "unknown":
            secret = "nothing"
        elif how == "old":
            FamilyInvitation.objects.update(expires_at=timezone.now())
        elif how == "withdrawn":
            family.withdraw(owner=owner, invitation=invitation)
        elif how == "plan ended":
            UserSubscription.objects.update(status=SubscriptionStatus.CANCELLED)
        else:
            UserSubscription.objects.update(current_period_end=timezone.now())

        with pytest.raises(InvitationOver):
            family.accept(user=make_user(), token=secret)
        assert not FamilyMember.objects.exists()

    def test_a_plan_of_ones_own_or_another_shared_one_stands_in_the_way(
        self, owner: User, subscription: UserSubscription
    ) -> None:
        secret = invite(owner)

        with pytest.raises(HasPlanAlready):
            family.accept(user=make_subscription().user, token=secret)
        with pytest.raises(HasPlanAlready):
            family.accept(user=make_subscription(status=SubscriptionStatus.PAST_DUE).user, token=secret)
        with pytest.raises(SharesPlanAlready):
            family.accept(user=make_member(make_subscription()).user, token=secret)
        with pytest.raises(CannotInviteSelf):
            family.accept(user=owner, token=secret)
        with pytest.raises(NotVerified):
            family.accept(user=make_user(email_verified=False), token=secret)
        assert not names(subscription)

    def test_a_full_plan_takes_nobody(self, owner: User, subscription: UserSubscription) -> None:
        secret = invite(owner)
        make_member(subscription)
        make_member(subscription)

        with pytest.raises(FamilyFull) as refusal:
            family.accept(user=make_user(), token=secret)
        assert refusal.value.message == family.FULL_FOR_GUEST

    def test_staff_cannot_give_a_plan_to_somebody_who_shares_one(self, subscription: UserSubscription) -> None:
        member = make_member(subscription)
        with pytest.raises(PlanAlreadyActive) as refusal:
            subscriptions.grant_plan(user=member.user, plan=make_plan(), actor=Actor(user=make_admin()), reason="x")
        assert refusal.value.message == PlanAlreadyActive.shared


class TestLeaving:
    def test_the_owner_takes_somebody_off_once(self, owner: User, subscription: UserSubscription) -> None:
        member = make_member(subscription)

        family.remove(owner=owner, member=member)

        assert not names(subscription)
        mail = last_mail("family_ended")
        assert (mail["to"], mail["owner_name"]) == (member.user.email, "Margaret Ellis")
        assert mail["reason_words"] == "Margaret has taken you off it."
        with pytest.raises(NotAMember):
            family.remove(owner=owner, member=member)
        assert len(mails("family_ended")) == 1

    def test_only_the_owner_takes_somebody_off(self, subscription: UserSubscription) -> None:
        member, other = make_member(subscription), make_member(subscription)
        for stranger in (other.user, make_subscription().user):
            with pytest.raises(NotAMember):
                family.remove(owner=stranger, member=member)
        assert len(names(subscription)) == 2

    def test_only_the_owner_takes_an_offer_back_and_only_an_open_one(
        self, owner: User, subscription: UserSubscription
    ) -> None:
        secret = invite(owner)
        invitation = FamilyInvitation.objects.get()
        with pytest.raises(InvitationOver):
            family.withdraw(owner=make_subscription().user, invitation=invitation)

        family.accept(user=make_user(), token=secret)
        with pytest.raises(InvitationOver):
            family.withdraw(owner=owner, invitation=invitation)

    def test_staff_take_somebody_off_and_an_offer_back_and_it_is_written_down(
        self, owner: User, subscription: UserSubscription
    ) -> None:
        actor, member = Actor(user=make_admin()), make_member(subscription)
        invite(owner)
        invitation = FamilyInvitation.objects.get()

        family.remove_by_staff(member=member, actor=actor)
        family.withdraw_by_staff(invitation=invitation, actor=actor)

        assert not names(subscription)
        assert not FamilyInvitation.objects.open().exists()
        assert last_mail("family_ended")["reason_words"].startswith("We have taken you off it.")
        with pytest.raises(NotAMember):
            family.remove_by_staff(member=member, actor=actor)
        assert list(AdminActionAudit.objects.order_by("pk").values_list("action", "target_user_id")) == [
            ("family_member_removed", member.user.pk),
            ("family_invitation_withdrawn", owner.pk),
        ]

    def test_a_member_leaves_and_may_come_back(self, owner: User, subscription: UserSubscription) -> None:
        member = make_member(subscription)
        for _ in range(2):
            family.leave(user=member.user)

        assert len(mails("family_ended")) == 1
        family.accept(user=member.user, token=invite(owner))
        assert names(subscription) == ["Henry Ellis"]

    def test_the_end_of_the_plan_ends_all_sharing(self, owner: User, subscription: UserSubscription) -> None:
        member = make_member(subscription)
        secret = invite(owner)

        subscriptions.end_plan(subscription=subscription, actor=Actor(user=make_admin()), reason="x")

        member.refresh_from_db()
        assert member.ended_at is not None
        assert last_mail("family_ended")["reason_words"] == "The plan has ended."
        with pytest.raises(InvitationOver):
            family.accept(user=make_user(), token=secret)
        assert EmailJob.objects.get(template_type="family_invitation").status == EmailStatus.CANCELLED

    def test_so_does_the_end_of_a_given_plan_by_the_clock(self, subscription: UserSubscription) -> None:
        make_member(subscription)
        UserSubscription.objects.update(current_period_end=timezone.now())

        subscriptions.end_lapsed_plans()

        assert not names(subscription)

    def test_whoever_gets_a_plan_of_their_own_shares_none(self, subscription: UserSubscription) -> None:
        member = make_member(subscription)

        with transaction.atomic():
            family.leave_for_own_plan(user=member.user)
            family.leave_for_own_plan(user=make_user())

        assert not names(subscription)
        assert last_mail("family_ended")["reason_words"] == "You have a plan of your own now."

    def test_a_smaller_plan_keeps_those_who_joined_first(self, owner: User, subscription: UserSubscription) -> None:
        now = timezone.now()
        subscription.plan = make_plan(family_size=5)
        subscription.save()
        second = make_member(subscription, make_user(name="Second"), joined_at=now - timedelta(days=1))
        make_member(subscription, make_user(name="First"), joined_at=now - timedelta(days=2))
        make_member(subscription, make_user(name="Third"), joined_at=now)
        invite(owner)

        subscription.plan = make_plan(family_size=3)
        subscription.save()
        with transaction.atomic():
            family.fit_to_plan(subscription)
            family.fit_to_plan(subscription)

        assert names(subscription) == ["First", "Second"]
        assert not FamilyInvitation.objects.open().exists()
        assert last_mail("family_ended")["reason_words"] == "Margaret has a smaller plan now, with fewer places."

        subscription.plan = make_plan(family_size=1)
        subscription.save()
        with transaction.atomic():
            family.fit_to_plan(subscription)
        second.refresh_from_db()
        assert second.ended_at is not None
        assert len(mails("family_ended")) == 3

    def test_an_offer_that_still_fits_a_smaller_plan_stays(self, owner: User, subscription: UserSubscription) -> None:
        for email in ("one@example.com", "two@example.com"):
            invite(owner, email)

        subscription.plan = make_plan(family_size=2)
        subscription.save()
        with transaction.atomic():
            family.fit_to_plan(subscription)

        assert FamilyInvitation.objects.open().get().email == "one@example.com"

    def test_a_closed_account_leaves_without_a_mail(self, subscription: UserSubscription) -> None:
        member = make_member(subscription)
        with transaction.atomic():
            family.forget_person(member.user)

        assert not names(subscription)
        assert not EmailJob.objects.exists()

    def test_names_that_are_missing_are_worded(self, owner: User, subscription: UserSubscription) -> None:
        User.objects.filter(pk=owner.pk).update(name=None)
        owner.refresh_from_db()
        guest = make_user(name=None)
        family.accept(user=guest, token=invite(owner))

        assert last_mail("family_invitation")["owner_name"] == "Somebody"
        assert last_mail("family_joined")["member_name"] == "Somebody"


def test_what_a_look_costs_does_not_grow(subscription: UserSubscription, django_assert_num_queries: Any) -> None:
    for _ in range(2):
        make_member(subscription)

    with django_assert_num_queries(2):
        assert [member.user.name for member in family.sharing_of(subscription).members]
