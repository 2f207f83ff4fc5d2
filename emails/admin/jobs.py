"""The queue of mails and what became of each."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from audit.actors import Actor
from emails import rendering, wording
from emails.admin.mail_page import mail_page
from emails.admin.queue_pages import QueuePages
from emails.exceptions import TemplateFault, UnknownTemplate
from emails.models import EmailJob, EmailTemplate
from emails.services import retry, staff
from emails.services.timeline import MOST_EVENTS, moment_words, result_words, steps
from settings_app.services import business_zone
from techdeputies.lib.admin_words import filter_by, link_to, tag
from techdeputies.lib.times import clock, short_date

HIDDEN = "[hidden]"
MOST_AT_ONCE = 500
"""Mails that one action of the list goes through."""


# The page of a mail's HTML: nothing runs, nothing is asked of others, and it belongs to no site.
def without_secrets(job: EmailJob, *, link: str = HIDDEN) -> rendering.Rendered | str:
    """The mail as its reader sees it, with links and codes hidden, or why there is none.

    They are sealed, and stay so. ``link`` is where the button leads instead.
    """
    if job.purged_at is not None:
        day = moment_words(job.purged_at, business_zone())
        return f"The text was thrown away on {day}, as that of all old mail is. What became of the mail is kept."
    try:
        words = wording.find(job.template_type)
        values = {**dict.fromkeys(words.variables, HIDDEN), **job.content.get("context", {})}
        if "secrets" in job.content:
            values["button_url"] = link
        return rendering.render(
            words,
            values,
            site=rendering.site_values(),
            recipient_name=job.recipient_name or "",
            subject_line=job.subject,
        )
    except (TemplateFault, UnknownTemplate) as fault:
        return f"This mail cannot be shown: {fault}"


def text_without_secrets(job: EmailJob) -> str:
    found = without_secrets(job)
    return found if isinstance(found, str) else found.text


@admin.register(EmailJob)
class EmailJobAdmin(QueuePages):
    list_display = ("when", "state", "priority", "recipient_email", "subject_words")
    list_display_links = ("when", "subject_words")
    list_filter = (
        ("status", filter_by("state", admin.ChoicesFieldListFilter)),
        "priority",
        ("stream", filter_by("kind", admin.ChoicesFieldListFilter)),
        ("created_at", filter_by("day", admin.DateFieldListFilter)),
    )
    linked_lookups = ("template_type",)
    ordering = ("-created_at",)
    search_fields = ("recipient_email",)
    search_help_text = "A whole mail address, or the name of a template."
    actions = ("try_again", "cancel")
    change_list_template = "admin/emails/emailjob/change_list.html"
    change_form_template = "admin/emails/emailjob/change_form.html"
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("state", "result", "recipient_email", "recipient_name", "subject", "wording", "tries")}),
        ("What happened", {"fields": ("story",)}),
        ("The words, with links and codes hidden", {"fields": ("text",)}),
        (
            "Details",
            {
                "classes": ("collapse",),
                "fields": (
                    "template_type",
                    "priority",
                    "stream",
                    "available_at",
                    "expires_at",
                    "retry_count",
                    "max_retries",
                    "last_error",
                    "complaint_type",
                    "message_id",
                    "occasion",
                    "created_at",
                    "purged_at",
                ),
            },
        ),
    )
    readonly_fields: ClassVar[Any] = tuple(name for _title, part in fieldsets for name in part["fields"])

    # --- the list ---------------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailJob]:
        rows: QuerySet[EmailJob] = super().get_queryset(request)
        is_list = request.resolver_match is not None and not request.resolver_match.kwargs
        return rows.defer("content", "last_error", "bounce_reason") if is_list else rows

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By whole address, which an index answers, or by template."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            folded = queryset.alias(folded=Lower("recipient_email"))
            return folded.filter(folded=term.lower()), False
        return queryset.filter(template_type=term), False

    @admin.display(description="State", ordering="status")
    def state(self, row: EmailJob) -> SafeString | str:
        return tag(row, "status")

    @admin.display(description="Subject")
    def subject_words(self, row: EmailJob) -> str:
        return row.subject or row.template_type

    @admin.display(description="When", ordering="created_at")
    def when(self, row: EmailJob) -> str:
        zone = business_zone()
        return (
            f"{short_date(row.created_at, zone)}, {row.created_at.astimezone(zone).year}, {clock(row.created_at, zone)}"
        )

    # --- one mail ---------------------------------------------------------------------------------
    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.look_view)
        return [path("<int:pk>/look/", view, name="emails_emailjob_look"), *super().get_urls()]

    def look_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The HTML part alone, as its reader sees it. Its inline styles need a policy of its own."""
        self.demand(request, self.has_view_permission(request), "look")
        found = without_secrets(self.found(request, pk), link="#")
        if isinstance(found, str):
            return HttpResponse(found, content_type="text/plain; charset=utf-8")
        return mail_page(found.html, images=settings.SITE_URL)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        may_act = self.has_retry_permission(request)
        return super().change_view(request, object_id, form_url, {"may_act": may_act, **(extra_context or {})})

    @admin.display(description="What became of it")
    def result(self, row: EmailJob) -> str:
        return result_words(row, business_zone())

    @admin.display(description="Timeline")
    def story(self, row: EmailJob) -> SafeString:
        """Each step with its time and who said it."""
        zone = business_zone()
        events = list(row.delivery_events.order_by("timestamp", "id")[: MOST_EVENTS + 1])
        lines = format_html_join(
            "",
            '<li><span class="story-when">{}</span> <span>{}</span> <span class="story-who">{}</span></li>',
            (
                (moment_words(step.moment, zone) if step.moment else "Now", step.words, f"From {step.who}")
                for step in steps(row, events[:MOST_EVENTS], zone)
            ),
        )
        more = "" if len(events) <= MOST_EVENTS else "Mailgun told more. See the delivery events of this mail."
        return format_html('<ol class="story">{}</ol>{}', lines, more)

    @admin.display(description="Wording")
    def wording(self, row: EmailJob) -> SafeString | str:
        template = EmailTemplate.objects.filter(name=row.template_type).only("pk", "name").first()
        version = f", version {row.template_version}" if row.template_version is not None else ""
        return format_html("{}{}", link_to(template, row.template_type) or row.template_type, version)

    @admin.display(description="Other tries of this mail")
    def tries(self, row: EmailJob) -> SafeString | str:
        first = _number_after_again(row.occasion)
        earlier = EmailJob.objects.filter(pk=first).first() if first is not None else None
        later = EmailJob.objects.filter(template_type=row.template_type, occasion=f"again:{row.pk}").first()
        links = [
            (words, link_to(job, f"{job.get_status_display()}, {moment_words(job.created_at, business_zone())}"))
            for words, job in (("Before:", earlier), ("After:", later))
            if job is not None
        ]
        return format_html_join(" ", "{} {}", links) or "None"

    @admin.display(description="Text")
    def text(self, row: EmailJob) -> SafeString:
        found = without_secrets(row)
        if isinstance(found, str):
            return format_html("<p>{}</p>", found)
        address = reverse("admin:emails_emailjob_look", args=[row.pk])
        page = '<pre class="mail-text">{}</pre><p><a href="{}">See it with its design</a></p>'
        return format_html(page, found.text, address)

    # --- actions ----------------------------------------------------------------------------------
    @admin.action(description="Try again to send", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[EmailJob]) -> None:
        actor = Actor.from_request(request)
        self.run_each(
            request,
            self._bounded(request, queryset),
            lambda job: retry.try_again(job=job, actor=actor),
            verb="tried_again",
            done="queued again.",
        )

    @admin.action(description="Cancel (only what still waits)", permissions=["retry"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[EmailJob]) -> None:
        actor = Actor.from_request(request)
        self.run_each(
            request,
            self._bounded(request, queryset),
            lambda job: staff.cancel(job=job, actor=actor),
            verb="cancelled",
            done="cancelled.",
        )

    def _bounded(self, request: HttpRequest, queryset: QuerySet[EmailJob]) -> list[EmailJob]:
        jobs = list(queryset.order_by("pk")[: MOST_AT_ONCE + 1])
        if len(jobs) > MOST_AT_ONCE:
            self.message_user(
                request, f"Only the first {MOST_AT_ONCE} were looked at. Please do it again.", messages.WARNING
            )
        return jobs[:MOST_AT_ONCE]


def _number_after_again(occasion: str | None) -> int | None:
    """The mail that an occasion ``again:<id>`` tries anew."""
    word, _, number = (occasion or "").partition(":")
    return int(number) if word == "again" and number.isdecimal() and len(number) < 19 else None
