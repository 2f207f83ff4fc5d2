"""A site with people, sessions, plans and mails in every state that a page can show."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode
from urllib.request import urlopen

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from accounts.tests.factories import PASSWORD, make_admin, make_user
from accounts.tests.helpers import last_mail
from audit.actors import Actor
from billing.models import (
    Checkout,
    CheckoutKind,
    CheckoutState,
    Plan,
    Refund,
    RefundState,
    SubscriptionStatus,
    UserSubscription,
)
from billing.services import checkout, family
from billing.tests.buying import GOOD_CARD
from billing.tests.factories import make_member, make_plan, make_subscriber, make_subscription
from billing.tests.pages import in_state, make_bought, make_payment, make_plans
from booking import services as booking
from booking.models import Attendance, Booking, CalendarEvent, EventKind
from booking.tests.factories import make_booking, make_event
from emails import unsubscribing
from emails.services import suppression
from techdeputies.tests.browser.times import THURSDAY, offer

ACTOR = Actor(ip_address="203.0.113.7", user_agent="Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36")
PHONE = "(312) 555-0187"


@dataclass
class World:
    """People and sessions in every state that a page can show."""

    people: dict[str, User] = field(default_factory=dict)
    events: dict[str, CalendarEvent] = field(default_factory=dict)
    visits: dict[str, Booking] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


def make_world() -> World:
    world = World()
    now = timezone.now()
    rosa = make_admin(name="Rosa Lopez", email="rosa@example.com")
    member = make_subscriber(plan=make_plan(session_limit=8), email="margaret@example.com", phone=PHONE)
    world.people = {
        "member": member,
        "newcomer": make_user(email="new@example.com"),
        "unproven": make_user(email="unproven@example.com", email_verified=False),
        "used up": make_subscriber(plan=make_plan(display_name="Basic", session_limit=1, family_size=1), phone=PHONE),
        "asked": make_user(email="asked@example.com", must_change_password=True),
        "bounced": make_user(email="gone@example.com"),
        "leaving": make_user(email="leaving@example.com", deletion_asked_at=now),
        "held up": make_user(email="held@example.com", deletion_asked_at=now, deletion_delayed_at=now),
        "staff": rosa,
    }
    world.events = {
        "open": offer(hour=9, title="Email and passwords"),
        "last": offer(hour=11, title="Photos and video calls", capacity=1),
        "there": offer(THURSDAY, 9, kind=EventKind.IN_PERSON, place="120 Badge Street, Chicago"),
        "full": offer(THURSDAY, 13, capacity=1),
        "near": make_event(start_time=now + timedelta(minutes=50)),
    }
    make_booking(event=world.events["full"])
    past = make_event(start_time=now - timedelta(days=4))
    world.visits = {
        "coming": book(member, offer(hour=14), topic="The letters on my tablet are too small."),
        "there": book(member, offer(THURSDAY, 15, kind=EventKind.IN_PERSON, place="120 Badge Street, Chicago")),
        "soon": make_booking(user=member, event=make_event(start_time=now + timedelta(hours=5)), contact_phone=PHONE),
        "past": make_booking(user=member, event=past, attendance=Attendance.ATTENDED),
        "cancelled": booking.cancel_booking(booking=book(member, offer(hour=16))),
    }
    book(world.people["used up"], world.events["open"])
    suppression.add(email="gone@example.com", type="bounce", reason="No such mailbox", is_at_mailgun=True)
    for hour in range(8, 20):
        make_booking(user=member, event=make_event(start_time=now - timedelta(days=9, hours=hour)))
    world.links = make_links(member)
    add_family(world)
    add_plans(world)
    return world


def add_family(world: World) -> None:
    """A plan that three people may share: one shares it, one was asked; and one with all its places taken."""
    owner, full = make_user(email="owner@example.com", phone=PHONE), make_user(name="Walter Stone")
    shared = make_subscription(user=owner, plan=make_plan(family_size=4))
    sharer = make_member(shared)
    family.invite(owner=owner, email="a.long.address.of.somebody@mail.example.com")
    make_member(make_subscription(user=full, plan=make_plan(family_size=2)), make_user(name="Constance Featherstone"))
    held = make_member(make_subscription(frozen_at=timezone.now()), make_user(name="Ruth Sullivan"))
    world.people |= {"owner": owner, "owner, full": full, "sharer": sharer.user, "sharer, on hold": held.user}
    world.links["share"] = last_mail("family_invitation")["button_url"]
    world.links["take off"] = reverse("billing:family_remove", args=[sharer.pk])


def add_plans(world: World) -> None:
    """The three plans, and a person for each state one's own may be in; one of them was really bought."""
    plans = make_plans()
    for state in ("ending", "past due", "lapsed", "frozen", "moving"):
        world.people[state] = in_state(state, plans["standard"]).user
    buyer = world.people["buyer"] = make_user(email="buyer@example.com", name="Alma Reed", phone=PHONE)
    make_bought(user=buyer, status=SubscriptionStatus.CANCELLED, current_period_end=timezone.now() - timedelta(days=40))
    last = pay_by_form(buyer, plans["standard"])
    bought = UserSubscription.objects.active().get(user=buyer)
    for month in range(12):
        made = make_payment(
            bought, paid_at=timezone.now() - timedelta(days=30 * month + 30), refunded_cents=month * 500
        )
    Refund.objects.create(payment=made, amount_cents=2500, state=RefundState.SUCCEEDED, settled_at=timezone.now())
    Refund.objects.create(payment=made, amount_cents=3000, state=RefundState.PENDING)
    waiting = world.people["waiting"] = make_user(email="waiting@example.com")
    world.links |= {
        "receipt": reverse("billing:payment_detail", args=[made.pk]),
        "invoice": reverse("billing:payment_invoice", args=[made.pk]),
        "paid": f"{reverse('billing:checkout_return')}?session_id={last}",
        "twice": f"{reverse('billing:checkout_return')}?session_id={paid_twice(bought, plans['premium'])}",
        "checking": f"{reverse('billing:checkout_return')}?session_id={open_page(waiting, plans['standard'])}",
    }


