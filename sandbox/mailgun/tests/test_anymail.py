"""django-anymail's real backend against the stand-in, with the product's own settings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailMessage
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.test import override_settings

from sandbox.mailgun import StandIn, faults


@pytest.fixture
def connection(mailgun: StandIn) -> Iterator[BaseEmailBackend]:
    with override_settings(ANYMAIL={**mailgun.anymail, "REQUESTS_TIMEOUT": (1, 0.5)}):
        connection = get_connection("anymail.backends.mailgun.EmailBackend")
        connection.open()
        yield connection
        connection.close()


def write(subject: str = "Hello, Renée") -> AnymailMessage:
    mail = AnymailMessage(
        subject=subject,
        body="Open http://127.0.0.1:8000/ today.",
        from_email="The Tech Deputies <help@mail.thetechdeputies.example>",
        to=['"Hopper, Grace" <grace@bücher.example>'],
        headers={"Message-ID": "<job-9.aa@mail.thetechdeputies.example>"},
        metadata={"job_id": "9"},
        tags=["booking_confirmed"],
    )
    mail.track_clicks = False
    mail.esp_extra = {"o:deliver-within": "1h"}
    mail.attach_alternative("<p>Open it</p>", "text/html")
    return mail


def test_a_mail_with_everything_arrives_whole(mailgun: StandIn, connection: BaseEmailBackend) -> None:
    mail = write()
    mail.attach("Sitzung-é.ics", "BEGIN:VCALENDAR", "text/calendar")

    assert connection.send_messages([mail]) == 1

    assert mail.anymail_status.message_id == "<job-9.aa@mail.thetechdeputies.example>"
    arrived = mailgun.last()
    assert arrived.message_id == "job-9.aa@mail.thetechdeputies.example"
    assert arrived.subject == "Hello, Renée"
    assert arrived.to == ["grace@xn--bcher-kva.example"]
    assert arrived.variables == {"job_id": "9"}
    assert arrived.tags == ["booking_confirmed"]
    assert arrived.options == {"o:tracking-clicks": ["no"], "o:deliver-within": ["1h"]}
    assert arrived.html == "<p>Open it</p>"
    assert [(item.filename, item.content) for item in arrived.attachments] == [("Sitzung-é.ics", b"BEGIN:VCALENDAR")]


def test_an_open_connection_is_used_for_every_mail(mailgun: StandIn, connection: BaseEmailBackend) -> None:
    connection.send_messages([write("One"), write("Two")])
    connection.send_messages([write("Three")])

    assert [mail.subject for mail in mailgun.messages()] == ["One", "Two", "Three"]
    assert mailgun.connections == 1


@pytest.mark.parametrize("code", [400, 401, 429, 500])
def test_a_refusal_carries_its_status(mailgun: StandIn, connection: BaseEmailBackend, code: int) -> None:
    mailgun.answers(code)

    with pytest.raises(AnymailAPIError) as caught:
        connection.send_messages([write()])

    assert caught.value.status_code == code


def test_a_200_without_an_id_is_an_error(mailgun: StandIn, connection: BaseEmailBackend) -> None:
    mailgun.answers(faults.magnificent())

    with pytest.raises(AnymailAPIError, match="Invalid Mailgun API endpoint"):
        connection.send_messages([write()])


def test_a_lost_answer_is_a_network_error_and_the_mail_is_there(mailgun: StandIn, connection: BaseEmailBackend) -> None:
    mailgun.answers(faults.accept_then_reset())

    with pytest.raises(AnymailAPIError) as caught:
        connection.send_messages([write()])

    assert caught.value.response is None
    assert isinstance(caught.value, requests.RequestException)
    assert [mail.message_id for mail in mailgun.messages()] == ["job-9.aa@mail.thetechdeputies.example"]
