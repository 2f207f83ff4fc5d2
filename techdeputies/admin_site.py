"""The admin as this product runs it: our own log-in page, our own look, the tables grouped as staff think."""

from __future__ import annotations

from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme

from billing.models import StaffAlert
from settings_app.services import business_zone

# Group on the front page -> models as "app_label.ModelName", in the order staff look for them.
GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("sessions", "Sessions", ("booking.CalendarEvent", "booking.Booking")),
    ("people", "People", ("accounts.User", "accounts.Session", "accounts.EmailChange", "auth.Group")),
    (
        "money",
        "Money",
        (
            "billing.StaffAlert",
            "billing.UserSubscription",
            "billing.Payment",
            "billing.Refund",
            "billing.Dispute",
            "billing.Checkout",
            "billing.Plan",
            "billing.PlanPrice",
            "billing.PlanChange",
            "billing.FamilyMember",
            "billing.FamilyInvitation",
            "billing.VisitUse",
            "billing.GiftCard",
            "billing.GiftCardTransaction",
            "billing.StripeEvent",
            "billing.StripeReconciliation",
        ),
    ),
    ("courses", "Courses", ("courses.CoursePurchase",)),
    (
        "mail",
        "Mail",
        (
            "emails.EmailJob",
            "emails.EmailTemplate",
            "emails.EmailTemplateVersion",
            "emails.EmailSuppression",
            "emails.EmailPreference",
            "emails.EmailDeliveryEvent",
            "emails.EmailWebhookPost",
        ),
    ),
    ("questions", "Questions", ("support.Ticket", "support.TicketComment")),
    ("settings", "Settings", ("settings_app.Setting", "settings_app.RateLimit")),
    (
        "audit",
        "Audit",
        (
            "audit.AdminActionAudit",
            "audit.PasswordChangeAudit",
            "audit.SecurityEvent",
            "accounts.PasswordResetToken",
            "accounts.EmailVerificationToken",
            "accounts.DeletionUndoLink",
        ),
    ),
)

# Pages that are no table: group -> address, name and the right they need.
PAGES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "money": (("admin:billing_payment_figures", "Figures of the months", "billing.view_figures"),),
    "mail": (
        ("admin:emails_emailjob_queue", "Mail that waits", "emails.view_emailjob"),
        ("admin:emails_emailjob_report", "Delivery report", "emails.view_emailjob"),
    ),
}


ALERTS_SHOWN = 5


class AdminSite(admin.AdminSite):
    site_title = "The Tech Deputies"
    site_header = "The Tech Deputies"
    index_title = "Staff desk"
    enable_nav_sidebar = True
    final_catch_all_view = True

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Times on staff pages are read and shown in the business's zone, as the staff live by it.

        A page is rendered before the zone is let go; Django would do so only after the view.
        """

        @wraps(view)
        def in_business_time(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            with timezone.override(business_zone()):
                response = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()
            return response

        return super().admin_view(in_business_time, cacheable)

    def get_urls(self) -> list[Any]:
        """Without the look-up of any row of any table by number; no page here links to it."""
        return [entry for entry in super().get_urls() if getattr(entry, "name", None) != "view_on_site"]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The groups, and above them what a person must look at."""
        alerts: list[StaffAlert] = []
        if self.has_permission(request) and request.user.has_perm("billing.view_staffalert"):
            alerts = list(StaffAlert.objects.open().order_by("-created_at")[: ALERTS_SHOWN + 1])
        context = {"alerts": alerts[:ALERTS_SHOWN], "has_more_alerts": len(alerts) > ALERTS_SHOWN}
        return super().index(request, {**context, **(extra_context or {})})

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The one door: the product's log-in page, with its limits. A signed-in customer finds nothing here."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise Http404
        wanted = request.GET.get("next", "")
        safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
        target = wanted if safe and wanted.startswith("/") else reverse("admin:index", current_app=self.name)
        if self.has_permission(request):
            return HttpResponseRedirect(target)
        return HttpResponseRedirect(f"{reverse('accounts:login')}?{urlencode({'next': target})}")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("accounts:password_change")

    def password_change_done(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("accounts:password_change")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Only the product's own log-out ends a session; the link in the header posts there."""
        return redirect("admin:index")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """The models in our groups instead of by app; what no group names comes last, under its app."""
        apps = self._build_app_dict(request, app_label)
        if app_label is not None:
            return sorted(apps.values(), key=lambda app: app["name"].lower())
        models = {f"{label}.{model['object_name']}": model for label, app in apps.items() for model in app["models"]}
        grouped: list[dict[str, Any]] = []
        for key, name, labels in GROUPS:
            found = [models.pop(label) for label in labels if label in models]
            if found:
                grouped.append(
                    {
                        "name": name,
                        "app_label": key,
                        "app_url": "",
                        "has_module_perms": True,
                        "models": found,
                        "pages": [
                            {"name": words, "url": reverse(address)}
                            for address, words, right in PAGES.get(key, ())
                            if request.user.has_perm(right)
                        ],
                    }
                )
        rest = list(models.values())
        if rest:
            grouped.append(
                {"name": "More", "app_label": "more", "app_url": "", "has_module_perms": True, "models": rest}
            )
        return grouped
