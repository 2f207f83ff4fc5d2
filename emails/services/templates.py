"""Staff's own wording: kept as versions, checked before it counts, tried on oneself, and taken back."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils.crypto import get_random_string

from audit.actors import Actor
from audit.services import record_admin_action
from emails import rendering, wording
from emails.exceptions import ChangedMeanwhile, NoSuchWording, TooManyTests, WordingRefused
from emails.models import EmailJob, EmailTemplate, EmailTemplateVersion
from emails.services.outbox import enqueue_email
from emails.services.template_checks import faults_of
from emails.wording import Wording
from settings_app.services import hit_limit

SHIPPED = 0
"""The version that stands for the wording of the files."""

DRAFT_SECONDS = 15 * 60
TEST_LIMIT, TEST_SECONDS = 10, 10 * 60
SAMPLE_NAME = "Margaret"
KEPT = ("subject", "html_content", "text_content", "is_active", "priority")


def tidy(raw: str) -> str:
    """A part as the files hold it: one kind of line end, and one line end at the end."""
    return raw.replace("\r\n", "\n").replace("\r", "\n").strip() + "\n"


def drafted(template: EmailTemplate, *, subject: str, html_content: str, text_content: str) -> Wording:
    """What ``template`` would say with these words."""
    words = wording.from_row(template)
    return replace(words, subject=subject.strip(), html=tidy(html_content), text=tidy(text_content))


def checked(words: Wording) -> Wording:
    """The same words, if they could be kept. Raises WordingRefused with the faults by field."""
    if faults := faults_of(words):
        raise WordingRefused(faults)
    return words


def words_at(template: EmailTemplate, version: int) -> Wording | None:
    """The words of one version; ``SHIPPED`` for those of the files."""
    if version == SHIPPED:
        return wording.shipped(template.name)
    present = wording.from_row(template)
    old = template.versions.filter(version=version).first()
    if old is None:
        return present if version == template.version else None
    return replace(present, subject=old.subject, html=old.html_content, text=old.text_content, version=version)


def save(
    *,
    template: EmailTemplate,
    actor: Actor,
    version: int,
    subject: str,
    html_content: str,
    text_content: str,
    is_active: bool,
    priority: str,
) -> EmailTemplate:
    """Keep new words as a new version; the same words change nothing.

    ``version`` is the one the words were written over: ChangedMeanwhile when another has come since.
    Raises WordingRefused with the faults by field.
    """
    return _write(
        template=template,
        actor=actor,
        version=version,
        verb="changed",
        values={
            "subject": subject.strip(),
            "html_content": tidy(html_content),
            "text_content": tidy(text_content),
            "is_active": is_active,
            "priority": priority,
        },
    )


def restore(*, template: EmailTemplate, version: int, present: int, actor: Actor) -> EmailTemplate:
    """Bring earlier words back as a new version. ``SHIPPED`` gives those of the files, which are followed again."""
    values: dict[str, Any]
    if version == SHIPPED:
        files = wording.shipped(template.name)
        if files is None:
            raise NoSuchWording
        values = {
            "subject": files.subject,
            "html_content": files.html,
            "text_content": files.text,
            "priority": files.priority,
            "seed_digest": wording.digest(files.subject, files.html, files.text, files.priority),
        }
    else:
        old = template.versions.filter(version=version).first()
        if old is None:
            raise NoSuchWording
        values = {"subject": old.subject, "html_content": old.html_content, "text_content": old.text_content}
    return _write(template=template, actor=actor, version=present, verb="restored", values=values, of=version)


@transaction.atomic
def _write(
    *, template: EmailTemplate, actor: Actor, version: int, verb: str, values: dict[str, Any], of: int | None = None
) -> EmailTemplate:
    row = EmailTemplate.objects.select_for_update(no_key=True).get(pk=template.pk)
    if row.version != version:
        raise ChangedMeanwhile
    changed = [name for name, value in values.items() if (getattr(row, name) or "") != (value or "")]
    if not changed:
        return row
    _keep(row, edited_by=None)
    for name in changed:
        setattr(row, name, values[name])
    checked(wording.from_row(row))
    row.version += 1
    row.save(update_fields=[*changed, "version", "updated_at"])
    _keep(row, edited_by=actor.user)
    details: dict[str, Any] = {"fields": [name for name in changed if name in KEPT], "version": row.version}
    if of is not None:
        details["of_version"] = of
    record_admin_action(actor=actor, action=f"emails.emailtemplate.{verb}", target=row, details=details)
    transaction.on_commit(wording.forget, robust=True)
    return row


def _keep(row: EmailTemplate, *, edited_by: Any) -> None:
    """The words of the present version, beside the earlier ones. One that is kept already stays as it is."""
    EmailTemplateVersion.objects.get_or_create(
        template=row,
        version=row.version,
        defaults={
            "subject": row.subject,
            "html_content": row.html_content,
            "text_content": row.text_content or "",
            "edited_by": edited_by,
        },
    )


# --- Trying -----------------------------------------------------------------------------------------------


def send_test(*, template: EmailTemplate, words: Wording, person: Any, actor: Actor) -> EmailJob:
    """Send these words, filled with the samples, to ``person``'s own address. One mail for each press."""
    checked(words)
    hit = hit_limit(
        endpoint="mail_test_per_account", subject=f"user:{person.pk}", limit=TEST_LIMIT, window_seconds=TEST_SECONDS
    )
    if not hit.allowed:
        raise TooManyTests
    with transaction.atomic():
        job = enqueue_email(
            template=template.name,
            occasion=f"test:{template.pk}:{get_random_string(16)}",
            to=person.email,
            name=person.name or "",
            context=words.variables,
        )
        title = rendering.subject(words, words.variables, recipient_name=person.name or "")
        job.subject = f"[Test] {title}"[:255]
        job.content = {**job.content, "draft": {"html": words.html, "text": words.text}}
        job.save(update_fields=["subject", "content", "updated_at"])
        record_admin_action(actor=actor, action="emails.emailtemplate.tested", target=template)
    return job


