"""What Stripe answers, as far as this product reads it. Instants are aware UTC, sums are US cents.

The field names are those of API 2026-10-28.endive: periods live on the subscription's item, and an invoice
names its subscription under ``parent``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Data = dict[str, Any]


def moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def sure_moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def id_of(value: Any) -> str:
    """The id of a field that is an id, an expanded object or empty."""
    return str(value["id"]) if isinstance(value, dict) else str(value or "")


@dataclass(frozen=True, slots=True)
class StripeProduct:
    id: str
    name: str
    is_active: bool

    @classmethod
    def read(cls, data: Data) -> StripeProduct:
        return cls(id=data["id"], name=data.get("name") or "", is_active=bool(data.get("active")))


@dataclass(frozen=True, slots=True)
class StripePrice:
    """A price. ``is_monthly``: taken once a month, in US dollars."""

    id: str
    product_id: str
    lookup_key: str
    amount_cents: int
    is_active: bool
    is_monthly: bool

    @classmethod
    def read(cls, data: Data) -> StripePrice:
        rhythm = data.get("recurring") or {}
        return cls(
            id=data["id"],
            product_id=id_of(data["product"]),
            lookup_key=data.get("lookup_key") or "",
            amount_cents=data.get("unit_amount") or 0,
            is_active=bool(data.get("active")),
            is_monthly=data.get("currency") == "usd"
            and (rhythm.get("interval"), rhythm.get("interval_count")) == ("month", 1),
        )


@dataclass(frozen=True, slots=True)
class StripeSession:
    """A Checkout Session. ``url`` is empty unless it is open."""

    id: str
    url: str
    status: str
    payment_status: str
    customer_id: str
    subscription_id: str
    invoice_id: str
    payment_intent_id: str
    client_reference_id: str
    amount_cents: int
    expires_at: datetime
    metadata: dict[str, str]

    @property
    def is_paid(self) -> bool:
        """Money has arrived (facts, §3): complete alone can mean a bank debit that still waits."""
        return self.status == "complete" and self.payment_status in ("paid", "no_payment_required")

    @classmethod
    def read(cls, data: Data) -> StripeSession:
        return cls(
            id=data["id"],
            url=data.get("url") or "",
            status=data.get("status") or "",
            payment_status=data.get("payment_status") or "",
            customer_id=id_of(data.get("customer")),
            subscription_id=id_of(data.get("subscription")),
            invoice_id=id_of(data.get("invoice")),
            payment_intent_id=id_of(data.get("payment_intent")),
            client_reference_id=data.get("client_reference_id") or "",
            amount_cents=data.get("amount_total") or 0,
            expires_at=sure_moment(data["expires_at"]),
            metadata=dict(data.get("metadata") or {}),
        )


@dataclass(frozen=True, slots=True)
class StripeInvoice:
    """An invoice. ``period_*`` is that of the line for the coming month; None on one without such a line."""

    id: str
    status: str
    billing_reason: str
    customer_id: str
    subscription_id: str
    amount_due_cents: int
    amount_paid_cents: int
    attempt_count: int
    next_attempt_at: datetime | None
    created_at: datetime
    paid_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    price_id: str
    credited_price_id: str
    """The price of which unused days were credited: the plan before a change."""
    hosted_url: str
    metadata: dict[str, str]

    @property
    def is_paid(self) -> bool:
        return self.status == "paid"

    @classmethod
    def read(cls, data: Data) -> StripeInvoice:
        parent = (data.get("parent") or {}).get("subscription_details") or {}
        line = _main_line(data)
        period = line.get("period") or {}
        paid = (data.get("status_transitions") or {}).get("paid_at")
        return cls(
            id=data.get("id") or "",
            status=data.get("status") or "",
            billing_reason=data.get("billing_reason") or "",
            customer_id=id_of(data.get("customer")),
            subscription_id=id_of(parent.get("subscription")),
            amount_due_cents=data.get("amount_due") or 0,
            amount_paid_cents=data.get("amount_paid") or 0,
            attempt_count=data.get("attempt_count") or 0,
            next_attempt_at=moment(data.get("next_payment_attempt")),
            created_at=sure_moment(data["created"]),
            paid_at=moment(paid),
            period_start=moment(period.get("start")),
            period_end=moment(period.get("end")),
            price_id=_price_id(line),
            credited_price_id=next((_price_id(item) for item in _lines(data) if item["amount"] < 0), ""),
            hosted_url=data.get("hosted_invoice_url") or "",
            metadata=dict(parent.get("metadata") or {}),
        )


def _main_line(data: Data) -> Data:
    """The line that pays for a period ahead: the last with the latest end, prorations of the old price aside."""
    lines = [line for line in _lines(data) if (line.get("amount") or 0) >= 0]
    return max(lines, key=lambda line: (line.get("period") or {}).get("end") or 0, default={})


def _lines(data: Data) -> list[Data]:
    return (data.get("lines") or {}).get("data") or []


def _price_id(line: Data) -> str:
    return id_of(((line.get("pricing") or {}).get("price_details") or {}).get("price"))


@dataclass(frozen=True, slots=True)
class StripeSubscription:
    """A subscription with its one item. ``ends_at`` is set when it will not be renewed."""

    id: str
    status: str
    customer_id: str
    item_id: str
    price_id: str
    price_cents: int
    period_start: datetime
    period_end: datetime
    created_at: datetime
    ends_at: datetime | None
    cancelled_at: datetime | None
    ended_at: datetime | None
    end_reason: str
    schedule_id: str
    has_cancel_at: bool
    metadata: dict[str, str] = field(default_factory=dict)
    latest_invoice: StripeInvoice | None = None
    next_price_id: str = ""
    """From the schedule, when it was expanded: the price of the phase after the present one."""

    @property
    def is_live(self) -> bool:
        return self.status in ("active", "trialing", "past_due", "unpaid")

    @property
    def may_be_paid(self) -> bool:
        """False once it has ended, or was given up before the first payment."""
        return self.status not in ("canceled", "incomplete_expired")

    @classmethod
    def read(cls, data: Data) -> StripeSubscription:
        item = data["items"]["data"][0]
        price = item["price"]
        period_end = sure_moment(item["current_period_end"])
        at_period_end = bool(data.get("cancel_at_period_end"))
        invoice = data.get("latest_invoice")
        return cls(
            id=data["id"],
            status=data["status"],
            customer_id=id_of(data["customer"]),
            item_id=item["id"],
            price_id=price["id"],
            price_cents=price.get("unit_amount") or 0,
            period_start=sure_moment(item["current_period_start"]),
            period_end=period_end,
            created_at=sure_moment(data["created"]),
            ends_at=moment(data.get("cancel_at")) or (period_end if at_period_end else None),
            cancelled_at=moment(data.get("canceled_at")),
            ended_at=moment(data.get("ended_at")),
            end_reason=(data.get("cancellation_details") or {}).get("reason") or "",
            schedule_id=id_of(data.get("schedule")),
            has_cancel_at=data.get("cancel_at") is not None and not at_period_end,
            metadata=dict(data.get("metadata") or {}),
            latest_invoice=StripeInvoice.read(invoice) if isinstance(invoice, dict) else None,
            next_price_id=_next_price(data.get("schedule"), period_end),
        )


def _next_price(schedule: Any, period_end: datetime) -> str:
    if not isinstance(schedule, dict) or schedule.get("status") not in ("active", "not_started"):
        return ""
    coming = [phase for phase in schedule.get("phases") or [] if phase["start_date"] >= int(period_end.timestamp())]
    return id_of(coming[0]["items"][0]["price"]) if coming else ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change costs now (``due_now_cents``, what is credited already taken off) and from the next month on."""

    due_now_cents: int
    charged_cents: int
    credited_cents: int
    priced_at: datetime

    @classmethod
    def read(cls, data: Data, priced_at: datetime) -> Preview:
        amounts = [line.get("amount") or 0 for line in (data.get("lines") or {}).get("data") or []]
        return cls(
            due_now_cents=data.get("amount_due") or 0,
            charged_cents=sum(amount for amount in amounts if amount > 0),
            credited_cents=-sum(amount for amount in amounts if amount < 0),
            priced_at=priced_at,
        )


