"""How a person stands with their plan, for pages: which state it is in, and what there is to say of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from accounts.models import User
from billing.models import SubscriptionStatus, UserSubscription
from billing.services import subscriptions
from techdeputies.lib.times import month_day, short_date


class State(StrEnum):
    """The states that pages tell apart."""

    NONE = "none"
    ACTIVE = "active"
    ENDING = "ending"
    PAUSED = "paused"
    """A payment did not go through; the days of grace run."""
    LAPSED = "lapsed"
    """A payment did not go through, and the days of grace are over."""
    FROZEN = "frozen"
    """A payment is disputed at the bank."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's own plan, or the one they share. ``subscription`` is None only for the state NONE."""

    state: State = State.NONE
    subscription: UserSubscription | None = None
    is_shared: bool = False

    @property
    def own(self) -> UserSubscription | None:
        """The plan, when it is the person's own."""
        return None if self.is_shared else self.subscription

    @property
    def needs_payment(self) -> bool:
        return self.state in (State.PAUSED, State.LAPSED)

    @property
    def may_change(self) -> bool:
        """Bought by this person, and nothing stands against it."""
        own = self.own
        return own is not None and not own.is_granted and self.state == State.ACTIVE


def of(user: User) -> Standing:
    """How ``user`` stands. One statement."""
    found = subscriptions.live(user)
    if found is None or _is_over(found):
        return Standing()
    if found.user_id == user.pk:
        found.user = user
    return Standing(state=_state(found), subscription=found, is_shared=found.user_id != user.pk)


def _is_over(subscription: UserSubscription) -> bool:
    """Who pays month by month keeps the page of the plan until Stripe says that it is over."""
    renews = not subscription.is_granted and subscription.ends_at is None
    return subscriptions.is_over(subscription) and not renews


def _state(subscription: UserSubscription) -> State:
    if subscription.frozen_at is not None:
        return State.FROZEN
    if subscription.status == SubscriptionStatus.PAST_DUE:
        return State.LAPSED if subscriptions.grace_until(subscription) is None else State.PAUSED
    return State.ENDING if subscription.ends_at is not None else State.ACTIVE


def tag(standing: Standing, zone: ZoneInfo) -> tuple[str, str]:
    """The word for the state, and the colour of its tag."""
    subscription = standing.subscription
    if subscription is None:
        return "No plan", ""
    if standing.state == State.ENDING:
        return f"Stops on {short_date(subscription.ends_at or subscription.current_period_end, zone)}", "warn"
    if standing.needs_payment:
        return "Payment did not go through", "bad"
    if standing.state == State.FROZEN:
        return "On hold", "warn"
    return "Active", "good"


def owner_words(subscription: UserSubscription) -> str:
    """The first name of whom a shared plan belongs to, as it stands in a sentence."""
    owner = subscription.user
    return owner.first_name_words if owner.name else "The person who shares it"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What stands against a plan, and the way to put it right. ``action`` is empty where only a call helps."""

    title: str
    text: str
    is_bad: bool = True
    is_card: bool = False


def trouble(standing: Standing, zone: ZoneInfo) -> Trouble | None:
    """For the alert on top of pages. None while all is well."""
    subscription = standing.subscription
    if subscription is None or standing.state in (State.ACTIVE, State.ENDING):
        return None
    if standing.is_shared:
        return Trouble(
            title="The plan you share has to wait",
            text=f"{owner_words(subscription)} has had an email from us and can put it right. "
            "Until then you cannot book new sessions from this plan.",
            is_bad=False,
        )
    if standing.state == State.FROZEN:
        return Trouble(
            title="Your plan is on hold",
            text="Your bank is looking into a payment for it. Until that is decided, the plan has to wait. "
            "If you did not ask your bank for this, please call us.",
        )
    if standing.state == State.PAUSED:
        end = subscriptions.grace_until(subscription)
        until = f"Until {month_day(end, zone)}" if end is not None else "For now"
        return Trouble(
            title="Your payment did not go through",
            text=f"Your bank did not let it through. {until} your booked sessions, courses and help go on. "
            "New sessions have to wait until the payment is made.",
            is_card=True,
        )
    return Trouble(
        title="Your payment did not go through",
        text="Your bank did not let it through, so your plan has stopped for now. It starts again by itself "
        "when a payment goes through.",
        is_card=True,
    )
