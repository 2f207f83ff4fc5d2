from __future__ import annotations

import pytest

from benchmarks.raw import PEOPLE_EACH, per_second
from benchmarks.shape import CONNECTIONS, SLOTS
from sandbox.errors import Refusal


def test_the_rate_is_read_without_connecting() -> None:
    words = "number of transactions: 12\ntps = 5980.138623 (without initial connection time)\n"

    assert per_second(words) == 5980.138623
    with pytest.raises(Refusal):
        per_second("nothing")


def test_no_client_gives_one_person_the_same_slot_twice() -> None:
    for client in (0, CONNECTIONS - 1):
        pairs = {(i % PEOPLE_EACH, (i + i // PEOPLE_EACH + client * 37) % SLOTS) for i in range(60_000)}

        assert len(pairs) == 60_000