@dataclass(frozen=True, slots=True)
class StripeCharge:
    """How a sum was paid. ``paid_with`` in words: Visa card ending in 4242."""

    id: str
    payment_intent_id: str
    paid_with: str


@dataclass(frozen=True, slots=True)
class StripeRefund:
    id: str
    status: str
    amount_cents: int
    payment_intent_id: str
    charge_id: str
    failure_reason: str
    created_at: datetime
    metadata: dict[str, str]

    @classmethod
    def read(cls, data: Data) -> StripeRefund:
        return cls(
            id=data["id"],
            status=data.get("status") or "",
            amount_cents=data["amount"],
            payment_intent_id=id_of(data.get("payment_intent")),
            charge_id=id_of(data.get("charge")),
            failure_reason=data.get("failure_reason") or "",
            created_at=sure_moment(data["created"]),
            metadata=dict(data.get("metadata") or {}),
        )


@dataclass(frozen=True, slots=True)
class StripeDispute:
    id: str
    status: str
    reason: str
    amount_cents: int
    payment_intent_id: str
    charge_id: str
    created_at: datetime
    answer_by: datetime | None

    @property
    def is_closed(self) -> bool:
        return self.status in ("won", "lost", "warning_closed", "prevented")

    @classmethod
    def read(cls, data: Data) -> StripeDispute:
        return cls(
            id=data["id"],
            status=data.get("status") or "",
            reason=data.get("reason") or "",
            amount_cents=data["amount"],
            payment_intent_id=id_of(data.get("payment_intent")),
            charge_id=id_of(data.get("charge")),
            created_at=sure_moment(data["created"]),
            answer_by=moment((data.get("evidence_details") or {}).get("due_by")),
        )
