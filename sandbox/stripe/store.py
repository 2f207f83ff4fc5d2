"""What the stand-in remembers: one SQLite file, or memory when no folder is given. One JSON document an object."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.stripe.shapes import Object

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, number);
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (kind, json_extract(body, '$.customer'));
CREATE INDEX IF NOT EXISTS objects_by_intent ON objects (kind, json_extract(body, '$.payment_intent'));
CREATE INDEX IF NOT EXISTS objects_by_status ON objects (kind, json_extract(body, '$.status'));
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, path TEXT NOT NULL, params TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    request TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

Where = Mapping[str, Any]
"""Conditions by path, as ``parent.type``: a value, a list of values, or ``{"gte": 5}``. None is not a condition."""


@dataclass(frozen=True)
class Answer:
    """What a request with an idempotency key was, and what it was answered."""

    path: str
    params: str
    status: int
    body: str
    request: str


class Store:
    """One connection behind one lock, which a transaction holds to its end: requests are carried out one by one."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._after: list[Callable[[], None]] = []
        name = ":memory:" if folder is None else str(folder / "stripe.sqlite3")
        self._db = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        # A killed process loses nothing in this mode; a power cut may lose the last changes, which is fine here.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one inside another is part of it. What ``after_commit`` was given runs when it is kept."""
        with self._lock:
            if self._depth:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                self._after.clear()
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._depth = 0
            after, self._after = self._after, []
            for work in after:
                work()

    def after_commit(self, work: Callable[[], None]) -> None:
        self._after.append(work)

    def _rows(self, sql: str, values: tuple[Any, ...] | list[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, tuple(values)).fetchall()

    # --- objects --------------------------------------------------------------------------------------
    def put(self, thing: Object) -> None:
        """Store a new object, or the new state of one."""
        sql = (
            "INSERT INTO objects (id, kind, body) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body, kind = excluded.kind"
        )
        self._rows(sql, [thing["id"], thing["object"], json.dumps(thing)])

    def get(self, object_id: str) -> Object | None:
        rows = self._rows("SELECT body FROM objects WHERE id = ?", [object_id])
        return json.loads(rows[0]["body"]) if rows else None

    def delete(self, object_id: str) -> None:
        self._rows("DELETE FROM objects WHERE id = ?", [object_id])

    def number_of(self, kind: str, object_id: str) -> int | None:
        """Where an object stands in the order they were made."""
        rows = self._rows("SELECT number FROM objects WHERE id = ? AND kind = ?", [object_id, kind])
        return int(rows[0]["number"]) if rows else None

    def find(
        self,
        kind: str,
        where: Where | None = None,
        *,
        limit: int = -1,
        before: int | None = None,
        after: int | None = None,
        oldest_first: bool = False,
    ) -> list[Object]:
        """Objects of a kind that meet every condition, newest first. ``before`` and ``after`` are their numbers."""
        conditions: list[str] = ["kind = ?"]
        values: list[Any] = [kind]
        for path, wanted in (where or {}).items():
            more_conditions, more_values = _condition(f"json_extract(body, '$.{path}')", wanted)
            conditions += more_conditions
            values += more_values
        if before is not None:
            conditions.append("number < ?")
            values.append(before)
        if after is not None:
            conditions.append("number > ?")
            values.append(after)
        order = "ASC" if oldest_first else "DESC"
        sql = f"SELECT body FROM objects WHERE {' AND '.join(conditions)} ORDER BY number {order} LIMIT ?"
        return [json.loads(row["body"]) for row in self._rows(sql, [*values, limit])]

    def kinds_of_events(self) -> list[str]:
        """The types there are events of."""
        rows = self._rows("SELECT DISTINCT json_extract(body, '$.type') AS type FROM objects WHERE kind = 'event'")
        return [str(row["type"]) for row in rows]

    # --- idempotency keys -----------------------------------------------------------------------------
    def answer_for(self, key: str) -> Answer | None:
        rows = self._rows("SELECT path, params, status, body, request FROM answers WHERE key = ?", [key])
        return Answer(**dict(rows[0])) if rows else None

    def keep_answer(self, key: str, answer: Answer) -> None:
        sql = "INSERT OR REPLACE INTO answers (key, path, params, status, body, request) VALUES (?, ?, ?, ?, ?, ?)"
        self._rows(sql, [key, answer.path, answer.params, answer.status, answer.body, answer.request])

    # --- the clock ------------------------------------------------------------------------------------
    @property
    def offset(self) -> int:
        """How many seconds this account's clock is ahead of the real one."""
        rows = self._rows("SELECT value FROM settings WHERE name = 'offset'")
        return int(rows[0]["value"]) if rows else 0

    @offset.setter
    def offset(self, seconds: int) -> None:
        if seconds < self.offset:
            raise ValueError("The clock goes forward only.")
        self._rows("INSERT OR REPLACE INTO settings (name, value) VALUES ('offset', ?)", [seconds])

    def clear(self) -> None:
        """Forget everything, and set the clock to now."""
        with self.transaction():
            for table in ("objects", "answers", "settings"):
                self._rows(f"DELETE FROM {table}")


def _condition(column: str, wanted: Any) -> tuple[list[str], list[Any]]:
    if wanted is None:
        return [], []
    if isinstance(wanted, Mapping):
        return [f"{column} {_COMPARISONS[name]} ?" for name in wanted], list(wanted.values())
    if isinstance(wanted, (list, tuple)):
        return [f"{column} IN ({', '.join('?' * len(wanted))})"], list(wanted)
    return [f"{column} = ?"], [wanted]
