"""What other programs get: JSON always, as the description says, and nobody else's plan."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import make_user
from billing import api_description
from billing.models import SubscriptionStatus
from billing.services import family
from billing.tests.factories import make_member, make_plan, make_subscription
from billing.tests.schema_check import faults
from settings_app.models import Setting
from settings_app.services import forget_cache

pytestmark = pytest.mark.django_db

PATH = "/api/subscriptions"
FILE = "/api/openapi.json"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()
    forget_cache()


def ask(user: User | None, path: str = PATH, method: str = "get", **headers: str) -> Any:
    """The answer, after it was held to the description of its status."""
    client = Client(enforce_csrf_checks=True)
    if user is not None:
        client.force_login(user)
    answer = getattr(client, method)(path, headers=headers)
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    assert "Location" not in answer
    if method != "head":
        document = api_description.document()
        described = document["paths"][path.rstrip("/")]["get"]["responses"][str(answer.status_code)]
        schema = described["content"]["application/json"]["schema"]
        assert faults(answer.json(), schema, document) == []
    return answer


def subscription_of(user: User) -> Any:
    return ask(user).json()["subscription"]


def in_days(days: int) -> Any:
    return timezone.now() + days * DAY


BOUGHT: dict[str, Any] = {"stripe_subscription_id": "sub_1"}
STATES: dict[str, dict[str, Any]] = {
    "given": {},
    "bought": BOUGHT,
    "stopping": {**BOUGHT, "ends_at": in_days(20)},
    "unpaid": {**BOUGHT, "status": SubscriptionStatus.PAST_DUE, "past_due_since": in_days(-1)},
    "unpaid for long": {**BOUGHT, "status": SubscriptionStatus.PAST_DUE, "past_due_since": in_days(-9)},
    "disputed": {**BOUGHT, "frozen_at": in_days(-1)},
    "late": {**BOUGHT, "current_period_end": in_days(-3)},
    "over": {"current_period_end": in_days(-3)},
    "ended": {"status": SubscriptionStatus.EXPIRED},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("limit", [0, 5])
def test_the_answer_is_as_described_in_every_state(state: str, limit: int) -> None:
    fields = STATES[state]
    if state == "stopping":
        fields = {**fields, "next_plan": make_plan(display_name="Basic")}
    subscription = make_subscription(plan=make_plan(session_limit=limit, family_size=3), **fields)
    member = make_member(subscription).user

    for user in (subscription.user, member):
        answer = subscription_of(user)
        assert (answer is None) == (state in ("over", "ended"))
        if answer is not None:
            assert answer["status"] == subscription.status
            assert answer["can_book_sessions"] == (state in ("given", "bought", "stopping"))
            assert (answer["grace_until"] is not None) == (state == "unpaid")


def test_the_owner_reads_all_about_the_plan() -> None:
    ends = in_days(20)
    subscription = make_subscription(
        plan=make_plan(family_size=3),
        **BOUGHT,
        current_period_end=ends,
        ends_at=ends,
        next_plan=make_plan(display_name="Basic"),
    )
    make_member(subscription, make_user(name="Henry Ellis", email="hidden@example.com"))
    family.invite(owner=subscription.user, email="asked@example.com")

    answer = ask(subscription.user)

    end = answer.json()["subscription"]["period"]["end"]
    assert answer.json()["subscription"] == {
        "plan": {"name": "Standard", "tier": "standard"},
        "status": "active",
        "is_on_hold": False,
        "is_bought": True,
        "can_book_sessions": True,
        "period": {"start": answer.json()["subscription"]["period"]["start"], "end": end},
        "sessions": {"limit": 5, "used": 0, "left": 5},
        "grace_until": None,
        "cancellation": {"ends_at": end},
        "planned_change": {"plan": "Basic", "at": end},
        "family": {"role": "owner", "size": 3, "members": [{"name": "Henry Ellis"}], "open_invitations": 1},
    }
    assert b"@example.com" not in answer.content


def test_a_member_reads_whose_plan_it_is_and_no_names_of_others() -> None:
    subscription = make_subscription(user=make_user(name="Margaret Ellis"), plan=make_plan(session_limit=0))
    member = make_member(subscription).user
    make_member(subscription, make_user(name="Ruth Sullivan"))

    answer = subscription_of(member)

    assert answer["family"] == {"role": "member", "owner_first_name": "Margaret"}
    assert answer["sessions"] == {"limit": None, "used": 0, "left": None}
    assert "Ruth" not in str(answer)


def test_without_a_plan_it_is_null() -> None:
    assert ask(make_user()).json() == {"subscription": None}


@pytest.mark.parametrize("path", [PATH, PATH + "/"])
def test_with_and_without_a_slash_nobody_is_sent_anywhere(path: str) -> None:
    assert ask(make_user(), path).status_code == 200
    signed_out = ask(None, path)
    assert (signed_out.status_code, signed_out.json()["error"]["code"]) == (401, "signed_out")


@pytest.mark.parametrize("path", [PATH, PATH + "/", FILE, FILE + "/"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_other_methods_are_refused_in_json(path: str, method: str) -> None:
    answer = ask(make_user(), path, method)

    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def test_head_answers_without_a_body() -> None:
    assert ask(make_user(), method="head").status_code == 200
    assert ask(None, method="head").status_code == 401


@pytest.mark.parametrize("limit", ["limit_api_per_address", "limit_api_per_account"])
def test_asking_too_often_is_said_in_json(limit: str) -> None:
    Setting.objects.create(key=limit, value="2")
    forget_cache()
    user = make_user()

    answers = [ask(user) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2]["Retry-After"]) <= 60


def test_the_description_is_open_to_all_and_names_what_is_answered() -> None:
    document = ask(None, FILE).json()

    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {PATH, FILE}
    assert ask(None, FILE + "/").json() == document


def test_every_schema_is_used_and_found() -> None:
    document = api_description.document()
    words = str(document)

    for name in document["components"]["schemas"]:
        assert words.count(f"'#/components/schemas/{name}'") >= 1, name


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda found: found.pop("status"), "$.subscription.status is missing"),
        (lambda found: found.update(secret=1), "$.subscription.secret is not described"),
        (lambda found: found["sessions"].update(left=-1), "$.subscription.sessions.left is too small"),
        (lambda found: found["period"].update(end="tomorrow"), "$.subscription.period.end is no moment"),
        (lambda found: found["plan"].update(tier="gold"), "$.subscription.plan.tier is none of"),
        (lambda found: found["family"].update(size="two"), "$.subscription.family.size is no integer"),
    ],
)
def test_the_check_finds_what_is_not_described(spoil: Any, fault: str) -> None:
    document = api_description.document()
    answer = ask(make_subscription().user).json()
    schema = {"$ref": "#/components/schemas/Answer"}
    assert faults(answer, schema, document) == []

    spoil(answer["subscription"])

    (found,) = faults(answer, schema, document)
    assert found.startswith(fault)
