"""The state machine: what each event does, and that neither order nor copies matter."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from emails.models import EmailDeliveryEvent, EmailJob, EmailStatus, EmailSuppression
from emails.services import delivery, events, preferences, queue
from emails.services.events import NotAnEvent
from emails.services.queue import Outcome
from emails.tests.factories import make_job
from emails.tests.posts import about, event, sample
from sandbox.mailgun import StandIn

pytestmark = pytest.mark.django_db


def mail(**fields: Any) -> EmailJob:
    name = f"job-{uuid.uuid4().int % 10**9}.0123456789abcdef@mail.thetechdeputies.example"
    return make_job(**{"status": "sent", "message_id": name, "sent_at": at(50), **fields})


def at(second: float) -> datetime:
    return datetime.fromtimestamp(1_795_363_200 + second, UTC)


def apply(job: EmailJob, *names: str, **changes: Any) -> EmailJob:
    for name in names:
        events.apply_event(job_id=job.pk, event=event(job, name, **changes))
    job.refresh_from_db()
    return job


# --- Each event -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "column"),
    [
        ("accepted", "sent", "sent_at"),
        ("delivered", "delivered", "delivered_at"),
        ("opened", "opened", "opened_at"),
        ("clicked", "clicked", "clicked_at"),
        ("permanent_fail", "bounced", "bounced_at"),
        ("complained", "complained", "complained_at"),
        ("temporary_fail", "sent", ""),
        ("suppressed_fail", "failed", ""),
        ("rejected", "failed", ""),
        ("unsubscribed", "sent", ""),
    ],
)
def test_each_event_sets_its_status_and_its_own_moment(name: str, status: str, column: str) -> None:
    job = apply(mail(), name, second=7)

    moments = ("delivered_at", "opened_at", "clicked_at", "bounced_at", "complained_at")
    assert job.status == status
    assert {moment for moment in moments if getattr(job, moment)} == {column} - {"", "sent_at"}
    if column:
        assert getattr(job, column) == at(7)
    assert EmailDeliveryEvent.objects.get().email_job_id == job.pk


def test_a_bounce_is_told_and_stops_the_address() -> None:
    job = apply(mail(), "permanent_fail")

    stop = EmailSuppression.objects.get()
    assert job.bounce_reason == ("bounce: 550 5.1.1 The email account that you tried to reach does not exist")
    assert (stop.email, stop.type, stop.is_at_mailgun) == (job.recipient_email, "bounce", True)


def test_a_hard_bounce_under_another_reason_is_a_bounce() -> None:
    job = apply(mail(), "permanent_fail", reason="generic")

    assert job.status == "bounced"


def test_a_permanent_failure_that_says_nothing_about_the_address_stops_nothing() -> None:
    job = apply(mail(), "permanent_fail", reason="old", **{"delivery-status": {"code": 602, "message": "Too old"}})

    assert (job.status, job.bounce_reason, job.bounced_at) == ("failed", "old: 602 Too old", None)
    assert not EmailSuppression.objects.exists()


@pytest.mark.parametrize("kind", ["bounce", "complaint", "unsubscribe"])
def test_what_mailgun_itself_holds_back_is_learnt(kind: str) -> None:
    job = apply(mail(), "suppressed_fail", reason=f"suppress-{kind}")

    assert job.status == "failed"
    assert EmailSuppression.objects.get().type == kind


def test_a_complaint_stops_the_address() -> None:
    job = apply(mail(), "complained")

    assert job.complaint_type == "spam"
    assert EmailSuppression.objects.get().type == "complaint"


def test_an_unsubscribe_turns_both_choices_off() -> None:
    job = apply(mail(), "unsubscribed")

    assert EmailSuppression.objects.get().type == "unsubscribe"
    assert preferences.get(job.recipient_email) == preferences.Choices(wants_news=False, wants_reminders=False)


def test_a_temporary_failure_is_only_noted() -> None:
    job = apply(mail(status="opened"), "temporary_fail")

    assert (job.status, job.last_error) == ("opened", "generic: 421 4.7.0 try again later")
    assert not EmailSuppression.objects.exists()


def test_a_failure_without_a_severity_is_not_final() -> None:
    assert event(mail(), "permanent_fail", severity=None).kind == "temporary_fail"


def test_what_is_kept_of_an_event_holds_no_link() -> None:
    apply(mail(), "clicked", url="https://example.com/private/SECRET")

    row = EmailDeliveryEvent.objects.get()
    assert "SECRET" not in str(row.data)
    assert (row.event_type, row.ip_address) == ("clicked", "198.51.100.7")
    assert row.user_agent == "Mozilla/5.0 (Macintosh) Chrome/144.0.0.0"


# --- Forward only ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", list(EmailStatus))
@pytest.mark.parametrize(
    "name", ["accepted", "rejected", "delivered", "permanent_fail", "opened", "clicked", "complained"]
)
def test_an_event_never_lowers_the_status(old: EmailStatus, name: str) -> None:
    job = mail(status=old)
    new = event(job, name).status

    apply(job, name)

    assert job.status == max(old, new, key=lambda status: events.RANKS[EmailStatus(status)])


def test_a_copy_of_an_event_changes_nothing() -> None:
    job = mail()
    delivered = event(job, "delivered")
    assert events.apply_event(job_id=job.pk, event=delivered)
    before = EmailJob.objects.values().get()

    assert not events.apply_event(job_id=job.pk, event=delivered)

    assert EmailJob.objects.values().get() == before
    assert EmailDeliveryEvent.objects.count() == 1


def test_the_same_id_on_another_day_is_another_event() -> None:
    job = mail()

    apply(job, "opened", id="same", second=0)
    apply(job, "opened", id="same", second=90_000)

    assert EmailDeliveryEvent.objects.count() == 2


def test_the_earliest_of_many_openings_counts() -> None:
    job = mail()

    for second in (30, 10, 20):
        apply(job, "opened", second=second)

    assert job.opened_at == at(10)


# --- An event proves that Mailgun has the mail ------------------------------------------------------------


@pytest.mark.parametrize("name", ["accepted", "temporary_fail", "opened", "unsubscribed", "permanent_fail"])
@pytest.mark.parametrize("status", ["queued", "sending", "cancelled"])
def test_a_proven_mail_is_not_sent_again(mailgun: StandIn, status: str, name: str) -> None:
    past = timezone.now() - timedelta(minutes=10)
    job = mail(
        status=status,
        sent_at=None,
        lease_token=uuid.uuid4() if status == "sending" else None,
        lease_until=past if status == "sending" else None,
        last_attempt_at=past,
        content={"context": {}, "secrets": "sealed"},
    )

    apply(job, name, second=3)
    delivery.recover()
    delivery.drain()

    job.refresh_from_db()
    assert mailgun.messages() == []
    assert job.status not in ("queued", "sending", "cancelled")
    assert (job.sent_at, job.lease_token, job.lease_until) == (at(3), None, None)
    assert job.content["secrets"] is None


def test_the_senders_own_settling_comes_too_late_to_change_it() -> None:
    lease = uuid.uuid4()
    job = mail(status="sending", sent_at=None, lease_token=lease, lease_until=timezone.now() + timedelta(minutes=1))

    apply(job, "delivered", second=5)
    queue.settle([Outcome(job_id=job.pk, lease_token=lease, status=EmailStatus.SENT)])

    job.refresh_from_db()
    assert (job.status, job.sent_at) == ("delivered", at(5))


# --- Any order, any copies ------------------------------------------------------------------------------

OLD = {"reason": "old", "delivery-status": {"code": 602, "message": "Too old"}}
SET: tuple[tuple[str, dict[str, Any]], ...] = (
    ("accepted", {"second": 1}),
    ("delivered", {"second": 40}),
    ("delivered", {"second": 41}),
    ("opened", {"second": 60}),
    ("opened", {"second": 55}),
    ("clicked", {"second": 70}),
    ("clicked", {"second": 65}),
    ("temporary_fail", {"second": 20}),
    ("temporary_fail", {"second": 30, "reason": "greylisted"}),
    ("permanent_fail", {"second": 80}),
    ("permanent_fail", {"second": 78, **OLD}),
    ("permanent_fail", {"second": 79, **OLD, "reason": "espblock"}),
    ("permanent_fail", {"second": 90, "reason": "bounce", "delivery-status": {"code": 554, "message": "Gone"}}),
    ("permanent_fail", {"second": 80, "reason": "bounce", "delivery-status": {"code": 551, "message": "At once"}}),
    ("suppressed_fail", {"second": 95}),
    ("rejected", {"second": 96}),
    ("complained", {"second": 100}),
    ("complained", {"second": 99}),
    ("unsubscribed", {"second": 85}),
)


def outcome(status: str, order: list[int]) -> dict[str, Any]:
    """The whole row, and what stops the address, after these events in this order."""
    job = mail(status=status, sent_at=None, recipient_email=f"{uuid.uuid4().hex}@example.com")
    all_events = [
        event(job, name, **changes, id=f"event-{place}-{job.pk}") for place, (name, changes) in enumerate(SET)
    ]
    for place in order:
        events.apply_event(job_id=job.pk, event=all_events[place])
    row: dict[str, Any] = dict(EmailJob.objects.filter(pk=job.pk).values().get())
    for name in ("id", "message_id", "occasion", "recipient_email", "created_at", "updated_at", "available_at"):
        del row[name]
    stop = EmailSuppression.objects.filter(email=job.recipient_email).first()
    kept = sorted(job.delivery_events.values_list("event_type", "timestamp"))
    choices = preferences.get(job.recipient_email)
    return row | {"stop": stop and stop.type, "kept": kept, "choices": choices}


@st.composite
def orders(draw: Any) -> tuple[list[int], list[int]]:
    """A set of events, and the same set shuffled with each of them up to three times."""
    chosen = draw(st.lists(st.sampled_from(range(len(SET))), min_size=1, unique=True))
    copies = [place for place in chosen for _ in range(draw(st.integers(1, 3)))]
    return sorted(chosen), draw(st.permutations(copies))


@given(pair=orders(), status=st.sampled_from(["queued", "sending", "sent", "cancelled"]))
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_and_any_copies_give_the_same_row(pair: tuple[list[int], list[int]], status: str) -> None:
    in_order, shuffled = pair

    assert outcome(status, shuffled) == outcome(status, in_order)


@given(order=st.permutations(range(len(SET))))
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_full_set_always_ends_the_same(order: list[int]) -> None:
    row = outcome("sending", order)

    assert row["status"] == "complained"
    assert row["sent_at"] == at(1)
    assert (row["opened_at"], row["clicked_at"], row["complained_at"]) == (at(55), at(65), at(99))
    assert (row["bounced_at"], row["bounce_reason"][:11]) == (at(80), "bounce: 550")
    assert row["stop"] == "bounce"


# --- Whose mail -----------------------------------------------------------------------------------------


def find(data: dict[str, Any]) -> int | None:
    return events.match([events.parse(data)])[0]


def test_a_mail_is_found_by_its_id_with_or_without_brackets() -> None:
    job = mail()
    data = about(job, "delivered")
    data["user-variables"] = []
    assert find(data) == job.pk

    data["message"]["headers"]["message-id"] = f"<{job.message_id}>"
    assert find(data) == job.pk


def test_the_recipient_must_agree_whatever_its_case() -> None:
    job = mail(recipient_email="Grace@Example.net")

    assert find(about(job, "delivered", recipient="gRACE@example.NET")) == job.pk
    assert find(about(job, "delivered", recipient="eve@example.net")) is None


def test_a_domain_outside_ascii_agrees_with_its_coded_form() -> None:
    job = mail(recipient_email="grace@bücher.example")

    assert find(about(job, "delivered", recipient="grace@xn--bcher-kva.example")) == job.pk


@pytest.mark.parametrize("number", [str, int])
def test_an_unknown_id_falls_back_to_the_number_if_the_recipient_agrees(number: Any) -> None:
    job = mail()
    data = about(job, "delivered")
    data["message"] = {"headers": {"message-id": "20260101.abc@mailgun.example"}}
    data["user-variables"] = {"job_id": number(job.pk)}

    assert find(data) == job.pk
    assert find({**data, "recipient": "eve@example.com"}) is None


@pytest.mark.parametrize(
    "variables", [[], {}, None, '{"job_id": "7", "cut', {"job_id": [7]}, {"job_id": "٧"}, {"job_id": True}]
)
def test_odd_variables_find_nothing_and_break_nothing(variables: Any) -> None:
    data = about(mail(), "delivered")
    data["message"] = []
    data["user-variables"] = variables

    assert find(data) is None


def test_a_known_id_with_another_recipient_does_not_fall_back() -> None:
    job, other = mail(), mail()
    data = about(job, "delivered", recipient=other.recipient_email)
    data["user-variables"] = {"job_id": other.pk}

    assert find(data) is None


def test_a_rejected_mail_is_found_by_its_header() -> None:
    job = mail(recipient_email="mary@example.org")
    data = sample("rejected")["event-data"]
    data["message"]["headers"]["message-id"] = job.message_id

    assert find(data) == job.pk


def test_a_line_of_the_logs_is_the_same_event_as_the_post() -> None:
    data = about(mail(), "delivered", second=3.123456)
    line = {**data, "@timestamp": "2026-11-22T14:40:03.123Z"}
    del line["timestamp"]

    assert events.parse(line).key.partition(":")[0] == events.parse(data).key.partition(":")[0]
    assert events.parse(line).moment.microsecond == 123_000


@pytest.mark.parametrize("data", [None, [], {}, {"event": "stored", "id": "x", "timestamp": 1.8e9}])
def test_what_is_no_event_is_said_to_be_none(data: Any) -> None:
    with pytest.raises(NotAnEvent):
        events.parse(data)
