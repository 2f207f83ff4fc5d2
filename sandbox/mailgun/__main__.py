"""``python -m sandbox.mailgun --port 8025 --data-dir DIR``: the stand-in on its own."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from sandbox.mailgun.config import Config
from sandbox.mailgun.standin import StandIn


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.mailgun", description="An offline stand-in for Mailgun.")
    parser.add_argument("--port", type=int, default=8025, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--data-dir", type=Path, help="folder that keeps the mail; without it mail is kept in memory")
    parser.add_argument("--index-lag", type=float, default=0.0, help="seconds until look-ups find what happened")
    parser.add_argument("--access-log", action="store_true", help="print a line for each request")
    given = parser.parse_args()
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before any thread exists, so that all leave them to sigwait
    try:
        config = Config.from_environment()
        stand_in = StandIn(
            given.port,
            given.data_dir,
            host=given.host,
            config=config,
            index_lag=given.index_lag,
            access_log=given.access_log,
        ).start()
    except (OSError, OverflowError, ValueError) as error:
        print(f"The mailbox cannot start on {given.host}:{given.port}: {error}", file=sys.stderr)
        return 1
    print(f"Mailbox: {stand_in.site}/   Mailgun API: {stand_in.url}", flush=True)
    signal.sigwait(ends)
    stand_in.close()
    sys.stdout.flush()
    os._exit(0)  # a thread in the middle of a scripted delay must not hold the end back


if __name__ == "__main__":
    sys.exit(main())
