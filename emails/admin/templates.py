"""The wording of each kind of mail: edited, looked at, tried on oneself, and taken back."""

from __future__ import annotations

from typing import Any

from csp.constants import HEADER as CSP_HEADER
from csp.constants import SELF
from csp.utils import build_policy
from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.actors import Actor
from audit.mixins import ReadOnlyAdmin
from emails import wording
from emails.admin.mail_page import mail_page
from emails.exceptions import TemplateFault, WordingRefused
from emails.models import EmailTemplate, EmailTemplateVersion, Priority
from emails.services import templates
from emails.services.template_checks import ALWAYS, needed_names
from emails.services.timeline import moment_words
from emails.wording import Wording
from settings_app.services import business_zone
from techdeputies.lib.exceptions import DomainError

WIDTHS = (("phone", "On a phone"), ("desktop", "On a computer"))
COLORS = (("light", "light colors"), ("dark", "dark colors"))


class TemplateForm(forms.Form):
    """The words of one kind of mail."""

    subject = forms.CharField(
        label="Subject",
        required=False,
        strip=False,
        widget=forms.TextInput(attrs={"spellcheck": "true"}),
    )
    text_content = forms.CharField(
        label="Text part",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14}),
        help_text="For mail programs that show plain text. Write links out in full.",
    )
    html_content = forms.CharField(
        label="HTML part",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
        help_text="Only the inner part: the header, the safety note and the footer are added by themselves.",
    )
    priority = forms.ChoiceField(label="Priority", choices=Priority.choices)
    is_active = forms.BooleanField(label="Send this mail", required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def words(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("subject", "html_content", "text_content")}

    def refuse(self, faults: dict[str, list[str]]) -> None:
        for name, sentences in faults.items():
            for sentence in sentences:
                self.add_error(name, sentence)


@admin.register(EmailTemplate)
class EmailTemplateAdmin(ReadOnlyAdmin):
    list_display = ("name", "description", "stream", "priority", "is_active", "version")
    list_filter = ("stream", "is_active")
    ordering = ("name",)
    search_fields = ("name", "description")
    fields = ("name", "description", "subject", "words", "stream", "priority", "is_active", "version", "updated_at")
    readonly_fields = fields

    @admin.display(description="Text")
    def words(self, row: EmailTemplate) -> SafeString:
        return format_html('<pre class="mail-text">{}</pre>', row.text_content or row.html_content)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("emails.change_emailtemplate")

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        own = [
            path("<str:pk>/look/", guard(self.look_view), name="emails_emailtemplate_look"),
            path("<str:pk>/versions/", guard(self.versions_view), name="emails_emailtemplate_versions"),
            path("<str:pk>/versions/<int:version>/", guard(self.version_view), name="emails_emailtemplate_version"),
        ]
        return [*own, *super().get_urls()]

    # --- editing ------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The form for those who may change it; a page to read for the others, whose press is refused."""
        if not self.has_change_permission(request):
            if request.method == "POST":
                self.demand(request, False, "changed", self.get_object(request, object_id))
            return super().change_view(request, object_id, form_url, extra_context)
        row: EmailTemplate = self.found(request, object_id)
        if request.method != "POST":
            return self._edit_page(request, row, TemplateForm(initial=_values(row)))
        form = TemplateForm(request.POST)
        shown: dict[str, Any] = {}
        if form.is_valid():
            try:
                if "_look" in request.POST:
                    shown = self._look_at(request, row, form)
                elif "_test" in request.POST:
                    self._send_test(request, row, form)
                else:
                    return self._save(request, row, form)
            except WordingRefused as refusal:
                form.refuse(refusal.faults)
                self._record(request, "changed", row, {"refused": sorted(refusal.faults)}, "The form had mistakes.")
            except DomainError as refusal:
                form.add_error(None, refusal.message)
                self._record(request, "changed", row, None, type(refusal).__name__)
        return self._edit_page(request, row, form, **shown)

    def _save(self, request: HttpRequest, row: EmailTemplate, form: TemplateForm) -> HttpResponse:
        saved = templates.save(template=row, actor=Actor.from_request(request), **form.cleaned_data)
        if saved.version == row.version:
            self.message_user(request, "Nothing was changed, so nothing was saved.", messages.INFO)
        else:
            self.message_user(
                request, f"Saved as version {saved.version}. Mail sent from now on uses it.", messages.SUCCESS
            )
        return redirect("admin:emails_emailtemplate_change", row.pk)

    def _look_at(self, request: HttpRequest, row: EmailTemplate, form: TemplateForm) -> dict[str, Any]:
        words = templates.checked(templates.drafted(row, **form.words()))
        person: Any = request.user
        key = templates.keep_draft(words=words, person=person)
        return {"shown": _shown(row, words, f"draft={key}" if key else ""), "is_draft": True}

    def _send_test(self, request: HttpRequest, row: EmailTemplate, form: TemplateForm) -> None:
        person: Any = request.user
        templates.send_test(
            template=row,
            words=templates.drafted(row, **form.words()),
            person=person,
            actor=Actor.from_request(request),
        )
        self.message_user(
            request, f"A test is on its way to {person.email}. Your words are not saved yet.", messages.SUCCESS
        )

    def _edit_page(self, request: HttpRequest, row: EmailTemplate, form: TemplateForm, **more: Any) -> HttpResponse:
        words = wording.from_row(row)
        needed = {*needed_names(words, "text"), *needed_names(words, "html")}
        context = {
            "title": f"Wording of {row.name}",
            "row": row,
            "form": form,
            "variables": [
                {"name": name, "mark": _mark(name), "sample": sample, "is_needed": name in needed}
                for name, sample in words.variables.items()
            ],
            "always": [_mark(name) for name in ALWAYS],
            "facts": _facts(row),
            **more,
        }
        return self._page(request, "admin/emails/template_edit.html", context)

    # --- looking ------------------------------------------------------------------------------------------
    def look_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """One mail as a mail program shows it, for a frame: saved, of an earlier version, or not saved yet."""
        row: EmailTemplate = self.found(request, pk)
        self.demand(request, self.has_view_permission(request, row), "looked", row)
        words = self._asked_words(request, row)
        try:
            html = templates.in_look(templates.sample_mail(words).html, is_dark=request.GET.get("look") == "dark")
        except TemplateFault as fault:
            return HttpResponse(f"This mail cannot be shown. {fault}", status=422, content_type="text/plain")
        return mail_page(html, framed_by="'self'")

    def _asked_words(self, request: HttpRequest, row: EmailTemplate) -> Wording:
        if key := request.GET.get("draft"):
            person: Any = request.user
            draft = templates.find_draft(template=row, person=person, key=key)
            if draft is None:
                raise Http404
            return draft
        version = request.GET.get("version", "")
        if not version:
            return wording.from_row(row)
        if not version.isascii() or not version.isdigit() or len(version) > 9:
            raise Http404
        return self._words_of(row, int(version))

    # --- earlier wordings ---------------------------------------------------------------------------------
    def versions_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """All versions of the words, the newest first."""
        row: EmailTemplate = self.found(request, pk)
        self.demand(request, self.has_view_permission(request, row), "listed", row)
        zone = business_zone()
        kept = row.versions.select_related("edited_by").order_by("-version")[:200]
        context = {
            "title": f"Earlier wordings of {row.name}",
            "row": row,
            "has_files": wording.shipped(row.name) is not None,
            "versions": [
                {
                    "number": one.version,
                    "subject": one.subject,
                    "when": moment_words(one.created_at, zone),
                    "who": _author(one),
                    "is_present": one.version == row.version,
                }
                for one in kept
            ],
        }
        return self._page(request, "admin/emails/template_versions.html", context)

    def version_view(self, request: HttpRequest, pk: str, version: int) -> HttpResponse:
        """One earlier wording beside the present one, and the button that brings it back."""
        row: EmailTemplate = self.found(request, pk)
        self.demand(request, self.has_view_permission(request, row), "looked", row)
        words = self._words_of(row, version)
        faults: list[str] = []
        if request.method == "POST":
            self.demand(request, self.has_change_permission(request), "restored", row)
            present = request.POST.get("present", "")
            try:
                saved = templates.restore(
                    template=row,
                    version=version,
                    present=int(present) if present.isascii() and present.isdigit() else -1,
                    actor=Actor.from_request(request),
                )
            except DomainError as refusal:
                self._record(request, "restored", row, {"of_version": version}, type(refusal).__name__)
                faults = [refusal.message]
                if isinstance(refusal, WordingRefused):
                    faults = [sentence for sentences in refusal.faults.values() for sentence in sentences]
            else:
                self.message_user(request, f"The earlier words are back, as version {saved.version}.", messages.SUCCESS)
                return redirect("admin:emails_emailtemplate_change", row.pk)
        now = wording.from_row(row)
        compared = [
            ("Subject", templates.differences(words.subject, now.subject)),
            ("Text part", templates.differences(words.text, now.text)),
            ("HTML part", templates.differences(words.html, now.html)),
        ]
        name = "The wording that came with the product" if version == templates.SHIPPED else f"Version {version}"
        context = {
            "title": f"{name} of {row.name}",
            "row": row,
            "number": version,
            "words": words,
            "faults": faults,
            "compared": compared,
            "is_same": not any(lines for _part, lines in compared),
            "may_change": self.has_change_permission(request),
            "shown": _shown(row, words, f"version={version}"),
        }
        return self._page(request, "admin/emails/template_version.html", context)

    @staticmethod
    def _words_of(row: EmailTemplate, version: int) -> Wording:
        words = templates.words_at(row, version)
        if words is None:
            raise Http404
        return words

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        page = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        answer = TemplateResponse(request, template, page)
        # Only these pages frame something, and only our own.
        answer.headers[CSP_HEADER] = build_policy(update={"frame-src": [SELF]})
        return answer


def _values(row: EmailTemplate) -> dict[str, Any]:
    names = ("subject", "text_content", "html_content", "priority", "is_active", "version")
    return {name: getattr(row, name) for name in names}


def _facts(row: EmailTemplate) -> list[tuple[str, str]]:
    stops = row.get_choice_display() if row.choice else "People cannot say no to this mail."
    return [
        ("What it is for", row.description or "No description."),
        ("Kind", row.get_stream_display()),
        ("What a person says no to", stops),
        ("Version", f"{row.version}, saved {moment_words(row.updated_at or timezone.now(), business_zone())}"),
    ]


def _mark(name: str) -> str:
    return f"{{{{ {name} }}}}"


def _author(version: EmailTemplateVersion) -> str:
    if version.edited_by is None:
        return "Came with the product"
    return version.edited_by.name or version.edited_by.email


def _shown(row: EmailTemplate, words: Wording, asked: str) -> dict[str, Any]:
    """What a preview shows: the text at once, and the addresses of the frames. ``asked`` is "" without a cache."""
    try:
        mail = templates.sample_mail(words)
    except TemplateFault as fault:
        return {"fault": str(fault)}
    base = reverse("admin:emails_emailtemplate_look", args=[row.pk])
    frames = [
        {"url": f"{base}?{asked}&look={look}", "width": width, "title": f"{title}, {colors}"}
        for look, colors in COLORS
        for width, title in WIDTHS
    ]
    return {"subject": mail.subject, "text": mail.text, "frames": frames if asked else []}


@admin.register(EmailTemplateVersion)
class EmailTemplateVersionAdmin(ReadOnlyAdmin):
    list_display = ("template", "version", "subject", "edited_by", "created_at")
    list_select_related = ("template", "edited_by")
    ordering = ("-id",)
    search_fields = ("template__name",)
    fields = ("template", "version", "subject", "text_content", "edited_by", "created_at")
    readonly_fields = fields
