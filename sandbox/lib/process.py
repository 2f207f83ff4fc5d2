"""A stand-in as a program: options, signals, and a sentence when it cannot start."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sandbox.lib.standin import StandIn


def parser(module: str, description: str, port: int) -> argparse.ArgumentParser:
    """The options every stand-in takes."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    made.add_argument("--port", type=int, default=port, help="port to listen on; 0 takes a free one")
    made.add_argument("--host", default="127.0.0.1", help="address to listen on")
    made.add_argument("--data-dir", type=Path, help="folder that keeps everything; without it it is kept in memory")
    made.add_argument("--access-log", action="store_true", help="print a line for each request")
    return made


def serve(name: str, given: argparse.Namespace, make: Callable[[], StandIn], words: Callable[[StandIn], str]) -> int:
    """Start what ``make`` makes, say ``words``, and serve until a signal."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before any thread exists, so that all leave them to sigwait
    try:
        stand_in = make().start()
    except (OSError, OverflowError, ValueError) as error:
        print(f"The {name} cannot start on {given.host}:{given.port}: {error}", file=sys.stderr)
        return 1
    print(words(stand_in), flush=True)
    signal.sigwait(ends)
    stand_in.close()
    sys.stdout.flush()
    os._exit(0)  # a thread in the middle of a scripted delay must not hold the end back
