"""Processes, seen from outside."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAMES_OF_ADDRESSES = ("DATABASE_URL", "DATABASE_URL_LOCAL", "DATABASE_URL_REMOTE", "REDIS_URL", "DATA_DIR")


def bare_env(**more: str) -> dict[str, str]:
    """Our environment without what this test run was given, so that a program under test finds nothing ready."""
    ours = ("SECRET_KEY", "SETTINGS_KEYS", "SITE_URL", "PORT", "DEBUG", "DJANGO_SETTINGS_MODULE", "DEFAULT_FROM_EMAIL")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in NAMES_OF_ADDRESSES
        and name not in ours
        and not name.startswith(("MAILGUN_", "STRIPE_", "PYTEST_"))
    }
    return {**kept, **more}


def is_alive(pid: int) -> bool:
    """Whether a process of this number runs; one that only waits to be reaped does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.strip().startswith("Z")


def eventually(question: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether ``question`` becomes true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes_naming(words: str) -> list[int]:
    """The living processes whose command line or variables of the start name ``words``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            if words.encode() in text and is_alive(int(folder.name)) and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


@contextlib.contextmanager
def stand_in_process(module: str, data_dir: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A stand-in as a process on a free port, and the address of its API as it printed it."""
    with subprocess.Popen(
        [sys.executable, "-m", module, "--port", "0", "--data-dir", str(data_dir)],
        cwd=ROOT,
        env=bare_env(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline().split("API: ")[1].strip()
        finally:
            process.kill()


@contextlib.contextmanager
def owner(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running owner of servers on ``data_dir`` and the facts it tells; it is stopped in the end."""
    program = subprocess.Popen(
        [sys.executable, "-m", "sandbox.tests.owner", str(data_dir)],
        cwd=ROOT,
        env=bare_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout
        assert program.stderr
        line = program.stdout.readline()
        assert line, program.stderr.read()
        yield program, json.loads(line)
    finally:
        program.terminate()
        program.communicate(timeout=40)
