"""Pages of the queue as a whole: what waits and why, the delivery report, and acts on one mail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from audit.actors import Actor
from audit.mixins import ReadOnlyAdmin
from emails.models import EmailJob, EmailStatus
from emails.services import breaker, report, retry, staff
from emails.services.overview import FAILURE_DAYS, MOST_COUNTED, Failure, Overview, overview
from emails.services.timeline import cause_words, moment_words
from settings_app.services import business_zone
from techdeputies.lib.bars import Bar, bar_chart

WHY_PAUSED = {
    "provider_limit": "Mailgun asked us to slow down.",
    "misconfigured": "Mailgun refuses our key, our domain or our bill. Look at Mailgun's own pages first.",
    "unreachable": "Mailgun cannot be reached.",
}

# What staff may do for one mail: name -> title, sentence, button, what is said after it.
ACTS = {
    "again": (
        "Try again to send this mail",
        "It is queued once more, as a new mail with the same words.",
        "Try again",
        "The mail is queued again.",
    ),
    "cancel": (
        "Cancel this mail",
        "It is taken out of the queue and is never sent.",
        "Cancel the mail",
        "The mail is cancelled.",
    ),
}

_KIND = {
    EmailStatus.BOUNCED: "bad",
    EmailStatus.COMPLAINED: "bad",
    EmailStatus.FAILED: "bad",
    EmailStatus.QUEUED: "warn",
    EmailStatus.SENDING: "warn",
    EmailStatus.CANCELLED: "mute",
}


def length_words(seconds: float) -> str:
    """A length of time, roughly: ``45 seconds``, ``12 minutes``, ``3 hours``, ``2 days``."""
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size * 1.5 or (seconds >= size and name == "minute"):
            count = round(seconds / size)
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    count = max(0, round(seconds))
    return f"{count} second{'' if count == 1 else 's'}"


class QueuePages(ReadOnlyAdmin):
    """Mixed into the admin of mails."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("queue/", view(self.queue_view), name="emails_emailjob_queue"),
            path("report/", view(self.report_view), name="emails_emailjob_report"),
            path("resume/", view(self.resume_view), name="emails_emailjob_resume"),
            path("<int:pk>/act/<slug:act>/", view(self.act_view), name="emails_emailjob_act"),
            *super().get_urls(),
        ]

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("emails.change_emailjob")

    def queue_view(self, request: HttpRequest) -> HttpResponse:
        """The queue as it stands."""
        self.demand(request, self.has_view_permission(request), "queue")
        state = overview()
        context = {
            "title": "Mail that waits",
            "facts": _facts(state),
            "pause": _pause_words(state.pause),
            "may_act": self.has_retry_permission(request),
            "waiting": [
                {
                    "priority": row.priority.label,
                    "stream": row.stream.label,
                    "count": f"{row.count:,}",
                    "due": f"{row.due:,}",
                    "url": self._list_url(
                        status__exact=EmailStatus.QUEUED, priority__exact=row.priority, stream__exact=row.stream
                    ),
                }
                for row in state.waiting
            ],
            "is_capped": state.is_capped,
            "most": f"{MOST_COUNTED:,}",
            "failures": [self._failure(row) for row in state.failures],
            "failures_capped": state.failures_capped,
            "failure_days": FAILURE_DAYS,
        }
        return self._page(request, "admin/emails/queue.html", context)

    def report_view(self, request: HttpRequest) -> HttpResponse:
        """What became of the mails of the last 30 days."""
        self.demand(request, self.has_view_permission(request), "report")
        lines = report.delivery_report()
        since = timezone.localdate() - timedelta(days=30)
        total = sum(line.count for line in lines)
        context = {
            "title": "Delivery report of 30 days",
            "chart": bar_chart(
                [Bar(line.status.label, line.count, _KIND.get(line.status, "good")) for line in lines],
                label="Mails by state. The table has the same numbers.",
            ),
            "lines": [
                {
                    "name": line.status.label,
                    "count": f"{line.count:,}",
                    "share": f"{line.count / total:.1%}",
                    "took": length_words(line.seconds),
                    "url": self._list_url(status__exact=line.status, created_at__gte=since),
                }
                for line in lines
            ],
            "total": f"{total:,}",
            "shares": [_share(share) for share in report.shares(lines)],
        }
        return self._page(request, "admin/emails/report.html", context)

    def resume_view(self, request: HttpRequest) -> HttpResponse:
        """End a pause, because its cause has been mended."""
        self.demand(request, self.has_retry_permission(request), "resume")
        actor = Actor.from_request(request)
        return self.act_page(
            request,
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=lambda: staff.end_pause(actor=actor),
            verb="resume",
            target=None,
            done="The pause is ended. Mail that is due is being tried now.",
            back_url=reverse("admin:emails_emailjob_queue"),
            title="Try now",
            note="All workers try at once. If the cause is not mended, they pause again by themselves.",
            button="Try now",
            facts=[("At present", _pause_words(breaker.pause()) or "Nothing is paused.")],
        )

    def act_view(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        """Ask once, then try the mail again or cancel it."""
        if act not in ACTS:
            raise Http404
        job: EmailJob = self.found(request, pk)
        self.demand(request, self.has_retry_permission(request), act, job)
        actor = Actor.from_request(request)
        title, note, button, done = ACTS[act]
        service = retry.try_again if act == "again" else staff.cancel
        return self.act_page(
            request,
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=lambda: service(job=job, actor=actor),
            verb=act,
            target=job,
            done=done,
            back_url=reverse("admin:emails_emailjob_change", args=[pk]),
            title=title,
            note=note,
            button=button,
            warn=act == "cancel",
            facts=[
                ("To", job.recipient_email),
                ("Subject", job.subject or job.template_type),
                ("State", job.get_status_display()),
            ],
        )

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        page = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, template, page)

    def _failure(self, row: Failure) -> dict[str, Any]:
        return {
            "template": row.template,
            "cause": cause_words(row.cause) or "No reason was kept.",
            "count": f"{row.count:,}",
            "latest": moment_words(row.latest, business_zone()),
            "url": self._list_url(status__exact=EmailStatus.FAILED, template_type=row.template),
        }

    @staticmethod
    def _list_url(**filters: Any) -> str:
        return f"{reverse('admin:emails_emailjob_changelist')}?{urlencode(filters)}"


