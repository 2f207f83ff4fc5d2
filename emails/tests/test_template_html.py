"""Words inside the marks of a template must not become tags or links of another kind."""

from __future__ import annotations

import pytest

from emails.services.template_html import unsafe_html


@pytest.mark.parametrize("words", ["javascript:alert", "javascript&#58;alert", "javascript&colon;alert", "<b>"])
def test_a_value_of_one_s_own_is_no_way_round_the_rules_for_links(words: str) -> None:
    source = f"{{% assign button_url = '{words}' %}}<p><a href=\"{{{{ button_url }}}}\">Go on</a></p>"

    assert list(unsafe_html(source, links=["button_url"])) != []


def test_plain_words_and_a_link_of_the_mail_are_fine() -> None:
    source = "{% assign x = 'Tom and Ann' %}<p>{{ x }} <a href=\"{{ button_url }}\">Go on</a></p>"

    assert list(unsafe_html(source, links=["button_url"])) == []
