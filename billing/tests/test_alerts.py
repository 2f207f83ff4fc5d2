"""What staff are told: once for each cause, by mail, on the desk and in the log."""

from __future__ import annotations

import pytest

from accounts.tests.factories import make_admin
from accounts.tests.helpers import race
from audit.actors import Actor
from audit.models import AdminActionAudit
from billing.models import AlertKind, StaffAlert
from billing.services import alerts
from billing.tests.factories import make_subscription
from emails.models import EmailJob
from settings_app.services import value

pytestmark = pytest.mark.django_db


def raise_one(cause: str = "refund:1", words: str = "Please look.") -> StaffAlert:
    return alerts.raise_alert(kind=AlertKind.REFUND_FAILED, cause=cause, words=words)


def test_an_alert_is_a_row_a_mail_and_a_loud_line(caplog: pytest.LogCaptureFixture) -> None:
    row = make_subscription()

    alert = alerts.raise_alert(
        kind=AlertKind.DOUBLE_PLAN, cause="duplicate:sub_1", words="Two plans.", user=row.user, subscription=row
    )

    assert (alert.user, alert.subscription, alert.settled_at) == (row.user, row, None)
    mail = EmailJob.objects.get()
    assert (mail.template_type, mail.recipient_email) == ("staff_alert", value("business_email"))
    assert mail.content["context"]["alert_words"] == "Two plans."
    assert [record.levelname for record in caplog.records if "staff_alert" in record.getMessage()] == ["ERROR"]


def test_the_same_cause_is_told_once() -> None:
    first, second = raise_one(), raise_one(words="Something else.")

    assert (first, second.words) == (second, "Please look.")
    assert EmailJob.objects.count() == 1


def test_long_words_are_cut() -> None:
    assert len(raise_one(words="x" * 900).words) == 500


def test_settling_is_noted_once() -> None:
    alert, staff, other = raise_one(), make_admin(), make_admin()

    alerts.settle(alert=alert, actor=Actor(user=staff))
    settled = alerts.settle(alert=alert, actor=Actor(user=other))

    assert settled.settled_by == staff
    assert settled.settled_at is not None
    assert AdminActionAudit.objects.get().action == "alert_settled"
    assert not StaffAlert.objects.open().exists()


@pytest.mark.django_db(transaction=True)
def test_one_cause_at_the_same_moment_is_told_once() -> None:
    race(lambda _place: raise_one(), range(8))

    assert StaffAlert.objects.count() == EmailJob.objects.count() == 1
