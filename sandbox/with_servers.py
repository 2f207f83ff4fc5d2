"""Run one command beside embedded servers of its own: ``python -m sandbox.with_servers COMMAND...``

They live in a throwaway folder under the temporary directory; addresses already in the environment are used as
they are. Exits with the command's code.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys

from sandbox import child as children
from sandbox.errors import Refusal
from sandbox.throwaway import throwaway_servers


def main(command: list[str]) -> int:
    def end(_signum: int, _frame: object) -> None:
        sys.exit(143)

    program = shutil.which(command[0]) if command else None
    if program is None:
        print("Name the command to run: python -m sandbox.with_servers COMMAND...", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, end)
    try:
        with throwaway_servers(os.environ) as addresses:
            child = children.start([program, *command[1:]], role="command", env={**os.environ, **addresses})
            try:
                return child.process.wait()
            finally:
                child.stop(((signal.SIGTERM, 10.0),))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
