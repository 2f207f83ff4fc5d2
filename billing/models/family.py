"""Who shares a plan, and who was asked to."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from billing.models.plans import UserSubscription
from techdeputies.lib.ids import new_id


class FamilyMemberQuerySet(models.QuerySet["FamilyMember"]):
    def current(self) -> Self:
        return self.filter(ended_at__isnull=True)


class FamilyMember(models.Model):
    """Somebody who shares another person's plan. The owner has no row. One shared plan per person at a time."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    subscription = models.ForeignKey(UserSubscription, models.RESTRICT, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.RESTRICT, related_name="family_memberships")
    joined_at = models.DateTimeField(default=timezone.now, db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = FamilyMemberQuerySet.as_manager()

    class Meta:
        db_table = "family_members"
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(ended_at__isnull=True), name="family_member_one_plan_per_person"
            )
        ]
        indexes = [models.Index(fields=["subscription", "ended_at"], name="family_member_of_plan")]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.subscription_id}"


class FamilyInvitationQuerySet(models.QuerySet["FamilyInvitation"]):
    def open(self) -> Self:
        """Neither taken up nor withdrawn, and still in time."""
        return self.filter(accepted_at__isnull=True, withdrawn_at__isnull=True, expires_at__gt=timezone.now())


class FamilyInvitation(models.Model):
    """A mailed offer to share a plan. The link's token is stored as its SHA-256 digest."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    subscription = models.ForeignKey(UserSubscription, models.RESTRICT, related_name="invitations")
    email = models.CharField(max_length=254)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_at = models.DateTimeField(default=timezone.now, db_default=Now())
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.RESTRICT, null=True, blank=True, related_name="family_invitations_accepted"
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = FamilyInvitationQuerySet.as_manager()

    class Meta:
        db_table = "family_invitations"
        indexes = [models.Index(fields=["subscription", "expires_at"], name="family_invitation_of_plan")]

    def __str__(self) -> str:
        return f"Invitation to plan {self.subscription_id}"
