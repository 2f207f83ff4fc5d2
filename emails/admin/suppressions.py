"""Addresses that are not written to, and what people chose."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from audit.actors import Actor
from audit.mixins import ReadOnlyAdmin
from emails.models import EmailPreference, EmailSuppression, SuppressionType
from emails.services import suppression
from settings_app.services import business_zone
from techdeputies.lib.admin_words import filter_by, tag

CAUSES = (
    (SuppressionType.MANUAL.value, "Stop all but security mail, such as a new password"),
    (SuppressionType.UNSUBSCRIBE.value, "They want no news and no reminders"),
)
"""What staff may say. That mail came back or was marked as spam is Mailgun's to say."""


class LiftReason(TextChoices):
    """Labels, since the audit keeps no words about people."""

    PERSON_ASKED = "person_asked", "The person asked us to try again"
    MAILBOX_WORKS = "mailbox_works", "Their mailbox works again"
    MISTAKE = "mistake", "It was stopped by mistake"


class StopForm(forms.Form):
    """An address to stop."""

    email = forms.EmailField(
        label="Mail address",
        max_length=254,
        error_messages={
            "required": "Write the mail address.",
            "invalid": "That is not a whole mail address. Write it like harold@example.com.",
        },
    )
    type = forms.ChoiceField(
        label="What to stop",
        choices=CAUSES,
        error_messages={"required": "Choose what to stop.", "invalid_choice": "Choose one of the two."},
    )
    reason = forms.CharField(
        label="Reason",
        max_length=500,
        error_messages={"required": "Write the reason; whoever looks at this address later will read it."},
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Such as: asked on the phone. Only staff read it.",
    )
    last_day = forms.DateField(
        label="Last day",
        required=False,
        error_messages={"invalid": "Write the day as month/day/year, such as 11/30/2026."},
        help_text="Such as 11/30/2026. If you leave this empty, it has no end.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        last_day = cleaned.get("last_day")
        if last_day and cleaned.get("type") == SuppressionType.UNSUBSCRIBE:
            self.add_error("last_day", "A wish for no mail has no end. Leave this empty.")
        elif last_day and last_day < timezone.now().astimezone(business_zone()).date():
            self.add_error("last_day", "That day has passed. Choose today or later, or leave this empty.")
        return cleaned

    def expires_at(self) -> datetime | None:
        """The end of the last day, where the business is."""
        last_day = self.cleaned_data["last_day"]
        if last_day is None:
            return None
        return datetime.combine(last_day + timedelta(days=1), time.min, tzinfo=business_zone())


class LiftForm(forms.Form):
    """Why mail may go again."""

    reason = forms.ChoiceField(
        label="Reason",
        choices=[("", "Choose the reason"), *LiftReason.choices],
        error_messages={"required": "Choose the reason.", "invalid_choice": "Choose one of these reasons."},
    )


@admin.register(EmailSuppression)
class EmailSuppressionAdmin(ReadOnlyAdmin):
    list_display = ("email", "cause", "since", "until", "at_mailgun")
    list_filter = (
        ("type", filter_by("cause", admin.ChoicesFieldListFilter)),
        ("is_at_mailgun", filter_by("whether Mailgun lists it too", admin.BooleanFieldListFilter)),
        ("created_at", filter_by("day", admin.DateFieldListFilter)),
    )
    ordering = ("-id",)
    search_fields = ("email__istartswith",)
    search_help_text = "The start of a mail address."
    change_list_template = "admin/emails/emailsuppression/change_list.html"
    change_form_template = "admin/emails/emailsuppression/change_form.html"
    fields = ("email", "cause", "what_it_stops", "reason", "since", "until", "at_mailgun")
    readonly_fields = fields

    @admin.display(description="Cause", ordering="type")
    def cause(self, row: EmailSuppression) -> SafeString | str:
        return tag(row, "type")

    @admin.display(description="Since", ordering="created_at")
    def since(self, row: EmailSuppression) -> str:
        return day_of(row.created_at)

    @admin.display(description="Until", ordering="expires_at")
    def until(self, row: EmailSuppression) -> str:
        return until_words(row)

    @admin.display(description="At Mailgun too", boolean=True, ordering="is_at_mailgun")
    def at_mailgun(self, row: EmailSuppression) -> bool:
        return row.is_at_mailgun

    @admin.display(description="What it stops")
    def what_it_stops(self, row: EmailSuppression) -> str:
        return WHAT_IT_STOPS[SuppressionType(row.type)]

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        own = [
            path("stop/", guard(self.stop_view), name="emails_emailsuppression_stop"),
            path("<str:pk>/lift/", guard(self.lift_view), name="emails_emailsuppression_lift"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may_stop = {"may_stop": request.user.has_perm("emails.add_emailsuppression")}
        return super().changelist_view(request, {**may_stop, **(extra_context or {})})

    def stop_view(self, request: HttpRequest) -> HttpResponse:
        """Stop mail to an address."""
        self.demand(request, request.user.has_perm("emails.add_emailsuppression"), "added")
        form = StopForm(request.POST or None, initial={"email": request.GET.get("email", "")})

        def act() -> EmailSuppression:
            return suppression.add(
                email=form.cleaned_data["email"],
                type=form.cleaned_data["type"],
                reason=form.cleaned_data["reason"],
                expires_at=form.expires_at(),
                is_at_mailgun=False,
                actor=Actor.from_request(request),
            )

        return self.act_page(
            request,
            form=form,
            act=act,
            verb="added",
            target=None,
            done=_stopped_words,
            back_url=reverse("admin:emails_emailsuppression_changelist"),
            title="Stop mail to an address",
            button="Stop mail to this address",
            note="A stronger cause that stands already is kept, and so is a later end.",
        )

    def lift_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Let mail go again, here and at Mailgun."""
        row: EmailSuppression = self.found(request, pk)
        self.demand(request, request.user.has_perm("emails.delete_emailsuppression"), "lifted", row)
        form = LiftForm(request.POST if request.method == "POST" else None)
        return self.act_page(
            request,
            form=form,
            act=lambda: suppression.lift(
                email=row.email, actor=Actor.from_request(request), reason=form.cleaned_data["reason"]
            ),
            verb="lifted",
            target=row,
            done=f"Mail goes to {row.email} again.",
            back_url=reverse("admin:emails_emailsuppression_changelist"),
            title="Let mail go to this address again",
            button="Let mail go again",
            note=LIFT_NOTE[SuppressionType(row.type)],
            facts=[
                ("Address", row.email),
                ("Cause", row.get_type_display()),
                ("What it stops", self.what_it_stops(row)),
                ("Since", self.since(row)),
                ("Until", until_words(row)),
                ("On Mailgun's list too", "Yes, and it is taken off there first" if row.is_at_mailgun else "No"),
            ],
        )


WHAT_IT_STOPS = {
    SuppressionType.BOUNCE: "All mail",
    SuppressionType.COMPLAINT: "All but the security mail the person asks for",
    SuppressionType.MANUAL: "All but the security mail the person asks for",
    SuppressionType.UNSUBSCRIBE: "News and reminders",
}
_CHOICES_STAY = "What the person chose about news and reminders stays as it is."
LIFT_NOTE = {
    SuppressionType.BOUNCE: f"If the mailbox does not exist, the next mail comes back and stops it again. {_CHOICES_STAY}",
    SuppressionType.COMPLAINT: f"Do this only when the person asked for it: they told their mail program that we send spam. {_CHOICES_STAY}",
    SuppressionType.MANUAL: _CHOICES_STAY,
    SuppressionType.UNSUBSCRIBE: "The person gets news and reminders again. Do this only when they asked for it.",
}


def until_words(row: EmailSuppression) -> str:
    return day_of(row.expires_at) if row.expires_at else "No end"


def day_of(moment: datetime) -> str:
    """``Nov 24, 2026``: short, since lists are narrow."""
    day = moment.astimezone(business_zone())
    return f"{day:%b} {day.day}, {day.year}"


def _stopped_words(row: EmailSuppression) -> str:
    return f"Mail to {row.email} is stopped. Cause: {row.get_type_display()}."


@admin.register(EmailPreference)
class EmailPreferenceAdmin(ReadOnlyAdmin):
    list_display = ("email", "wants_news", "wants_reminders", "updated_at")
    list_filter = ("wants_news", "wants_reminders")
    ordering = ("-id",)
    search_fields = ("email__istartswith",)
    search_help_text = "The start of a mail address."
