"""``python -m sandbox.mailgun --port 8025 --data-dir DIR``: the stand-in on its own."""

from __future__ import annotations

import sys

from sandbox.lib import process
from sandbox.mailgun.config import Config
from sandbox.mailgun.standin import StandIn


def main() -> int:
    parser = process.parser("sandbox.mailgun", "An offline stand-in for Mailgun.", 8025)
    parser.add_argument("--index-lag", type=float, default=0.0, help="seconds until look-ups find what happened")
    given = parser.parse_args()

    def make() -> StandIn:
        return StandIn(
            given.port,
            given.data_dir,
            host=given.host,
            config=Config.from_environment(),
            index_lag=given.index_lag,
            access_log=given.access_log,
        )

    return process.serve(
        "mailbox", given, make, lambda mailgun: f"Mailbox: {mailgun.site}/   Mailgun API: {mailgun.site}/v3"
    )


if __name__ == "__main__":
    sys.exit(main())
