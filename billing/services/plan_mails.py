"""The mails about a plan, each queued in the transaction of its cause and named by a fact that happens once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing.gateway import StripeInvoice
from billing.models import Payment, PaymentKind, Plan, SubscriptionStatus, UserSubscription
from billing.services import subscriptions
from emails.exceptions import InvalidRecipient
from emails.models import EmailJob
from emails.services.outbox import enqueue_email
from settings_app.services import zone_for
from techdeputies.lib.money import money
from techdeputies.lib.times import day_words, long_date, month_day

logger = structlog.get_logger(__name__)

STALE = timedelta(days=30)
"""News of an end older than this is no news: it comes from old data moving in."""

KEPT_WORDS = "Your account stays, and so does what you have learned in the courses."


def send_receipt(
    row: UserSubscription, payment: Payment, *, invoice: StripeInvoice, plan: Plan, old_plan: Plan | None
) -> EmailJob | None:
    """What a payment was for: the start, another month, or a change of plan."""
    zone = zone_for(row.user)
    facts = {
        "plan_name": plan.display_name,
        "amount": money(payment.amount_cents),
        "paid_day": long_date(payment.paid_at, zone),
        "paid_with": payment.paid_with or "Your bank card",
        "next_payment_words": next_payment_words(row),
    }
    if payment.kind == PaymentKind.PLAN_START:
        facts |= {"price_words": price_words(row), "visits_words": monthly_words(plan)}
        return _send("plan_started", payment.cause, row, facts, reverse("booking:event_list"), "Book a session")
    if payment.kind == PaymentKind.PLAN_CHANGE:
        return _send_changed(row, payment, plan, old_plan)
    if invoice.attempt_count > 1:
        return _send("plan_payment_recovered", payment.cause, row, facts, _plan_page(), "See my plan")
    facts |= {
        "period_end": day_words(payment.period_end or row.current_period_end, zone),
        "visits_words": _left_words(plan),
    }
    return _send("plan_renewed", payment.cause, row, facts, _plan_page(), "See my plan")


def _send_changed(row: UserSubscription, payment: Payment, plan: Plan, old_plan: Plan | None) -> EmailJob | None:
    if old_plan is None or old_plan.pk == plan.pk:
        return None
    return _send_change(
        row,
        occasion=payment.cause,
        plans=(old_plan, plan),
        from_day=long_date(payment.paid_at, zone_for(row.user)),
        paid_now=money(payment.amount_cents),
        next_payment=next_payment_words(row),
        explain="You paid the difference for the days that are left this month.",
    )


def send_change_planned(row: UserSubscription, *, schedule_id: str) -> EmailJob | None:
    """A smaller plan from the next month on."""
    if row.next_plan is None:
        return None
    zone = zone_for(row.user)
    return _send_change(
        row,
        occasion=f"schedule:{schedule_id}:{row.next_plan_id}:{int(row.current_period_end.timestamp())}",
        plans=(row.plan, row.next_plan),
        from_day=long_date(row.current_period_end, zone),
        paid_now="Nothing",
        next_payment=f"{money(row.next_plan.price_in_cents)} on {day_words(row.current_period_end, zone)}",
        explain=f"Until {month_day(row.current_period_end, zone)} everything stays as it is.",
    )


def _send_change(
    row: UserSubscription,
    *,
    occasion: str,
    plans: tuple[Plan, Plan],
    from_day: str,
    paid_now: str,
    next_payment: str,
    explain: str,
) -> EmailJob | None:
    old, new = plans
    facts = {
        "old_plan": old.display_name,
        "new_plan": new.display_name,
        "old_price": f"{money(old.price_in_cents)} a month",
        "new_price": f"{money(new.price_in_cents)} a month",
        "from_day": from_day,
        "visits_words": monthly_words(new),
        "paid_now": paid_now,
        "next_payment_words": next_payment,
        "explain_words": explain,
    }
    return _send("plan_changed", occasion, row, facts, _plan_page(), "See my plan")


def send_payment_failed(row: UserSubscription, *, invoice: StripeInvoice) -> EmailJob | None:
    """Once for each invoice, with the way to put it right."""
    last = row.payments.order_by("-paid_at").first()
    facts = {
        "plan_name": row.plan.display_name,
        "amount": money(invoice.amount_due_cents),
        "paid_with": (last.paid_with if last is not None else "") or "Your bank card",
        "grace_day": day_words(subscriptions.grace_end(row), zone_for(row.user)),
    }
    return _send(
        "plan_payment_failed", f"invoice:{invoice.id}", row, facts, reverse("billing:portal"), "Look at my card"
    )


def send_cancelled(row: UserSubscription) -> EmailJob | None:
    """The person chose to stop; each new wish has its own moment."""
    if row.ends_at is None or row.cancelled_at is None:
        return None
    facts = {
        "plan_name": row.plan.display_name,
        "end_day": day_words(row.ends_at, zone_for(row.user)),
        "visits_words": _still_left(row),
    }
    occasion = f"subscription:{row.stripe_subscription_id}:{int(row.cancelled_at.timestamp())}"
    return _send("plan_cancelled", occasion, row, facts, _plan_page(), "Keep my plan")


def send_ending(row: UserSubscription) -> EmailJob | None:
    """A warning before the last day."""
    days = max(1, (row.current_period_end - timezone.now()).days)
    left = _still_left(row)
    facts = {
        "plan_name": row.plan.display_name,
        "price_words": price_words(row),
        "end_day": day_words(row.current_period_end, zone_for(row.user)),
        "days_words": "1 day" if days == 1 else f"{days} days",
        "visits_words": left if left == "0" else f"{left}. You can book them until the last day.",
    }
    occasion = f"subscription:{row.pk}:{int(row.current_period_end.timestamp())}"
    return _send("plan_ending", occasion, row, facts, _plan_page(), "Keep my plan")


def send_ended(row: UserSubscription, *, reason: str = "") -> EmailJob | None:
    """``reason`` is Stripe's word for why."""
    ended_at = row.ended_at or row.current_period_end
    if ended_at < timezone.now() - STALE:
        return None
    zone = zone_for(row.user)
    if row.status == SubscriptionStatus.EXPIRED:
        why = "We could not take the payment." if reason == "payment_failed" else "Its time is over."
    elif reason == "cancellation_requested" and row.cancelled_at is not None:
        why = f"This was asked for on {month_day(row.cancelled_at, zone)}."
    else:
        why = ""
    facts = {
        "plan_name": row.plan.display_name,
        "end_day": day_words(ended_at, zone),
        "reason_words": why,
        "kept_words": KEPT_WORDS,
    }
    return _send("plan_ended", f"subscription:{row.pk}", row, facts, reverse("billing:plan_list"), "Look at the plans")


