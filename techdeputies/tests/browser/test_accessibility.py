"""Every page, in every state worth a look, against WCAG 2.2 A and AA and our own measures."""

from __future__ import annotations

import pytest
from django.urls import URLResolver, get_resolver

from emails import wording
from emails.services import delivery
from emails.services.outbox import enqueue_email
from sandbox.mailgun import StandIn
from techdeputies import urls
from techdeputies.tests.browser.atlas import NOT_PAGES, SIGHTS, TROUBLES, Sight
from techdeputies.tests.browser.harness import NARROW, WIDE, Visitor
from techdeputies.tests.browser.measures import broken_rules, hard_to_press, sticking_out
from techdeputies.tests.browser.world import World, make_world


@pytest.fixture(scope="module")
def transactional_db(looking: tuple[str, StandIn]) -> None:
    """The rows of this module, made once for all its tests."""


@pytest.fixture(scope="module")
def world(transactional_db: None) -> World:
    return make_world()


def look_at(sight: Sight, visitor: Visitor, world: World) -> None:
    if sight.who:
        visitor.is_signed_in_as(world.people[sight.who])
    answer = visitor.page.goto(sight.path(world))
    assert answer is not None
    assert answer.status == sight.status
    if sight.act:
        sight.act(visitor, world)


@pytest.mark.parametrize("sight", [*SIGHTS, *TROUBLES], ids=lambda sight: sight.name)
def test_everybody_can_read_and_use_the_page(sight: Sight, onlooker: Visitor, world: World) -> None:
    look_at(sight, onlooker, world)

    page = onlooker.page
    assert page.get_by_role("heading", level=1).count() == 1
    assert broken_rules(onlooker) == []
    assert sticking_out(page) == []
    assert hard_to_press(page, NARROW) == []
    assert hard_to_press(page, WIDE) == []
    if sight.status >= 500:
        onlooker.problems.remove(f"Answered with {sight.status}: {page.url}")


@pytest.mark.parametrize("size", ["large", "larger"])
@pytest.mark.parametrize("name", ["home", "dashboard", "booking:event_list", "booking:event_detail, open"])
def test_the_largest_text_fits_a_phone(name: str, size: str, onlooker: Visitor, world: World) -> None:
    (sight,) = [sight for sight in SIGHTS if sight.name == name]
    onlooker.context.add_cookies([{"name": "text", "value": size, "url": onlooker.site}])

    look_at(sight, onlooker, world)

    assert onlooker.page.locator("html").get_attribute("data-text") == size
    assert sticking_out(onlooker.page, NARROW) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_theme_beats_the_devices_own(theme: str, onlooker: Visitor, world: World) -> None:
    onlooker.context.add_cookies([{"name": "theme", "value": theme, "url": onlooker.site}])
    (sight,) = [sight for sight in SIGHTS if sight.name == "booking:event_list"]

    look_at(sight, onlooker, world)

    assert onlooker.page.locator("html").get_attribute("data-theme") == theme
    assert broken_rules(onlooker, widths=(WIDE,)) == []
    onlooker.page.emulate_media(color_scheme="dark" if theme == "light" else "light")
    ground = onlooker.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(16, 23, 43)") == (theme == "dark")


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("name", sorted(folder.name for folder in wording.FOLDER.iterdir()))
def test_everybody_can_read_the_mail(name: str, onlooker: Visitor) -> None:
    """Each kind of mail, filled with its sample values, as the reader's program shows it."""
    address = f"{name}@example.com"
    words = wording.find(name).variables
    enqueue_email(template=name, occasion="sample", to=address, name="Margaret Ellis", context=words)
    delivery.drain()
    mail = onlooker.mailgun.last(to=address)

    # Not in the mailbox page, which lets no script run in a mail: axe is one.
    onlooker.page.set_content(mail.html)

    assert broken_rules(onlooker) == []
    assert sticking_out(onlooker.page) == []


@pytest.mark.usefixtures("transactional_db")
def test_the_measures_find_what_they_are_for(onlooker: Visitor) -> None:
    """Measures that never find anything would pass every page."""
    onlooker.page.set_content(
        """
        <title>Poor</title><h1>Poor</h1>
        <details><summary>More</summary><p style="color: #999; background: #fff">Too pale to read.</p></details>
        <p>A link in <a href="/">a sentence</a> may be low.</p>
        <p><a href="/">Alone</a></p>
        <div style="width: 400px">Wide</div>
        """
    )

    assert {line.split(": ")[1] for line in broken_rules(onlooker, widths=(WIDE,))} >= {
        "color-contrast",
        "html-has-lang",
    }
    assert any("Wide" in line for line in sticking_out(onlooker.page))
    assert sticking_out(onlooker.page, WIDE) == []
    assert [line.partition(": ")[2] for line in hard_to_press(onlooker.page)] == [
        "<summary>More</summary>",
        '<a href="/">Alone</a>',
    ]


def names(resolver: URLResolver, space: str = "") -> set[str]:
    found = set()
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            if entry.namespace != "admin":
                found |= names(entry, f"{space}{entry.namespace}:" if entry.namespace else space)
        else:
            found.add(f"{space}{entry.name}")
    return found


def test_no_page_is_left_out() -> None:
    assert names(get_resolver(urls.__name__)) - NOT_PAGES == {sight.url_name for sight in SIGHTS}