def keep_draft(*, words: Wording, person: Any) -> str:
    """Keep unsaved words for some minutes and give their key, or "" while the cache is away."""
    key = get_random_string(24)
    draft = {"name": words.name, "subject": words.subject, "html": words.html, "text": words.text}
    place = _draft_place(person, key)
    cache.set(place, draft, timeout=DRAFT_SECONDS)
    return key if cache.get(place) == draft else ""


def find_draft(*, template: EmailTemplate, person: Any, key: str) -> Wording | None:
    """Unsaved words that ``person`` has kept; nobody else's."""
    draft = cache.get(_draft_place(person, key)) if key.isalnum() else None
    if not draft or draft["name"] != template.name:
        return None
    return replace(wording.from_row(template), subject=draft["subject"], html=draft["html"], text=draft["text"])


def _draft_place(person: Any, key: str) -> str:
    return f"mail_draft:{person.pk}:{key}"


# --- Looking ----------------------------------------------------------------------------------------------


def sample_mail(words: Wording) -> rendering.Rendered:
    """The mail with its sample values. Raises TemplateFault."""
    stop = f"{settings.SITE_URL}/emails/unsubscribe/sample/" if words.choice else ""
    return rendering.render(
        words, words.variables, site=rendering.site_values(), recipient_name=SAMPLE_NAME, choice_url=stop
    )


def in_look(html: str, *, is_dark: bool) -> str:
    """A rendered mail as a program with light or dark colors shows it, whatever the reader's own is set to."""
    scheme, blocks = ("dark", "all") if is_dark else ("light", "not all")
    html = html.replace("(prefers-color-scheme:dark)", blocks)
    html = html.replace("color-scheme:light dark", f"color-scheme:{scheme}")
    html = html.replace('content="light dark"', f'content="{scheme}"')
    return html.replace(f'src="{settings.SITE_URL}{settings.STATIC_URL}', f'src="{settings.STATIC_URL}')


@dataclass(frozen=True)
class Line:
    """One line of a comparison. ``kind`` is "added", "gone", "same" or "skip"."""

    kind: str
    text: str


def differences(old: str, new: str) -> list[Line]:
    """What was taken out of ``old`` and what came in its place; empty when they say the same."""
    return list(_lines(old.splitlines(), new.splitlines()))


def _lines(old: list[str], new: list[str]) -> Iterator[Line]:
    kinds = {"+": "added", "-": "gone", " ": "same"}
    for number, line in enumerate(difflib.unified_diff(old, new, n=2, lineterm="")):
        if number < 2:
            continue
        if line.startswith("@@"):
            if number > 2:
                yield Line("skip", "")
            continue
        yield Line(kinds[line[0]], line[1:])
