"""Children that die with us, and folders with one owner."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.account import SHIM, Account

KERNEL_TELLS_OF_DEATH = sys.platform == "linux"
StopPlan = Sequence[tuple[signal.Signals, float]]


class FolderLock:
    """An advisory lock on a file; it ends with the last process that holds it, however that one ends.

    A server inherits the lock of its own folder and we let go of it, so the lock is held for exactly as long as a
    process of that server lives, even when we were killed and it is still stopping.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = -1

    @property
    def is_held(self) -> bool:
        return self.fd >= 0

    def acquire(self, wait_seconds: float = 0.0) -> bool:
        """Take the lock, waiting at most ``wait_seconds``. False when somebody else keeps it."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    return False
                time.sleep(0.05)
            else:
                self.fd = fd
                return True

    def release(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@dataclass
class Child:
    """A running program of ours. ``life_line`` is our end of its pipe where the kernel tells nobody of our death."""

    role: str
    process: subprocess.Popen[bytes]
    life_line: int | None = None
    is_cleared: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self, plan: StopPlan) -> None:
        """Send each signal of ``plan`` and wait its seconds until the program has ended; then end its group."""
        for signum, seconds in (*plan, (signal.SIGKILL, 5.0)):
            if not self.is_running:
                break
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signum)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.clear_away()

    def clear_away(self) -> None:
        """End what a dead program left in its process group, and let go of its pipe."""
        if self.is_cleared:
            return
        self.is_cleared = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.life_line is not None:
            os.close(self.life_line)
            self.life_line = None


def start(
    command: Sequence[str],
    *,
    role: str,
    env: Mapping[str, str],
    log: Path | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    locks: Iterable[FolderLock] = (),
    use_pipe: bool = not KERNEL_TELLS_OF_DEATH,
) -> Child:
    """Start ``command`` in its own process group so that it gets ``death_signal`` when we die, even by kill -9.

    Call it from a thread that lives as long as we do: for Linux the parent is the thread. Output is added to
    ``log``, or shown where ours is. The child keeps ``locks`` for as long as it lives.
    """
    keep = [lock.fd for lock in locks]
    read_end, life_line = os.pipe() if use_pipe else (None, None)
    if read_end is not None:
        keep.append(read_end)
    options = {
        "user": [account.uid, account.gid] if account else None,
        "parent": os.getpid(),
        "signal": int(death_signal),
        "pipe": read_end,
    }
    output = log.open("ab") if log else None
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", SHIM, json.dumps(options), *command],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            pass_fds=keep,
        )
    finally:
        if output:
            output.close()
        if read_end is not None:
            os.close(read_end)
    return Child(role, process, life_line)


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, for a message that has to explain a failure."""
    if not log.is_file():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
