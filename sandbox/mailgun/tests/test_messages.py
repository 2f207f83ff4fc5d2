"""POST /v3/{domain}/messages: what is accepted, what is refused, and what is kept."""

from __future__ import annotations

import gzip
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from sandbox.mailgun import StandIn
from sandbox.mailgun.tests.conftest import Post, message


def test_a_message_is_kept_field_by_field(mailgun: StandIn, post: Post) -> None:
    answer = post(
        html="<p>Booked</p>",
        h__Message_Id="<job-7.ab12@mail.thetechdeputies.example>",
        h__Reply_To="desk@example.org",
        v__job="7",
        o__tag=["booking", "service"],
        o__tracking_clicks="no",
    )

    assert answer.status_code == 200
    assert answer.json() == {
        "id": "<job-7.ab12@mail.thetechdeputies.example>",
        "message": "Queued. Thank you.",
    }
    mail = mailgun.last(to="GRACE@example.net")
    assert mail.to == ["grace@example.net"]
    assert mail.to_header == "Grace Hopper <grace@example.net>"
    assert mail.subject == "Your session is booked"
    assert mail.html == "<p>Booked</p>"
    assert mail.message_id == "job-7.ab12@mail.thetechdeputies.example"
    assert mail.headers["Reply-To"] == "desk@example.org"
    assert mail.variables == {"job": "7"}
    assert mail.tags == ["booking", "service"]
    assert mail.options == {"o:tracking-clicks": ["no"]}
    assert mail.links == ["http://127.0.0.1:8000/booking/visits/abc/"]


@pytest.mark.parametrize("given", ["job-7@x.example", "<no-at-sign>", "<two words@x.example>", ""])
def test_a_malformed_message_id_is_replaced_without_a_word(mailgun: StandIn, post: Post, given: str) -> None:
    answer = post(h__Message_Id=given)

    assert answer.json()["id"].startswith("<2")
    assert answer.json()["id"] == f"<{mailgun.last().message_id}>"
    assert given.strip("<>") not in answer.json()["id"] or given == ""


def test_the_same_message_id_twice_is_two_mails(mailgun: StandIn, post: Post) -> None:
    post(h__Message_Id="<job-1.aa@x.example>")
    post(h__Message_Id="<job-1.aa@x.example>")

    assert [mail.message_id for mail in mailgun.messages()] == ["job-1.aa@x.example"] * 2


def test_multipart_carries_attachments_byte_by_byte(mailgun: StandIn, post: Post) -> None:
    content = bytes(range(256)) + b"\r\n--not-the-boundary\r\n\r\n"

    answer = post(files=[("attachment", ('visit "1".ics', content, "text/calendar"))])

    assert answer.status_code == 200
    mail = mailgun.last()
    assert [(item.filename, item.content_type) for item in mail.attachments] == [('visit "1".ics', "text/calendar")]
    assert mail.attachments[0].content == content
    assert mail.subject == "Your session is booked"


def test_gzip_is_unpacked(mailgun: StandIn, session: requests.Session) -> None:
    body = gzip.compress(urlencode(message(subject="Zipped")).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}

    answer = session.post(f"{mailgun.url}/{mailgun.config.domain}/messages", data=body, headers=headers, timeout=5)

    assert answer.status_code == 200
    assert mailgun.last().subject == "Zipped"


def test_a_chunked_body_is_read(mailgun: StandIn, session: requests.Session) -> None:
    body = urlencode(message(subject="In pieces")).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    session.post(
        f"{mailgun.url}/{mailgun.config.domain}/messages", data=iter([body[:20], body[20:]]), headers=headers, timeout=5
    )

    assert mailgun.last().subject == "In pieces"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"from": None}, "from parameter is missing"),
        ({"to": None}, "to parameter is missing"),
        ({"subject": None}, "subject parameter is missing"),
        ({"text": None}, "Need at least one of"),
        ({"to": "nobody"}, "'to' parameter is not a valid address"),
        ({"to": "a@b@c.example"}, "'to' parameter is not a valid address"),
        ({"to": "a@-bad.example"}, "'to' parameter is not a valid address"),
        ({"from": "nobody"}, "'from' parameter is not a valid address"),
        ({"cc": "nobody"}, "'cc' parameter is not a valid address"),
        ({"v__big": "x" * 16400}, "limited to 16 KB"),
    ],
)
def test_a_bad_message_is_refused_with_mailguns_words(
    mailgun: StandIn, post: Post, fields: dict[str, str], words: str
) -> None:
    answer = post(**fields)

    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert mailgun.messages() == []


