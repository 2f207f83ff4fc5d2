"""Filling in a mail, and refusing what a template must not do."""

from __future__ import annotations

import re
import time
import tracemalloc
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from emails import rendering, wording
from emails.exceptions import TemplateFault
from emails.wording import Wording

SITE = {
    "business_name": "The Tech Deputies",
    "business_phone": "(312) 555-0142",
    "business_email": "help@example.com",
    "business_address": "100 Example Street, Chicago, IL 60600",
    "site_url": "https://thetechdeputies.example",
}
PLAIN = Wording(
    name="plain",
    description="",
    subject="About {{ thing }}",
    text="Hello {{ recipient_name }}, this is about {{ thing }}.\n",
    html='<h1>{{ thing }}</h1>\n<p>Hello {{ recipient_name }}.</p>\n<p class="code">12</p>',
    variables={"thing": "your tablet"},
    stream="service",
    priority="normal",
)


def render(words: Wording = PLAIN, **context: Any) -> rendering.Rendered:
    return rendering.render(words, {"thing": "your tablet", **context}, site=SITE, recipient_name="Margaret")


def html_of(body: str, **context: Any) -> str:
    return render(replace(PLAIN, html=body), **context).html


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")


def dressed_off(html: str) -> str:
    return re.sub(r'<p class="t" style="[^"]*">', "<p>", html)


def links_of(html: str) -> list[str]:
    parser = Links()
    parser.feed(html)
    return parser.links


def test_both_parts_carry_the_words_the_safety_box_and_the_address() -> None:
    mail = render()

    assert mail.subject == "About your tablet"
    for part in (mail.text, mail.html):
        assert "Hello Margaret" in part
        assert "Is this really us?" in part
        assert "(312) 555-0142" in part
        assert "100 Example Street, Chicago, IL 60600" in part
        assert "You get this email because" in part
    assert "<title>About your tablet</title>" in mail.html
    assert "prefers-color-scheme:dark" in mail.html
    assert "/static/img/badge-email.png" in mail.html
    assert "{{" not in mail.html + mail.text
    assert "<" not in mail.text


def test_bare_tags_get_the_styles_of_the_design() -> None:
    html = html_of(
        "<h1>A</h1><p>B</p><p style='color:red'>C</p><ul><li>D</li></ul>"
        '<table class="facts"><tr><th>Day</th><td>{{ thing }}</td></tr></table><a href="{{ site_url }}/x">E</a>'
    )

    assert '<h1 class="t" style="margin:0 0 14px;' in html
    assert "<p style='color:red'>C</p>" in html
    assert '<table role="presentation" class="fact line"' in html
    assert 'font-weight:bold;">Day</td>' in html
    assert '<a class="l" href="https://thetechdeputies.example/x" style="color:#1f4493;">E</a>' in html


def test_the_phone_number_is_never_broken_across_lines() -> None:
    html = html_of('<p>Call {{ business_phone }}.</p><p><a href="tel:{{ business_phone }}">Call us</a></p>')
    whole = '<span style="white-space:nowrap;">(312) 555-0142</span>'

    assert html.count(whole) == 2, "in the words of the mail and in the safety box"
    assert 'href="tel:(312) 555-0142"' in html


def test_values_are_escaped_and_never_dressed_or_filled_in_again() -> None:
    evil = '<script>x</script><p>"{{ business_email }}"{% include "x" %}'
    html = html_of("<p>{{ thing }}</p><p>{{ thing | newline_to_br }}</p><p>{{ thing | upcase }}</p>", thing=evil)
    mail = render(thing=evil)

    assert "<script>" not in html.lower()
    assert "<p>&lt;script&gt;x" in dressed_off(html)
    assert "&lt;SCRIPT&gt;X" in html
    assert "{{ business_email }}" in html
    assert evil in mail.text
    assert "<p>&quot;" not in html


def test_line_breaks_in_a_value_stay_line_breaks() -> None:
    assert "one<br />\ntwo &lt;b&gt;" in html_of("<p>{{ thing | newline_to_br }}</p>", thing="one\ntwo <b>")


def test_a_subject_is_one_line() -> None:
    mail = render(thing="x\r\nBcc: a@example.com\u2028" + "y" * 400)

    assert mail.subject.startswith("About x Bcc: a@example.com y")
    assert len(mail.subject) == 255


def test_a_subject_from_the_queue_is_used_as_it_is() -> None:
    mail = rendering.render(PLAIN, {"thing": "it"}, site=SITE, subject_line="As queued")

    assert mail.subject == "As queued"
    assert "Hello there" in mail.text


