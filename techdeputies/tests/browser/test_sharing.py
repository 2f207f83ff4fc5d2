"""Sharing a plan: asked by mail, joined with an account of one's own, used together, and ended."""

from __future__ import annotations

import re

import pytest

from accounts.models import User
from accounts.tests.factories import make_user
from billing.models import FamilyMember
from billing.tests.factories import make_plan, make_subscription
from booking import services as booking
from booking.models import Booking
from techdeputies.tests.browser.conftest import Visitors
from techdeputies.tests.browser.harness import NARROW, Visitor
from techdeputies.tests.browser.times import offer

GUEST = "henry@example.com"


@pytest.fixture
def owner() -> User:
    user = make_user(name="Margaret Ellis", email="margaret@example.com")
    make_subscription(user=user, plan=make_plan(family_size=2))
    return user


def ask(visitor: Visitor) -> None:
    visitor.go("billing:family")
    visitor.write(email=GUEST)
    visitor.press("Send the invitation")
    visitor.reads(f"We have sent an email to {GUEST}.")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_somebody_new_is_asked_signs_up_joins_books_and_is_taken_off(
    site: str, owner: User, visitors: Visitors, javascript: bool
) -> None:
    asking, guest = visitors().is_signed_in_as(owner), visitors(width=NARROW, javascript=javascript)
    ask(asking)

    guest.open_mail(GUEST, "Margaret would like to share a plan with you")
    guest.press_link_in_mail("/family/join/")
    guest.sees("Share a plan with Margaret?")
    assert "token" not in guest.page.url
    guest.press("Make an account")
    guest.write(name="Henry Ellis", email=GUEST, password="porch lantern river walk")
    guest.press("Make my account")
    guest.open_mail(GUEST, "Please confirm your email address")
    code = re.search(r"^\d{3} \d{3}$", guest.mail_text(), re.MULTILINE)
    assert code is not None
    guest.go("accounts:verify")
    guest.write(code=code[0])
    guest.press("Confirm my address")
    guest.sees("Share a plan with Margaret?")
    guest.press("Yes, share this plan")
    guest.sees("You share the plan of Margaret")
    guest.reads("5 of 5 left this month")

    member = FamilyMember.objects.get().user
    visit = booking.book_event(user=member, event=offer(hour=10), contact_phone="(312) 555-0187")
    asking.open_mail(owner.email, "Henry Ellis is now in your plan")
    asking.go("billing:family")
    asking.reads("2 of 2 people", "Henry Ellis", "All places of your plan are taken.")
    asking.press("Take off my plan : Henry Ellis")
    asking.sees("Take Henry Ellis off your plan?")
    asking.press("Yes, take them off")
    asking.reads("Henry Ellis does not share your plan any more.")

    assert not Booking.objects.get(pk=visit.pk).is_confirmed
    guest.open_mail(GUEST, "You no longer share the Standard plan")
    guest.go("billing:family")
    guest.reads("You have no plan to share yet")


def test_an_offer_that_was_taken_back_lets_nobody_in(site: str, owner: User, visitors: Visitors) -> None:
    asking, guest = visitors().is_signed_in_as(owner), visitors().is_signed_in_as(make_user(email=GUEST))
    ask(asking)
    guest.open_mail(GUEST, "Margaret would like to share a plan with you")
    guest.press_link_in_mail("/family/join/")
    guest.sees("Share a plan with Margaret?")

    asking.press(f"Take it back : the invitation to {GUEST}")
    asking.reads("does not work any more.")
    guest.press("Yes, share this plan")

    guest.sees("This invitation does not work any more")
    assert not FamilyMember.objects.exists()
    guest.problems[:] = [problem for problem in guest.problems if not problem.startswith("Answered with 410")]
