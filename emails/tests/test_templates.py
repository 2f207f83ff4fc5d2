"""Staff's own wording: what is refused, what is kept, who was first, and what a test mail carries."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection

from accounts.models import User
from accounts.tests.factories import make_admin
from audit.actors import Actor
from audit.models import AdminActionAudit
from emails import wording
from emails.exceptions import ChangedMeanwhile, NoSuchWording, TooManyTests, WordingRefused
from emails.models import EmailJob, EmailTemplate, EmailTemplateVersion
from emails.services import delivery, templates
from emails.services.template_checks import faults_of
from emails.wording import Wording
from sandbox.mailgun import StandIn

pytestmark = pytest.mark.django_db

NAMES = sorted(folder.name for folder in wording.FOLDER.iterdir() if folder.is_dir())
RESET = wording.read_folder(wording.FOLDER / "password_reset")


@pytest.fixture
def staff() -> User:
    return make_admin(email="rosa@example.com", name="Rosa Lopez")


@pytest.fixture
def actor(staff: User) -> Actor:
    return Actor(user=staff, ip_address="203.0.113.7", user_agent="Browser")


@pytest.fixture
def template() -> Iterator[EmailTemplate]:
    call_command("seed_email_templates", verbosity=0)
    yield EmailTemplate.objects.get(name="password_reset")
    wording.forget()


def fields(row: EmailTemplate, **changes: Any) -> dict[str, Any]:
    return {
        "subject": row.subject,
        "html_content": row.html_content,
        "text_content": row.text_content,
        "is_active": row.is_active,
        "priority": row.priority,
        "version": row.version,
    } | changes


def save(row: EmailTemplate, actor: Actor, **changes: Any) -> EmailTemplate:
    return templates.save(template=row, actor=actor, **fields(row, **changes))


def html_faults(body: str) -> str:
    """What is said about ``body`` beside the button, which this mail needs."""
    faults = faults_of(replace(RESET, html=body + "{{ button }}"))
    assert set(faults) <= {"html_content"}
    return " ".join(faults.get("html_content", []))


# --- Checks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_wording_passes(name: str) -> None:
    assert faults_of(wording.read_folder(wording.FOLDER / name)) == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<p>{{ frist_name }}</p>", "There is no variable “frist_name”. Did you mean “first_name”?"),
        ("<p>{{ zzzzzz }}</p>", "There is no variable “zzzzzz”. Choose one from the list"),
        ("{% if first_name == 'x' %}{{ nobody }}{% endif %}", "There is no variable “nobody”"),
        ("\n<p>{{ first_name </p>", "Line 2: the marks"),
        ("{% if first_name %}<p>x</p>", "cannot be read"),
        ("\n\n{% include 'x' %}", "Line 3: “include” cannot be used here."),
        ("{{ first_name | replace: 'a', 'b' }}", "“replace”"),
        ("{{ first_name.__class__ }}", "“first_name” is plain words and has no parts."),
        ("<script>alert(1)</script>", "Programs (script)"),
        ("<SCRIPT src=x></SCRIPT>", "Programs (script)"),
        ("<scr{% if first_name %}{% endif %}ipt>", "Programs (script)"),
        ("<scr{{ first_name }}ipt>", "cannot be used in a mail"),
        ("{{ '<script>' }}", "Write tags and links outside"),
        ("{% assign x = 'javascript:1' %}<a href=\"{{ x }}\">x</a>", "Write tags and links outside"),
        ('{% assign button_url = first_name %}<a href="{{ first_name }}">x</a>', "A link may start with"),
        ("<style>p{background:url(x)}</style>", "Style blocks"),
        ('<p style="background:url(https://x.example/a)">x</p>', "This style cannot be used"),
        ('<p style="position:fixed">x</p>', "This style cannot be used"),
        ('<p onclick="x()">x</p>', "“onclick” would start a program"),
        ('<a href="javascript:alert(1)">x</a>', "The link “javascript:alert(1)” cannot be used."),
        ('<a href="java&#115;cript:alert(1)">x</a>', "cannot be used"),
        ('<a href="data:text/html,x">x</a>', "cannot be used"),
        ('<a href="//evil.example">x</a>', "cannot be used"),
        ('<a href="http://evil.example/x">x</a>', "The link to “evil.example” is not safe."),
        ("<form action='https://x.example'></form>", "Forms"),
        ("<iframe src='https://x.example'></iframe>", "Other pages"),
        ("<img src='https://x.example/a.png'>", "Pictures"),
        ("<!-- x -->", "Comments"),
        ("<svg><a>x</a></svg>", "The tag <svg>"),
        ("</td></tr></table>", "does not fit"),
        ("<p>open", "The tag <p> is not closed."),
        ("1 < 2", "Write &lt;"),
    ],
)
def test_what_must_not_be_in_a_mail_is_named(body: str, said: str) -> None:
    assert said in html_faults(body)


@pytest.mark.parametrize(
    "body",
    [
        '<p style="color:#861a16">Hello {{ first_name | upcase }}.</p>',
        '<p><a href="{{ site_url }}/help/">Help</a> <a href="https://example.com/">x</a></p>',
        '<a href="{{ button_url }}">x</a> <a href="tel:+13125550142">call</a>',
        "{% if first_name != '' %}<p>Hello</p>{% else %}<p>Hi</p>{% endif %}",
        "<ul>{% for i in (1..3) %}<li>{{ forloop.index }}</li>{% endfor %}</ul>",
    ],
)
def test_what_is_harmless_passes(body: str) -> None:
    assert html_faults(body) == ""


def test_a_link_that_the_mail_is_for_cannot_be_left_out() -> None:
    hidden = "{% if first_name == '' %}{{ button_url }}{% endif %}"
    code = replace(RESET, name="own", variables={"code": "123456"}, text="{{ code }}", html="<p>{{ code }}</p>")

    assert "{{ button_url }}" in faults_of(replace(RESET, text="Hello."))["text_content"][0]
    assert "{{ button_url }}" in faults_of(replace(RESET, text="Hello. " + hidden))["text_content"][0]
    assert "{{ button }}" in faults_of(replace(RESET, html="<p>Hello.</p>"))["html_content"][0]
    assert faults_of(code) == {}


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"subject": ""}, "subject", "Write a subject."),
        ({"subject": "x" * 256}, "subject", "too long"),
        ({"subject": "a\nb"}, "subject", "one line"),
        ({"subject": "{{ first_name }}"}, "subject", "when values are empty"),
        ({"subject": "{{ button }}"}, "subject", "no variable “button”"),
        ({"text": ""}, "text_content", "Write the text."),
        ({"text": "x" * 20_001}, "text_content", "too long: 20,001 characters"),
        ({"text": "a\0b"}, "text_content", "cannot be kept"),
        ({"text": "{{ button_url }} http://evil.example/"}, "text_content", "not safe"),
        (
            {"text": "{{ button_url }}{% for i in (1..100) %}{{ first_name }}{{ first_name }}{% endfor %}"},
            "text_content",
            "when values are very long",
        ),
    ],
)
def test_each_part_says_what_is_wrong(changes: dict[str, str], field: str, said: str) -> None:
    faults = faults_of(replace(RESET, **changes))  # type: ignore[arg-type]

    assert said in " ".join(faults[field])


NASTY = [
    "{{ first_name.__class__.__mro__ }}",
    "{{ ''['__class__'] }}",
    "{{ first_name['__init__'] }}",
    "{{ settings.SECRET_KEY }}",
    "{{ self }}",
    "{% include 'frame.html' %}",
    "{% render '/etc/passwd' %}",
    "{% layout 'x' %}",
    "{% capture x %}y{% endcapture %}{{ x }}",
    "{% tablerow i in (1..9) %}x{% endtablerow %}",
    "{% raw %}{{ x }}{% endraw %}",
    "{{ first_name | safe }}",
    "{{ first_name | replace: 'a', 'aaaaaaaaaa' }}",
    "{{ first_name | split: '' | join: 'xxxxxxxxxxxxxxx' }}",
    "{{ 9 | times: 99999999999 | times: 99999999999 }}",
    "{{ 'now' | date: '%1000000000d' }}",
    "{% for i in (1..10000000000) %}x{% endfor %}",
    "{% for i in (1..90) %}{% for j in (1..90) %}{% for k in (1..90) %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% assign x = 'aaaaaaaaaaaaaaaaaaaa' %}" + "{% assign x = x | append: x %}" * 60 + "{{ x }}",
    "{% assign x = 'aaaa' %}{% for i in (1..90) %}{% assign x = x | append: x %}{% endfor %}{{ x }}",
    "{{ 'x' " + "| append: first_name" * 900 + " }}" + "{{ nobody }}",
    "{% for i in (1..99) %}" + "x" * 15_000 + "{% endfor %}",
    "{% if first_name %}" * 400 + "{% endif %}" * 400,
    "{% if " * 3000,
    "<b>" * 6000,
    "<" * 19_000,
    "&" * 19_000 + "<x",
    "{{" * 9_000,
    "{%" * 9_000,
    "<a " + "b='" * 6000,
    "x" * 5_000_000,
]


@pytest.mark.parametrize("body", NASTY, ids=range(len(NASTY)))
def test_a_nasty_template_is_refused_quickly_and_in_little_memory(body: str) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        faults = faults_of(replace(RESET, html=body + "{{ button }}"))
        took, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert "html_content" in faults
    assert took < 1
    assert peak < 64_000_000


def test_the_heaviest_template_that_passes_is_quick() -> None:
    heavy = "{% for i in (1..90) %}" + "{% assign x = 1 %}" * 900 + "{% endfor %}{{ button }}"
    began = time.process_time()
    faults_of(replace(RESET, html=heavy))

    assert time.process_time() - began < 1.5


# --- Keeping ----------------------------------------------------------------------------------------------


def test_a_change_is_a_new_version_with_its_author(
    template: EmailTemplate, actor: Actor, django_capture_on_commit_callbacks: Any
) -> None:
    assert wording.find("password_reset").version == 1
    with django_capture_on_commit_callbacks(execute=True):
        row = save(template, actor, subject="A new password for you", is_active=False)

    assert (row.version, row.is_active) == (2, False)
    assert wording.find("password_reset").subject == "A new password for you"
    assert wording.find("password_reset").version == 2
    kept = EmailTemplateVersion.objects.filter(template=row).order_by("version")
    assert [(one.version, one.subject, one.edited_by) for one in kept] == [
        (1, template.subject, None),
        (2, "A new password for you", actor.user),
    ]
    audit = AdminActionAudit.objects.get(action="emails.emailtemplate.changed")
    assert audit.details == {"fields": ["subject", "is_active"], "version": 2}


def test_the_same_words_change_nothing(template: EmailTemplate, actor: Actor) -> None:
    with_other_line_ends = template.html_content.replace("\n", "\r\n") + "\r\n"
    save(template, actor, html_content=with_other_line_ends)

    template.refresh_from_db()
    assert template.version == 1
    assert not AdminActionAudit.objects.exists()


def test_words_that_are_refused_leave_everything_as_it_was(template: EmailTemplate, actor: Actor) -> None:
    with pytest.raises(WordingRefused) as refusal:
        save(template, actor, text_content="{{ nobody }}")

    assert "“nobody”" in refusal.value.faults["text_content"][0]
    template.refresh_from_db()
    assert template.version == template.versions.count() == 1


def test_words_written_over_an_older_version_are_refused(template: EmailTemplate, actor: Actor) -> None:
    save(template, actor, subject="First")
    with pytest.raises(ChangedMeanwhile):
        save(template, actor, subject="Second")

    assert EmailTemplate.objects.get(pk=template.pk).subject == "First"


@pytest.mark.django_db(transaction=True)
def test_of_two_editors_at_once_one_is_first(template: EmailTemplate, actor: Actor) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def edit(subject: str) -> None:
        try:
            start.wait(5)
            save(template, actor, subject=subject)
            outcomes.append("kept")
        except ChangedMeanwhile:
            outcomes.append("refused")
        finally:
            connection.close()

    editors = [threading.Thread(target=edit, args=(f"Words {number}",)) for number in range(2)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join(10)

    assert sorted(outcomes) == ["kept", "refused"]
    assert sorted(template.versions.values_list("version", flat=True)) == [1, 2]


def test_earlier_words_come_back_as_a_new_version(template: EmailTemplate, actor: Actor) -> None:
    save(template, actor, subject="Second")
    row = templates.restore(template=template, version=1, present=2, actor=actor)

    assert (row.subject, row.version) == (template.subject, 3)
    audit = AdminActionAudit.objects.get(action="emails.emailtemplate.restored")
    assert audit.details == {"fields": ["subject"], "version": 3, "of_version": 1}
    with pytest.raises(NoSuchWording):
        templates.restore(template=row, version=99, present=3, actor=actor)
    with pytest.raises(ChangedMeanwhile):
        templates.restore(template=row, version=2, present=2, actor=actor)


def test_the_shipped_words_come_back_and_are_followed_again(template: EmailTemplate, actor: Actor) -> None:
    save(template, actor, subject="Ours", priority="low")
    EmailTemplate.objects.filter(pk=template.pk).update(seed_digest="of an older release")
    row = templates.restore(template=template, version=templates.SHIPPED, present=2, actor=actor)

    assert (row.subject, row.priority) == (RESET.subject, RESET.priority)
    assert row.seed_digest == wording.digest(RESET.subject, RESET.html, RESET.text, RESET.priority)
    assert EmailTemplateVersion.objects.get(template=row, version=row.version).edited_by == actor.user


def test_seeding_keeps_a_row_for_each_version_it_makes(template: EmailTemplate) -> None:
    EmailTemplateVersion.objects.all().delete()
    call_command("seed_email_templates", verbosity=0)

    assert EmailTemplateVersion.objects.count() == EmailTemplate.objects.count()
    assert EmailTemplate.objects.get(name="news").choice == "news"
    assert EmailTemplate.objects.get(name="booking_reminder").choice == "reminders"


# --- Trying -----------------------------------------------------------------------------------------------


def draft(template: EmailTemplate, **changes: str) -> Wording:
    given = {name: getattr(template, name) for name in ("subject", "html_content", "text_content")}
    return templates.drafted(template, **(given | changes))


def test_a_test_mail_carries_the_draft_to_its_author(
    template: EmailTemplate, staff: User, actor: Actor, mailgun: StandIn
) -> None:
    EmailTemplate.objects.update(is_active=False)
    words = draft(template, subject="New words", text_content="Unsaved, {{ first_name }}: {{ button_url }}")
    for _press in range(2):
        templates.send_test(template=template, words=words, person=staff, actor=actor)
    delivery.drain()

    mail = mailgun.last(staff.email)
    assert mail.subject == "[Test] New words"
    assert "Unsaved, Margaret: https://www.thetechdeputies.example/accounts/" in mail.text
    assert len(mailgun.messages(staff.email)) == 2
    assert EmailTemplate.objects.get(pk=template.pk).subject == template.subject
    assert AdminActionAudit.objects.filter(action="emails.emailtemplate.tested").count() == 2


def test_test_mails_are_few_and_never_of_refused_words(template: EmailTemplate, staff: User, actor: Actor) -> None:
    with pytest.raises(WordingRefused):
        templates.send_test(template=template, words=draft(template, text_content="x"), person=staff, actor=actor)
    for _press in range(templates.TEST_LIMIT):
        templates.send_test(template=template, words=draft(template), person=staff, actor=actor)
    with pytest.raises(TooManyTests):
        templates.send_test(template=template, words=draft(template), person=staff, actor=actor)

    assert EmailJob.objects.count() == templates.TEST_LIMIT


def test_a_draft_is_for_its_author_and_its_template_alone(
    template: EmailTemplate, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = draft(template, subject="Draft")
    key = templates.keep_draft(words=words, person=staff)
    other = EmailTemplate.objects.get(name="news")

    assert templates.find_draft(template=template, person=staff, key=key) == words
    assert templates.find_draft(template=template, person=make_admin(), key=key) is None
    assert templates.find_draft(template=other, person=staff, key=key) is None
    assert templates.find_draft(template=template, person=staff, key="a:b") is None
    monkeypatch.setattr(cache, "set", lambda *args, **kwargs: None)
    assert templates.keep_draft(words=words, person=staff) == ""


def test_a_look_does_not_depend_on_the_readers_own_colors() -> None:
    html = templates.sample_mail(RESET).html
    light, dark = templates.in_look(html, is_dark=False), templates.in_look(html, is_dark=True)

    assert "prefers-color-scheme" in html
    assert "prefers-color-scheme" not in light + dark
    assert "@media all{" in dark
    assert "@media not all{" in light
    assert 'src="/static/img/badge-email' in dark


def test_a_comparison_names_what_went_and_what_came() -> None:
    lines = templates.differences("one\ntwo\nthree\n", "one\n2\nthree\n")

    assert [(line.kind, line.text) for line in lines] == [
        ("same", "one"),
        ("gone", "two"),
        ("added", "2"),
        ("same", "three"),
    ]
    assert templates.differences("a\n", "a\n") == []
