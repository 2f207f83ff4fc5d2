"""What people write is shown as they wrote it, and is never markup: on pages, on the staff desk and in mails."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from accounts.tests.factories import make_admin
from billing.tests.factories import make_subscriber
from booking import services
from booking.models import Booking, CalendarEvent, EventKind
from emails import wording
from emails.services import delivery
from emails.services.outbox import enqueue_email
from techdeputies.lib import fragments
from techdeputies.tests.browser.conftest import Visitors
from techdeputies.tests.browser.harness import Visitor
from techdeputies.tests.browser.times import offer

PHONE = "(312) 555-0187"

# Each breaks out of another place: text, attribute in either quote, script, style, comment, title, address,
# template, mail, calendar file. ``evil()`` does not exist: an error in the console would tell that it ran.
POLYGLOTS = (
    "<script>evil()</script>",
    "<img src=x onerror=evil()>",
    "<svg onload=evil()>",
    "<svg/onload=evil()//",
    '"><img src=x onerror=evil()>',
    "'><img src=x onerror=evil()>",
    '" onmouseover="evil()" x="',
    "' onfocus='evil()' autofocus x='",
    "</title><script>evil()</script>",
    "</textarea><script>evil()</script>",
    "</script><script>evil()</script>",
    "</style><script>evil()</script>",
    "--><script>evil()</script>",
    "<!--<img src=--><img src=x onerror=evil()>",
    "]]><script>evil()</script>",
    "<iframe src=javascript:evil()>",
    "<a href=javascript:evil()>press</a>",
    "javascript:evil()",
    "data:text/html,<script>evil()</script>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=evil()>",
    "<details open ontoggle=evil()>",
    "<video><source onerror=evil()>",
    "<body onload=evil()>",
    "<form action=//evil.example><button>Sign in</button></form>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<object data=//evil.example></object>",
    "<x-evil hx-get=/accounts/logout/ hx-trigger=load>",
    "<div data-hx-on:click=evil()>press</div>",
    "&lt;img src=x onerror=evil()&gt;",
    "&#60;script&#62;evil()&#60;/script&#62;",
    "\\u003cscript\\u003eevil()\\u003c/script\\u003e",
    "{{ 7|add:7 }}{% debug %}",
    "{{ settings.SECRET_KEY }}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "%3Cscript%3Eevil()%3C/script%3E",
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=evil() )//--><svg/oNload=evil()//>",
    "A\u202egnp.exe <b>Ruth</b>",
    "BEGIN:VEVENT;EVIL=1,2",
)

# All elements by name, in order: markup out of words would add to them.
SKELETON = "[...document.querySelectorAll('*')].map(one => one.tagName).join(' ')"
# All that can be read, in boxes too.
READABLE = """
[document.body.innerText, ...[...document.querySelectorAll('input, textarea')].map(box => box.value)].join(' ')
"""
PLAIN = "Just words"
STRONGEST = POLYGLOTS[-3]


def write_everywhere(words: str, booking: Booking) -> None:
    """The words as person's name, deputy's name, title, place and topic, as if every form had let them through."""
    User.objects.filter(pk__in=(booking.user_id, booking.event.deputy_id)).update(name=words)
    CalendarEvent.objects.filter(pk=booking.event_id).update(title=words, place=words, description=words)
    Booking.objects.filter(pk=booking.pk).update(topic=words, contact_phone=words[:40])
    fragments.forget_all()


def shape(visitor: Visitor, address: str) -> str:
    visitor.page.goto(address)
    return str(visitor.page.evaluate(SKELETON))


def shows(visitor: Visitor, words: str) -> bool:
    """The words stand on the page, letter for letter but for the width of gaps."""
    readable = str(visitor.page.evaluate(READABLE))
    return " ".join(words.split()) in " ".join(readable.split())


@pytest.fixture
def booking(site: str) -> Booking:
    event = offer(kind=EventKind.IN_PERSON)
    return services.book_event(user=make_subscriber(), event=event, topic=PLAIN, contact_phone=PHONE)


def test_the_list_of_polyglots_is_long_enough() -> None:
    assert len(set(POLYGLOTS)) >= 40


@pytest.mark.parametrize("place", ["site", "desk"])
def test_names_titles_and_topics_stay_words(place: str, visitor: Visitor, booking: Booking) -> None:
    if place == "site":
        visitor.is_signed_in_as(booking.user)
        addresses = [reverse("booking:event_list"), reverse("booking:booking_detail", args=[booking.pk])]
    else:
        visitor.is_signed_in_as(make_admin())
        addresses = [reverse("admin:booking_calendarevent_change", args=[booking.event_id])]
    write_everywhere(PLAIN, booking)
    plain = {address: shape(visitor, address) for address in addresses}

    for words in POLYGLOTS:
        write_everywhere(words, booking)
        for address in addresses:
            assert shape(visitor, address) == plain[address], f"{words} at {address}"
            assert shows(visitor, words), f"{words} at {address}"


def test_names_and_titles_stay_words_in_the_html_of_mails(visitor: Visitor) -> None:
    shapes = {}
    for number, words in enumerate((PLAIN, *POLYGLOTS)):
        context = dict.fromkeys(wording.find("booking_confirmed").variables, words)
        enqueue_email(
            template="booking_confirmed",
            occasion=f"polyglot:{number}",
            to=f"person{number}@example.com",
            name=words,
            context={**context, "button_url": visitor.site, "button_text": "See my session"},
        )
    delivery.drain()

    for number, words in enumerate((PLAIN, *POLYGLOTS)):
        mail = visitor.mailgun.last(to=f"person{number}@example.com")
        shapes[words] = shape(visitor, f"{visitor.mailgun.site}/mail/{mail.id}/html")
        assert shows(visitor, words), words

    assert {words for words, found in shapes.items() if found != shapes[PLAIN]} == set()


def test_markup_that_a_person_types_into_our_forms_comes_back_as_words(visitors: Visitors) -> None:
    event = offer()
    user = make_subscriber(phone=PHONE)
    visitor = visitors().is_signed_in_as(user)
    visitor.go("accounts:profile_name")
    visitor.write(name=STRONGEST)
    visitor.press("Save my name")
    visitor.reads("Your name is saved.", STRONGEST)
    visitor.go("booking:event_detail", event.pk)
    visitor.write(topic=STRONGEST)
    visitor.press("Yes, book this session")
    visitor.press("See my session")
    visitor.reads(STRONGEST)

    staff = visitors().is_signed_in_as(make_admin())
    staff.go("admin:booking_calendarevent_change", event.pk)
    staff.page.locator("[name=title]").fill(STRONGEST)
    staff.page.get_by_role("button", name="Save", exact=True).click()

    expect(staff.page.locator("#result_list")).to_contain_text(STRONGEST)
    visitor.page.reload()
    visitor.sees(STRONGEST)
    visitor.go("dashboard")
    visitor.reads(f"{STRONGEST}: see the details")


def test_a_search_or_a_date_that_is_markup_comes_back_as_words_or_not_at_all(visitor: Visitor) -> None:
    visitor.is_signed_in_as(make_admin())
    visitor.go("admin:accounts_user_changelist")
    plain = shape(visitor, reverse("admin:accounts_user_changelist") + "?q=nobody-of-that-name")
    for words in POLYGLOTS[::4]:
        query = urlencode({"q": words})
        assert shape(visitor, f"{reverse('admin:accounts_user_changelist')}?{query}") == plain, words

    assert shows(visitor, POLYGLOTS[-4])
    plain = shape(visitor, reverse("booking:event_list") + "?week=nonsense&view=nonsense")
    for words in (POLYGLOTS[4], POLYGLOTS[5], STRONGEST):
        query = urlencode({"week": words, "view": words})
        assert shape(visitor, f"{reverse('booking:event_list')}?{query}") == plain, words
