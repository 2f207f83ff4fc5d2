"""DATA_DIR: one owner at a time, the secrets made once, the logs, and the files that tell what runs."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.child import FolderLock
from sandbox.errors import Refusal


class DataFolder:
    """A locked data folder. Use as a context manager; a second owner is refused in one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self.lock = FolderLock(self.path / "lock")

    def open(self) -> Self:
        # Root's servers run as somebody else, who must be able to pass through; what is secret is 0600.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        try:
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.mkdir(mode=mode)
                self.path.chmod(mode)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            taken = self.lock.acquire()
        except OSError as error:
            raise Refusal(f"The data folder {self.path} cannot be used: {error.strerror}. Set DATA_DIR.") from None
        if not taken:
            address = self.read("state.json").get("web", {}).get("address")
            where = f" at {address}" if address else ""
            raise Refusal(
                f"The Tech Deputies is already running{where} on the data folder {self.path}. "
                "Stop it first, or set DATA_DIR and PORT for a second copy."
            )
        return self

    def close(self) -> None:
        self.lock.release()

    def __enter__(self) -> Self:
        return self if self.lock.is_held else self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def log(self, role: str) -> Path:
        return self.logs / f"{role}.log"

    def shorten_logs(self, longest: int = 5_000_000) -> None:
        """Start anew each log that has grown beyond ``longest`` bytes; the old one is kept beside it."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > longest:
                log.replace(log.with_suffix(".old"))

    def read(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads((self.path / name).read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file for our eyes only; a reader sees the old content or the new, never a part."""
        fresh = self.path / f".{name}.new"
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path / name)

    def forget(self, *names: str) -> None:
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def secrets(self) -> dict[str, str]:
        """The passwords and keys of this copy, made at its first start."""
        known = self.read("secrets.json")
        made = {
            "database_password": secrets.token_urlsafe(24),
            "SECRET_KEY": secrets.token_urlsafe(50),
            "SETTINGS_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "MAILGUN_API_KEY": f"key-{secrets.token_hex(16)}",
            "MAILGUN_READ_API_KEY": f"key-{secrets.token_hex(16)}",
            "MAILGUN_WEBHOOK_SIGNING_KEY": secrets.token_hex(16),
            "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(16)}",
            "STRIPE_PUBLISHABLE_KEY": f"pk_test_{secrets.token_hex(16)}",
            "STRIPE_WEBHOOK_SECRETS": f"whsec_{secrets.token_hex(16)}",
        } | known
        if made != known:
            self.write("secrets.json", made)
        return made
