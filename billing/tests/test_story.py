"""One end, whatever the order: a whole story's events, repeated, shuffled and late, end as when they came in order.

The story happens at the stand-in first. Then its events are delivered again and again to the same rows as they
were before, in another order each time; Stripe is put back too, since the product itself acts there.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from accounts.tests.factories import make_user
from billing import gateway
from billing.gateway import StripeSubscription
from billing.models import (
    Checkout,
    Dispute,
    Payment,
    PlanPrice,
    Refund,
    StaffAlert,
    StripeEvent,
    UserSubscription,
)
from billing.services import checkout, events, inbox, refunds, syncing
from billing.tests.buying import buy, offer
from billing.tests.factories import make_plan
from billing.tests.posts import apply_all
from emails.models import EmailJob
from sandbox.stripe import StandIn

pytestmark = pytest.mark.django_db

PARTS = 4
"""Each is a test of its own, so that they can run beside each other."""

# A second or two each, so every run takes some. ``STORY_ORDERS=200`` is what the proof was made with.
ORDERS = int(os.environ.get("STORY_ORDERS", "48")) // PARTS
LATE_ORDERS = int(os.environ.get("STORY_LATE_ORDERS", "16")) // PARTS
BAD_CARD = "4000000000000341"


def seeds(part: int, number: int) -> range:
    return range(part * number, (part + 1) * number)


class Story:
    """What two people do in some months, chapter by chapter, each with the events that it caused."""

    def __init__(self, stripe: StandIn) -> None:
        self.stripe = stripe
        self.basic = make_plan(name="basic", display_name="Basic", price_in_cents=4900, session_limit=2, family_size=1)
        self.standard = make_plan(name="standard", price_in_cents=9900)
        for plan in (self.basic, self.standard):
            offer(plan)
        self.anna, self.bert = make_user(name="Anna Ellis"), make_user(name="Bert Ellis")
        self.told = 0
        self.number = ""

    def chapters(self) -> Iterator[list[dict[str, Any]]]:
        """Run the story; each chapter's events as it ends."""
        for chapter in (
            self.buy,
            self.upgrade,
            self.renew,
            self.give_back,
            self.dispute,
            self.fail,
            self.recover,
            self.pay_twice,
            self.cancel,
            self.end,
        ):
            chapter()
            happened = self.stripe.events[self.told :]
            self.told += len(happened)
            yield [event for event in happened if event["type"] in events.LOOKS]

    def buy(self) -> None:
        checkout.begin_plan(user=self.anna, plan=self.basic)
        session = Checkout.objects.get(user=self.anna).stripe_session_id
        assert self.stripe.pay(str(session)).ok
        self.number = gateway.session(str(session)).subscription_id
        checkout.begin_plan(user=self.bert, plan=self.basic)
        self.stripe.expire(str(Checkout.objects.get(user=self.bert).stripe_session_id))

    def upgrade(self) -> None:
        current = gateway.subscription(self.number)
        price = PlanPrice.objects.get(plan=self.standard).stripe_price_id
        gateway.change_now(current=current, price_id=price, priced_at=current.period_start, key="upgrade")

    def renew(self) -> None:
        self.stripe.renew(self.number)

    def give_back(self) -> None:
        intent = self._intent()
        made = gateway.create_refund(payment_intent_id=intent, amount_cents=1900, metadata={}, key="back-1")
        gateway.create_refund(payment_intent_id=intent, amount_cents=500, metadata={}, key="back-2")
        self.stripe.settle_refund(made.id, "failed", "expired_or_canceled_card")

    def dispute(self) -> None:
        self.stripe.renew(self.number)
        charge = gateway.charge_of_intent(self._intent()).id
        opened = self.stripe.open_dispute(charge)
        self.stripe.close_dispute(opened["id"], "won")

    def fail(self) -> None:
        self.stripe.set_card(self._customer(), BAD_CARD)
        self.stripe.renew(self.number)

    def recover(self) -> None:
        self.stripe.set_card(self._customer())
        self.stripe.retry(self.number)

    def pay_twice(self) -> None:
        for plan in (self.standard, self.basic):
            buy(self.stripe, User.objects.get(pk=self.bert.pk), plan)
            time.sleep(1.1)  # Stripe's clock counts seconds, and the elder is to be the first

    def cancel(self) -> None:
        gateway.cancel_at_period_end(self.number)

    def end(self) -> None:
        self.stripe.renew(self.number)

    def _intent(self) -> str:
        """Of the newest payment of the plan."""
        paid = [item for item in gateway.invoices_of(self.number) if item.is_paid]
        found = gateway.charge_of_invoice(paid[0].id)
        assert found is not None
        return found.payment_intent_id

    def _customer(self) -> str:
        return gateway.subscription(self.number).customer_id