def open_page(user: User, plan: Plan) -> str:
    """The number of a page of Stripe's that is open for this person."""
    checkout.begin_plan(user=user, plan=plan)
    return str(Checkout.objects.open().get(user=user).stripe_session_id)


def pay_by_form(user: User, plan: Plan) -> str:
    """Buy the plan on the practice page for payments, and come back."""
    session_id = open_page(user, plan)
    form = urlencode({"card": GOOD_CARD}).encode()
    with urlopen(f"{settings.STRIPE_API_BASE}/c/pay/{session_id}", form, timeout=10):
        checkout.fulfil(session_id, user=user)
    return session_id


def paid_twice(elder: UserSubscription, plan: Plan) -> str:
    """Somebody paid for a second plan; the page they came back to."""
    younger = make_bought(user=elder.user, plan=plan, status=SubscriptionStatus.CANCELLED, duplicate_of=elder)
    return str(
        Checkout.objects.create(
            kind=CheckoutKind.PLAN,
            user=elder.user,
            email=elder.user.email,
            plan=plan,
            amount_cents=plan.price_in_cents,
            stripe_session_id=f"cs_test_{younger.pk}",
            subscription=younger,
            state=CheckoutState.PAID,
            expires_at=timezone.now(),
        ).stripe_session_id
    )


def book(user: User, event: CalendarEvent, topic: str = "") -> Booking:
    return booking.book_event(user=user, event=event, topic=topic, contact_phone=PHONE)


def make_links(member: User) -> dict[str, str]:
    """Addresses as mails carry them."""
    accounts.request_reset(email=member.email, actor=ACTOR)
    accounts.request_email_change(user=member, email="elsewhere@example.com", password=PASSWORD, actor=ACTOR)
    accounts.ask_deletion(user=make_user(email="left@example.com"), password=PASSWORD, actor=ACTOR)
    return {
        "keep": last_mail("account_deletion_asked")["button_url"],
        "reset": last_mail("password_reset")["button_url"],
        "change": last_mail("email_change_confirm")["button_url"],
        "undo": last_mail("email_change_notice")["button_url"],
        "stop": unsubscribe_path(member.email, "news"),
        "stop reminders": unsubscribe_path("reminded@example.com", "reminders"),
    }


def unsubscribe_path(email: str, choice: str) -> str:
    return reverse("emails:unsubscribe", args=[unsubscribing.make_token(email, choice)])
