from __future__ import annotations

import pytest

from benchmarks.people import form_for, words_of
from sandbox.errors import Refusal

PAGE = """
<form method="get" action="/find/"><input name="q"></form>
<form method="post" action="/accounts/logout/"><input type="hidden" name="csrfmiddlewaretoken" value="one"></form>
<form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="two"><textarea name="topic"></textarea>
<input type="radio" name="day" value="1"><input type="radio" name="day" value="2" checked></form>
"""


def test_the_form_that_posts_to_the_page_is_found_with_what_it_would_send() -> None:
    assert form_for("/booking/abc/", PAGE) == {"csrfmiddlewaretoken": "two", "topic": "", "day": "2"}
    assert form_for("/accounts/logout/", PAGE) == {"csrfmiddlewaretoken": "one"}


def test_a_page_without_a_form_is_refused() -> None:
    with pytest.raises(Refusal, match="has no form"):
        form_for("/booking/abc/", "<p>Nothing here.</p>")


def test_an_answer_is_told_in_its_words() -> None:
    assert words_of(b"HTTP/1.1 500 Oh\r\nA: b\r\n\r\n<style>x{}</style><p>Sorry &amp; more</p>") == (
        "HTTP/1.1 500 Oh: Sorry & more"
    )
