"""How passwords are kept: Argon2id for all, and a reader of what the old site stored.

Parameters: m=19456 KiB, t=2, p=1 (21 ms, 19 MiB). Django's own ask 100 MiB for every log-in in flight, so a
flood of log-ins would exhaust the memory.
"""

from __future__ import annotations

from typing import Any

import bcrypt
from django.contrib.auth import hashers

MAX_PASSWORD_BYTES = 1024


def usable(password: str) -> bool:
    """Can this text be a password at all? Not empty, 1,024 bytes at most, no NUL, no half characters."""
    try:
        length = len(password.encode())
    except UnicodeEncodeError:
        return False
    return 0 < length <= MAX_PASSWORD_BYTES and "\x00" not in password


class Argon2Hasher(hashers.Argon2PasswordHasher):
    time_cost = 2
    memory_cost = 19_456
    parallelism = 1

    def verify(self, password: str, encoded: str) -> bool:
        try:
            return bool(super().verify(password, encoded))
        except ValueError:  # a row that somebody wrote by hand
            return False

    def must_update(self, encoded: str) -> bool:
        try:
            return bool(super().must_update(encoded))
        except ValueError:
            return True


class LegacyBcryptHasher(hashers.BasePasswordHasher):
    """What bcryptjs wrote on the old site, kept as ``bcrypt$`` and its hash: ``bcrypt$$2b$10$...``.

    It only verifies: a right password is hashed anew with Argon2 at once. bcryptjs read 72 bytes and no
    more, so this does too, while bcrypt 5 refuses longer ones with an error.
    """

    algorithm = "bcrypt"
    BYTES_READ = 72

    def verify(self, password: str, encoded: str) -> bool:
        try:
            return bcrypt.checkpw(self._cut(password), self._hash_of(encoded))
        except ValueError:
            return False

    def encode(self, password: str, salt: str) -> str:
        raise RuntimeError("Old hashes are read, never written.")

    def must_update(self, encoded: str) -> bool:
        return True

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Levelling is done by ``check_level``, for every attempt."""

    def decode(self, encoded: str) -> dict[str, Any]:
        return {"algorithm": self.algorithm, "work_factor": self.cost(encoded), "hash": encoded}

    def safe_summary(self, encoded: str) -> dict[Any, Any]:
        return {"algorithm": self.algorithm, "work factor": self.cost(encoded)}

    def cost(self, encoded: str) -> int:
        """The work factor in the hash; 0 when it is none."""
        parts = encoded.split("$")
        return int(parts[3]) if len(parts) == 5 and parts[3].isdigit() else 0

    def spend(self, password: str, *, done: int, wanted: int) -> None:
        """Work until a hash of cost ``done`` (0: none) has become as dear as one of cost ``wanted``."""
        if done >= wanted:
            return
        for cost in range(done, wanted) if done else (wanted,):
            bcrypt.hashpw(self._cut(password), b"$2b$%02d$" % cost + b"a" * 21 + b"e")

    def _cut(self, password: str) -> bytes:
        return password.encode()[: self.BYTES_READ]

    @staticmethod
    def _hash_of(encoded: str) -> bytes:
        return encoded.partition("$")[2].encode()


_argon2 = Argon2Hasher()
_old = LegacyBcryptHasher()


def check_level(password: str, encoded: str, *, old_cost: int) -> tuple[bool, bool]:
    """(is it right, must it be hashed anew), after the same work whatever ``encoded`` is.

    Each attempt costs one Argon2 and, while hashes of the old site remain, bcrypt of ``old_cost``, their
    dearest: so an unknown address, a new account and an old one take the same time.
    """
    algorithm = encoded.split("$", 1)[0]
    right = must_update = False
    if algorithm == _argon2.algorithm:
        right, must_update = _argon2.verify(password, encoded), _argon2.must_update(encoded)
    else:
        _argon2.encode(password, _argon2.salt())
    done = 0
    if algorithm == _old.algorithm:
        right, must_update = _old.verify(password, encoded), True
        done = _old.cost(encoded)
    _old.spend(password, done=done, wanted=old_cost)
    return right, must_update
