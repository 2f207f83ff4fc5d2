"""Fill ``email_templates`` from the message files, keeping what staff have written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from emails import rendering, wording
from emails.exceptions import TemplateFault
from emails.models import EmailTemplate, EmailTemplateVersion

# Two containers may start at once; the second waits and then finds nothing to do.
_LOCK = 7_261_001


class Command(BaseCommand):
    help = "Take the mail wording in templates/emails/messages/ into the database. Staff's own wording is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=wording.FOLDER, help="Where the message folders lie.")

    def handle(self, *args: Any, **options: Any) -> None:
        shipped = [read(folder) for folder in sorted(options["folder"].iterdir()) if folder.is_dir()]
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            rows = {row.name: row for row in EmailTemplate.objects.select_for_update()}
            counts = {"new": 0, "changed": 0, "kept": 0, "same": 0}
            for words in shipped:
                outcome = take_in(words, rows.get(words.name))
                counts[outcome] += 1
                if outcome == "kept":
                    self.stdout.write(f"{words.name}: edited by staff, kept as it is.")
        wording.forget()
        self.stdout.write(
            f"Mail templates: {counts['new']} new, {counts['changed']} changed, "
            f"{counts['kept']} kept, {counts['same']} up to date."
        )


def read(folder: Path) -> wording.Wording:
    """The wording in a folder, tried with its own sample values. Raises CommandError, naming the folder."""
    try:
        words = wording.read_folder(folder)
        rendering.check(words)
    except TemplateFault as fault:
        raise CommandError(f"The mail wording in {folder} cannot be used. {fault}") from fault
    return words


def take_in(words: wording.Wording, row: EmailTemplate | None) -> str:
    """Write one wording and say what was done: "new", "changed", "same", or "kept" for staff's own.

    What a mail is for, its variables, its stream and the choice that stops it are facts of the code and always
    follow the files; the wording and the priority do so only while they are what was last taken in.
    """
    wanted = wording.digest(words.subject, words.html, words.text, words.priority)
    facts = {
        "description": words.description,
        "variables": words.variables,
        "stream": words.stream,
        "choice": words.choice,
    }
    if row is None:
        made = EmailTemplate.objects.create(
            name=words.name,
            subject=words.subject,
            html_content=words.html,
            text_content=words.text,
            priority=words.priority,
            seed_digest=wanted,
            **facts,
        )
        keep_version(made)
        return "new"
    present = wording.digest(row.subject, row.html_content, row.text_content or "", row.priority)
    is_edited = present not in (row.seed_digest, wanted)
    changes: dict[str, Any] = {name: value for name, value in facts.items() if getattr(row, name) != value}
    if not is_edited and row.seed_digest != wanted:
        changes |= {
            "subject": words.subject,
            "html_content": words.html,
            "text_content": words.text,
            "priority": words.priority,
            "seed_digest": wanted,
        }
    if "subject" in changes and present != wanted:
        changes["version"] = row.version + 1
    if changes:
        for name, value in changes.items():
            setattr(row, name, value)
        row.save(update_fields=[*changes, "updated_at"])
    keep_version(row)
    if is_edited:
        return "kept"
    return "changed" if changes else "same"


def keep_version(row: EmailTemplate) -> None:
    """Keep the wording of the present version beside the earlier ones, once."""
    EmailTemplateVersion.objects.get_or_create(
        template=row,
        version=row.version,
        defaults={
            "subject": row.subject,
            "html_content": row.html_content,
            "text_content": row.text_content or "",
        },
    )
