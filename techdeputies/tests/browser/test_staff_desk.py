"""The staff desk under the strict content policy: no page of it may break a rule, ask elsewhere or raise an error.

The pages of the site are watched in the same way wherever a test opens one.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.urls import URLPattern, URLResolver, reverse

from accounts.models import User
from accounts.services import sign_up
from accounts.tests.factories import make_admin
from billing.models import Payment, StaffAlert, UserSubscription
from booking.models import Booking, CalendarEvent
from emails.models import EmailJob, EmailSuppression, EmailTemplate
from sandbox.mailgun import StandIn
from settings_app.models import Setting
from techdeputies.groups import make_groups
from techdeputies.tests.browser.harness import WIDE, Visitor
from techdeputies.tests.browser.measures import broken_rules
from techdeputies.tests.browser.world import ACTOR, make_world
from techdeputies.tests.desk import fill

# The five pages of each table.
KINDS = ("changelist", "add", "change", "delete", "history")
# What the product adds to them, and the rows these pages are about.
OWN_PAGES: dict[str, tuple[type[models.Model] | None, tuple[str, ...]]] = {
    "index": (None, ()),
    "accounts_user_act": (User, ("reset",)),
    "billing_usersubscription_grant": (None, ()),
    "billing_usersubscription_end": (UserSubscription, ()),
    "billing_usersubscription_ask": (UserSubscription, ()),
    "billing_payment_refund": (Payment, ()),
    "billing_payment_figures": (None, ()),
    "billing_staffalert_settle": (StaffAlert, ()),
    "emails_emailjob_queue": (None, ()),
    "emails_emailjob_report": (None, ()),
    "emails_emailjob_resume": (None, ()),
    "emails_emailjob_act": (EmailJob, ("again",)),
    "emails_emailsuppression_stop": (None, ()),
    "emails_emailsuppression_lift": (EmailSuppression, ()),
    "emails_emailtemplate_versions": (EmailTemplate, ()),
    "emails_emailtemplate_version": (EmailTemplate, ("1",)),
    "booking_calendarevent_cancel": (CalendarEvent, ()),
    "booking_booking_book": (None, ()),
    "booking_booking_move": (Booking, ()),
    "booking_booking_cancel": (Booking, ()),
}
# Redirects, answers for scripts, and a mail's own HTML, in which no script of a test may run either.
NOT_PAGES = {
    "billing_payment_figures_file",
    "emails_emailjob_look",
    "emails_emailtemplate_look",
    "login",
    "logout",
    "password_change",
    "password_change_done",
    "autocomplete",
    "jsi18n",
    "app_list",
}


@pytest.fixture(scope="module")
def transactional_db(looking: tuple[str, StandIn]) -> None:
    """The rows of this module, made once for all its tests."""
    make_groups()
    make_world()
    fill()
    sign_up(name="Ruth", email="ruth@example.com", password="porch lantern river walk", browser="", actor=ACTOR)
    Setting.objects.create(key="booking_notice_hours", value="3")
    make_admin(email="desk@example.com")


@pytest.fixture
def staff(transactional_db: None, onlooker: Visitor) -> Visitor:
    return onlooker.is_signed_in_as(User.objects.get(email="desk@example.com"))


def open_page(staff: Visitor, name: str, *args: Any) -> int:
    """Open the page and wait until its scripts are done; returns the status."""
    answer = staff.page.goto(reverse(f"admin:{name}", args=args))
    assert answer is not None
    return answer.status


def label(model: type[models.Model]) -> str:
    return str(model._meta.label_lower)


@pytest.mark.parametrize("model", list(admin.site._registry), ids=label)
def test_every_page_of_a_table_keeps_the_policy(model: type[models.Model], staff: Visitor) -> None:
    row = model._default_manager.first()
    assert row is not None
    statuses = {}
    for kind in KINDS:
        args = [row.pk] if kind in ("change", "delete", "history") else []
        statuses[kind] = open_page(staff, f"{model._meta.app_label}_{model._meta.model_name}_{kind}", *args)
        if statuses[kind] == 200:
            assert broken_rules(staff, widths=(WIDE,)) == [], kind

    assert statuses["changelist"] == 200
    assert set(statuses.values()) <= {200, 403}


@pytest.mark.parametrize("name", OWN_PAGES)
def test_every_page_of_our_own_keeps_the_policy(name: str, staff: Visitor) -> None:
    model, words = OWN_PAGES[name]
    first = [model._default_manager.order_by("pk").values_list("pk", flat=True)[0]] if model else []

    assert open_page(staff, name, *first, *words) == 200
    assert broken_rules(staff, widths=(WIDE,)) == []


def test_no_page_of_the_desk_is_left_out() -> None:
    tables = {f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry}
    entries = list(admin.site.urls[0])
    entries += [inner for entry in entries if isinstance(entry, URLResolver) for inner in entry.url_patterns]
    names = {entry.name for entry in entries if isinstance(entry, URLPattern) and entry.name}

    assert names - NOT_PAGES == set(OWN_PAGES) | {f"{table}_{kind}" for table in tables for kind in KINDS}
