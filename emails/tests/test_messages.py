"""Every shipped message: it is there, it can be filled in, and it is written for the people who read it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from liquid import Environment

from emails import rendering, wording
from emails.models import Priority, Stream
from emails.rendering import Rendered
from emails.wording import Wording

PROMISED = frozenset(
    {"verify_email", "password_reset", "password_changed", "email_change_notice", "email_changed", "new_device"}
    | {"booking_confirmed", "booking_moved", "booking_cancelled", "booking_reminder", "event_cancelled"}
    | {"event_changed", "waiting_list_joined", "waiting_list_offer"}
    | {"plan_started", "plan_renewed", "plan_ending", "plan_cancelled", "plan_payment_failed"}
    | {"plan_payment_recovered", "plan_ended", "plan_changed"}
    | {"gift_card_for_recipient", "gift_card_receipt", "gift_card_balance", "gift_card_stopped"}
    | {"visit_paid", "visit_refunded", "payment_too_late"}
    | {"course_bought", "course_refunded", "course_certificate"}
    | {"ticket_received", "ticket_answered", "ticket_solved", "ticket_reopened_linked"}
    | {"family_invitation", "family_joined", "family_ended"}
    | {"data_export_ready", "account_deletion_asked", "account_deletion_done", "account_deletion_waiting"}
    | {"staff_second_factor_reset", "staff_alert", "news"}
)
SECURITY = frozenset(
    {"verify_email", "password_reset", "password_changed", "email_changed", "email_change_notice", "new_device"}
    | {"data_export_ready", "account_deletion_asked", "staff_second_factor_reset"}
)
CHOICES = {"news": "news", "booking_reminder": "reminders"}
CARDS = ("gift_card_for_recipient", "gift_card_receipt", "gift_card_balance", "gift_card_stopped")

ALWAYS = frozenset(
    {"business_name", "business_phone", "business_email", "business_address", "site_url", "recipient_name"}
)
OF_THE_BUTTON = frozenset({"button", "button_url", "button_text"})
NAMES = sorted(folder.name for folder in wording.FOLDER.iterdir() if folder.is_dir())

SITE = {
    "business_name": "The Tech Deputies",
    "business_phone": "(312) 555-0142",
    "business_email": "help@thetechdeputies.example",
    "business_address": "100 Example Street, Chicago, IL 60600",
    "site_url": "https://www.thetechdeputies.example",
}

NOT_OUR_WORDS = re.compile(
    r"\b(?:click\w*|tap|taps|tapp\w+|submit\w*|navigate\w*|log-?in|invalid|fail\w*|oops|cookies?|urgent\w*|hurry|asap"
    r"|immediately|act now|last chance|don.t miss|seats?|dear customer)\b|!",
    re.IGNORECASE,
)
EMPTY_LINK_WORDS = frozenset({"here", "this link", "link", "more", "learn more", "read more", "ok", "continue"})
MOST_GRADE = 7.0


def words_of(name: str) -> Wording:
    return wording.read_folder(wording.FOLDER / name)


def filled(name: str, **changes: Any) -> Rendered:
    words = words_of(name)
    return rendering.render(words, {**words.variables, **changes}, site=SITE, recipient_name="Margaret")


def own_text(name: str) -> str:
    """What the message itself says, without the frame that all share."""
    return filled(name).text.partition("-" * 20)[0]


def sources(words: Wording) -> str:
    return f"{words.subject}\n{words.text}\n{words.html}"


class Reader(HTMLParser):
    """Tags with their attributes, and links with the words they show."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.links: list[tuple[str, str]] = []
        self._open: tuple[str, list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "a":
            self._open = (dict(attrs).get("href") or "", [])

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open:
            self.links.append((self._open[0], " ".join("".join(self._open[1]).split())))
            self._open = None


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


# --- All there, all sound -------------------------------------------------------------------------------


def test_every_mail_the_product_promises_is_there() -> None:
    assert sorted(PROMISED.difference(NAMES)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_message_can_be_filled_in_with_its_samples(name: str) -> None:
    mail = filled(name)

    for part in (mail.subject, mail.text, mail.html):
        assert part.strip()
        assert "{{" not in part
        assert "{%" not in part
    assert "\n\n\n" not in own_text(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_declared_is_used_and_what_is_used_is_declared(name: str) -> None:
    words = words_of(name)
    used = set(Environment().from_string(sources(words)).analyze().globals)

    assert used - ALWAYS - OF_THE_BUTTON == set(words.variables) - OF_THE_BUTTON
    assert ("button_url" in words.variables) == ("button_text" in words.variables)
    assert ("button" in used) == ("button_url" in words.variables)


@pytest.mark.parametrize("name", NAMES)
def test_staff_can_read_what_it_is_for_and_its_samples_are_real(name: str) -> None:
    words = words_of(name)

    assert 20 <= len(words.description) <= 160
    assert words.description.endswith(".")
    for value in words.variables.values():
        assert isinstance(value, str)
        assert not re.search(r"\b(?:foo|bar|lorem|test|xxx)\b", value, re.IGNORECASE)
    assert words.stream in Stream.values
    assert words.priority in Priority.values


@pytest.mark.parametrize("name", sorted(SECURITY))
def test_mails_that_keep_an_account_safe_are_never_stopped_by_a_choice(name: str) -> None:
    assert words_of(name).stream == Stream.SECURITY
    assert words_of(name).priority in (Priority.CRITICAL, Priority.HIGH)


def test_only_news_and_reminders_are_a_choice() -> None:
    metas = {name: json.loads((wording.FOLDER / name / "meta.json").read_text()) for name in NAMES}
    chosen = {name: meta.get("choice", "") for name, meta in metas.items()}

    assert {name: choice for name, choice in chosen.items() if choice} == CHOICES
    assert words_of("news").priority == Priority.LOW


# --- Words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_subject_is_one_short_line(name: str) -> None:
    source = (wording.FOLDER / name / "subject.txt").read_text()

    assert source.strip().count("\n") == 0
    assert 10 <= len(filled(name).subject) <= 78


@pytest.mark.parametrize("name", NAMES)
def test_no_word_that_frightens_hurries_or_needs_explaining(name: str) -> None:
    text = f"{filled(name).subject}\n{re.sub(r'https?://[^ ]+', '', own_text(name))}"

    assert NOT_OUR_WORDS.findall(text) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_sixth_grader_can_read_it(name: str) -> None:
    assert grade(own_text(name)) <= MOST_GRADE


@pytest.mark.parametrize("name", NAMES)
def test_the_phone_number_is_there(name: str) -> None:
    assert SITE["business_phone"] in filled(name).text
    assert SITE["business_phone"] in filled(name).html


@pytest.mark.parametrize("name", CARDS)
def test_mails_about_gift_cards_say_that_nobody_asks_for_the_code(name: str) -> None:
    for part in (own_text(name), filled(name).html):
        assert "obody from us will ever ask you to read" in part
        assert "over the phone" in part


def test_only_the_mail_with_the_card_shows_its_code() -> None:
    code = words_of("gift_card_for_recipient").variables["code"]

    for name in NAMES:
        assert (code in filled(name).text) == (name == "gift_card_for_recipient")
        assert code not in filled(name).subject


def test_sums_are_written_as_the_design_says() -> None:
    sums = [found for name in NAMES for found in re.findall(r"\$[\d.,]+\d", own_text(name))]

    assert sums
    assert all(re.fullmatch(r"\$\d{1,3}(,\d{3})*(\.\d[1-9]|\.[1-9]\d)?", found) for found in sums)


# --- Text and HTML ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_text_twin_spells_out_every_link_and_every_fact(name: str) -> None:
    mail = filled(name)
    text = " ".join(f"{mail.subject}\n{mail.text}".split())

    for address, _ in read(mail.html).links:
        assert address in mail.text
    for key, value in words_of(name).variables.items():
        if key != "button_text":
            assert " ".join(value.split()) in text


@pytest.mark.parametrize("name", NAMES)
def test_a_link_says_what_it_opens(name: str) -> None:
    words = words_of(name)
    links = [(address, shown) for address, shown in read(filled(name).html).links if shown]

    for address, shown in links:
        assert shown.lower() not in EMPTY_LINK_WORDS
        assert len(shown.split()) >= 2
        assert address.startswith("http")
    if "button_url" in words.variables:
        assert words.variables["button_text"] in [shown for _, shown in links]
        assert len(words.variables["button_text"]) <= 30


@pytest.mark.parametrize("name", NAMES)
def test_the_html_runs_nothing_and_fetches_nothing_from_others(name: str) -> None:
    body = (wording.FOLDER / name / "body.html").read_text()
    reader = read(filled(name).html)

    assert not re.search(r"<(?:script|style|iframe|object|embed|form|img|svg|link|meta|base)\b", body, re.IGNORECASE)
    assert "<h1>" in body
    for tag, attributes in reader.tags:
        assert tag not in {"script", "iframe", "object", "embed", "form", "link", "base", "video", "audio", "svg"}
        assert not [key for key in attributes if key.startswith("on")]
        assert not str(attributes.get("href") or "").lower().startswith(("javascript:", "data:"))
        if tag == "img":
            assert str(attributes["src"]).endswith("/static/img/badge-email.png")
    assert "url(" not in filled(name).html


@pytest.mark.parametrize("name", NAMES)
def test_what_people_write_stays_text(name: str) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    changes = {key: evil for key in words_of(name).variables if not key.endswith("_url")}
    html = filled(name, **changes).html

    assert "<script" not in html.lower()
    assert "<img src=x" not in html.lower()


@pytest.mark.parametrize(
    ("name", "variable"),
    [("new_device", "network"), ("gift_card_for_recipient", "message"), ("account_deletion_asked", "plan_words")],
)
def test_a_fact_that_is_not_known_leaves_no_gap(name: str, variable: str) -> None:
    full, bare = filled(name), filled(name, **{variable: ""})

    assert len(bare.html) < len(full.html)
    assert "\n\n\n" not in bare.text
    assert not re.search(r"^[A-Z][a-z ]+: $", bare.text, re.MULTILINE)


def test_on_a_phone_a_fact_stands_under_its_name_without_a_line_between_and_a_code_is_not_torn() -> None:
    phone = filled("gift_card_for_recipient").html.partition("@media (max-width:600px){")[2].partition("\n}")[0]

    assert ".fact td.v{padding-bottom:12px!important;border-top:0!important}" in phone
    assert ".code{font-size:26px!important" in phone


def test_news_may_come_without_a_button() -> None:
    bare = filled("news", button_url="", button_text="")

    assert "Read the first lesson" not in bare.text + bare.html
    assert "\n\n\n" not in bare.text


# --- How hard a text is to read ---------------------------------------------------------------------------


def grade(text: str) -> float:
    """The school grade by Flesch and Kincaid's formula (1975), over whole sentences; lists of facts do not count.

    Syllables are counted by groups of vowels, which is a little too strict for such short words.
    """
    prose = re.sub(r"https?://\S+|\S+@\S+|\(\d{3}\) \d{3}-\d{4}", "", text)
    lines = [line.strip() for line in prose.splitlines()]
    kept = " ".join(line for line in lines if line.endswith((".", "?")) or len(line.split()) > 15)
    sentences = [part for part in re.split(r"(?<=[.?:])\s+", kept) if re.search(r"[A-Za-z]", part)]
    words = re.findall(r"[A-Za-z]+(?:['-][A-Za-z]+)*", kept)
    syllables = sum(_syllables(word) for word in words)
    return 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59


def _syllables(word: str) -> int:
    bare = re.sub(r"(?:[^laeiouy]es|[^td]ed|[^laeiouy]e)$", "", word.lower())
    return max(len(re.findall(r"[aeiouy]+", bare)), 1)


def test_the_measure_tells_easy_from_hard() -> None:
    easy = "You are booked. We call you at ten. You do not have to do a thing."
    hard = (
        "Notwithstanding the aforementioned considerations, subscribers experiencing authentication difficulties "
        "should immediately contact the administrative department responsible for identity verification."
    )

    assert grade(easy) < 2
    assert grade(hard) > 15
