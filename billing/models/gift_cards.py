"""Gift cards and their ledger."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from techdeputies.lib.models import one_of


class GiftCardStatus(models.TextChoices):
    ACTIVE = "active", "Ready to use"
    REDEEMED = "redeemed", "All used"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


class LedgerKind(models.TextChoices):
    LOAD = "load", "Loaded"
    SPEND = "spend", "Spent"
    REFUND = "refund", "Given back"
    ADJUST = "adjust", "Corrected by staff"
    EXPIRE = "expire", "Expired"
    IMPORT = "import", "Taken over from the old site"


class GiftCard(models.Model):
    """A card with money on it. ``remaining_amount`` equals the sum of its ledger, always."""

    code = models.CharField(max_length=64, unique=True)
    original_amount = models.IntegerField(help_text="US cents.")
    remaining_amount = models.IntegerField(help_text="US cents; the sum of the ledger.")
    purchaser_email = models.CharField(max_length=254)
    purchaser_name = models.CharField(max_length=255, null=True, blank=True)
    recipient_email = models.CharField(max_length=254, null=True, blank=True)
    recipient_name = models.CharField(max_length=255, null=True, blank=True)
    message = models.TextField(null=True, blank=True)
    status = models.CharField(
        max_length=20,
        choices=GiftCardStatus,
        default=GiftCardStatus.ACTIVE,
        db_default=GiftCardStatus.ACTIVE,
    )
    purchased_at = models.DateTimeField(default=timezone.now, db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "gift_cards"
        constraints = [
            one_of("status", GiftCardStatus, name="gift_card_status_known"),
            models.CheckConstraint(
                condition=models.Q(remaining_amount__gte=0, remaining_amount__lte=models.F("original_amount")),
                name="gift_card_balance_within_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"Gift card ending {self.code[-4:]}"


class GiftCardTransaction(models.Model):
    """One line of a card's ledger, never changed: positive cents load the card, negative spend."""

    gift_card = models.ForeignKey(GiftCard, models.CASCADE, related_name="transactions")
    amount = models.IntegerField(help_text="US cents, signed.")
    kind = models.CharField(max_length=20, choices=LedgerKind, default=LedgerKind.IMPORT, db_default=LedgerKind.IMPORT)
    balance_after = models.IntegerField(null=True, blank=True, help_text="US cents.")
    cause = models.CharField(max_length=200, null=True, blank=True, unique=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.RESTRICT, null=True, blank=True, related_name="ledger_lines"
    )
    description = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "gift_card_transactions"
        verbose_name = "line of the gift-card ledger"
        verbose_name_plural = "gift-card ledger"
        constraints = [one_of("kind", LedgerKind, name="gift_card_transaction_kind_known")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} on {self.gift_card_id}"
