"""Sharing a plan: asking somebody, joining, leaving, and what ends it.

Every change of who shares a plan is made under that plan's lock, so its places are counted in peace. Joining
locks the person before it, so that nobody shares two plans, or one beside a plan of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts import tokens
from accounts.exceptions import NotVerified
from accounts.models import User
from audit.actors import Actor
from audit.services import record_admin_action
from billing.exceptions import (
    AlreadyInvited,
    AlreadyShares,
    CannotInviteSelf,
    FamilyFull,
    HasPlanAlready,
    InvitationOver,
    NotAMember,
    NotThePlansOwner,
    SharesPlanAlready,
)
from billing.models import FamilyInvitation, FamilyMember, UserSubscription
from billing.services import family_mails, subscriptions
from billing.signals import family_member_left
from emails.services.outbox import cancel_emails
from settings_app.services import value

REMOVED = "{owner} has taken you off it."
REMOVED_BY_STAFF = "We have taken you off it. If you did not ask us for that, please call us."
LEFT = "You chose to leave it."
OWN_PLAN = "You have a plan of your own now."
ENDED = "The plan has ended."
TOO_SMALL = "{owner} has a smaller plan now, with fewer places."

OWN_PLAN_FIRST = (
    "You have a plan of your own, and one person has one plan. "
    "If you would like to share this one, please stop yours first, or call us."
)
SHARES_ANOTHER = "You share another plan. Please leave that one first, then press the button again."
FULL_FOR_GUEST = "All places of this plan are taken now. Please ask the person who invited you."


# --- Looking --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sharing:
    """Who shares a plan, the first to join first, and who was asked to. A look."""

    size: int
    members: tuple[FamilyMember, ...]
    invitations: tuple[FamilyInvitation, ...]

    @property
    def taken(self) -> int:
        """The person whose plan it is, and everybody who shares it."""
        return 1 + len(self.members)

    @property
    def has_place(self) -> bool:
        return self.taken + len(self.invitations) < self.size


def sharing_of(subscription: UserSubscription) -> Sharing:
    """For the person whose plan it is. Two statements; none for a plan of one person."""
    size = _size(subscription)
    if size == 1:
        return Sharing(size, (), ())
    return Sharing(size, tuple(_members(subscription)), tuple(_offers(subscription)))


# --- Asking ---------------------------------------------------------------------------------------------


@transaction.atomic
def invite(*, owner: User, email: str) -> FamilyInvitation:
    """Mail somebody an offer to share ``owner``'s plan; it keeps a place until it is taken up, withdrawn or old.

    The same happens whether the address has an account or not. Raises NotVerified, NoActivePlan, NotThePlansOwner,
    PlanPaused, PlanFrozen, CannotInviteSelf, AlreadyInvited, AlreadyShares or FamilyFull.
    """
    if not owner.email_verified:
        raise NotVerified
    subscription = subscriptions.lock_live(owner)
    if subscription.user_id != owner.pk:
        raise NotThePlansOwner
    if waits := subscriptions.why_waiting(subscription, owner):
        raise waits
    if email.lower() == owner.email.lower():
        raise CannotInviteSelf
    asked = FamilyInvitation.objects.filter(subscription=subscription, email__iexact=email)
    if asked.open().exists():
        raise AlreadyInvited
    came = asked.filter(accepted_by__isnull=False).values("accepted_by")
    if FamilyMember.objects.current().filter(subscription=subscription, user__in=came).exists():
        raise AlreadyShares
    if _taken(subscription) + len(_offers(subscription)) >= _size(subscription):
        raise FamilyFull
    secret = tokens.new_secret()
    invitation = FamilyInvitation.objects.create(
        subscription=subscription,
        email=email,
        token_hash=tokens.digest(secret),
        expires_at=timezone.now() + timedelta(days=value("family_invitation_days")),
    )
    family_mails.send_invitation(invitation, owner=owner, plan=subscription.plan, secret=secret)
    return invitation


@transaction.atomic
def withdraw(*, owner: User, invitation: FamilyInvitation) -> None:
    """Take an offer back; its link is dead from now on. Raises InvitationOver when it was taken up meanwhile."""
    if subscriptions.lock(invitation.subscription_id).user_id != owner.pk:
        raise InvitationOver
    _take_back(invitation)


@transaction.atomic
def withdraw_by_staff(*, invitation: FamilyInvitation, actor: Actor) -> None:
    """The same for somebody who calls us, written down."""
    subscription = subscriptions.lock(invitation.subscription_id)
    _take_back(invitation)
    record_admin_action(actor=actor, action="family_invitation_withdrawn", target=subscription.user)


def _take_back(invitation: FamilyInvitation) -> None:
    """Under the plan's lock."""
    row = FamilyInvitation.objects.get(pk=invitation.pk)
    if row.accepted_at is not None:
        raise InvitationOver
    _withdraw([row])


