import pytest
from django.core.management import call_command
from accounts.tests.factories import make_admin
from emails.models import EmailTemplate
from techdeputies.tests.browser.test_staff import fill, press

@pytest.mark.parametrize("width",[360,1280])
def test_pics(transactional_db, visitors, width):
    call_command("seed_email_templates", verbosity=0)
    t=EmailTemplate.objects.get(name="booking_reminder")
    s=visitors(width=width).is_signed_in_as(make_admin())
    s.go("admin:emails_emailtemplate_change", t.pk)
    fill(s, subject="New {{ bad_name }}")
    press(s,"Save")
    s.page.screenshot(path=f"/tmp/build/d_edit_{width}.png", full_page=True)
    fill(s, subject="See you soon")
    press(s,"Show me how it looks")
    s.page.wait_for_load_state("networkidle")
    s.page.screenshot(path=f"/tmp/build/d_look_{width}.png", full_page=True)
    press(s,"Save")
    press(s,"Earlier wordings")
    s.page.screenshot(path=f"/tmp/build/d_vs_{width}.png", full_page=True)
    press(s,"Version 1")
    s.page.screenshot(path=f"/tmp/build/d_v_{width}.png", full_page=True)
