"""Find Chromium for the browser tests; run as a program, also install it where that is one command away.

Only the standard library is used: the system's Python runs this before any test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_PROGRAM = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
PACKAGES = ("chromium", "fonts-liberation")
# What a browser under test must not do: ask the network for anything, or wait for a person.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)


def chromium_path() -> str | None:
    """The program to start: the one in CHROMIUM, else the first found on PATH."""
    given = os.environ.get("CHROMIUM", "").strip()
    if given:
        return given
    for name in NAMES:
        if found := shutil.which(name):
            return found
    return MAC_PROGRAM if os.path.exists(MAC_PROGRAM) else None


def install() -> bool:
    """Install Debian's Chromium as root; False when that did not work."""
    print("Installing Chromium for the browser tests (once) ...", flush=True)
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdin": subprocess.DEVNULL}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        result = subprocess.run(command, **quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)  # type: ignore[call-overload]
        if result.returncode != 0:
            sys.stderr.write(result.stdout.decode(errors="replace"))
            return False
    return True


def main() -> None:
    if chromium_path():
        return
    can_install = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")
    if not (can_install and install() and chromium_path()):
        sys.exit("The browser tests need Chromium. Install it (on Debian: apt-get install chromium) and start again.")


if __name__ == "__main__":
    main()
