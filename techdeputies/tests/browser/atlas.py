"""Every page of the site with somebody to see it and something on it, and the faces it shows when things go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse

from booking.tests.factories import make_booking
from techdeputies.tests.browser.harness import Visitor
from techdeputies.tests.browser.urls import STATUSES
from techdeputies.tests.browser.world import World


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