def test_the_button_stands_where_the_body_says_or_after_it() -> None:
    button = {"button_url": "https://example.com/see?a=1&b=2", "button_text": "See my session"}

    placed = html_of("<p>before</p>{{ button }}<p>after</p>", preview="p", **button)
    last = html_of("<p>before</p>", preview="p", **button)
    without = html_of("<p>before</p>{{ button }}")

    assert placed.index(">before<") < placed.index("See my session") < placed.index(">after<")
    assert last.index(">before<") < last.index("See my session") < last.index("Is this really us?")
    assert links_of(placed) == links_of(last) == ["https://example.com/see?a=1&b=2"]
    assert links_of(without) == []
    assert "v:roundrect" in placed


def test_the_text_spells_the_link_out_once() -> None:
    button: dict[str, Any] = {"button_url": "https://example.com/see", "button_text": "See my session"}

    added = render(**button).text
    own = render(replace(PLAIN, text="Go to {{ button_url }}"), **button).text

    assert "See my session:\nhttps://example.com/see" in added
    assert own.count("https://example.com/see") == 1


def test_the_preview_line_is_the_callers_or_the_start_of_the_text() -> None:
    assert ">Deputy Rosa will call.</div>" in html_of("<p>x</p>", preview="Deputy Rosa will call.")
    assert ">Hello Margaret, this is about your tablet.</div>" in html_of("<p>x</p>")


def test_a_mail_that_can_be_stopped_does_not_say_that_it_always_comes() -> None:
    text = render(replace(PLAIN, choice="reminders")).text

    assert rendering.WHY_REMINDER in text
    assert "always" not in text


@pytest.mark.parametrize("stream", ["security", "service", "news"])
def test_each_stream_says_why_the_mail_came(stream: str) -> None:
    assert rendering.WHY[stream] in render(replace(PLAIN, stream=stream)).text  # type: ignore[index]


@pytest.mark.django_db
def test_the_sample_values_must_be_enough() -> None:
    rendering.check(PLAIN)
    with pytest.raises(TemplateFault, match="plain"):
        rendering.check(replace(PLAIN, variables={}))


UNSAFE = [
    "{{ nobody_gave_this }}",
    "{% if nobody_gave_this %}x{% endif %}",
    "{{ thing.__class__ }}",
    "{{ thing.nothing }}",
    "{{ thing['__class__'] }}",
    "{{ items.append }}",
    "{% include 'frame.html' %}",
    "{% render 'frame.html' %}",
    "{% layout 'x' %}",
    "{% capture x %}y{% endcapture %}",
    "{% tablerow i in (1..9) %}x{% endtablerow %}",
    "{{ thing | safe }}",
    "{{ thing | replace: 'a', 'aaaaaaaaaa' }}",
    "{{ thing | split: '' | join: 'x' }}",
    "{{ 9 | times: 9999999999 }}",
    "{{ 'now' | date: '%1000000000d' }}",
    "{{ thing | nonsense }}",
    "{% for i in (1..1000000000) %}x{% endfor %}",
    "{% for i in (1..400) %}{% for j in (1..400) %}xxxxxxxxxx{% endfor %}{% endfor %}",
    "{% assign x = 'aaaaaaaaaaaaaaaaaaaa' %}" + "{% assign x = x | append: x %}" * 40 + "{{ x }}",
    "{{ 'x' " + "| append: thing" * 20_000 + " }}",
    "{% for i in (1..400) %}{{ long }}{% endfor %}",
    "{{ thing",
    "{% if thing %}",
    "{% if " * 3000,
    "{% if thing %}" * 200 + "{% endif %}" * 200,
    "x" * 60_000,
]


@pytest.mark.parametrize("body", UNSAFE, ids=range(len(UNSAFE)))
def test_a_template_that_reaches_too_far_is_refused_quickly(body: str) -> None:
    context = {"thing": "your tablet", "long": "y" * 2000, "items": ["a"]}
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(TemplateFault):
            rendering.render(replace(PLAIN, html=body), context, site=SITE)
        assert time.process_time() - began < 1
        assert tracemalloc.get_traced_memory()[1] < 64_000_000
    finally:
        tracemalloc.stop()


def test_a_range_can_be_named_without_being_built() -> None:
    html_of("{% assign r = (1..100000000000) %}{{ r | size }}")


def test_every_shipped_message_renders_with_its_samples() -> None:
    folders = sorted(folder for folder in wording.FOLDER.iterdir() if folder.is_dir())
    assert folders
    for folder in folders:
        words = wording.read_folder(folder)
        mail = rendering.render(words, words.variables, site=SITE, recipient_name="Margaret")
        assert mail.subject, folder.name
        assert "<script" not in mail.html
