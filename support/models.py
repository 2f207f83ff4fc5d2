"""Questions people ask, and the answers."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from techdeputies.lib.ids import ID_MAX_LENGTH, new_id
from techdeputies.lib.models import TimestampedModel, one_of


class TicketStatus(models.TextChoices):
    RECEIVED = "todo", "Received"
    IN_PROGRESS = "in_progress", "We are on it"
    BLOCKED = "blocked", "Waiting for you"
    DONE = "done", "Solved"


class TicketPriority(models.TextChoices):
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    URGENT = "urgent", "Urgent"


class Ticket(TimestampedModel):
    """A question to the help desk."""

    id = models.CharField(max_length=ID_MAX_LENGTH, primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, related_name="tickets")
    project_id = models.CharField(max_length=255, null=True, blank=True)
    title = models.CharField(max_length=255)
    description = models.TextField(null=True, blank=True)
    status = models.CharField(
        max_length=20, choices=TicketStatus, default=TicketStatus.RECEIVED, db_default=TicketStatus.RECEIVED
    )
    priority = models.CharField(
        max_length=20,
        choices=TicketPriority,
        default=TicketPriority.MEDIUM,
        db_default=TicketPriority.MEDIUM,
    )

    class Meta:
        db_table = "tickets"
        constraints = [
            one_of("status", TicketStatus, name="ticket_status_known"),
            one_of("priority", TicketPriority, name="ticket_priority_known"),
        ]
        indexes = [models.Index(fields=["status", "created_at"], name="ticket_queue")]

    def __str__(self) -> str:
        return self.title


class TicketComment(TimestampedModel):
    """One answer in a conversation, seen by customer and staff alike."""

    id = models.CharField(max_length=ID_MAX_LENGTH, primary_key=True, default=new_id, editable=False)
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="comments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, related_name="ticket_comments")
    content = models.TextField()

    class Meta:
        db_table = "ticket_comments"
        indexes = [models.Index(fields=["ticket", "created_at"], name="ticket_comment_thread")]

    def __str__(self) -> str:
        return f"Answer to {self.ticket_id}"
