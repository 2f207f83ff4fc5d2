"""Every page of the site with somebody to see it and something on it, and the faces it shows when things go wrong."""

from __future__ import annotations

from collections.abc import Callable
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
from techdeputies.tests.browser.harness import Visitor
from techdeputies.tests.browser.times import THURSDAY, offer
from techdeputies.tests.browser.urls import STATUSES

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


@dataclass(frozen=True)
class Sight:
    """One page in one state. ``act`` brings the state about once the page is open."""

    name: str
    """Of the address in the URL map, with a word on the state after a comma."""
    path: Callable[[World], str]
    who: str = ""
    """A key of ``World.people``; empty for somebody signed out."""
    status: int = 200
    act: Callable[[Visitor, World], None] | None = None

    @property
    def url_name(self) -> str:
        return self.name.partition(",")[0]


def plain(name: str, state: str = "", who: str = "", **more: object) -> Sight:
    """A page whose address needs nothing."""
    return Sight(f"{name}, {state}" if state else name, lambda world: reverse(name), who, **more)  # type: ignore[arg-type]


def event(state: str, key: str, who: str = "member", **more: object) -> Sight:
    name = "booking:event_detail"
    return Sight(f"{name}, {state}", lambda world: reverse(name, args=[world.events[key].pk]), who, **more)  # type: ignore[arg-type]


def visit(name: str, key: str = "coming", query: Callable[[World], str] | None = None, **more: object) -> Sight:
    """A page about a session of the member."""

    def path(world: World) -> str:
        return reverse(f"booking:{name}", args=[world.visits[key].pk]) + (query(world) if query else "")

    return Sight(f"booking:{name}, {more.pop('state', key)}", path, "member", **more)  # type: ignore[arg-type]


def mailed(name: str, key: str, state: str = "", who: str = "") -> Sight:
    """A page behind a link in a mail."""
    return Sight(f"{name}, by link{f', {state}' if state else ''}", lambda world: world.links[key], who)


# --- What is done once a page is open -------------------------------------------------------------------
def send_as_it_is(visitor: Visitor, world: World) -> None:
    visitor.page.locator("main form button[type=submit]").first.click()
    visitor.page.get_by_role("alert").first.wait_for()


def write_bad_address(visitor: Visitor, world: World) -> None:
    visitor.write(email="not an address")
    visitor.press("Send the invitation")
    visitor.page.get_by_role("alert").first.wait_for()


def write_bad_numbers(visitor: Visitor, world: World) -> None:
    visitor.write(contact_phone="12", topic="My printer says it is offline.")
    send_as_it_is(visitor, world)


def lose_the_place(visitor: Visitor, world: World) -> None:
    make_booking(event=world.events["last"])
    visitor.press("Yes, book this session")
    visitor.sees("That place is gone")


def sign_up_only(visitor: Visitor, world: World) -> None:
    visitor.write(name="Ruth Sullivan", email="ruth@example.com", password="porch lantern river walk")
    visitor.press("Make my account")
    visitor.sees("Look in your email")


def save_display(visitor: Visitor, world: World) -> None:
    visitor.page.locator("main form button[type=submit]").first.click()
    visitor.page.get_by_role("status").first.wait_for()


def save_choices(visitor: Visitor, world: World) -> None:
    visitor.press("Save what I get")
    visitor.page.get_by_role("status").first.wait_for()


def stop_mail(visitor: Visitor, world: World) -> None:
    visitor.press("Stop reminders before a session")
    visitor.sees("We have stopped reminders before a session")


def withdraw_path(world: World) -> str:
    return reverse("billing:family_withdraw", args=["nothing"])


def press_back(visitor: Visitor, world: World) -> None:
    """Sums that are not true any more: the note that goes with the press is not ours."""
    visitor.page.locator("input[name=token]").evaluate("box => box.value = 'old'")
    visitor.page.locator("main form button[type=submit]").first.click()
    visitor.page.get_by_role("alert").first.wait_for()


def plan_page(name: str, plan: str, state: str, who: str, **more: object) -> Sight:
    return Sight(f"billing:{name}, {state}", lambda world: reverse(f"billing:{name}", args=[plan]), who, **more)  # type: ignore[arg-type]


def other_week(world: World) -> str:
    return reverse("booking:event_list") + "?week=not-a-week&view=list"


