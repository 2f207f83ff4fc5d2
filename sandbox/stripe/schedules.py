"""Subscription schedules: a price that is to change when the paid period is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe import catalogue, listing, periods, shapes
from sandbox.stripe.account import Account
from sandbox.stripe.errors import ApiError, missing_param, not_played
from sandbox.stripe.params import Params, merged
from sandbox.stripe.shapes import Object

_LATEST = 2**33
_OVER = ("canceled", "completed", "released")


@dataclass(frozen=True)
class Turn:
    """What a schedule says at the end of a period: prices and quantities of the next one, or that there is none."""

    ends: bool = False
    items: list[tuple[str, int]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


def turn(account: Account, subscription: Object, boundary: int) -> Turn:
    """Take the phase that begins at ``boundary``; after the last one the schedule lets go, or ends it all."""
    if not subscription["schedule"]:
        return Turn()
    schedule = account.get("subscription_schedule", subscription["schedule"])
    for phase in schedule["phases"]:
        if phase["start_date"] <= boundary < phase["end_date"]:
            if phase["start_date"] == schedule["current_phase"]["start_date"]:
                return Turn()
            with account.changing(schedule["id"], "subscription_schedule.updated") as schedule:
                schedule["current_phase"] = {name: phase[name] for name in ("start_date", "end_date")}
            return Turn(
                items=[(item["price"], item["quantity"]) for item in phase["items"]], metadata=phase["metadata"]
            )
    ends = schedule["end_behavior"] == "cancel"
    let_go(account, subscription, status="canceled" if ends else "released")
    return Turn(ends=ends)


def let_go(account: Account, subscription: Object, *, status: str) -> None:
    """End a subscription's schedule, if it has one; the subscription itself goes on."""
    if not subscription["schedule"]:
        return
    now = account.now(subscription["customer"])
    with account.changing(subscription["schedule"]) as schedule:
        schedule.update(current_phase=None, status=status)
        if status == "released":
            schedule.update(released_at=now, released_subscription=subscription["id"], subscription=None)
        else:
            schedule["canceled_at"] = now
    with account.changing(subscription["id"], "customer.subscription.updated") as changed:
        changed["schedule"] = None
    account.emit(f"subscription_schedule.{status}", schedule)


# --- routes -------------------------------------------------------------------------------------------
def create(account: Account, params: Params) -> Object:
    """From a subscription: its present period becomes the first phase."""
    catalogue.only(params, "from_subscription")
    if "from_subscription" not in params:
        raise missing_param("from_subscription")
    subscription = account.get("subscription", params["from_subscription"], param="from_subscription")
    if subscription["schedule"]:
        raise ApiError(
            f"You cannot migrate a subscription that is already attached to a schedule: `{subscription['schedule']}`.",
            param="from_subscription",
        )
    if subscription["status"] not in ("active", "trialing", "past_due"):
        raise ApiError(
            f"You cannot create a schedule from a subscription with status `{subscription['status']}`.",
            param="from_subscription",
        )
    if subscription["cancel_at"]:
        raise ApiError(
            "You cannot create a schedule from a subscription that is set to be canceled.", param="from_subscription"
        )
    items = subscription["items"]["data"]
    dates = {"start_date": items[0]["current_period_start"], "end_date": items[0]["current_period_end"]}
    made = shapes.new(
        "subscription_schedule",
        created=account.now(subscription["customer"]),
        current_phase=dates,
        customer=subscription["customer"],
        phases=[
            shapes.part(
                "schedule_phase",
                currency=subscription["currency"],
                items=[_item(item["price"]["id"], item["quantity"]) for item in items],
                **dates,
            )
        ],
        subscription=subscription["id"],
    )
    account.add(made, "subscription_schedule.created")
    with account.changing(subscription["id"], "customer.subscription.updated") as changed:
        changed["schedule"] = made["id"]
    return made


def _item(price_id: str, quantity: int) -> Object:
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": {},
        "plan": price_id,
        "price": price_id,
        "quantity": quantity,
        "tax_rates": [],
    }


def retrieve(account: Account, _params: Params, schedule_id: str) -> Object:
    return account.get("subscription_schedule", schedule_id)


def _open(account: Account, schedule_id: str, verb: str) -> Object:
    schedule = account.get("subscription_schedule", schedule_id)
    if schedule["status"] in _OVER:
        raise ApiError(
            f"You cannot {verb} a subscription schedule that is currently in the `{schedule['status']}` status. Only"
            f" schedules in `not_started` and `active` statuses can be {verb}d."
        )
    return schedule


