"""The plan and the payments of a person, on their page of the staff desk."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from accounts.admin_panels import PANELS
from accounts.models import User
from billing.models import FamilyMember, Payment, UserSubscription
from billing.services import plan_mails
from settings_app.services import business_zone
from techdeputies.lib.money import money_list
from techdeputies.lib.times import long_date

LAST = 5


def money_panel(request: HttpRequest, person: User) -> dict[str, Any] | None:
    """Three small questions to the database, whoever the person is. Payments only for those who may see them."""
    if not request.user.has_perm("billing.view_usersubscription"):
        return None
    zone = business_zone()
    plans = list(
        UserSubscription.objects.filter(user=person).select_related("plan", "user", "next_plan").order_by("-pk")[:LAST]
    )
    shared = (
        FamilyMember.objects.current().filter(user=person).select_related("subscription__plan", "subscription__user")
    ).first()
    may_see_money = request.user.has_perm("billing.view_payment")
    payments = list(Payment.objects.filter(user=person).order_by("-paid_at")[:LAST]) if may_see_money else []
    return {
        "template": "admin/billing/money_panel.html",
        "plans": [
            {
                "name": row.plan.display_name,
                "state": row.get_status_display(),
                "waits": row.frozen_at is not None,
                "until": long_date(row.current_period_end, zone),
                "next": plan_mails.next_payment_words(row)
                if may_see_money and row.status in ("active", "past_due")
                else "",
                "url": reverse("admin:billing_usersubscription_change", args=[row.pk]),
            }
            for row in plans
        ],
        "shared": f"{shared.subscription.plan.display_name} plan of {shared.subscription.user}" if shared else "",
        "shared_url": reverse("admin:billing_usersubscription_change", args=[shared.subscription_id]) if shared else "",
        "may_see_money": may_see_money,
        "payments": [
            {
                "day": long_date(row.paid_at, zone),
                "what": row.what,
                "amount": money_list(row.amount_cents),
                "back": money_list(row.refunded_cents) if row.refunded_cents else "",
                "url": reverse("admin:billing_payment_change", args=[row.pk]),
            }
            for row in payments
        ],
        "all_url": f"{reverse('admin:billing_payment_changelist')}?user__id__exact={person.pk}",
    }


PANELS.append(money_panel)
