""" "Did it reach her?": the mail of a person, on their page of the staff desk."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from accounts.models import User
from emails.models import EmailSuppression, SuppressionType
from emails.services.address import mail_of
from emails.services.preferences import Choices
from emails.services.timeline import bare_reason, moment_words, result_words
from settings_app.services import business_zone

STOPPED = {
    SuppressionType.BOUNCE: "Nothing is sent to it, because a mail came back.",
    SuppressionType.COMPLAINT: "Only mail that keeps the account safe is sent, because a mail was marked as spam.",
    SuppressionType.MANUAL: "Only mail that keeps the account safe is sent, because staff stopped it.",
    SuppressionType.UNSUBSCRIBE: "News and reminders are not sent, because the person asked for that.",
}


def mail_panel(person: User) -> dict[str, Any]:
    """What the panel shows: three small questions to the database, whoever the person is."""
    zone = business_zone()
    mail = mail_of(person.email)
    return {
        "stop": mail.stop,
        "stop_words": _stop_words(mail.stop),
        "stop_reason": bare_reason(mail.stop.reason or "") if mail.stop is not None else "",
        "choice_words": _choice_words(mail.choices),
        "rows": [
            {
                "written": moment_words(job.created_at, zone),
                "subject": job.subject or job.template_type,
                "result": result_words(job, zone),
                "url": reverse("admin:emails_emailjob_change", args=[job.pk]),
            }
            for job in mail.mails
        ],
    }


def _stop_words(stop: EmailSuppression | None) -> str:
    return STOPPED[SuppressionType(stop.type)] if stop is not None else ""


def _choice_words(choices: Choices) -> str:
    wanted = [name for name, wants in (("news", choices.wants_news), ("reminders", choices.wants_reminders)) if wants]
    unwanted = [
        name for name, wants in (("news", choices.wants_news), ("reminders", choices.wants_reminders)) if not wants
    ]
    if not unwanted:
        return "They want news and reminders."
    if not wanted:
        return "They want neither news nor reminders."
    return f"They want {wanted[0]}, but no {unwanted[0]}."