def send_double_refunded(row: UserSubscription, payment: Payment) -> EmailJob | None:
    """Somebody paid twice; the second sum goes back."""
    facts = {
        "plan_name": row.plan.display_name,
        "amount": money(payment.amount_cents),
        "back_to": payment.paid_with or "Your bank card",
        "arrival_words": "Your bank may need 5 to 10 days to show it.",
    }
    return _send("plan_double_refunded", payment.cause, row, facts, reverse("billing:payment_list"), "See my payments")


# --- Words ----------------------------------------------------------------------------------------------


def price_words(row: UserSubscription) -> str:
    """``$99 a month``."""
    cents = row.price_in_cents if row.price_in_cents is not None else row.plan.price_in_cents
    return "No charge" if row.is_granted else f"{money(cents)} a month"


def next_payment_words(row: UserSubscription) -> str:
    """``$99 on Monday, December 14``, or that there is none."""
    if row.ends_at is not None or row.is_granted:
        return "None. You do not pay anything more."
    plan = row.next_plan or row.plan
    cents = row.price_in_cents if row.next_plan is None and row.price_in_cents is not None else plan.price_in_cents
    return f"{money(cents)} on {day_words(row.current_period_end, zone_for(row.user))}"


def monthly_words(plan: Plan) -> str:
    """``5 each month``."""
    return "As many as you like" if plan.is_unlimited else f"{plan.session_limit} each month"


def _left_words(plan: Plan) -> str:
    return "As many as you like" if plan.is_unlimited else f"{plan.session_limit} until then"


def _still_left(row: UserSubscription) -> str:
    if row.plan.is_unlimited:
        return "As many as you like"
    return str(subscriptions.allowance(row).left(row.plan))


def _plan_page() -> str:
    return reverse("billing:my_plan")


def _send(
    template: str, occasion: str, row: UserSubscription, facts: dict[str, Any], path: str, button: str
) -> EmailJob | None:
    user: User = row.user
    if not user.is_active:
        return None
    try:
        return enqueue_email(
            template=template,
            occasion=occasion,
            to=user.email,
            name=user.name or "",
            context={
                "first_name": user.first_name_words,
                **facts,
                "button_url": f"{settings.SITE_URL}{path}",
                "button_text": button,
            },
        )
    except InvalidRecipient:
        # An old address that no mail can go to must not keep money from being written down.
        logger.warning("plan_mail_not_possible", template=template, user_id=user.pk)
        return None