def open_invitation(token: str) -> FamilyInvitation | None:
    """The offer a link stands for, while it still stands, with its plan and the person whose plan it is. A look."""
    return (
        FamilyInvitation.objects.open()
        .select_related("subscription__plan", "subscription__user")
        .filter(token_hash=tokens.digest(token), subscription__in=UserSubscription.objects.live())
        .first()
    )


@transaction.atomic
def accept(*, user: User, token: str) -> FamilyMember:
    """``user``, who holds the mailed link, shares the plan from now on. A second press changes nothing.

    Whoever was sent the link may use another address for their account. Raises InvitationOver, NotVerified,
    CannotInviteSelf, HasPlanAlready, SharesPlanAlready or FamilyFull.
    """
    offered = FamilyInvitation.objects.filter(token_hash=tokens.digest(token)).first()
    if offered is None:
        raise InvitationOver
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if not user.is_active or not user.email_verified:
        raise NotVerified
    subscription = subscriptions.lock(offered.subscription_id)
    # Read only now, in a statement after the lock: whoever was faster has been committed.
    invitation = FamilyInvitation.objects.get(pk=offered.pk)
    shared = FamilyMember.objects.current().filter(user=user).first()
    if shared is not None and shared.subscription_id == subscription.pk and invitation.accepted_by_id == user.pk:
        return shared
    _check_stands(invitation, subscription)
    if subscription.user_id == user.pk:
        raise CannotInviteSelf
    if UserSubscription.objects.live().filter(user=user).exists():
        raise HasPlanAlready(OWN_PLAN_FIRST)
    if shared is not None:
        raise SharesPlanAlready(SHARES_ANOTHER)
    if _taken(subscription) >= _size(subscription):
        raise FamilyFull(FULL_FOR_GUEST)
    member = FamilyMember.objects.create(subscription=subscription, user=user)
    invitation.accepted_at, invitation.accepted_by = member.joined_at, user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    family_mails.send_joined(member, taken=_taken(subscription))
    return member


def _check_stands(invitation: FamilyInvitation, subscription: UserSubscription) -> None:
    is_open = FamilyInvitation.objects.open().filter(pk=invitation.pk, subscription=subscription).exists()
    if not is_open or not _is_live(subscription):
        raise InvitationOver


# --- Leaving --------------------------------------------------------------------------------------------


@transaction.atomic
def remove(*, owner: User, member: FamilyMember) -> None:
    """The owner takes somebody off the plan. Raises NotAMember when they have left already."""
    subscription = subscriptions.lock(member.subscription_id)
    if subscription.user_id != owner.pk:
        raise NotAMember
    _take_off(member, subscription, REMOVED)


@transaction.atomic
def remove_by_staff(*, member: FamilyMember, actor: Actor) -> None:
    """The same for somebody who calls us, written down."""
    subscription = subscriptions.lock(member.subscription_id)
    _take_off(member, subscription, REMOVED_BY_STAFF)
    record_admin_action(actor=actor, action="family_member_removed", target=member.user)