def _facts(state: Overview) -> list[tuple[str, str]]:
    now, zone = timezone.now(), business_zone()
    more = f"{MOST_COUNTED:,} or more"
    oldest = length_words((now - state.oldest_due).total_seconds()) if state.oldest_due else "Nothing is due"
    return [
        ("Waits in all", more if state.is_capped else f"{state.count:,}"),
        ("Due now", more if state.due > MOST_COUNTED else f"{state.due:,}"),
        ("The oldest due mail has waited", oldest),
        ("Next one later", moment_words(state.next_at, zone) if state.next_at else "None"),
        ("Being sent", more if state.sending >= MOST_COUNTED else f"{state.sending:,}"),
        ("Of these, stuck and being looked up", f"{state.stuck:,}"),
    ]


def _pause_words(pause: breaker.Pause | None) -> str:
    if pause is None:
        return ""
    why = WHY_PAUSED.get(pause.why, "It was told to.")
    return f"{why} The next try is in {length_words(pause.seconds)}."


def _share(share: report.Share) -> dict[str, Any]:
    words, kind = "", "mute"
    if share.worst is not None:
        limit = f"{share.worst * 100:g}%"
        words = f"Too many: more than {limit}" if share.is_bad else f"Good: not above {limit}"
        kind = "bad" if share.is_bad else "good"
    rate = f"{share.share * 100:.2f}%" if share.whole else "No mail yet"
    return {
        "name": share.name,
        "rate": rate,
        "of": f"{share.part:,} of {share.whole:,} sent",
        "words": words,
        "kind": kind,
    }
