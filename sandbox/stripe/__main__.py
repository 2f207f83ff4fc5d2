"""``python -m sandbox.stripe --port 8026 --data-dir DIR``: the stand-in on its own."""

from __future__ import annotations

import sys

from sandbox.lib import process
from sandbox.stripe.config import Config
from sandbox.stripe.standin import StandIn


def main() -> int:
    given = process.parser("sandbox.stripe", "An offline stand-in for Stripe.", 8026).parse_args()

    def make() -> StandIn:
        return StandIn(
            given.port,
            given.data_dir,
            host=given.host,
            config=Config.from_environment(),
            access_log=given.access_log,
        )

    return process.serve(
        "practice Stripe", given, make, lambda stripe: f"Practice payments: {stripe.site}/   Stripe API: {stripe.site}"
    )


if __name__ == "__main__":
    sys.exit(main())
