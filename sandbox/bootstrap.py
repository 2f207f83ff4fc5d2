"""Make .venv and install the locked packages, when they are not there yet or the lock files have changed.

Run by the system's Python, so only the standard library is used, and nothing newer than what old versions can read:
a too old Python is told so in one sentence.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
LOCK_FILES = ("requirements.txt", "requirements-dev.txt")


def wanted_stamp() -> str:
    """What the environment should be made of: the lock files, the Python, and the place (scripts name it)."""
    digest = hashlib.sha256()
    for name in LOCK_FILES:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    digest.update(repr((sys.version_info[:2], VENV)).encode())
    return digest.hexdigest()


def run(command: list[str], words: str) -> None:
    """Run one step; its output is shown only when it fails."""
    result = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode != 0:
        sys.stderr.write(result.stdout.decode(errors="replace"))
        sys.exit(words)


def make_environment() -> None:
    python = os.path.join(VENV, "bin", "python")
    usable = (
        os.path.exists(python)
        and subprocess.call(
            [python, "-c", "import pip, sys; sys.exit(sys.version_info[:2] != %r)" % (sys.version_info[:2],)],
            stderr=subprocess.DEVNULL,
        )
        == 0
    )
    if not usable:
        shutil.rmtree(VENV, ignore_errors=True)
        run(
            [sys.executable, "-m", "venv", VENV],
            "The virtual environment could not be made. On Debian and Ubuntu, install python3-venv and start again.",
        )
    print("Installing the pinned packages (once; takes about a minute) ...", flush=True)
    run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        + ["--prefer-binary", "--no-compile", "--require-hashes", "-r", LOCK_FILES[-1]],
        "The packages could not be installed; the lines above say why. Check the network and start again.",
    )


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(
            "Python 3.11 or newer is needed, and this is %d.%d. Run: make PYTHON=python3.11" % sys.version_info[:2]
        )
    with open(os.path.join(ROOT, ".venv.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp_file = os.path.join(VENV, "installed")
        stamp = wanted_stamp()
        if os.path.exists(stamp_file):
            with open(stamp_file) as file:
                if file.read() == stamp:
                    return
            os.remove(stamp_file)
        make_environment()
        with open(stamp_file, "w") as file:
            file.write(stamp)


if __name__ == "__main__":
    main()
