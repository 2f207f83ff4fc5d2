"""A view with one query, a booking that keeps every rule with the fewest ORM calls ("mini all rules"), and a webhook
that stores what it is sent.
"""

from __future__ import annotations

import json
import secrets

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from benchmarks.bare.models import Booking, EmailJob, Event, Plan, Subscription, WebhookPost


class Full(Exception):
    """The last place went to somebody else."""


def alive(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def one_query(request: HttpRequest) -> HttpResponse:
    plan = Plan.objects.get(pk=1)
    return HttpResponse(f"<!doctype html><title>Plan</title><p>{plan.name}: {plan.session_limit}</p>")


@csrf_exempt
def webhook(request: HttpRequest) -> HttpResponse:
    body = json.loads(request.body)
    if "signature" in body:
        WebhookPost.objects.create(token=body["signature"]["token"], body=body["event-data"])
    else:
        WebhookPost.objects.create(token=body["id"], body=body)
    return HttpResponse("Kept.")


@csrf_exempt
def book(request: HttpRequest, event_id: str) -> HttpResponse:
    """Session, person, and eight statements in one transaction: the plan's row first, the slot's row last."""
    user = request.user
    if not user.is_authenticated:
        return HttpResponse(status=403)
    now = timezone.now()
    try:
        with transaction.atomic():
            subscription = Subscription.objects.select_for_update(no_key=True).get(user_id=user.pk, status="active")
            event = Event.objects.get(pk=event_id)
            clash = Booking.objects.filter(
                user_id=user.pk,
                status="confirmed",
                event__start_time__lt=event.end_time,
                event__end_time__gt=event.start_time,
            )
            if event.start_time <= now or clash.exists():
                return HttpResponse(status=409)
            booking = Booking.objects.create(id=secrets.token_hex(12), user_id=user.pk, event_id=event_id)
            used = Booking.objects.filter(
                user_id=user.pk, status="confirmed", booked_at__gte=subscription.period_start
            ).count()
            Subscription.objects.filter(pk=subscription.pk).update(booked_count=used, updated_at=now)
            EmailJob.objects.create(
                template_type="booking_confirmed",
                occasion=f"booking:{booking.pk}:1",
                recipient_email=user.email,
                subject=f"You are booked: {event.title}",
                content={"context": {"title": event.title, "when": event.start_time.isoformat()}},
            )
            taken = Event.objects.filter(pk=event_id, booked_count__lt=F("capacity")).update(
                booked_count=F("booked_count") + 1, updated_at=now
            )
            if not taken:
                raise Full
    except Full:
        return HttpResponse("Full", status=409)
    return HttpResponseRedirect(f"/booked/{booking.pk}/")
