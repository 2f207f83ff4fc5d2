"""The mailbox page: what people and browsers get to see, and what a mail cannot do to it."""

from __future__ import annotations

import re

import pytest
import requests

from sandbox.mailgun import StandIn
from sandbox.mailgun.tests.conftest import Post

NASTY = "<script>alert(1)</script>\" onload='x'"


def get(mailgun: StandIn, path: str) -> requests.Response:
    return requests.get(mailgun.site + path, timeout=5, allow_redirects=False)


def test_the_list_shows_the_newest_mail_first(mailgun: StandIn, post: Post) -> None:
    assert "No mail has come yet." in get(mailgun, "/").text

    post(subject="First")
    post(subject="Second", to="alan@example.net")

    page = get(mailgun, "/").text
    assert page.index("Second") < page.index("First")
    assert "alan@example.net" in page
    assert "2 mails, newest first" in page


def test_the_list_can_show_one_address(mailgun: StandIn, post: Post) -> None:
    post(subject="First", to="alan+x@example.net")
    post(subject="Second")

    page = get(mailgun, "/?to=Alan%2Bx@example.net").text

    assert "First" in page
    assert "Second" not in page
    assert "No mail has come for this address." in get(mailgun, "/?to=nobody@example.net").text


def test_a_long_list_goes_on_over_pages(mailgun: StandIn, post: Post) -> None:
    for number in range(52):
        post(subject=f"Number {number:02}")

    first = get(mailgun, "/?to=grace@example.net").text
    older = re.search(r'href="([^"]+)">Older mail', first)
    assert older
    second = get(mailgun, older[1].replace("&amp;", "&")).text

    assert first.count('class="tile"') == 50
    assert re.findall(r"Number \d\d", second) == ["Number 01", "Number 00"]
    assert "Older mail" not in second


def test_the_links_of_the_text_part_can_be_pressed(mailgun: StandIn, post: Post) -> None:
    post(text="Open (http://127.0.0.1:8000/verify/?a=1&b=2). Not javascript:alert(1) nor <b>.")

    page = get(mailgun, "/mail/1/").text

    assert '<a href="http://127.0.0.1:8000/verify/?a=1&amp;b=2">' in page
    assert "javascript:alert(1) nor &lt;b&gt;" in page
    assert 'href="javascript' not in page


@pytest.mark.parametrize("path", ["/", "/?to=%3Cscript%3E", "/mail/1/", "/mail/1/page/", "/mail/1/raw/", "/mail/99/"])
def test_no_value_of_a_mail_reaches_a_page_as_markup(mailgun: StandIn, post: Post, path: str) -> None:
    post(
        subject=NASTY,
        text=NASTY,
        html=NASTY,
        h__X_Note=NASTY,
        o__tag=NASTY,
        to='"<script>" <grace@example.net>',
        files=[("attachment", ("<script>.ics", b"x", "text/<script>"))],
    )

    answer = get(mailgun, path)

    assert "<script" not in answer.text
    assert not re.search(r"<[^>]+\s(style|on\w+)=", answer.text)
    assert "<style" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy


def test_the_html_part_is_shown_in_a_frame_that_can_do_nothing(mailgun: StandIn, post: Post) -> None:
    post(html="<html><head><title>x</title></head><body><script>alert(1)</script><p>Hello</p></body></html>")

    page = get(mailgun, "/mail/1/page/").text
    part = get(mailgun, "/mail/1/html")

    assert '<iframe class="mailbox-frame mt-5" src="/mail/1/html"' in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert '<head><base target="_blank"><title>' in part.text
    policy = part.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy
    assert "script-src" not in policy


def test_raw_and_the_saved_file_show_the_whole_message(mailgun: StandIn, post: Post) -> None:
    post(h__Reply_To="desk@example.org")

    assert "Reply-To: desk@example.org" in get(mailgun, "/mail/1/raw/").text
    saved = get(mailgun, "/mail/1/message.eml")
    assert saved.headers["Content-Disposition"].startswith("attachment")
    assert "Reply-To: desk@example.org" in saved.text


def test_attachments_are_saved_not_shown(mailgun: StandIn, post: Post) -> None:
    post(files=[("attachment", ("visit.ics", b"BEGIN:VCALENDAR", "text/calendar")), ("attachment", ("x", b"2", "a b"))])

    assert "visit.ics" in get(mailgun, "/mail/1/").text
    answer = get(mailgun, "/mail/1/attachments/0")
    assert answer.content == b"BEGIN:VCALENDAR"
    assert answer.headers["Content-Type"] == "text/calendar"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="visit.ics"')
    assert get(mailgun, "/mail/1/attachments/1").headers["Content-Type"] == "application/octet-stream"
    assert get(mailgun, "/mail/1/attachments/2").status_code == 404


def test_a_button_makes_an_event_happen(mailgun: StandIn, post: Post) -> None:
    post()

    answer = requests.post(
        f"{mailgun.site}/mail/1/events/", data={"event": "permanent_fail"}, timeout=5, headers={"Origin": mailgun.site}
    )

    assert answer.status_code == 200
    assert "Not delivered (bounce): grace@example.net" in answer.text
    assert mailgun.suppressed() == ["grace@example.net"]
    assert requests.post(f"{mailgun.site}/mail/1/events/", data={"event": "x"}, timeout=5).status_code == 400


def test_deleting_takes_all_mail_and_keeps_the_lists(mailgun: StandIn, post: Post) -> None:
    post()
    mailgun.suppress("alan@example.net")

    assert "No mail has come yet." in requests.post(f"{mailgun.site}/delete/", timeout=5).text
    assert mailgun.messages() == []
    assert mailgun.suppressed() == ["alan@example.net"]
    assert get(mailgun, "/mail/1/").status_code == 404


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null"])
def test_another_sites_page_cannot_press_the_buttons(mailgun: StandIn, post: Post, origin: str) -> None:
    post()

    for path in ("/delete/", "/mail/1/events/"):
        answer = requests.post(mailgun.site + path, data={"event": "opened"}, headers={"Origin": origin}, timeout=5)
        assert answer.status_code == 403
    assert len(mailgun.events(mailgun.last())) == 1


def test_looking_changes_nothing(mailgun: StandIn, post: Post) -> None:
    post()

    for path in ("/delete/", "/mail/1/events/", "/mail/1", "/mail/1/"):
        get(mailgun, path)

    assert len(mailgun.messages()) == 1
    assert len(mailgun.events(mailgun.last())) == 1


def test_the_look_is_the_products_own(mailgun: StandIn) -> None:
    page = get(mailgun, "/").text

    for path in re.findall(r'(?:href|src)="(/(?:static/|mailbox)[^"]+)"', page):
        answer = get(mailgun, path)
        assert answer.status_code == 200, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert get(mailgun, "/static/css/tokens.css").headers["Content-Type"] == "text/css"


@pytest.mark.parametrize(
    "path", ["/static/", "/static/css", "/static/../manage.py", "/static/css/../../manage.py", "/static/%2e%2e/x"]
)
def test_no_other_file_is_served(mailgun: StandIn, path: str) -> None:
    with requests.Session() as session:
        prepared = session.prepare_request(requests.Request("GET", mailgun.site))
        prepared.url = mailgun.site + path  # as written: no dots folded

        assert session.send(prepared, timeout=5).status_code == 404


def test_healthz_and_head(mailgun: StandIn) -> None:
    assert get(mailgun, "/healthz").text == "ok"
    answer = requests.head(f"{mailgun.site}/", timeout=5)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 500
