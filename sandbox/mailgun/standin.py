"""The stand-in as a thing to start, script and ask: used by tests and by the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.lib import standin, wire
from sandbox.lib.server import Answer
from sandbox.mailgun import faults, pages, routes
from sandbox.mailgun.account import Account
from sandbox.mailgun.config import Config
from sandbox.mailgun.faults import Fault
from sandbox.mailgun.mail import Mail
from sandbox.mailgun.store import Store
from sandbox.mailgun.webhooks import Sender
from sandbox.mailgun.wire import MAX_BODY_BYTES, Refused, Request, Response


@dataclass(frozen=True)
class Call:
    """One request to an API route, as it arrived."""

    group: str
    method: str
    path: str
    moment: float


class StandIn(standin.StandIn):
    """Mailgun on a port of this machine.

    Without ``data_dir`` everything is kept in memory. The rest are the fields of ``Config``; without them the
    defaults are those of the product's development settings.
    """

    name = "mailgun"
    max_body_bytes = MAX_BODY_BYTES

    def __init__(
        self,
        port: int = 0,
        data_dir: Path | str | None = None,
        *,
        host: str = "127.0.0.1",
        config: Config | None = None,
        index_lag: float = 0.0,
        access_log: bool = False,
        **settings: Any,
    ) -> None:
        self.config = config or Config(**settings)
        sender = Sender(self.config)
        super().__init__(host, port, sender=sender, script=faults.script(), access_log=access_log)
        self._store = Store(None if data_dir is None else Path(data_dir))
        self._account = Account(self.config, self._store, sender)
        self._account.index_lag = index_lag

    def _tell_site(self) -> None:
        self._account.host = self.site

    def _close_store(self) -> None:
        self._store.close()

    # --- where it is ----------------------------------------------------------------------------------
    @property
    def url(self) -> str:
        """The value for MAILGUN_API_URL."""
        return f"{self.site}/v3"

    @property
    def anymail(self) -> dict[str, str]:
        """Django's ANYMAIL setting for this stand-in."""
        return {
            "MAILGUN_API_KEY": self.config.api_key,
            "MAILGUN_SENDER_DOMAIN": self.config.domain,
            "MAILGUN_API_URL": self.url,
        }

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that should send here."""
        return {
            **self.anymail,
            "MAILGUN_READ_API_KEY": self.config.read_api_key,
            "MAILGUN_WEBHOOK_SIGNING_KEY": self.config.signing_key,
        }

    # --- what has arrived -----------------------------------------------------------------------------
    def messages(self, to: str = "") -> list[Mail]:
        """Accepted messages, oldest first; with ``to`` those one address got."""
        return self._store.mails(to=to)

    def last(self, to: str = "") -> Mail:
        """The newest message; LookupError when there is none."""
        found = self._store.mails(to=to, limit=1, newest_first=True)
        if not found:
            raise LookupError(f"No mail has arrived{f' for {to}' if to else ''}.")
        return found[0]

    def wait_for(self, to: str = "", subject: str = "", *, timeout: float = 10.0, after: int = 0) -> Mail:
        """Wait for a message to ``to`` with ``subject`` inside its subject; the first with a number over ``after``."""
        limit = time.monotonic() + timeout
        while True:
            for mail in self._store.mails(to=to, after=after):
                if subject in mail.subject:
                    return mail
            if time.monotonic() > limit:
                wanted = f"{f' for {to}' if to else ''}{f' about {subject!r}' if subject else ''}"
                raise TimeoutError(f"No mail{wanted} has arrived within {timeout:g} seconds.")
            time.sleep(0.02)

    def clear(self) -> None:
        """Forget all mail, events, suppressions, calls and scripted faults."""
        self._store.clear()
        self._faults.clear()
        self._calls.clear()

    def calls(self, on: str = "") -> list[Call]:
        """Requests to the API, refused and faulty ones included; with ``on`` those of one group of routes."""
        return [call for call in list(self._calls) if not on or call.group == on]

    # --- bad days -------------------------------------------------------------------------------------
    def answers(self, *items: Fault | int, on: str = "messages") -> None:
        """Script the next answers of a group of routes, one each; a number is a refusal with that status."""
        self._faults.add(*items, on=on)

    def always(self, rule: Callable[[], Fault | None] | Fault | int | None, on: str = "messages") -> None:
        """Give every request of a group this answer, or what ``rule()`` returns; None ends it."""
        self._faults.always(rule, on=on)

    @property
    def index_lag(self) -> float:
        """Seconds until what happened can be found by events, logs and lists of mail."""
        return self._account.index_lag

    @index_lag.setter
    def index_lag(self, seconds: float) -> None:
        self._account.index_lag = seconds

    # --- suppressions and events ----------------------------------------------------------------------
    def suppress(self, address: str, on: str = "bounces", **details: Any) -> None:
        """Put an address on ``bounces``, ``unsubscribes`` or ``complaints``."""
        defaults: dict[str, Any] = {"tags": ["*"]} if on == "unsubscribes" else {}
        self._store.suppress(self.config.domain, on, [(address, {**defaults, **details})])

    def suppressed(self, on: str = "bounces") -> list[str]:
        """The addresses on a list."""
        return [item[0] for item in self._store.list_suppressed(self.config.domain, on, limit=-1)]

    def happen(self, mail: Mail, kind: str) -> None:
        """Let an event happen to every recipient: kept, and posted when a webhook address is set.

        ``kind``: delivered, opened, clicked, unsubscribed, complained, temporary_fail or permanent_fail.
        """
        self._account.record(mail, kind)

    def events(self, mail: Mail) -> list[dict[str, Any]]:
        """Everything that happened to a message, as ``event-data``, oldest first."""
        return self._store.events_of(mail.id)

    # --- routing --------------------------------------------------------------------------------------
    def _route(self, arrived: wire.Request) -> tuple[Fault | None, Answer]:
        request = Request.of(arrived)
        route = routes.find_route(self._account, request)
        if route is not None:
            group, answer = route
            self._calls.append(Call(group, request.method, request.path, time.time()))
            return self._faults.next(group), lambda: _guarded(answer)
        page = pages.find_page(self._account, request)
        return None, page or routes.magnificent


def _guarded(answer: Answer) -> Response:
    try:
        return answer()
    except Refused as refused:
        return routes.refusal(refused)
    except (UnicodeError, OverflowError):  # values no database column can hold
        return routes.refusal(Refused(400, "A value of the request cannot be read"))