# --- The end, in words ----------------------------------------------------------------------------------


def the_end() -> dict[str, list[Any]]:
    """Every table of plans and money, and the mails, by names that a new run gives as well.

    Our own ids and the moments at which rows were written differ from run to run and say nothing.
    """
    plans: dict[str, list[Any]] = {
        "subscriptions": [
            (
                row.stripe_subscription_id,
                row.user_id,
                row.plan.name,
                row.status,
                row.stripe_status,
                row.current_period_start,
                row.ends_at,
                # A duplicate ends when it is found.
                *((row.current_period_end, row.cancelled_at, row.ended_at) if row.duplicate_of is None else ()),
                row.price_in_cents,
                row.past_due_since,
                row.frozen_at is not None,
                row.next_plan_id,
                row.session_booked_this_month,
                row.duplicate_of.stripe_subscription_id if row.duplicate_of else None,
            )
            for row in UserSubscription.objects.select_related("plan", "duplicate_of")
        ],
        "payments": list(
            Payment.objects.values_list(
                *("cause", "kind", "user_id", "subscription__stripe_subscription_id", "what", "amount_cents"),
                *("refunded_cents", "paid_at", "paid_with", "period_start", "period_end", "stripe_invoice_id"),
                *("stripe_payment_intent_id", "stripe_charge_id"),
            )
        ),
        "refunds": list(
            Refund.objects.values_list("payment__cause", "amount_cents", "reason", "state", "failure_reason")
        ),
        "disputes": list(
            Dispute.objects.values_list(
                "stripe_dispute_id", "payment__cause", "amount_cents", "reason", "status", "opened_at"
            )
        ),
        "checkouts": [
            (row.stripe_session_id, row.state, row.subscription.stripe_subscription_id if row.subscription else None)
            for row in Checkout.objects.select_related("subscription")
        ],
        "customers": list(User.objects.values_list("pk", "stripe_customer_id")),
        "alerts": list(StaffAlert.objects.values_list("kind", "user_id", "payment__cause")),
        "events": list({*StripeEvent.objects.values_list("event_type", "state")}),
    }
    return {name: sorted(rows, key=repr) for name, rows in plans.items()} | {"mails": mails()}


def mails() -> list[Any]:
    """Which mails, to whom, saying what; links may hold an id of ours.

    Whose second plan is heard of before the first is told that it has started. That mail cannot be taken back, and
    comes or not with the order, so it is left out.
    """
    seconds = {
        (row.user.email, row.plan.display_name)
        for row in UserSubscription.objects.filter(duplicate_of__isnull=False).select_related("user", "plan")
    }
    found = []
    for kind, to, content in EmailJob.objects.values_list("template_type", "recipient_email", "content"):
        words = {name: text for name, text in content["context"].items() if name != "button_url"}
        if kind != "plan_started" or (to, words["plan_name"]) not in seconds:
            found.append((kind, to, sorted(words.items())))
    return sorted(found, key=repr)


# --- Playing it again -----------------------------------------------------------------------------------


class _Again(Exception):
    """Undoes what one delivery has done."""


@contextmanager
def undone(stripe: StandIn) -> Iterator[None]:
    """Inside, deliver; afterwards our tables and Stripe are as they were."""
    database = stripe.account.store._db
    kept = sqlite3.connect(":memory:")
    database.backup(kept)
    try:
        with transaction.atomic():
            yield
            raise _Again
    except _Again:
        pass
    finally:
        kept.backup(database)
        kept.close()


def take_in(happened: list[dict[str, Any]]) -> None:
    for event in happened:
        inbox.store(events.read(event))


def work() -> None:
    """All that workers do: apply, send what goes back, hear of it, and once more."""
    apply_all()
    refunds.send_asked()


def finish(stripe: StandIn) -> dict[str, list[Any]]:
    """Let what the product did at Stripe come back as events, in order, until all is quiet."""
    known = -1
    while known != StripeEvent.objects.count():
        known = StripeEvent.objects.count()
        take_in([event for event in stripe.events if event["type"] in events.LOOKS])
        work()
    return the_end()


