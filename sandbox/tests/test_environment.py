"""What the environment asks for, and the sentences that refuse it."""

from __future__ import annotations

import socket

import pytest

from sandbox.environment import (
    chosen_port,
    database_address,
    free_port,
    has_stripe,
    is_local_database,
    stripe_env,
    stripe_posts_env,
)
from sandbox.errors import Refusal
from sandbox.pytest_plugin import own_redis_database, worker_number


def test_the_database_is_chosen_in_the_given_order() -> None:
    both = {"DATABASE_URL_LOCAL": "postgres://here/td", "DATABASE_URL_REMOTE": "postgres://there/td"}
    assert database_address({**both, "DATABASE_URL": "postgres://first/td"}) == "postgres://first/td"
    assert database_address({**both, "DB_HOST_LOCAL": "true"}) == "postgres://here/td"
    assert database_address(both) == "postgres://there/td"
    assert database_address({}) == ""


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("postgres://td@127.0.0.1:5432/td", True),
        ("postgres://td:pw@/td?host=/tmp/sockets", True),
        ("postgres://td@localhost/td", True),
        ("postgres://td@db.example/td", False),
        ("postgres://td@/td?host=db.example", False),
    ],
)
def test_demo_people_are_put_on_this_machine_only(address: str, local: bool) -> None:
    assert is_local_database({"DATABASE_URL": address}) is local


def test_a_busy_port_is_named_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Refusal, match=rf"^Port {port} is in use by another program\. .* PORT=\d+ make run$"):
            chosen_port({"PORT": str(port)})
        assert free_port(port) != port


@pytest.mark.parametrize("word", ["0", "65536", "eighty", "-1"])
def test_a_port_is_a_number(word: str) -> None:
    with pytest.raises(Refusal, match="PORT must be a number"):
        chosen_port({"PORT": word})


def test_each_worker_of_a_test_run_has_a_redis_database_of_its_own() -> None:
    assert worker_number({}) == 0
    assert worker_number({"PYTEST_XDIST_WORKER": "gw3"}) == 4
    assert own_redis_database("unix:///tmp/s/valkey.sock?db=0", 4) == "unix:///tmp/s/valkey.sock?db=4"
    assert own_redis_database("redis://127.0.0.1:6379/0", 2) == "redis://127.0.0.1:6379/2"


def test_a_stand_in_plays_stripe_until_a_key_is_given() -> None:
    assert not has_stripe({})
    assert not has_stripe({"STRIPE_SECRET_KEY": " "})
    assert has_stripe({"STRIPE_SECRET_KEY": "sk_test_1"})


def test_the_product_and_the_stand_in_for_stripe_share_their_secrets() -> None:
    secrets = {
        "STRIPE_SECRET_KEY": "sk_test_1",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_1",
        "STRIPE_WEBHOOK_SECRETS": "whsec_1",
        "SECRET_KEY": "of nobody's concern",
    }

    assert stripe_env(secrets, 8026) == {
        "STRIPE_SECRET_KEY": "sk_test_1",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_1",
        "STRIPE_WEBHOOK_SECRETS": "whsec_1",
        "STRIPE_API_BASE": "http://127.0.0.1:8026",
    }
    assert stripe_posts_env("http://127.0.0.1:8000") == {
        "STRIPE_STANDIN_WEBHOOK_URL": "http://127.0.0.1:8000/webhooks/stripe"
    }
