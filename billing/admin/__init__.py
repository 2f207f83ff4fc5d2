"""Staff screens of plans and money, by subject."""

from billing.admin import events, family, gift_cards, payments, people, plans, refunds, subscriptions

__all__ = ["events", "family", "gift_cards", "payments", "people", "plans", "refunds", "subscriptions"]
