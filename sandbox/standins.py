"""The offline stand-ins for vendors, as programs of ours."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from sandbox import child as children
from sandbox.child import Child
from sandbox.supervisor import wait_for_page


class VendorStandIn:
    """A stand-in as a process on ``port``, keeping what it knows in ``data_dir``."""

    role: str
    module: str

    def __init__(self, *, port: int, data_dir: Path, env: Mapping[str, str], log: Path) -> None:
        self.port, self.data_dir, self.env, self.log = port, data_dir, env, log
        self.child: Child | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> Child:
        self.data_dir.mkdir(mode=0o700, exist_ok=True)
        command = [sys.executable, "-m", self.module, "--port", str(self.port), "--data-dir", str(self.data_dir)]
        root = Path(__file__).resolve().parent.parent
        self.child = children.start(command, role=self.role, env=self.env, log=self.log, cwd=root)
        return self.child

    def wait_ready(self) -> None:
        wait_for_page(f"{self.address}/healthz", lambda: self.child)


class MailgunStandIn(VendorStandIn):
    """The stand-in for Mailgun's API with its mailbox page."""

    role = "mailgun"
    module = "sandbox.mailgun"


class StripeStandIn(VendorStandIn):
    """The stand-in for Stripe's API with its pages for paying and for playing the bank."""

    role = "stripe"
    module = "sandbox.stripe"
