"""The transaction of a booking by itself: pgbench on the yardstick's tables, without HTTP and Python."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from benchmarks.shape import CONNECTIONS, RAW_PEOPLE, SLOTS
from benchmarks.stats import percentile
from sandbox.errors import Refusal

# Each client is a row of people of its own, so that nobody takes a slot twice: person and slot both move on, and
# after a turn through its people a client has shifted by one slot more (PEOPLE_EACH + 1 shares no factor with 200).
PEOPLE_EACH = RAW_PEOPLE // CONNECTIONS
# KIND is replaced: the variables of pgbench are numbers.
SCRIPT = f"""
\\set i :i + 1
\\set person :client_id * {PEOPLE_EACH} + mod(:i, {PEOPLE_EACH}) + 1
\\set slot mod(:i + :i / {PEOPLE_EACH} + :client_id * 37, :slots) + :first
BEGIN;
UPDATE bare_event SET booked_count = booked_count + 1, updated_at = now()
 WHERE id = 'KIND' || :slot AND booked_count < capacity;
INSERT INTO bare_booking (id, user_id, event_id, status, booked_at, created_at, updated_at)
VALUES ('KIND' || :first || 'c' || :client_id || 'n' || :i, :person, 'KIND' || :slot, 'confirmed', now(), now(), now());
INSERT INTO bare_emailjob (template_type, occasion, recipient_email, subject, content, status, priority, available_at,
                           created_at, updated_at)
VALUES ('booking_confirmed', 'KIND' || :first || 'c' || :client_id || 'n' || :i, 'person@example.com',
        'You are booked: Help with your phone', '{{"context": {{"title": "Help with your phone"}}}}', 'queued',
        'normal', now(), now(), now());
COMMIT;
"""


@dataclass
class RawResult:
    per_second: float
    p95_seconds: float


class Pgbench:
    """The pgbench of the embedded PostgreSQL against one database."""

    def __init__(self, install: Path, url: str) -> None:
        parts = urlsplit(url)
        self.program = str(install / "bin" / "pgbench")
        self.arguments = ["-h", parse_qs(parts.query)["host"][0], "-U", parts.username or "", parts.path.lstrip("/")]
        self.env = {"PATH": os.environ.get("PATH", ""), "PGPASSWORD": unquote(parts.password or "")}
        self.done = 0

    def run(self, *, hot: int | None, seconds: float) -> RawResult:
        """Book for ``seconds``: over all slots, or the one hot slot of that number."""
        variables = {
            "i": self.done,
            "slots": SLOTS if hot is None else 1,
            "first": 0 if hot is None else hot,
        }
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "booking.sql"
            script.write_text(SCRIPT.replace("KIND", "raw" if hot is None else "rawhot"))
            command = [self.program, "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "2", "-f", str(script)]
            command += ["-T", str(max(1, round(seconds))), "--log", "--log-prefix", f"{folder}/log"]
            for name, value in variables.items():
                command += ["-D", f"{name}={value}"]
            result = subprocess.run([*command, *self.arguments], env=self.env, capture_output=True, text=True)
            if result.returncode != 0:
                raise Refusal(f"pgbench failed:\n{result.stderr.strip()}")
            lines = [line.split() for log in Path(folder).glob("log*") for line in log.read_text().splitlines()]
        if hot is None:
            self.done += max(int(line[1]) for line in lines) + 1
        return RawResult(per_second(result.stdout), percentile([int(line[2]) / 1e6 for line in lines], 0.95))


def per_second(words: str) -> float:
    """The rate that pgbench reports, connecting not counted."""
    match = re.search(r"^tps = ([0-9.]+)", words, re.MULTILINE)
    if match is None:
        raise Refusal(f"pgbench reports no rate:\n{words}")
    return float(match[1])