def update(account: Account, params: Params, schedule_id: str) -> Object:
    catalogue.only(params, "end_behavior", "metadata", "phases", "proration_behavior")
    schedule = _open(account, schedule_id, "update")
    end_behavior = params.get("end_behavior", schedule["end_behavior"])
    if end_behavior not in ("cancel", "release"):
        raise ApiError("Invalid end_behavior: must be one of cancel or release", param="end_behavior")
    phases = _phases(account, schedule, params["phases"]) if "phases" in params else schedule["phases"]
    with account.changing(schedule_id, "subscription_schedule.updated") as schedule:
        schedule.update(end_behavior=end_behavior, phases=phases)
        schedule["metadata"] = merged(schedule["metadata"], params.get("metadata"))
        present = next(phase for phase in phases if phase["start_date"] == schedule["current_phase"]["start_date"])
        schedule["current_phase"] = {name: present[name] for name in ("start_date", "end_date")}
    return schedule


def _phases(account: Account, schedule: Object, given: list[Params]) -> list[Object]:
    if not given or not isinstance(given[0].get("start_date"), int):
        raise ApiError(
            "The subscription schedule update is missing at least one phase with a `start_date` to anchor end dates to.",
            param="phases",
        )
    made: list[Object] = []
    for place, entry in enumerate(given):
        name = f"phases[{place}]"
        if entry.get("start_date") == "now" or entry.get("end_date") == "now":
            raise not_played(f"{name} that begins or ends now")
        catalogue.only(
            entry, "items", "start_date", "end_date", "duration", "metadata", "proration_behavior", "currency"
        )
        start: int = made[-1]["end_date"] if made and "start_date" not in entry else entry["start_date"]
        if made and start != made[-1]["end_date"]:
            raise ApiError("Phases must follow each other without a gap.", param=f"{name}[start_date]")
        if not 0 < start < _LATEST:
            raise ApiError("Invalid timestamp: must be an integer Unix timestamp", param=f"{name}[start_date]")
        end = _end_of(entry, start, name)
        made.append(
            shapes.part(
                "schedule_phase",
                currency=schedule["phases"][0]["currency"],
                end_date=end,
                items=[
                    _priced(account, item, f"{name}[items][{number}]") for number, item in enumerate(entry["items"])
                ],
                metadata=entry.get("metadata") or {},
                proration_behavior=entry.get("proration_behavior", "create_prorations"),
                start_date=start,
            )
        )
    _check_present(account, schedule, made)
    return made


def _end_of(entry: Params, start: int, name: str) -> int:
    end: Any = entry.get("end_date")
    if ("duration" in entry) == (end is not None):
        if end is not None:
            raise ApiError(
                f"You may only specify one of these parameters: {name}[duration], {name}[end_date].", param=name
            )
        raise missing_param(f"{name}[end_date]")
    if end is None:
        periods.check_length(entry["duration"], f"{name}[duration]")
        end = periods.after(start, {"interval_count": 1, **entry["duration"]}, start)
    if not isinstance(end, int) or end <= start:
        raise ApiError("The end of a phase must be after its start.", param=f"{name}[end_date]")
    return end


def _priced(account: Account, item: Params, name: str) -> Object:
    catalogue.only(item, "price", "quantity", "metadata")
    if "price" not in item:
        raise missing_param(f"{name}[price]")
    price = account.get("price", item["price"], param=f"{name}[price]")
    if price["recurring"] is None:
        raise ApiError(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=f"{name}[price]",
        )
    return _item(price["id"], item.get("quantity", 1))


def _check_present(account: Account, schedule: Object, phases: list[Object]) -> None:
    """The phase that runs cannot be moved, and what it sells is what is sold now."""
    started = schedule["current_phase"]["start_date"]
    present = next((phase for phase in phases if phase["start_date"] == started), None)
    if present is None:
        raise ApiError("You can not modify the start date of the current phase.", param="phases")
    subscription = account.get("subscription", schedule["subscription"])
    sold = [(item["price"]["id"], item["quantity"]) for item in subscription["items"]["data"]]
    if [(item["price"], item["quantity"]) for item in present["items"]] != sold:
        raise ApiError("The practice Stripe does not play a change of the current phase's items.", param="phases")


def release(account: Account, params: Params, schedule_id: str) -> Object:
    """The subscription goes on as it is, without the schedule."""
    catalogue.only(params)
    schedule = _open(account, schedule_id, "release")
    let_go(account, account.get("subscription", schedule["subscription"]), status="released")
    return account.get("subscription_schedule", schedule_id)


def list_all(account: Account, params: Params) -> Object:
    return listing.page(account, "subscription_schedule", params, "/v1/subscription_schedules", ("customer",))