def _take_off(member: FamilyMember, subscription: UserSubscription, reason: str) -> None:
    """Under the plan's lock."""
    row = FamilyMember.objects.current().filter(pk=member.pk, subscription=subscription).first()
    if row is None:
        raise NotAMember
    _end([row], subscription, reason)


@transaction.atomic
def leave(*, user: User) -> None:
    """Somebody who shares a plan leaves it. A second press changes nothing."""
    _leave(user, LEFT)


def leave_for_own_plan(*, user: User) -> None:
    """Whoever has got a plan of their own shares none beside it. Within the transaction that gave it."""
    _leave(user, OWN_PLAN)


def forget_person(user: User) -> None:
    """Within the transaction that closed the account: leave, without a word to somebody who is gone.

    It only frees a place, so the plan's lock is not needed; their sessions are cancelled with the account.
    """
    FamilyMember.objects.current().filter(user=user).update(ended_at=timezone.now())


def end_for(subscription: UserSubscription) -> None:
    """The plan is over, and with it all sharing. Within the transaction that ended it, which holds its lock.

    The sessions it paid for are cancelled by those who hear that it ended.
    """
    _withdraw(_offers(subscription))
    _end(_members(subscription), subscription, ENDED, plan_goes_on=False)


def fit_to_plan(subscription: UserSubscription) -> None:
    """After a change to fewer places: open offers beyond them end, then those who joined last.

    Within the transaction that changed the plan, which holds its lock.
    """
    places = _size(subscription) - 1
    members = _members(subscription)
    _end(members[places:], subscription, TOO_SMALL)
    _withdraw(_offers(subscription)[max(0, places - len(members)) :])


# --- Steps ----------------------------------------------------------------------------------------------


def _leave(user: User, reason: str) -> None:
    seen = FamilyMember.objects.current().filter(user=user).first()
    if seen is None:
        return
    subscription = subscriptions.lock(seen.subscription_id)
    # Whoever was taken off while the lock was waited for has been told already.
    with suppress(NotAMember):
        _take_off(seen, subscription, reason)


def _end(
    members: Iterable[FamilyMember], subscription: UserSubscription, reason: str, *, plan_goes_on: bool = True
) -> None:
    for member in members:
        member.ended_at = timezone.now()
        member.save(update_fields=["ended_at"])
        family_mails.send_ended(member, subscription, reason)
        if plan_goes_on:
            family_member_left.send(sender=FamilyMember, member=member)


def _withdraw(invitations: Iterable[FamilyInvitation]) -> None:
    for invitation in invitations:
        FamilyInvitation.objects.filter(pk=invitation.pk, withdrawn_at__isnull=True).update(withdrawn_at=timezone.now())
        cancel_emails(
            occasion_prefix=f"{family_mails.occasion_of(invitation)}:", reason="The invitation was withdrawn."
        )


def _members(subscription: UserSubscription) -> list[FamilyMember]:
    """The first to join first."""
    rows = FamilyMember.objects.current().filter(subscription=subscription)
    return list(rows.select_related("user").order_by("joined_at", "pk"))


def _offers(subscription: UserSubscription) -> list[FamilyInvitation]:
    """The oldest first."""
    return list(FamilyInvitation.objects.open().filter(subscription=subscription).order_by("invited_at", "pk"))


def _taken(subscription: UserSubscription) -> int:
    """The owner, and everybody who shares."""
    return 1 + FamilyMember.objects.current().filter(subscription=subscription).count()


def _size(subscription: UserSubscription) -> int:
    return subscription.plan.family_size


def _is_live(subscription: UserSubscription) -> bool:
    return (
        UserSubscription.objects.live().filter(pk=subscription.pk).exists()
        and not subscriptions.is_over(subscription)
        and subscription.frozen_at is None
    )
