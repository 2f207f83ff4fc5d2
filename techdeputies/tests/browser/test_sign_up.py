"""Getting in: signing up, proving the address, signing in and out, a forgotten password."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from accounts.models import User
from accounts.tests.factories import PASSWORD, make_user
from techdeputies.tests.browser.conftest import Visitors
from techdeputies.tests.browser.harness import NARROW, Visitor

NEW_PASSWORD = "porch lantern river walk"


def sign_up(visitor: Visitor, email: str, name: str = "Margaret Ellis") -> None:
    visitor.sees("Make an account")
    visitor.write(name=name, email=email, password=NEW_PASSWORD)
    visitor.press("Make my account")
    visitor.sees("Look in your email")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_the_code_from_the_mail_does_instead_of_its_link(visitors: Visitors, javascript: bool) -> None:
    visitor = visitors(width=NARROW, javascript=javascript)
    visitor.go("accounts:signup")
    sign_up(visitor, "margaret@example.com")

    visitor.open_mail("margaret@example.com", "Please confirm your email address")
    code = re.search(r"^\d{3} \d{3}$", visitor.mail_text(), re.MULTILINE)
    assert code is not None
    visitor.go("accounts:verify")
    visitor.write(code=code[0])
    visitor.press("Confirm my address")

    visitor.reads("Your address is confirmed, and you are signed in.", "Book your first session")
    assert User.objects.get(email="margaret@example.com").email_verified


def test_a_wrong_code_keeps_the_page_and_says_so_first(visitor: Visitor) -> None:
    visitor.go("accounts:signup")
    sign_up(visitor, "margaret@example.com")

    visitor.write(code="12")
    visitor.press("Confirm my address")

    expect(visitor.page).to_have_title(re.compile("^Error: "))
    expect(visitor.page.get_by_role("alert")).to_be_focused()
    visitor.press("The code has six digits, such as 123 456. Please look at it again.")
    expect(visitor.page.get_by_label("The code from our email")).to_be_focused()


def test_opening_the_link_proves_nothing_before_the_button_is_pressed(visitor: Visitor) -> None:
    visitor.go("accounts:signup")
    sign_up(visitor, "margaret@example.com")
    visitor.open_mail("margaret@example.com", "Please confirm your email address")

    visitor.press_link_in_mail("/verify/")

    visitor.sees("Is this you?")
    assert "token" not in visitor.page.url
    assert not User.objects.get(email="margaret@example.com").email_verified


def test_a_known_address_is_answered_like_a_new_one_and_told_by_mail(visitor: Visitor) -> None:
    make_user(email="margaret@example.com")
    visitor.go("accounts:signup")

    sign_up(visitor, "margaret@example.com")

    visitor.open_mail("margaret@example.com", "You already have an account")
    assert User.objects.count() == 1


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_a_forgotten_password_is_replaced_by_mail(visitors: Visitors, javascript: bool) -> None:
    user = make_user(email="margaret@example.com")
    visitor = visitors(javascript=javascript)
    visitor.go("accounts:login")
    visitor.press("I forgot my password")
    visitor.write(email="margaret@example.com")
    visitor.press("Send me a link")
    visitor.reads("If that address has an account, we have sent a link to it.")

    visitor.open_mail("margaret@example.com", "Choose a new password")
    if javascript:
        visitor.press_button_in_mail("Choose a new password")
    else:
        visitor.press_link_in_mail("/password/reset/")
    visitor.write(password=NEW_PASSWORD)
    visitor.press("Save my new password")

    visitor.reads("Your new password is set, and you are signed in.")
    user.refresh_from_db()
    assert user.check_password(NEW_PASSWORD)


def test_a_used_reset_link_says_so_kindly(visitor: Visitor) -> None:
    make_user(email="margaret@example.com")
    visitor.go("accounts:password_reset")
    visitor.write(email="margaret@example.com")
    visitor.press("Send me a link")
    visitor.open_mail("margaret@example.com", "Choose a new password")
    link = visitor.page.locator(".mailbox-text a[href*='/password/reset/']").get_attribute("href")
    visitor.press_link_in_mail("/password/reset/")
    visitor.write(password=NEW_PASSWORD)
    visitor.press("Save my new password")
    visitor.reads("Your new password is set")

    visitor.page.goto(str(link))

    visitor.reads("That link does not work any more")


def test_a_wrong_password_keeps_the_address_and_empties_the_password(visitor: Visitor) -> None:
    user = make_user()
    visitor.go("accounts:login")

    visitor.sign_in(user, "not the password")

    visitor.reads("That email and password do not match. Please try again.")
    expect(visitor.page.get_by_label("Email address")).to_have_value(user.email)
    expect(visitor.page.get_by_label("Password", exact=True)).to_have_value("")


def test_a_password_can_be_looked_at_before_it_is_sent(visitor: Visitor) -> None:
    visitor.go("accounts:login")
    box = visitor.page.get_by_label("Password", exact=True)
    box.fill("river spoon tuesday")

    visitor.press("Show password")

    expect(box).to_have_attribute("type", "text")
    visitor.press("Hide password")
    expect(box).to_have_attribute("type", "password")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_the_back_button_after_signing_out_shows_nothing_private(visitors: Visitors, javascript: bool) -> None:
    user = make_user(name="Margaret Ellis", phone="(312) 555-0187")
    visitor = visitors(javascript=javascript)
    visitor.go("accounts:login")
    visitor.sign_in(user)
    visitor.reads("Margaret")
    visitor.go("accounts:profile")
    visitor.reads("Margaret Ellis", "(312) 555-0187")
    visitor.go("accounts:logout")
    visitor.press("Sign out")
    visitor.reads("You are signed out of this device.")

    for _ in range(4):
        visitor.page.go_back()
        assert "Margaret" not in visitor.page.content()
        assert "555-0187" not in visitor.page.content()


def test_a_device_signed_out_from_another_one_is_out_at_once(visitors: Visitors) -> None:
    user = make_user()
    here, there = visitors().is_signed_in_as(user), visitors(width=NARROW).is_signed_in_as(user)
    there.go("accounts:profile")
    there.reads(user.email)
    here.go("accounts:session_list")

    here.page.locator("main li", has_not_text="This device").get_by_role("button").click()

    here.reads("Signed out:")
    there.page.reload()
    there.sees("Sign in")


def test_another_address_is_used_once_its_mail_is_answered(visitor: Visitor) -> None:
    user = make_user(email="old@example.com")
    visitor.is_signed_in_as(user)
    visitor.go("accounts:email_change")
    visitor.write(email="new@example.com", current_password=PASSWORD)
    visitor.press("Send an email to the new address")
    visitor.reads("We have sent an email to new@example.com.")

    visitor.open_mail("new@example.com", "Please confirm your new email address")
    visitor.press_link_in_mail("/email/change/confirm/")
    visitor.press("Yes, use this address")

    visitor.reads("From now on you sign in with new@example.com.")
    visitor.open_mail("old@example.com", "Someone asked to change your email address")
    visitor.press_link_in_mail("/email/change/undo/")
    visitor.press("Keep my old address")
    visitor.sees("Your old address is back")
    user.refresh_from_db()
    assert user.email == "old@example.com"