def test_options_just_inside_16_kilobytes_are_taken(post: Post) -> None:
    assert post(v__big="x" * (16 * 1024 - len("v:big"))).status_code == 200


def test_a_message_over_25_megabytes_is_refused_and_the_connection_stays_usable(mailgun: StandIn, post: Post) -> None:
    big = [("attachment", ("big.bin", b"x" * (25 * 1024 * 1024), "application/octet-stream"))]

    assert post(files=big).status_code == 413
    assert post().status_code == 200
    assert len(mailgun.messages()) == 1


def test_a_wrong_key_and_a_missing_key_are_401(mailgun: StandIn) -> None:
    address = f"{mailgun.url}/{mailgun.config.domain}/messages"

    for auth in (None, ("api", "wrong"), ("user", mailgun.config.api_key), ("api", "")):
        answer = requests.post(address, data=message(), auth=auth, timeout=5)
        assert (answer.status_code, answer.text) == (401, "Forbidden")
    assert mailgun.messages() == []


def test_a_basic_read_key_may_not_send(mailgun: StandIn, reader: requests.Session) -> None:
    answer = reader.post(f"{mailgun.url}/{mailgun.config.domain}/messages", data=message(), timeout=5)

    assert answer.status_code == 403


def test_an_unknown_domain_is_404(mailgun: StandIn, session: requests.Session) -> None:
    answer = session.post(f"{mailgun.url}/elsewhere.example/messages", data=message(), timeout=5)

    assert answer.status_code == 404
    assert answer.json()["message"] == "Domain not found: elsewhere.example"


def test_a_wrong_path_is_200_and_magnificent(mailgun: StandIn, session: requests.Session) -> None:
    for path in ("/messages", f"/{mailgun.config.domain}/messages", f"/v3/v3/{mailgun.config.domain}/messages"):
        answer = session.post(mailgun.site + path, data=message(), timeout=5)
        assert (answer.status_code, answer.text) == (200, "Mailgun Magnificent API")
    assert mailgun.messages() == []


def test_a_wrong_method_is_405(mailgun: StandIn, session: requests.Session) -> None:
    assert session.get(f"{mailgun.url}/{mailgun.config.domain}/messages", timeout=5).status_code == 405


def test_one_connection_serves_many_messages(mailgun: StandIn, post: Post) -> None:
    for _ in range(5):
        post()

    assert mailgun.connections == 1
    assert len(mailgun.calls(on="messages")) == 5


def test_mail_and_lists_outlive_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with spaces"
    for _ in range(2):
        with StandIn(data_dir=folder) as mailgun:
            address = f"{mailgun.url}/{mailgun.config.domain}/messages"
            requests.post(address, data=message(), auth=("api", mailgun.config.api_key), timeout=5)
            mailgun.suppress("alan@example.net")

    with StandIn(data_dir=folder) as mailgun:
        assert [mail.id for mail in mailgun.messages()] == [1, 2]
        assert mailgun.suppressed() == ["alan@example.net"]
        mailgun.clear()
        assert mailgun.messages() == []


def test_raw_folds_line_breaks_so_a_value_never_becomes_a_header(mailgun: StandIn, post: Post) -> None:
    post(subject="Hi\r\nBcc: everybody@example.org", h__X_Note="café\nX-Other: 1", text="One line: café = 2")

    raw = mailgun.last().raw
    assert "Subject: Hi Bcc: everybody@example.org" in raw
    assert "\nX-Other" not in raw
    assert "One line: caf=C3=A9 =3D 2" in raw


def test_waiting_for_mail_finds_it_or_says_what_was_missing(mailgun: StandIn, post: Post) -> None:
    post(subject="First")
    post(subject="Second", to="alan@example.net")

    assert mailgun.wait_for(subject="Sec").to == ["alan@example.net"]
    with pytest.raises(TimeoutError, match=r"grace@example\.net about 'Second'"):
        mailgun.wait_for(to="grace@example.net", subject="Second", timeout=0.05)
    with pytest.raises(LookupError, match=r"nobody@example\.net"):
        mailgun.last(to="nobody@example.net")
