"""The plans on offer, one's own plan, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.web import person
from billing import standing
from billing.models import Plan, UserSubscription
from billing.services import plan_mails
from billing.standing import Standing, State
from billing.views.shared import used_words
from billing.words import PlanWords, plan_words
from settings_app.services import value, zone_for
from techdeputies.lib.money import money
from techdeputies.lib.times import day_words, long_date, month_day

MY_PLAN = "billing:my_plan"


# --- What is on offer -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Pocket:
    """A plan on offer, as this person may choose it. Without ``url`` there is nothing to press."""

    words: PlanWords
    is_featured: bool
    is_own: bool
    flag: str
    note: str
    action: str
    url: str


@login_not_required
@require_safe
def plan_list(request: HttpRequest) -> HttpResponse:
    """The pockets by price, the same as a table, and questions. Open to everybody."""
    plans = Plan.objects.filter(is_offered=True).order_by("price_in_cents", "pk")
    user = person(request) if request.user.is_authenticated else None
    now = standing.of(user) if user is not None else Standing()
    zone = zone_for(user)
    context = {
        "pockets": [_pocket(plan, now, zone) for plan in plans],
        "grace_days": value("payment_grace_days"),
        **_own_words(now, zone),
    }
    return render(request, "billing/plan_list.html", context)


def _pocket(plan: Plan, now: Standing, zone: ZoneInfo) -> Pocket:
    subscription = now.subscription
    words = plan_words(plan)
    flag = "Our suggestion for most people" if plan.featured else ""
    note, action, url = "", f"Choose {plan.display_name}", reverse("billing:checkout", args=[plan.name])
    is_own = subscription is not None and subscription.plan_id == plan.pk
    if subscription is not None and is_own:
        flag = "The plan you share" if now.is_shared else "Your plan"
        action, url = "See the plan I share" if now.is_shared else "Manage my plan", reverse(MY_PLAN)
        paid = subscription.price_in_cents
        if paid is not None and paid != plan.price_in_cents and not now.is_shared:
            note = f"You pay {money(paid)} a month, as before."
    elif subscription is not None and now.may_change:
        action, url = f"Move to {plan.display_name}", reverse("billing:plan_change", args=[plan.name])
        if subscription.next_plan_id == plan.pk:
            flag = f"Your plan from {month_day(subscription.current_period_end, zone)}"
            action, url = "See what is planned", reverse(MY_PLAN)
    elif subscription is not None:
        action, url = "", ""
    return Pocket(
        words=words,
        is_featured=plan.featured,
        is_own=is_own,
        flag=flag,
        note=note,
        action=action,
        url=url,
    )


def _own_words(now: Standing, zone: ZoneInfo) -> dict[str, str]:
    """The lines above the pockets for who has a plan or shares one: the title, and what can be done."""
    subscription = now.subscription
    if subscription is None:
        return {}
    name = subscription.plan.display_name
    if now.is_shared:
        owner = standing.owner_words(subscription)
        return {
            "own_title": f"You share the {name} plan",
            "own_text": f"{owner} pays for it. To choose a plan of your own, leave that one first.",
        }
    title = f"You have the {name} plan"
    if subscription.is_granted:
        return {"own_title": title, "own_text": "We set it up for you. To change it, please call us."}
    if now.needs_payment:
        return {"own_title": title, "own_text": "Please put the last payment right first. Then you can move."}
    if now.state == State.FROZEN:
        return {"own_title": title, "own_text": "It is on hold, so it cannot be changed now. Please call us."}
    if now.state == State.ENDING:
        end = month_day(subscription.ends_at or subscription.current_period_end, zone)
        return {"own_title": title, "own_text": f"It stops on {end}. Keep it first, then you can move to another one."}
    return {
        "own_title": title,
        "own_text": "You can move to another one at any time. We show you the price and the day first.",
    }


# --- One's own plan -------------------------------------------------------------------------------------
@require_safe
def my_plan(request: HttpRequest) -> HttpResponse:
    """The state of the plan, what is left of it, and all that can be done. Asks nothing of Stripe."""
    user = person(request)
    now, zone = standing.of(user), zone_for(user)
    subscription = now.subscription
    if subscription is None:
        return render(request, "billing/my_plan_none.html", {"ended": _ended_words(user, zone)})
    word, kind = standing.tag(now, zone)
    plan = subscription.plan
    context = {
        "plan": plan_words(plan),
        "tag": word,
        "tag_kind": kind,
        "trouble": standing.trouble(now, zone),
        "is_shared": now.is_shared,
        "is_granted": subscription.is_granted,
        "is_ending": now.state == State.ENDING and not now.is_shared,
        "may_change": now.may_change,
        "may_stop": now.own is not None and not subscription.is_granted and now.state != State.ENDING,
        "has_family": plan.family_size > 1 and not now.is_shared,
        "next_plan": "",
        "rows": _plan_rows(now, zone),
    }
    if now.is_shared:
        context["owner"] = standing.owner_words(subscription)
    else:
        end = subscription.ends_at or subscription.current_period_end
        context["end_day"] = day_words(end, zone)
        if subscription.next_plan is not None:
            context["next_plan"] = subscription.next_plan.display_name
    return render(request, "billing/my_plan.html", context)


def _ended_words(user: User, zone: ZoneInfo) -> str:
    """What became of the last plan of somebody who has none."""
    last = UserSubscription.objects.filter(user=user, duplicate_of__isnull=True).select_related("plan")
    row = last.order_by("-current_period_end", "-pk").first()
    if row is None:
        return ""
    ended = row.ended_at or row.current_period_end
    return f"Your {row.plan.display_name} plan ended on {long_date(ended, zone)}."


def _plan_rows(now: Standing, zone: ZoneInfo) -> list[dict[str, str]]:
    """The facts, with the page that changes each."""
    row = now.subscription
    if row is None:
        return []
    plan = row.plan
    words = plan_words(plan)
    rows = [
        {"key": "Sessions", "value": used_words(now), "soft": _period_words(now, zone)},
        {"key": "Courses", "value": words.courses, "soft": words.course_names},
        {"key": "Written help", "value": words.help},
    ]
    if now.is_shared:
        return rows
    if plan.family_size > 1:
        rows.append(
            {
                "key": "Who it covers",
                "value": words.people,
                "change_url": reverse("billing:family"),
                "change_text": "Share my plan",
            }
        )
    if row.is_granted:
        return [*rows, {"key": "Price", "value": "You do not pay for it"}]
    rows.insert(0, {"key": "Price", "value": plan_mails.price_words(row)})
    rows.insert(1, _payment_row(row, now))
    last = row.payments.order_by("-paid_at").first()
    rows.insert(
        2,
        {
            "key": "Card",
            "value": (last.paid_with if last is not None else "") or "Your bank card",
            "change_url": reverse("billing:portal") + "?for=card",
            "change_text": "Change my card",
        },
    )
    return rows


def _payment_row(row: UserSubscription, now: Standing) -> dict[str, str]:
    if now.needs_payment:
        return {"key": "Payment", "value": f"{plan_mails.price_words(row)} is still open"}
    return {"key": "Next payment", "value": plan_mails.next_payment_words(row)}


def _period_words(now: Standing, zone: ZoneInfo) -> str:
    row = now.subscription
    if row is None or now.needs_payment or now.state == State.FROZEN:
        return ""
    end = month_day(row.ends_at or row.current_period_end, zone)
    if row.is_granted or now.state == State.ENDING:
        return f"Until {end}."
    return f"They start again on {end}." if not row.plan.is_unlimited else ""
