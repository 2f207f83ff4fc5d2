"""The tables of plans and money, by subject."""

from billing.models.family import FamilyInvitation, FamilyMember
from billing.models.gift_cards import GiftCard, GiftCardStatus, GiftCardTransaction, LedgerKind
from billing.models.payments import (
    Checkout,
    CheckoutKind,
    CheckoutState,
    Dispute,
    Payment,
    PaymentKind,
    Refund,
    RefundState,
)
from billing.models.plans import (
    ChangeState,
    CourseInclusion,
    Plan,
    PlanChange,
    PlanPrice,
    PlanTier,
    SubscriptionStatus,
    SupportTier,
    UserSubscription,
    VisitUse,
)
from billing.models.stripe_events import AlertKind, StaffAlert, StripeEvent, StripeEventState, StripeReconciliation

__all__ = [
    "AlertKind",
    "ChangeState",
    "Checkout",
    "CheckoutKind",
    "CheckoutState",
    "CourseInclusion",
    "Dispute",
    "FamilyInvitation",
    "FamilyMember",
    "GiftCard",
    "GiftCardStatus",
    "GiftCardTransaction",
    "LedgerKind",
    "Payment",
    "PaymentKind",
    "Plan",
    "PlanChange",
    "PlanPrice",
    "PlanTier",
    "Refund",
    "RefundState",
    "StaffAlert",
    "StripeEvent",
    "StripeEventState",
    "StripeReconciliation",
    "SubscriptionStatus",
    "SupportTier",
    "UserSubscription",
    "VisitUse",
]
