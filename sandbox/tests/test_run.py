"""``make run`` from outside: a whole copy is started, hurt, and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.environment import free_port
from sandbox.tests.helpers import ROOT, bare_env, eventually, is_alive, processes_naming

RUN = [sys.executable, "-m", "sandbox.run", "--stop-with-parent"]
ROLES = {"supervisor", "postgres", "valkey", "mailgun", "stripe", "web", "worker", "worker_critical", "beat"}


def state_of(data_dir: Path) -> dict[str, dict[str, Any]]:
    try:
        return dict(json.loads((data_dir / "state.json").read_text()))
    except FileNotFoundError:
        return {}


def answers(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/livez", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def has_other_pid(data_dir: Path, role: str, pid: int) -> bool:
    return bool(state_of(data_dir)[role]["pid"] != pid)


@contextlib.contextmanager
def running_copy(data_dir: Path, starter: list[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A copy started by the command ``starter``, ready to be used, and its port."""
    port = free_port()
    log = data_dir.parent / "output.txt"
    with log.open("a") as output:
        program = subprocess.Popen(
            starter,
            cwd=ROOT,
            env=bare_env(DATA_DIR=str(data_dir), PORT=str(port)),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        ready = eventually(lambda: "Press Ctrl-C" in log.read_text() or program.poll() is not None, 120)
        assert ready, log.read_text()
        assert program.poll() is None, log.read_text()
        yield program, port
    finally:
        if program.poll() is None:
            program.terminate()
            program.wait(60)


def run_once(data_dir: Path, port: int) -> subprocess.CompletedProcess[str]:
    env = bare_env(DATA_DIR=str(data_dir), PORT=str(port))
    return subprocess.run(RUN, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_copy_runs_heals_itself_and_stops_without_a_trace(data_dir: Path) -> None:
    with running_copy(data_dir, RUN) as (program, port):
        state = state_of(data_dir)
        address = f"http://127.0.0.1:{port}"
        assert set(state) >= ROLES
        assert state["web"]["address"] == address
        assert answers(address)
        assert (data_dir / "state.json").stat().st_mode & 0o777 == 0o600
        assert (data_dir / "env.json").stat().st_mode & 0o777 == 0o600

        second = run_once(data_dir, free_port())
        assert second.returncode == 1
        assert second.stderr.startswith(f"The Tech Deputies is already running at {address} on the data folder")
        assert len(second.stderr.splitlines()) == 1

        typed = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--check"],
            cwd=ROOT,
            env=bare_env(DATA_DIR=str(data_dir), DEBUG="1"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert typed.returncode == 0, typed.stderr

        for role in ("web", "valkey", "postgres", "worker"):
            os.kill(state[role]["pid"], signal.SIGKILL)
            assert eventually(partial(has_other_pid, data_dir, role, state[role]["pid"]), 40), role
        assert eventually(lambda: answers(address), 30)

        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 0
        assert processes_naming(str(data_dir)) == []
        assert state_of(data_dir) == {}
        assert not answers(address)


def test_a_killed_copy_leaves_nothing_running(data_dir: Path) -> None:
    with running_copy(data_dir, RUN) as (program, _port):
        pids = [facts["pid"] for facts in state_of(data_dir).values()]
        program.kill()
        program.wait()
        assert eventually(lambda: not any(is_alive(pid) for pid in pids), 30)
        assert eventually(lambda: processes_naming(str(data_dir)) == [], 30)


def test_a_busy_port_is_named_before_anything_starts(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run_once(data_dir, port)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Port {port} is in use by another program.")
    assert len(refused.stderr.splitlines()) == 1
    assert not (data_dir / "servers").exists()
