"""The product's tables of a booking, down to the columns and indexes that a booking touches."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Plan(models.Model):
    name = models.CharField(max_length=255)
    session_limit = models.IntegerField()

    objects: models.Manager[Plan] = models.Manager()

    class Meta:
        app_label = "bare"

    def __str__(self) -> str:
        return self.name


class Subscription(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    plan = models.ForeignKey(Plan, models.RESTRICT, related_name="+")
    status = models.CharField(max_length=20)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    booked_count = models.IntegerField(default=0)
    updated_at = models.DateTimeField(default=timezone.now)

    objects: models.Manager[Subscription] = models.Manager()

    class Meta:
        app_label = "bare"
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=models.Q(status="active"), name="bare_one_active_plan")
        ]

    def __str__(self) -> str:
        return f"Plan in use {self.pk}"


class Event(models.Model):
    id = models.CharField(max_length=36, primary_key=True)
    title = models.CharField(max_length=255)
    start_time = models.DateTimeField(db_index=True)
    end_time = models.DateTimeField()
    capacity = models.IntegerField()
    booked_count = models.IntegerField(default=0)
    updated_at = models.DateTimeField(default=timezone.now)

    objects: models.Manager[Event] = models.Manager()

    class Meta:
        app_label = "bare"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(booked_count__gte=0, booked_count__lte=models.F("capacity")),
                name="bare_never_oversold",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Booking(models.Model):
    id = models.CharField(max_length=36, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, related_name="+")
    event = models.ForeignKey(Event, models.CASCADE, related_name="bookings")
    status = models.CharField(max_length=20, default="confirmed", db_index=True)
    booked_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects: models.Manager[Booking] = models.Manager()

    class Meta:
        app_label = "bare"
        constraints = [models.UniqueConstraint(fields=["event", "user"], name="bare_booking_once")]

    def __str__(self) -> str:
        return self.id


class EmailJob(models.Model):
    template_type = models.CharField(max_length=100)
    occasion = models.CharField(max_length=200)
    recipient_email = models.CharField(max_length=254)
    subject = models.CharField(max_length=255)
    content = models.JSONField()
    status = models.CharField(max_length=20, default="queued")
    priority = models.CharField(max_length=20, default="normal")
    available_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects: models.Manager[EmailJob] = models.Manager()

    class Meta:
        app_label = "bare"
        constraints = [models.UniqueConstraint(fields=["template_type", "occasion"], name="bare_mail_once")]
        indexes = [
            models.Index(fields=["available_at", "id"], condition=models.Q(status="queued"), name="bare_mail_due"),
            models.Index(fields=["created_at", "status"], name="bare_mail_report"),
        ]

    def __str__(self) -> str:
        return f"{self.template_type} to {self.recipient_email}"


class WebhookPost(models.Model):
    token = models.CharField(max_length=50, unique=True)
    body = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)

    objects: models.Manager[WebhookPost] = models.Manager()

    class Meta:
        app_label = "bare"

    def __str__(self) -> str:
        return self.token
