"""The pieces pages are made of, and the words library behind them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import Context, Template
from django.template.loader import render_to_string
from django.utils import timezone

from techdeputies.context_processors import phone_href
from techdeputies.lib import fragments
from techdeputies.lib.template_tags import breakable, clock_after, page_numbers, wait_words


class Question(forms.Form):
    name = forms.CharField(label="Your name", help_text="As on a letter", error_messages={"required": "Please write."})
    email = forms.EmailField(label="Email address", required=False)
    note = forms.CharField(label="Note", widget=forms.Textarea, required=False)
    zone = forms.ChoiceField(label="Zone", choices=[("a", "A")], required=False)
    news = forms.BooleanField(label="News", required=False)
    by = forms.ChoiceField(label="How?", choices=[("phone", "Phone"), ("video", "Video")], widget=forms.RadioSelect)
    token = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean(self) -> None:
        raise forms.ValidationError("That did not fit together.")


def field(name: str, form: forms.Form, **variables: Any) -> str:
    return render_to_string("components/field.html", {"field": form[name], **variables})


# --- Fields ---------------------------------------------------------------------------------------------
def test_field_ties_label_hint_and_box_together() -> None:
    html = field("name", Question())

    assert '<label for="id_name">Your name</label>' in html
    assert 'id="id_name_helptext">As on a letter<' in html
    assert 'aria-describedby="id_name_helptext"' in html
    assert 'class="input"' in html
    assert "aria-invalid" not in html


def test_wrong_field_names_its_error_after_the_hint() -> None:
    html = field("name", Question({"name": ""}))

    assert "field--error" in html
    assert '<span class="vh">Error: </span>Please write.' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'aria-invalid="true"' in html


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("email", 'inputmode="email"'),
        ("note", 'class="textarea"'),
        ("zone", 'class="select"'),
        ("news", '<div class="choice"><input type="checkbox"'),
        ("by", "<fieldset"),
    ],
)
def test_each_kind_of_question_has_its_markup(name: str, expected: str) -> None:
    assert expected in field(name, Question())


def test_hidden_field_is_only_its_box() -> None:
    assert field("token", Question()).strip() == '<input type="hidden" name="token" id="id_token">'


def test_field_takes_type_rows_hint_and_class() -> None:
    assert 'type="tel"' in field("name", Question(), type="tel")
    assert 'rows="3"' in field("note", Question(), rows=3)
    assert 'rows="3"' not in field("name", Question(), rows=3)
    assert ">Other words<" in field("name", Question(), hint="Other words")
    assert 'class="input input--short"' in field("name", Question(), **{"class": "input--short"})


def test_typed_words_stay_and_are_escaped() -> None:
    html = field("name", Question({"name": '"><script>'}))

    assert 'value="&quot;&gt;&lt;script&gt;"' in html


def test_error_summary_takes_the_focus_and_leads_to_each_box() -> None:
    html = render_to_string("components/error_summary.html", {"form": Question({"name": ""})})

    assert 'role="alert" tabindex="-1" autofocus' in html
    assert '<a href="#id_name">Please write.</a>' in html
    assert '<a href="#id_name">That did not fit together.</a>' in html
    assert '<a href="#id_by_0">' in html


def test_fresh_form_has_no_summary() -> None:
    assert render_to_string("components/error_summary.html", {"form": Question()}).strip() == ""


# --- Other pieces ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("page", "numbers"),
    [(1, [1, 2, 0, 12]), (2, [1, 2, 3, 0, 12]), (6, [1, 0, 5, 6, 7, 0, 12]), (12, [1, 0, 11, 12])],
)
def test_pagination_shows_ends_and_neighbours(page: int, numbers: list[int]) -> None:
    assert page_numbers(Paginator(range(120), 10).page(page)) == numbers


def test_pagination_keeps_other_parameters() -> None:
    html = render_to_string(
        "components/pagination.html", {"page": Paginator(range(30), 10).page(2), "query": "view=list"}
    )

    assert 'href="?view=list&amp;page=3">Next page<' in html
    assert 'aria-current="page"' in html


def test_one_page_needs_no_pagination() -> None:
    assert render_to_string("components/pagination.html", {"page": Paginator(range(3), 10).page(1)}).strip() == ""


def test_summary_list_says_what_a_change_link_changes() -> None:
    rows = [{"key": "Day", "value": "Tuesday", "change_url": "/x/"}, {"key": "Cost", "value": "Nothing"}]

    html = render_to_string("components/summary_list.html", {"rows": rows})

    assert '<a href="/x/">Change<span class="vh">: Day</span></a>' in html
    assert html.count("<a ") == 1


@pytest.mark.parametrize(("kind", "role"), [("good", 'role="status"'), ("bad", 'role="alert"'), ("info", "<div")])
def test_alerts_are_read_out_by_their_weight(kind: str, role: str) -> None:
    assert role in render_to_string("components/alert.html", {"kind": kind, "text": "Words."})


def test_steps_done_and_present_are_told_in_words() -> None:
    html = render_to_string("components/stepline.html", {"steps": ["Pick", "Check", "Booked"], "current": 2})

    assert '<span class="vh">Done:</span></b> Pick' in html
    assert '<li aria-current="step"><b>2</b> Check</li>' in html


# --- Words ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "about 1 minute"),
        (61, "about 2 minutes"),
        (900, "about 15 minutes"),
        (7200, "about 2 hours"),
        ("x", "about 1 minute"),
    ],
)
def test_waits_round_up(seconds: Any, expected: str) -> None:
    assert wait_words(seconds) == expected


def test_end_of_a_wait_is_told_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 12, 1, 15, 12, 30, tzinfo=UTC))

    assert clock_after(900, "America/Chicago") == "9:28 AM, Central Time (Chicago)"
    assert clock_after(86_400, "America/Chicago").startswith("Wednesday, December 2 at 9:13 AM")


def test_mail_address_breaks_after_the_at_sign_and_is_escaped() -> None:
    assert breakable("help@example.com") == "<span>help@<wbr>example.com</span>"
    assert "<b>" not in breakable("<b>@example.com")


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("(312) 555-0142", "+13125550142"),
        ("1-312-555-0142", "+13125550142"),
        ("+44 20 7946 0000", "+442079460000"),
        ("555-0142", "5550142"),
    ],
)
def test_phone_numbers_become_links(phone: str, expected: str) -> None:
    assert phone_href(phone) == expected


# --- Kept pieces ----------------------------------------------------------------------------------------
def test_piece_is_rendered_once_until_it_is_old() -> None:
    fragments.forget_all()
    rendered: list[int] = []

    def render() -> str:
        rendered.append(1)
        return str(len(rendered))

    assert [fragments.kept("piece", 60, render) for _ in range(3)] == ["1", "1", "1"]
    assert [fragments.kept("old piece", 0, render) for _ in range(2)] == ["2", "3"]


def test_others_are_served_the_old_piece_while_one_renders() -> None:
    fragments.forget_all()
    fragments.kept("slow", 0, lambda: "old")
    rendering, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        rendering.set()
        go_on.wait(5)
        return "new"

    thread = threading.Thread(target=fragments.kept, args=("slow", 60, slow))
    thread.start()
    rendering.wait(5)
    meanwhile = fragments.kept("slow", 60, lambda: "never")
    go_on.set()
    thread.join()

    assert meanwhile == "old"
    assert fragments.kept("slow", 60, lambda: "never") == "new"


def test_a_render_that_fails_leaves_the_piece_usable() -> None:
    fragments.forget_all()

    def broken() -> str:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fragments.kept("broken", 60, broken)
    assert fragments.kept("broken", 60, lambda: "well") == "well"


def test_number_of_kept_pieces_is_bounded() -> None:
    fragments.forget_all()
    for number in range(fragments.MOST_KEPT + 5):
        fragments.kept(("many", number), 60, lambda: "x")

    assert len(fragments._pieces) <= fragments.MOST_KEPT
    fragments.forget_all()


def test_what_has_run_out_makes_room_first() -> None:
    fragments.forget_all()
    fragments.kept("stays", 60, lambda: "first")
    for number in range(fragments.MOST_KEPT + 5):
        fragments.kept(("old", number), 0, lambda: "x")

    assert fragments.kept("stays", 60, lambda: "second") == "first"
    fragments.forget_all()


def test_kept_tag_renders_for_each_set_of_values() -> None:
    fragments.forget_all()
    template = Template("{% load words %}{% kept 60 corner who %}{{ who }}{{ what }}{% endkept %}")

    shown = [template.render(Context({"who": who, "what": what})) for who, what in (("a", 1), ("a", 2), ("b", 3))]

    assert shown == ["a1", "a1", "b3"]