def to(key: str) -> Callable[[World], str]:
    return lambda world: f"?to={world.events[key].pk}"


SIGHTS: tuple[Sight, ...] = (
    plain("home"),
    plain("home", "signed in", "member"),
    plain("dashboard", who="member"),
    plain("dashboard", "new", "newcomer"),
    plain("dashboard", "unproven", "unproven"),
    plain("dashboard", "held up", "held up"),
    plain("help"),
    plain("privacy"),
    plain("terms"),
    plain("display_settings"),
    plain("display_settings", "saved", act=save_display),
    plain("accounts:signup"),
    plain("accounts:signup", "not right", act=send_as_it_is),
    plain("accounts:login"),
    plain("accounts:login", "not right", act=send_as_it_is),
    plain("accounts:logout", who="newcomer"),
    plain("accounts:verify"),
    plain("accounts:verify", "unproven", "unproven"),
    plain("accounts:verify", "not right", "unproven", act=send_as_it_is),
    Sight("accounts:verify, signing up", lambda world: reverse("accounts:signup"), act=sign_up_only),
    Sight("accounts:verify, by link", lambda world: reverse("accounts:verify") + "?token=unread"),
    plain("accounts:verify_send", "leads to verify", "unproven"),
    plain("accounts:password_reset"),
    plain("accounts:password_reset", "not right", act=send_as_it_is),
    plain("accounts:password_reset_sent"),
    mailed("accounts:password_reset_confirm", "reset"),
    plain("accounts:password_reset_confirm", "old link", status=410),
    plain("accounts:password_change", who="member"),
    plain("accounts:password_change", "not right", "member", act=send_as_it_is),
    plain("accounts:password_change", "asked for", "asked"),
    plain("accounts:email_change", who="member"),
    plain("accounts:email_change", "not right", "member", act=send_as_it_is),
    mailed("accounts:email_change_confirm", "change"),
    plain("accounts:email_change_confirm", "old link", status=410),
    mailed("accounts:email_change_undo", "undo"),
    plain("accounts:email_change_undo", "old link", status=410),
    plain("accounts:profile", who="member"),
    plain("accounts:profile_name", who="member"),
    plain("accounts:profile_phone", who="member"),
    plain("accounts:profile_time_zone", who="member"),
    plain("accounts:session_list", who="member"),
    plain("accounts:session_end", "leads to the list", "member"),
    plain("accounts:session_end_all", "leads to the list", "member"),
    plain("accounts:profile", "held up", "held up"),
    plain("accounts:delete", who="member"),
    plain("accounts:delete", "not right", "member", act=send_as_it_is),
    plain("accounts:delete", "waiting", "leaving"),
    plain("accounts:delete", "held up", "held up"),
    plain("accounts:delete", "staff", "staff"),
    plain("accounts:delete_keep", "leads to delete", "member"),
    plain("accounts:delete_done"),
    mailed("accounts:delete_undo", "keep"),
    plain("accounts:delete_undo", "old link", status=410),
    plain("emails:choices", who="member"),
    plain("emails:choices", "mail comes back", "bounced"),
    plain("emails:choices", "saved", "newcomer", act=save_choices),
    plain("dashboard", "mail comes back", "bounced"),
    mailed("emails:unsubscribe", "stop"),
    Sight("emails:unsubscribe, stopped", lambda world: world.links["stop reminders"], act=stop_mail),
    Sight("emails:unsubscribe, broken", lambda world: reverse("emails:unsubscribe", args=["broken"]), status=404),
    plain("dashboard", "payment failed", "past due"),
    plain("dashboard", "plan bought", "buyer"),
    plain("dashboard", "plan on hold", "frozen"),
    plain("dashboard", "shared plan", "sharer"),
    plain("billing:plan_list"),
    plain("billing:plan_list", "without a plan", "newcomer"),
    plain("billing:plan_list", "own plan", "buyer"),
    plain("billing:plan_list", "planned", "moving"),
    plain("billing:plan_list", "payment failed", "past due"),
    plain("billing:plan_list", "given plan", "member"),
    plain("billing:plan_list", "shared", "sharer"),
    plain("billing:my_plan", "bought", "buyer"),
    plain("billing:my_plan", "given", "member"),
    plain("billing:my_plan", "stops", "ending"),
    plain("billing:my_plan", "payment failed", "past due"),
    plain("billing:my_plan", "lapsed", "lapsed"),
    plain("billing:my_plan", "on hold", "frozen"),
    plain("billing:my_plan", "planned", "moving"),
    plain("billing:my_plan", "shared", "sharer"),
    plain("billing:my_plan", "shared and on hold", "sharer, on hold"),
    plain("billing:my_plan", "none", "newcomer"),
    plan_page("plan_change", "premium", "bigger", "buyer"),
    plan_page("plan_change", "basic", "smaller", "buyer"),
    plan_page("plan_change", "basic", "old sums", "buyer", act=press_back),
    plain("billing:plan_change_forget", "leads to the page", "buyer"),
    plain("billing:plan_cancel", who="buyer"),
    plain("billing:plan_cancel", "payment failed", "past due"),
    plain("billing:plan_keep", "leads to the page", "buyer"),
    plan_page("checkout", "standard", "check", "newcomer"),
    plan_page("checkout", "standard", "unproven", "unproven"),
    plain("billing:checkout_return", "not paid", "newcomer"),
    mailed("billing:checkout_return", "paid", "paid", "buyer"),
    mailed("billing:checkout_return", "twice", "twice", "buyer"),
    mailed("billing:checkout_return", "checking", "checking", "waiting"),
    plain("billing:portal", who="buyer"),
    plain("billing:portal", "card", "past due"),
    plain("billing:payment_list", who="buyer"),
    plain("billing:payment_list", "empty", "newcomer"),
    mailed("billing:payment_detail", "receipt", "given back", "buyer"),
    mailed("billing:payment_invoice", "invoice", "leads to the receipt", "buyer"),
    plain("billing:family", who="owner"),
    plain("billing:family", "not right", "owner", act=write_bad_address),
    plain("billing:family", "full", "owner, full"),
    plain("billing:family", "shared", "sharer"),
    plain("billing:family", "shared and on hold", "sharer, on hold"),
    plain("billing:family", "for one person", "used up"),
    plain("billing:family", "without a plan", "newcomer"),
    plain("billing:family_invite", "leads to the page", "owner"),
    Sight("billing:family_withdraw, leads to the page", withdraw_path, "owner"),
    mailed("billing:family_remove", "take off", who="owner"),
    plain("billing:family_leave", who="sharer"),
    mailed("billing:family_join", "share"),
    mailed("billing:family_join", "share", "signed in", "newcomer"),
    mailed("billing:family_join", "share", "unproven", "unproven"),
    mailed("billing:family_join", "share", "with a plan", "member"),
    plain("billing:family_join", "old link", status=410),
    plain("booking:event_list"),
    plain("booking:event_list", "member", "member"),
    plain("booking:event_list", "without a plan", "newcomer"),
    Sight("booking:event_list, as a list", other_week, "member"),
    plain("booking:zone"),
    event("open", "open"),
    event("in person", "there"),
    event("without a plan", "open", "newcomer"),
    event("unproven", "open", "unproven"),
    event("used up", "last", "used up"),
    event("full", "full"),
    event("too soon", "near"),
    event("not right", "open", act=write_bad_numbers),
    event("place gone", "last", act=lose_the_place),
    plain("booking:booking_list", who="member"),
    Sight("booking:booking_list, page 2", lambda world: reverse("booking:booking_list") + "?page=2", "member"),
    plain("booking:booking_list", "empty", "newcomer"),
    visit("booking_detail"),
    visit("booking_detail", "there"),
    visit("booking_detail", "soon"),
    visit("booking_detail", "past"),
    visit("booking_detail", "cancelled"),
    visit("booking_done"),
    visit("booking_done", "there"),
    visit("booking_move"),
    visit("booking_move", "soon"),
    visit("booking_move", query=to("open"), state="check"),
    visit("booking_move", query=to("full"), state="check a full one"),
    visit("booking_moved"),
    visit("booking_cancel"),
    visit("booking_cancel", "soon"),
    visit("booking_cancelled", "cancelled"),
)

TROUBLES = tuple(
    Sight(f"trouble, {kind}", lambda world, kind=kind: f"/trouble/{kind}/", status=status)  # type: ignore[misc]
    for kind, status in STATUSES.items()
)

# Answers for machines, and files: no pages.
NOT_PAGES = {
    "livez",
    "readyz",
    "mailgun_webhook",
    "stripe_webhook",
    "api_subscriptions",
    "api_description",
    "booking:booking_calendar",
}
