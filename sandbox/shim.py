"""The last step before a child becomes its program: give up root, tie its life to the parent's, then exec.

Run as ``python -I -S shim.py OPTIONS COMMAND...``, where OPTIONS is one JSON object:

- ``user``: [uid, gid] to become, or null;
- ``parent``: the pid whose death ends the program; null ties nothing;
- ``signal``: what the program gets when the parent is gone;
- ``pipe``: null on Linux, where the kernel sends that signal. Elsewhere the number of a pipe's read end: the
  parent holds the other end, and when it closes, this process (which then stays) passes the signal on;
- ``check`` and ``mode``: paths and a mode of access(2); nothing is started, and the exit code says whether this
  user may do that with all of them.

Only the standard library's core is imported: the program may be started by a user who can read nothing else.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

PR_SET_PDEATHSIG = 1
SECONDS_TO_STOP = 30.0


def become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with(parent: int, signum: int) -> None:
    """Ask the kernel for ``signum`` at the parent's death. After setuid, which would clear the wish."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signum, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before the wish was heard
        sys.exit(1)


def keep(command: list[str], pipe: int, signum: int) -> int:
    """Run ``command`` and pass signals on; end it when the parent closes its end of the pipe."""
    child = subprocess.Popen(command, close_fds=False)

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        child.send_signal(signum)
        try:
            child.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            child.kill()

    def forward(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, forward)
    os.set_inheritable(pipe, False)
    threading.Thread(target=watch, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def main() -> None:
    options = json.loads(sys.argv[1])
    command = sys.argv[2:]
    if options.get("user"):
        become(*options["user"])
    if "check" in options:
        sys.exit(0 if all(os.access(path, options["mode"]) for path in options["check"]) else 1)
    os.umask(0o077)
    if options.get("pipe") is not None:
        sys.exit(keep(command, options["pipe"], options["signal"]))
    if options.get("parent") is not None:
        die_with(options["parent"], options["signal"])
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
