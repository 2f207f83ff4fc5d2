"""The wording of each kind of mail: the row of ``email_templates``, or the shipped files where no row is yet.

A row wins, so that staff's edits count; the files are what ``seed_email_templates`` fills rows from. Looked-up
wording is kept for some seconds in each process, so that queueing a mail costs no query while it is warm.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from emails.exceptions import TemplateFault, UnknownTemplate
from emails.models import Choice, EmailTemplate, Priority, Stream

FOLDER: Path = settings.BASE_DIR / "templates" / "emails" / "messages"
KEEP_SECONDS = 5.0

_NAME = re.compile(r"[a-z0-9_]{1,100}")
_cache: dict[str, tuple[float, Wording | None]] = {}


@dataclass(frozen=True)
class Wording:
    """One kind of mail: three Liquid sources and how it is sent. ``variables`` maps names to sample values."""

    name: str
    description: str
    subject: str
    text: str
    html: str
    variables: dict[str, Any]
    stream: str
    priority: str
    is_active: bool = True
    choice: str = ""
    version: int = 0


def find(name: str) -> Wording:
    """The wording of that name. Raises UnknownTemplate."""
    return find_many([name])[name]


def find_many(names: Iterable[str]) -> dict[str, Wording]:
    """Several at once, with one query at most. Raises UnknownTemplate for the first that does not exist."""
    found: dict[str, Wording] = {}
    for name, wording in find_known(names).items():
        if wording is None:
            raise UnknownTemplate(f"There is no mail template named {name!r}.")
        found[name] = wording
    return found


def find_known(names: Iterable[str]) -> dict[str, Wording | None]:
    """As ``find_many``, with None for a name that does not exist."""
    now = time.monotonic()
    wanted = set(names)
    cold = [name for name in wanted if name not in _cache or _cache[name][0] < now]
    if cold:
        rows = {row.name: from_row(row) for row in EmailTemplate.objects.filter(name__in=cold)}
        for name in cold:
            _cache[name] = (now + KEEP_SECONDS, rows.get(name) or shipped(name))
    return {name: _cache[name][1] for name in wanted}


def forget() -> None:
    """Drop what this process remembers: the next look sees the rows as they are."""
    _cache.clear()


def read_folder(folder: Path) -> Wording:
    """The shipped wording in ``folder``: subject.txt, body.txt, body.html and meta.json. Raises TemplateFault."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        return Wording(
            name=folder.name,
            description=str(meta["description"]),
            subject=(folder / "subject.txt").read_text().strip(),
            text=(folder / "body.txt").read_text().strip() + "\n",
            html=(folder / "body.html").read_text().strip() + "\n",
            variables=dict(meta["variables"]),
            stream=Stream(meta.get("stream", Stream.SERVICE)).value,
            priority=Priority(meta.get("priority", Priority.NORMAL)).value,
            choice=Choice(meta.get("choice", Choice.NONE)).value,
        )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise TemplateFault(f"The message files of {folder.name} cannot be used: {error!r}.") from error


def with_draft(words: Wording | None, content: Mapping[str, Any]) -> Wording | None:
    """The words of a test mail, which staff may send before they save them; else ``words`` as they are."""
    draft = content.get("draft")
    if words is None or not draft:
        return words
    return replace(words, text=draft["text"], html=draft["html"], is_active=True, version=0)


def digest(*parts: str) -> str:
    """Of subject, HTML, text and priority: tells whether a row is as it was taken in from the files."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def from_row(row: EmailTemplate) -> Wording:
    """The wording that a row holds."""
    return Wording(
        name=row.name,
        description=row.description,
        subject=row.subject,
        text=row.text_content or "",
        html=row.html_content,
        variables=dict(row.variables or {}),
        stream=row.stream,
        priority=row.priority,
        is_active=row.is_active,
        choice=row.choice,
        version=row.version,
    )


def shipped(name: str) -> Wording | None:
    """The wording in the files, if there are any of that name. Raises TemplateFault."""
    if not _NAME.fullmatch(name) or not (FOLDER / name).is_dir():
        return None
    return read_folder(FOLDER / name)
