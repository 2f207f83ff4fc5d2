"""Taking the shipped wording in, without touching what staff wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from emails import wording
from emails.models import EmailTemplate

pytestmark = pytest.mark.django_db


def write(folder: Path, name: str = "greeting", **files: Any) -> Path:
    meta = {"description": "Hello.", "variables": {"thing": "tea"}, "priority": "high", "stream": "service"}
    meta |= files.get("meta", {})
    place = folder / name
    place.mkdir(exist_ok=True)
    (place / "meta.json").write_text(json.dumps(meta))
    (place / "subject.txt").write_text(files.get("subject", "About {{ thing }}\n"))
    (place / "body.txt").write_text(files.get("text", "About {{ thing }}.\n"))
    (place / "body.html").write_text(files.get("html", "<p>About {{ thing }}.</p>\n"))
    return folder


def test_the_shipped_messages_are_taken_in_once(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("seed_email_templates")
    before = list(EmailTemplate.objects.order_by("id").values())
    call_command("seed_email_templates")

    assert {row["name"] for row in before} == {place.name for place in wording.FOLDER.iterdir() if place.is_dir()}
    assert list(EmailTemplate.objects.order_by("id").values()) == before
    assert f"0 new, 0 changed, 0 kept, {len(before)} up to date" in capsys.readouterr().out


def test_new_wording_replaces_the_old_and_raises_the_version(tmp_path: Path, capsys: Any) -> None:
    call_command("seed_email_templates", folder=write(tmp_path))
    call_command("seed_email_templates", folder=write(tmp_path, subject="News of {{ thing }}"))

    row = EmailTemplate.objects.get()
    assert (row.subject, row.version, row.priority) == ("News of {{ thing }}", 2, "high")


def test_what_staff_wrote_is_kept(tmp_path: Path, capsys: Any) -> None:
    call_command("seed_email_templates", folder=write(tmp_path))
    EmailTemplate.objects.update(subject="Ours: {{ thing }}", version=2)
    changed = write(tmp_path, html="<p>Newer {{ thing }}</p>", meta={"description": "Bye."})
    call_command("seed_email_templates", folder=changed)

    row = EmailTemplate.objects.get()
    assert (row.subject, row.html_content, row.version) == ("Ours: {{ thing }}", "<p>About {{ thing }}.</p>\n", 2)
    assert row.description == "Bye."
    assert "greeting: edited by staff, kept" in capsys.readouterr().out


def test_staff_who_go_back_to_the_shipped_wording_follow_it_again(tmp_path: Path, capsys: Any) -> None:
    call_command("seed_email_templates", folder=write(tmp_path))
    EmailTemplate.objects.update(subject="Ours")
    EmailTemplate.objects.update(subject="About {{ thing }}")
    call_command("seed_email_templates", folder=write(tmp_path, subject="Newer"))

    assert EmailTemplate.objects.get().subject == "Newer"


@pytest.mark.parametrize(
    "files",
    [
        {"subject": "{{ missing }}"},
        {"html": "{% include 'x' %}"},
        {"text": "{{ thing"},
        {"meta": {"stream": "gossip"}},
        {"meta": {"variables": None}},
    ],
)
def test_wording_that_cannot_be_used_is_refused_by_name(tmp_path: Path, files: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="greeting"):
        call_command("seed_email_templates", folder=write(tmp_path, **files))
    assert not EmailTemplate.objects.exists()


def test_a_row_wins_over_the_files() -> None:
    assert wording.find("test_message").subject == "Test email from {{ business_name }}"
    call_command("seed_email_templates", verbosity=0)
    EmailTemplate.objects.filter(name="test_message").update(subject="Staff's own")
    wording.forget()

    assert wording.find("test_message").subject == "Staff's own"