def difference(ours: dict[str, list[Any]], theirs: dict[str, list[Any]]) -> dict[str, Any]:
    return {
        name: {
            "only here": [row for row in ours[name] if row not in theirs[name]],
            "only in order": [row for row in theirs[name] if row not in ours[name]],
        }
        for name in ours
        if ours[name] != theirs[name]
    }


@pytest.fixture
def story(stripe: StandIn) -> Story:
    return Story(stripe)


@pytest.mark.parametrize("part", range(PARTS))
def test_all_at_the_end_in_any_order_and_often(stripe: StandIn, story: Story, part: int) -> None:
    happened = [event for chapter in story.chapters() for event in chapter]
    with undone(stripe):
        for event in happened:
            take_in([event])
            work()
        expected = finish(stripe)
    assert len(happened) > 25
    assert {row[3] for row in expected["subscriptions"]} == {"active", "cancelled"}
    assert len(expected["refunds"]) == 3

    for seed in seeds(part, ORDERS):
        chance = random.Random(seed)
        copies = [event for event in happened for _ in range(chance.randint(1, 3))]
        chance.shuffle(copies)
        with undone(stripe):
            while copies:
                size = chance.choice((3, 10, len(copies)))
                take_in(copies[:size])
                del copies[:size]
                if chance.random() < 0.5:
                    apply_all(rounds=1)
            ours = finish(stripe)

        found = difference(ours, expected)
        assert not found, f"order {seed}: {found}"


def test_who_believes_events_ends_elsewhere(stripe: StandIn, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: an event's own words taken for the truth, in order and in reverse."""
    happened = [
        event for chapter in story.chapters() for event in chapter if event["type"].startswith("customer.subscription")
    ]
    ends = []
    for order in (happened, happened[::-1]):
        with undone(stripe):
            syncing.sync_invoice(gateway.invoices_of(story.number)[-1].id)
            for event in order:
                believed = StripeSubscription.read(event["data"]["object"])
                with monkeypatch.context() as patch:
                    patch.setattr(gateway, "subscription", lambda _number, found=believed: found)
                    syncing.sync_subscription(believed.id)
            ends.append(UserSubscription.objects.get(stripe_subscription_id=story.number).status)

    assert ends[0] == "cancelled"
    assert ends[1] != "cancelled"


@pytest.mark.parametrize("part", range(PARTS))
def test_chapter_by_chapter_with_late_ones(stripe: StandIn, story: Story, part: int) -> None:
    """As it happens, with each event late by some chapters or more: the same rows, and no mail that was not due.

    News that comes too late is not told any more: nobody is asked to mend a payment that has been mended.
    """
    whole: list[list[dict[str, Any]]] = []
    stages: list[sqlite3.Connection] = []
    for chapter in story.chapters():
        whole.append(chapter)
        kept = sqlite3.connect(":memory:")
        stripe.account.store._db.backup(kept)
        stages.append(kept)
    expected = told(stripe, whole, stages)

    for seed in seeds(part, LATE_ORDERS):
        chance = random.Random(seed)
        late: list[list[dict[str, Any]]] = [[] for _ in whole]
        for number, chapter in enumerate(whole):
            for event in chapter:
                for _ in range(chance.randint(1, 3)):
                    place = number if chance.random() < 0.5 else chance.randrange(number, len(whole))
                    late[place].append(event)
        for chapter in late:
            chance.shuffle(chapter)
        ours = told(stripe, late, stages)

        found = difference({**ours, "mails": []}, {**expected, "mails": []})
        assert not found, f"order {seed}: {found}"
        too_many = Counter(mail[:2] for mail in ours["mails"]) - Counter(mail[:2] for mail in expected["mails"])
        assert not too_many, f"order {seed}: {too_many}"


def told(
    stripe: StandIn, chapters: list[list[dict[str, Any]]], stages: list[sqlite3.Connection]
) -> dict[str, list[Any]]:
    """The end when Stripe is as it was at the end of each chapter while that chapter's events are delivered."""
    with undone(stripe):
        for chapter, stage in zip(chapters, stages, strict=True):
            stage.backup(stripe.account.store._db)
            take_in(chapter)
            apply_all(rounds=1)
        return finish(stripe)
