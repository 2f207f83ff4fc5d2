from __future__ import annotations

from unittest.mock import patch

import bcrypt
import pytest
from django.contrib.auth.hashers import check_password, make_password

from accounts.hashers import Argon2Hasher, LegacyBcryptHasher, check_level, usable
from accounts.tests.helpers import old_hash

OLD = LegacyBcryptHasher()


def test_new_hashes_are_argon2id_with_the_measured_parameters() -> None:
    encoded = make_password("correct horse battery staple")

    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_hash_with_other_parameters_is_made_anew() -> None:
    class Weak(Argon2Hasher):
        memory_cost = 1024

    weak = Weak().encode("correct horse battery staple", "saltsaltsaltsaltsaltsa")

    assert Argon2Hasher().verify("correct horse battery staple", weak)
    assert Argon2Hasher().must_update(weak)
    assert not Argon2Hasher().must_update(make_password("another"))


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_hashes_of_the_old_site_open_in_each_of_their_forms(prefix: str) -> None:
    encoded = old_hash("correct horse battery").replace("$2b$", prefix)

    assert check_password("correct horse battery", encoded)
    assert not check_password("correct horse batterx", encoded)


def test_the_sample_of_the_old_database_opens() -> None:
    sample = "bcrypt$" + bcrypt.hashpw(b"correct horse battery", bcrypt.gensalt(10)).decode()

    assert OLD.cost(sample) == 10
    assert OLD.verify("correct horse battery", sample)


def test_the_old_reader_compares_72_bytes_and_does_not_break_on_more() -> None:
    long = "x" * 80
    encoded = old_hash(long)

    assert OLD.verify(long, encoded)
    assert OLD.verify("x" * 72, encoded)
    assert not OLD.verify("x" * 71, encoded)
    assert OLD.verify("é" * 36 + "rest", old_hash("é" * 36))


@pytest.mark.parametrize("stored", ["", "changeme", "bcrypt$", "bcrypt$nonsense", "argon2$nonsense", "!", "$2b$10$abc"])
def test_a_stored_word_that_is_no_hash_opens_nothing_and_breaks_nothing(stored: str) -> None:
    assert check_level("changeme", stored, old_cost=0)[0] is False
    assert check_level(stored or "-", stored, old_cost=4)[0] is False


def test_old_hashes_are_never_written() -> None:
    with pytest.raises(RuntimeError, match="never written"):
        OLD.encode("word", "salt")


STORED = {
    "nobody": "",
    "a plain word": "changeme",
    "argon2": make_password("word"),
    "old, cheap": old_hash("word", 4),
    "old, dear": old_hash("word", 6),
}


@pytest.mark.parametrize("kind", list(STORED))
def test_each_attempt_costs_one_argon2_and_bcrypt_worth_the_dearest_old_hash(kind: str) -> None:
    spent = []
    real_check, real_hash = bcrypt.checkpw, bcrypt.hashpw

    def check(password: bytes, hashed: bytes) -> bool:
        spent.append(2 ** int(hashed[4:6]))
        return real_check(password, hashed)

    def make(password: bytes, salt: bytes) -> bytes:
        spent.append(2 ** int(salt[4:6]))
        return real_hash(password, salt)

    with (
        patch("accounts.hashers.bcrypt.checkpw", check),
        patch("accounts.hashers.bcrypt.hashpw", make),
        patch("accounts.hashers._argon2.encode", wraps=Argon2Hasher().encode) as encoded,
        patch("accounts.hashers._argon2.verify", wraps=Argon2Hasher().verify) as verified,
    ):
        check_level("guess", STORED[kind], old_cost=6)

    assert sum(spent) == 2**6
    assert encoded.call_count + verified.call_count == 1


def test_without_old_hashes_no_bcrypt_runs() -> None:
    with patch("accounts.hashers.bcrypt.hashpw") as make:
        check_level("guess", "", old_cost=0)

    assert make.call_count == 0


@pytest.mark.parametrize(
    ("password", "fit"),
    [
        ("a", True),
        ("x" * 1024, True),
        ("é" * 512, True),
        ("x" * 1025, False),
        ("é" * 513, False),
        ("x" * 1_000_000, False),
        ("", False),
        ("with\x00nul", False),
        ("half \ud800 character", False),
    ],
)
def test_what_can_be_a_password(password: str, fit: bool) -> None:
    assert usable(password) is fit
