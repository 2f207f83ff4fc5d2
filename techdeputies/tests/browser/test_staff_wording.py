"""Staff change the words of a mail: they look first, try it on themselves, save, and take it back."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from playwright.sync_api import expect

from accounts.tests.factories import make_admin
from emails.models import EmailTemplate
from emails.services import delivery
from techdeputies.tests.browser.conftest import Visitors
from techdeputies.tests.browser.harness import NARROW, WIDE, Visitor
from techdeputies.tests.browser.measures import broken_rules
from techdeputies.tests.browser.test_staff import fill, press, says


@pytest.fixture
def template(transactional_db: None) -> EmailTemplate:
    call_command("seed_email_templates", verbosity=0)
    return EmailTemplate.objects.get(name="booking_reminder")


def frame_text(staff: Visitor, title: str) -> str:
    frame = staff.page.frame_locator(f"iframe[title='The mail: {title}']")
    return frame.locator("body").inner_text()


@pytest.mark.parametrize("javascript", [True, False])
def test_words_are_changed_looked_at_tried_saved_and_taken_back(
    template: EmailTemplate, visitors: Visitors, javascript: bool
) -> None:
    staff = visitors(javascript=javascript).is_signed_in_as(make_admin(email="rosa@example.com"))
    staff.go("admin:emails_emailtemplate_change", template.pk)
    changed = template.html_content.replace("<h1>", "<h1>Dear friend: ", 1)
    fill(staff, subject="See you soon", html_content=changed)

    press(staff, "Show me how it looks")
    says(staff, "They are not saved yet.")
    for title in ("On a phone, light colors", "On a computer, dark colors"):
        assert "Dear friend: " in frame_text(staff, title)

    press(staff, "Send a test to me")
    says(staff, "A test is on its way to rosa@example.com.")
    delivery.drain()
    assert staff.mailgun.last("rosa@example.com").subject == "[Test] See you soon"

    press(staff, "Save")
    says(staff, "Saved as version 2.")
    press(staff, "Earlier wordings")
    press(staff, "Version 1")
    says(staff, "Added See you soon")
    press(staff, "Bring these words back")
    says(staff, "The earlier words are back, as version 3.")

    template.refresh_from_db()
    assert template.version == 3
    assert "Dear friend" not in template.html_content


def test_the_look_of_a_mail_fits_the_page(template: EmailTemplate, visitors: Visitors) -> None:
    staff = visitors().is_signed_in_as(make_admin())
    staff.go("admin:emails_emailtemplate_change", template.pk)
    press(staff, "Show me how it looks")
    expect(staff.page.locator("iframe").first).to_be_visible()

    assert broken_rules(staff, widths=(NARROW, WIDE)) == []
    press(staff, "Earlier wordings")
    press(staff, "Version 1")
    assert broken_rules(staff, widths=(NARROW, WIDE)) == []
