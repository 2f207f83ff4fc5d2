"""Bad days on order: each scripted answer is what it says, once, and what it says was accepted was."""

from __future__ import annotations

import time

import pytest
import requests

from sandbox.mailgun import StandIn, faults
from sandbox.mailgun.tests.conftest import Post


def test_scripted_answers_come_in_order_and_then_the_usual_one(mailgun: StandIn, post: Post) -> None:
    mailgun.answers(400, faults.usual(), 401, faults.status(400, "'h:X' is no good"), 500, 502)

    codes = [post().status_code for _ in range(7)]

    assert codes == [400, 200, 401, 400, 500, 502, 200]
    assert len(mailgun.messages()) == 2
    assert mailgun.answers_left == 0


def test_429_names_the_seconds_in_its_text(mailgun: StandIn, post: Post) -> None:
    mailgun.answers(faults.too_many(7), faults.too_many(9, retry_after=True))

    first, second = post(), post()

    assert (first.status_code, second.status_code) == (429, 429)
    assert first.json()["message"].endswith("try again after 7 seconds")
    assert "Retry-After" not in first.headers
    assert second.headers["Retry-After"] == "9"


def test_accepted_and_then_reset(mailgun: StandIn, post: Post) -> None:
    mailgun.answers(faults.accept_then_reset())

    with pytest.raises(requests.ConnectionError, match="reset"):
        post()

    assert len(mailgun.messages()) == 1


def test_reset_without_accepting(mailgun: StandIn, post: Post) -> None:
    mailgun.answers(faults.reset())

    with pytest.raises(requests.ConnectionError, match="reset"):
        post()

    assert mailgun.messages() == []
    assert post().status_code == 200


def test_accepted_and_then_500(mailgun: StandIn, post: Post) -> None:
    mailgun.answers(faults.accept_then(500), faults.accept_then(502))

    assert [post().status_code, post().status_code] == [500, 502]
    assert len(mailgun.messages()) == 2


def test_a_slow_answer_outlasts_the_senders_patience_and_was_accepted(
    mailgun: StandIn, session: requests.Session
) -> None:
    mailgun.answers(faults.slow(0.4))
    data = {"from": "a@x.example", "to": "b@x.example", "subject": "s", "text": "t"}

    with pytest.raises(requests.ReadTimeout):
        session.post(f"{mailgun.url}/{mailgun.config.domain}/messages", data=data, timeout=(1, 0.1))

    assert len(mailgun.messages()) == 1


def test_the_end_does_not_wait_for_a_slow_answer() -> None:
    started = time.monotonic()
    with StandIn() as mailgun:
        mailgun.answers(faults.slow(60))
        with pytest.raises(requests.ReadTimeout):
            requests.post(f"{mailgun.url}/{mailgun.config.domain}/messages", timeout=(1, 0.1))

    assert time.monotonic() - started < 5


def test_refused_connections_and_back_on_the_same_port(mailgun: StandIn, post: Post) -> None:
    post()
    with mailgun.refusing(), pytest.raises(requests.ConnectionError):
        post()

    assert post().status_code == 200
    assert len(mailgun.messages()) == 2
    assert mailgun.connections == 2


def test_a_200_that_is_no_answer(mailgun: StandIn, post: Post) -> None:
    mailgun.answers(faults.magnificent(), faults.not_json())

    first, second = post(), post()

    assert (first.status_code, first.text) == (200, "Mailgun Magnificent API")
    assert second.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        second.json()
    assert mailgun.messages() == []


def test_a_rule_holds_until_it_is_taken_away(mailgun: StandIn, post: Post) -> None:
    mailgun.always(502)
    assert [post().status_code for _ in range(3)] == [502] * 3

    turns = iter([faults.accept_then(500), None])
    mailgun.always(lambda: next(turns))
    assert [post().status_code for _ in range(2)] == [500, 200]

    mailgun.always(None)
    assert post().status_code == 200


def test_faults_of_one_group_leave_the_others_alone(mailgun: StandIn, post: Post, reader: requests.Session) -> None:
    mailgun.answers(503, on="logs")

    assert post().status_code == 200
    codes = [reader.post(f"{mailgun.site}/v1/analytics/logs", json={}, timeout=5).status_code for _ in range(2)]
    assert codes == [503, 200]
    with pytest.raises(ValueError, match="letters"):
        mailgun.answers(500, on="letters")


def test_clearing_forgets_faults_and_mail(mailgun: StandIn, post: Post) -> None:
    post()
    mailgun.answers(500)
    mailgun.always(502)

    mailgun.clear()

    assert mailgun.messages() == []
    assert mailgun.calls() == []
    assert post().status_code == 200
