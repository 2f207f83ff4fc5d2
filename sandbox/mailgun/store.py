"""What the stand-in remembers: one SQLite file, or memory when no folder is given."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.mailgun.mail import Attachment, Mail
from sandbox.mailgun.wire import File

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT NOT NULL, message_id TEXT NOT NULL, sender TEXT NOT NULL,
    to_header TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL, html TEXT NOT NULL, details TEXT NOT NULL,
    size INTEGER NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS recipients (
    address TEXT NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (address, message)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attachments (
    message INTEGER NOT NULL, position INTEGER NOT NULL, filename TEXT NOT NULL, content_type TEXT NOT NULL,
    inline INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (message, position));
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT NOT NULL, message INTEGER NOT NULL, message_id TEXT NOT NULL,
    recipient TEXT NOT NULL, event TEXT NOT NULL, created REAL NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_message_id ON events (message_id);
CREATE INDEX IF NOT EXISTS events_by_message ON events (message);
CREATE TABLE IF NOT EXISTS suppressions (
    domain TEXT NOT NULL, list TEXT NOT NULL, address TEXT NOT NULL, created REAL NOT NULL, details TEXT NOT NULL,
    PRIMARY KEY (domain, list, address)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class StoredEvent:
    id: int
    body: dict[str, Any]


class Store:
    """One connection behind one lock: the writes are short, and a reader waits microseconds."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        name = ":memory:" if folder is None else str(folder / "mailgun.sqlite3")
        self._db = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        # A killed process loses nothing in this mode; a power cut may lose the last mails, which is fine here.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, values: Iterable[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, tuple(values)).fetchall()

    # --- messages -------------------------------------------------------------------------------------
    def add(self, mail: Mail, files: Iterable[File]) -> Mail:
        """Store an accepted message; the answer carries its number."""
        details = {
            "to": mail.to,
            "recipients": mail.recipients,
            "headers": mail.headers,
            "variables": mail.variables,
            "tags": mail.tags,
            "options": mail.options,
            "suppressed": mail.suppressed,
        }
        row = (
            mail.domain,
            mail.message_id,
            mail.sender,
            mail.to_header,
            mail.subject,
            mail.text,
            mail.html,
            json.dumps(details),
            mail.size,
            mail.created,
        )
        with self.writing() as db:
            number = db.execute(
                "INSERT INTO messages (domain, message_id, sender, to_header, subject, text, html, details, size, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
            db.executemany(
                "INSERT OR IGNORE INTO recipients VALUES (?, ?)", [(item.lower(), number) for item in mail.recipients]
            )
            db.executemany(
                "INSERT INTO attachments VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (number, position, item.filename, item.content_type, item.field == "inline", item.content)
                    for position, item in enumerate(files)
                ],
            )
        return self._mail(mail, number or 0)

    @staticmethod
    def _mail(mail: Mail, number: int) -> Mail:
        return Mail(**{**mail.__dict__, "id": number})

    def mails(
        self,
        *,
        to: str = "",
        after: int = 0,
        before: int | None = None,
        limit: int = -1,
        newest_first: bool = False,
        with_attachments: bool = True,
    ) -> list[Mail]:
        """Stored messages, oldest first. ``after`` and ``before`` are message numbers, both left out."""
        where = ["messages.id > ?"]
        values: list[Any] = [after]
        if before is not None:
            where.append("messages.id < ?")
            values.append(before)
        if to:
            where.append("messages.id IN (SELECT message FROM recipients WHERE address = ?)")
            values.append(to.strip().lower())
        order = "DESC" if newest_first else "ASC"
        sql = f"SELECT * FROM messages WHERE {' AND '.join(where)} ORDER BY id {order} LIMIT ?"
        return [self._read(row, with_attachments) for row in self._rows(sql, [*values, limit])]

    def mail(self, number: int) -> Mail | None:
        rows = self._rows("SELECT * FROM messages WHERE id = ?", [number])
        return self._read(rows[0], True) if rows else None

    def count(self, *, to: str = "") -> int:
        if to:
            sql, values = "SELECT count(*) FROM recipients WHERE address = ?", [to.strip().lower()]
        else:
            sql, values = "SELECT count(*) FROM messages", []
        return int(self._rows(sql, values)[0][0])

    def newest_id(self) -> int:
        return int(self._rows("SELECT coalesce(max(id), 0) FROM messages")[0][0])

    def _read(self, row: sqlite3.Row, with_attachments: bool) -> Mail:
        attachments = []
        if with_attachments:
            sql = "SELECT * FROM attachments WHERE message = ? ORDER BY position"
            attachments = [
                Attachment(item["filename"], item["content_type"], item["content"], bool(item["inline"]))
                for item in self._rows(sql, [row["id"]])
            ]
        plain = {name: row[name] for name in row.keys() if name != "details"}  # noqa: SIM118
        return Mail(**plain, **json.loads(row["details"]), attachments=attachments)

    # --- events ---------------------------------------------------------------------------------------
    def add_events(self, mail: Mail, bodies: Iterable[dict[str, Any]]) -> None:
        rows = [
            (
                mail.domain,
                mail.id,
                mail.message_id,
                body["recipient"].lower(),
                body["event"],
                body["timestamp"],
                json.dumps(body),
            )
            for body in bodies
        ]
        with self.writing() as db:
            db.executemany(
                "INSERT INTO events (domain, message, message_id, recipient, event, created, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def events_of(self, number: int) -> list[dict[str, Any]]:
        rows = self._rows("SELECT body FROM events WHERE message = ? ORDER BY id", [number])
        return [json.loads(row["body"]) for row in rows]

    def find_events(
        self,
        where: list[tuple[str, list[Any]]],
        *,
        ascending: bool,
        limit: int,
        from_id: int | None = None,
    ) -> list[StoredEvent]:
        """Events that meet every condition: pairs of an SQL condition and its values."""
        conditions = ["1 = 1", *(sql for sql, _values in where)]
        values = [value for _sql, group in where for value in group]
        if from_id is not None:
            conditions.append("id > ?" if ascending else "id < ?")
            values.append(from_id)
        sql = f"SELECT id, body FROM events WHERE {' AND '.join(conditions)} ORDER BY id {'ASC' if ascending else 'DESC'} LIMIT ?"
        return [StoredEvent(row["id"], json.loads(row["body"])) for row in self._rows(sql, [*values, limit])]

    # --- suppressions ---------------------------------------------------------------------------------
    def suppress(self, domain: str, name: str, entries: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Put addresses on a list; an address that is on it already gets the new details."""
        moment = time.time()
        with self.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO suppressions VALUES (?, ?, ?, ?, ?)",
                [(domain, name, address.lower(), moment, json.dumps(details)) for address, details in entries],
            )

    def suppressed(self, domain: str, addresses: Iterable[str], tags: list[str]) -> dict[str, str]:
        """Which of these addresses Mailgun would not deliver to, each with the list that stops it.

        A bounce outranks a complaint, a complaint outranks an unsubscribe; an unsubscribe counts only for
        its tags, ``*`` being the whole domain.
        """
        wanted = [address.lower() for address in addresses]
        marks = ", ".join("?" * len(wanted))
        sql = f"SELECT list, address, details FROM suppressions WHERE domain = ? AND address IN ({marks})"
        found: dict[str, str] = {}
        for row in sorted(self._rows(sql, [domain, *wanted]), key=lambda row: row["list"] != "complaints"):
            if row["list"] == "unsubscribes" and not {"*", *tags} & set(json.loads(row["details"])["tags"]):
                continue
            if row["list"] == "bounces" or row["address"] not in found:
                found[row["address"]] = row["list"]
        return found

    def list_suppressed(
        self, domain: str, name: str, *, after: str = "", address: str | None = None, limit: int = 100
    ) -> list[tuple[str, float, dict[str, Any]]]:
        sql = "SELECT * FROM suppressions WHERE domain = ? AND list = ? AND address > ?"
        values: list[Any] = [domain, name, after]
        if address is not None:
            sql += " AND address = ?"
            values.append(address.lower())
        rows = self._rows(sql + " ORDER BY address LIMIT ?", [*values, limit])
        return [(row["address"], row["created"], json.loads(row["details"])) for row in rows]

    def lift(self, domain: str, name: str, address: str | None) -> int:
        """Take one address, or all, off a list; how many there were."""
        sql = "DELETE FROM suppressions WHERE domain = ? AND list = ?"
        values = [domain, name]
        if address is not None:
            sql += " AND address = ?"
            values.append(address.lower())
        with self.writing() as db:
            return db.execute(sql, values).rowcount

    def clear(self, *, suppressions: bool = True) -> None:
        """Forget all mail and events, and the suppression lists unless told otherwise. Numbers go on."""
        tables = ["messages", "recipients", "attachments", "events"] + (["suppressions"] if suppressions else [])
        with self.writing() as db:
            for table in tables:
                db.execute(f"DELETE FROM {table}")
