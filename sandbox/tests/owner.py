"""A program that owns embedded servers until it is stopped: what the tests of the guards kill."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from sandbox.data_folder import DataFolder
from sandbox.errors import Refusal
from sandbox.servers import Servers


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with (
            DataFolder(Path(sys.argv[1])) as folder,
            Servers(folder, {}, say=lambda words: None) as all_,
        ):
            assert all_.postgres
            assert all_.postgres.child
            assert all_.valkey
            assert all_.valkey.child
            facts = {
                "pid": os.getpid(),
                "postgres": all_.postgres.child.pid,
                "valkey": all_.valkey.child.pid,
                "cluster": str(all_.postgres.cluster),
                "socket": str(all_.postgres.socket),
                **all_.env,
            }
            print(json.dumps(facts), flush=True)
            signal.pause()
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
