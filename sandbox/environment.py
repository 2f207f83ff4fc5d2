"""What the environment asks for, and the variables that the product's parts are started with."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from sandbox.errors import Refusal

SENDER_DOMAIN = "mail.thetechdeputies.example"
LOCAL_HOSTS = {"", "localhost", "127.0.0.1", "::1"}


def database_address(environ: Mapping[str, str]) -> str:
    """The database's address in the product's order of variables; empty when none is given."""
    local = environ.get("DB_HOST_LOCAL", "").strip().lower() in {"true", "1", "yes", "on"}
    fallback = "DATABASE_URL_LOCAL" if local else "DATABASE_URL_REMOTE"
    return environ.get("DATABASE_URL", "").strip() or environ.get(fallback, "").strip()


def has_database(environ: Mapping[str, str]) -> bool:
    return bool(database_address(environ))


def has_redis(environ: Mapping[str, str]) -> bool:
    return bool(environ.get("REDIS_URL", "").strip())


def has_mailgun(environ: Mapping[str, str]) -> bool:
    """Whether a real Mailgun account is given, so that no stand-in is wanted."""
    return bool(environ.get("MAILGUN_API_KEY", "").strip())


def has_stripe(environ: Mapping[str, str]) -> bool:
    """Whether a real Stripe account is given, so that no stand-in is wanted."""
    return bool(environ.get("STRIPE_SECRET_KEY", "").strip())


def is_local_database(environ: Mapping[str, str]) -> bool:
    """Whether the database is on this machine; demo people are put nowhere else."""
    address = urlsplit(database_address(environ))
    hosts = parse_qs(address.query).get("host", [address.hostname or ""])
    return all(host in LOCAL_HOSTS or host.startswith("/") for host in hosts)


def mailgun_env(secrets: Mapping[str, str], port: int) -> dict[str, str]:
    """The variables that point the product, and the stand-in itself, at a stand-in for Mailgun on ``port``."""
    names = ("MAILGUN_API_KEY", "MAILGUN_READ_API_KEY", "MAILGUN_WEBHOOK_SIGNING_KEY")
    return {
        **{name: secrets[name] for name in names},
        "MAILGUN_API_URL": f"http://127.0.0.1:{port}/v3",
        "MAILGUN_SENDER_DOMAIN": SENDER_DOMAIN,
        "DEFAULT_FROM_EMAIL": f"The Tech Deputies <help@{SENDER_DOMAIN}>",
    }


def mailgun_posts_env(site: str) -> dict[str, str]:
    """The variables by which a stand-in for Mailgun tells the product at ``site`` what became of its mail."""
    return {"MAILGUN_STANDIN_WEBHOOK_URL": f"{site}/webhooks/mailgun", "MAILGUN_STANDIN_AUTO_DELIVER": "1"}


def stripe_env(secrets: Mapping[str, str], port: int) -> dict[str, str]:
    """The variables that point the product, and the stand-in itself, at a stand-in for Stripe on ``port``."""
    names = ("STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRETS")
    return {**{name: secrets[name] for name in names}, "STRIPE_API_BASE": f"http://127.0.0.1:{port}"}


def stripe_posts_env(site: str) -> dict[str, str]:
    """The variable by which a stand-in for Stripe tells the product at ``site`` what happened."""
    return {"STRIPE_STANDIN_WEBHOOK_URL": f"{site}/webhooks/stripe"}


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


def free_port(wanted: int = 0, tries: int = 20) -> int:
    """``wanted`` or one of its next neighbours; any free port when they are all taken or ``wanted`` is 0."""
    if wanted:
        for port in range(wanted, min(wanted + tries, 65_536)):
            if port_is_free(port):
                return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def chosen_port(environ: Mapping[str, str]) -> int:
    """PORT, 8000 when unset. Refuses what is no port or is taken."""
    raw = environ.get("PORT", "").strip() or "8000"
    if not raw.isdigit() or not 1 <= int(raw) <= 65_535:
        raise Refusal(f"PORT must be a number from 1 to 65535, not {raw}.")
    port = int(raw)
    if not port_is_free(port):
        other = free_port(port + 1)
        raise Refusal(f"Port {port} is in use by another program. Stop that one, or run: PORT={other} make run")
    return port
