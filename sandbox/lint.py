"""``make lint``: every check that needs no test, one line each; all are run, and the first words of a failure shown."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox.errors import Refusal
from sandbox.throwaway import throwaway_servers

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MANAGE = [sys.executable, "-W", "error::RuntimeWarning", "manage.py"]


def production_env(addresses: Mapping[str, str]) -> dict[str, str]:
    """Throwaway values for every variable that production must set, and nothing of ours besides."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "DATA_DIR") if name in os.environ}
    return {
        **kept,
        **addresses,
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(60),
        "SETTINGS_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "ALLOWED_HOSTS": "www.thetechdeputies.example",
        "SITE_URL": "https://www.thetechdeputies.example",
        "TRUSTED_PROXY_COUNT": "1",
        "STRIPE_SECRET_KEY": "sk_test_throwaway",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_throwaway",
        "STRIPE_WEBHOOK_SECRETS": "whsec_throwaway",
        "MAILGUN_API_KEY": "key-throwaway",
        "MAILGUN_READ_API_KEY": "key-throwaway-too",
        "MAILGUN_SENDER_DOMAIN": "mail.thetechdeputies.example",
        "MAILGUN_API_URL": "https://api.mailgun.net/v3",
        "MAILGUN_WEBHOOK_SIGNING_KEY": "throwaway",
        "DEFAULT_FROM_EMAIL": "The Tech Deputies <help@mail.thetechdeputies.example>",
    }


def check(name: str, command: list[str], env: Mapping[str, str]) -> bool:
    """Run one check; its output is shown only when it fails."""
    began = time.monotonic()
    result = subprocess.run(
        command, cwd=ROOT, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    passed = result.returncode == 0
    print(f"{'ok  ' if passed else 'FAIL'}  {name}  ({time.monotonic() - began:.1f} s)", flush=True)
    if not passed:
        print(result.stdout.decode(errors="replace"), flush=True)
    return passed


def main() -> int:
    plain = dict(os.environ)
    try:
        with throwaway_servers(os.environ) as addresses:
            development = {**plain, "DEBUG": "1", **addresses}
            results = [
                check("ruff check", [str(BIN / "ruff"), "check", "."], plain),
                check("ruff format", [str(BIN / "ruff"), "format", "--check", "."], plain),
                check("djlint", [str(BIN / "djlint"), "--lint", "--quiet", "templates"], plain),
                check("mypy", [sys.executable, "-m", "mypy", "."], development),
                check("missing migrations", [*MANAGE, "makemigrations", "--check", "--dry-run"], development),
                check("safe migrations", [sys.executable, "-m", "sandbox.lint_migrations"], development),
                check(
                    "production settings",
                    [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"],
                    production_env({"DATABASE_URL": os.environ.get("DATABASE_URL", ""), **addresses}),
                ),
            ]
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
