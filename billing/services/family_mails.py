"""The mails about sharing a plan."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts import tokens
from accounts.models import User
from billing.models import CourseInclusion, FamilyInvitation, FamilyMember, Plan, UserSubscription
from billing.services import subscriptions
from billing.services.plan_mails import KEPT_WORDS
from emails.exceptions import InvalidRecipient
from emails.services.outbox import enqueue_email
from settings_app.services import business_zone, zone_for
from techdeputies.lib.times import day_words

NO_NAME = "Somebody"


def occasion_of(invitation: FamilyInvitation) -> str:
    """What every mail about this invitation begins with."""
    return f"family_invitation:{invitation.pk}"


def send_invitation(invitation: FamilyInvitation, *, owner: User, plan: Plan, secret: str) -> None:
    """To an address that may have no account here. The link is a secret and dies with the invitation."""
    enqueue_email(
        template="family_invitation",
        occasion=f"{occasion_of(invitation)}:1",
        to=invitation.email,
        context={
            "owner_name": name_of(owner),
            "owner_first_name": first_name_of(owner),
            "plan_name": plan.display_name,
            "share_words": share_words(plan),
            "until_words": day_words(invitation.expires_at, business_zone()),
            "button_text": "Share this plan",
        },
        secrets={"button_url": tokens.link("billing:family_join", secret)},
        expires_at=invitation.expires_at,
    )


def send_joined(member: FamilyMember, *, taken: int) -> None:
    """To the owner, who asked for it."""
    subscription = member.subscription
    owner, plan = subscription.user, subscription.plan
    left = subscriptions.allowance(subscription).left(plan)
    _send(
        owner,
        template="family_joined",
        occasion=f"family_member:{member.pk}:joined",
        facts={
            "plan_name": plan.display_name,
            "member_name": name_of(member.user),
            "people_words": people_words(taken, plan),
            "visits_words": "As many as you like" if plan.is_unlimited else str(left),
            "button_url": f"{settings.SITE_URL}{reverse('billing:family')}",
            "button_text": "See who is in my plan",
        },
    )


def send_ended(member: FamilyMember, subscription: UserSubscription, reason: str) -> None:
    """To the one who shares no more. ``reason`` may name ``{owner}``."""
    owner, user = subscription.user, member.user
    _send(
        user,
        template="family_ended",
        occasion=f"family_member:{member.pk}:ended",
        facts={
            "plan_name": subscription.plan.display_name,
            "owner_name": name_of(owner),
            "end_day": day_words(member.ended_at or timezone.now(), zone_for(user)),
            "reason_words": reason.format(owner=first_name_of(owner)),
            "kept_words": KEPT_WORDS,
            "button_url": f"{settings.SITE_URL}{reverse('billing:plan_list')}",
            "button_text": "Look at the plans",
        },
    )


def _send(user: User, *, template: str, occasion: str, facts: dict[str, str]) -> None:
    if not user.is_active:
        return
    try:
        enqueue_email(
            template=template,
            occasion=occasion,
            to=user.email,
            name=user.name or "",
            context={"first_name": user.first_name_words, **facts},
        )
    except InvalidRecipient:
        return


# --- Words ----------------------------------------------------------------------------------------------


def name_of(user: User) -> str:
    return user.name or NO_NAME


def first_name_of(user: User) -> str:
    return user.first_name_words if user.name and user.name.strip() else NO_NAME


def share_words(plan: Plan) -> str:
    """``5 sessions each month, and some of the courses``."""
    if plan.is_unlimited:
        sessions = "Unlimited sessions"
    else:
        sessions = "1 session each month" if plan.session_limit == 1 else f"{plan.session_limit} sessions each month"
    courses = {CourseInclusion.FULL: ", and all courses", CourseInclusion.PARTIAL: ", and some of the courses"}
    return sessions + courses.get(CourseInclusion(plan.course_inclusion), "")


def people_words(taken: int, plan: Plan) -> str:
    """``2 of 5 people``."""
    return f"{taken} of {plan.family_size} people"
