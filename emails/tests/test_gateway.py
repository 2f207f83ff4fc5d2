"""Every answer has one fate, and nothing leaves the house but what was asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from emails import gateway
from emails.exceptions import LookUpUnavailable
from emails.gateway import Fate, Letter
from sandbox.mailgun import StandIn, faults


def letter(**fields: Any) -> Letter:
    values: dict[str, Any] = {
        "message_id": "job-7.0123456789abcdef@mail.thetechdeputies.example",
        "to": "margaret@example.com",
        "name": "Margaret Hill",
        "subject": "Your session is booked",
        "text": "Hello",
        "html": "<p>Hello</p>",
        "job_id": 7,
    }
    return Letter(**{**values, **fields})


def test_an_accepted_mail_carries_our_own_id(mailgun: StandIn) -> None:
    answer = gateway.send(letter(reply_to="help@example.com", tags=["booking_confirmed"]))

    mail = mailgun.last()
    assert answer.fate is Fate.ACCEPTED
    assert answer.message_id == mail.message_id == letter().message_id
    assert mail.headers["Reply-To"] == "help@example.com"
    assert mail.tags == ["booking_confirmed"]
    assert mail.sender.endswith("<help@mail.thetechdeputies.example>")


@pytest.mark.parametrize("name", ['Hill, Margaret "Peg"', "Ünal Łukasz", "a@b.example, c@d.example", "x\\", "<b>"])
def test_a_name_never_becomes_a_second_recipient(mailgun: StandIn, name: str) -> None:
    assert gateway.send(letter(name=name)).fate is Fate.ACCEPTED
    assert mailgun.last().recipients == ["margaret@example.com"]


def test_a_domain_outside_ascii_is_reached(mailgun: StandIn) -> None:
    assert gateway.send(letter(to="jo@bücher.example")).fate is Fate.ACCEPTED
    assert mailgun.last().recipients == ["jo@xn--bcher-kva.example"]


def test_mail_is_tracked_only_where_allowed(mailgun: StandIn) -> None:
    gateway.send(letter(is_tracked=False))
    assert mailgun.last().options["o:tracking-clicks"] == ["no"]
    gateway.send(letter())
    assert "o:tracking-clicks" not in mailgun.last().options


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        (400, Fate.BAD_ADDRESS),
        (faults.status(400, "Need at least one of 'text', 'html'"), Fate.REFUSED),
        (413, Fate.REFUSED),
        (418, Fate.REFUSED),
        (401, Fate.MISCONFIGURED),
        (402, Fate.MISCONFIGURED),
        (403, Fate.MISCONFIGURED),
        (404, Fate.MISCONFIGURED),
        (faults.status(307, headers={"Location": "http://127.0.0.1:1/elsewhere"}), Fate.MISCONFIGURED),
        (faults.magnificent(), Fate.MISCONFIGURED),
        (faults.not_json(), Fate.MISCONFIGURED),
        (faults.not_json('{"message": "no id"}'), Fate.MISCONFIGURED),
        (faults.not_json("[]"), Fate.MISCONFIGURED),
        (429, Fate.TOO_FAST),
        (420, Fate.TOO_FAST),
        (408, Fate.UNSURE),
        (500, Fate.UNSURE),
        (502, Fate.UNSURE),
        (503, Fate.UNSURE),
        (504, Fate.UNSURE),
        (faults.reset(), Fate.UNSURE),
        (faults.slow(2), Fate.UNSURE),
    ],
)
def test_each_answer_has_one_fate(mailgun: StandIn, fault: Any, fate: Fate) -> None:
    mailgun.answers(fault)

    assert gateway.send(letter()).fate is fate


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (faults.too_many(44), 44),
        (faults.too_many(44, retry_after=True), 44),
        (faults.status(429, "slow down", headers={"Retry-After": "0"}), 1),
        (faults.status(429, "slow down", headers={"Retry-After": "90000"}), 600),
        (faults.status(429, "slow down", headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), 1),
        (faults.status(429, "slow down", headers={"Retry-After": "soon"}), 30),
        (faults.status(429, "slow down"), 30),
    ],
)
def test_the_pause_is_what_mailgun_asks_for_within_bounds(mailgun: StandIn, fault: Any, seconds: float) -> None:
    mailgun.answers(fault)

    assert gateway.send(letter()).wait_seconds == seconds


def test_no_connection_is_surely_not_sent(mailgun: StandIn, settings: Any) -> None:
    with mailgun.refusing():
        assert gateway.send(letter()).fate is Fate.NOT_SENT
    settings.ANYMAIL = {**settings.ANYMAIL, "MAILGUN_API_URL": "http://no-such-host.invalid/v3"}
    assert gateway.send(letter()).fate is Fate.NOT_SENT
    settings.ANYMAIL = {**settings.ANYMAIL, "MAILGUN_API_URL": mailgun.url.replace("http:", "https:")}
    assert gateway.send(letter()).fate in {Fate.NOT_SENT, Fate.UNSURE}


def test_a_mail_that_cannot_be_built_is_refused_without_a_post(mailgun: StandIn) -> None:
    assert gateway.send(letter(to="not an address")).fate is Fate.REFUSED
    assert not mailgun.calls("messages")


def test_a_look_up_finds_what_was_taken_and_nothing_else(mailgun: StandIn) -> None:
    began = timezone.now()
    gateway.send(letter())

    found = gateway.look_up(letter().message_id, attempted_at=began)

    assert found is not None
    assert abs(found - began) < timedelta(seconds=10)
    assert gateway.look_up("job-8.0@mail.thetechdeputies.example", attempted_at=began) is None


def test_a_look_up_needs_its_own_key(mailgun: StandIn, settings: Any) -> None:
    settings.MAILGUN_READ_API_KEY = ""
    with pytest.raises(LookUpUnavailable):
        gateway.look_up("x@y", attempted_at=timezone.now())
    settings.MAILGUN_READ_API_KEY = settings.MAILGUN_API_KEY
    with pytest.raises(LookUpUnavailable):
        gateway.look_up("x@y", attempted_at=timezone.now())


@pytest.mark.parametrize(
    "fault", [429, 500, faults.reset(), faults.slow(2), faults.not_json(), faults.not_json("[]"), faults.magnificent()]
)
def test_a_look_up_without_a_clear_answer_is_no_answer(mailgun: StandIn, fault: Any) -> None:
    mailgun.answers(fault, on="logs")

    with pytest.raises(LookUpUnavailable):
        gateway.look_up(letter().message_id, attempted_at=timezone.now())


def test_look_ups_use_the_connection_of_their_thread(mailgun: StandIn) -> None:
    gateway.send(letter())
    before = mailgun.connections

    gateway.look_up(letter().message_id, attempted_at=timezone.now())
    gateway.send(letter())

    assert mailgun.connections == before


def test_every_field_arrives_as_it_was_written(mailgun: StandIn) -> None:
    text = 'Łódź ✓ "quoted" & <b> %41+ = ;\r\n--not-the-boundary--\n\n\tend '
    gateway.send(
        letter(
            text=text,
            html=f"<p>{text}</p>",
            tags=["one", "two"],
            headers={"List-Unsubscribe": "<https://x.example/?a=1&b=2>"},
        )
    )

    mail = mailgun.last()
    assert mail.text == text
    assert mail.html == f"<p>{text}</p>"
    assert mail.tags == ["one", "two"]
    assert mail.headers["List-Unsubscribe"] == "<https://x.example/?a=1&b=2>"
