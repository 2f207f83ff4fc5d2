"""Children die with their parent, with the kernel's help and without it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.child import start
from sandbox.tests.helpers import ROOT, bare_env, eventually, is_alive

PARENT = """
import sys, time
from sandbox.child import start
child = start([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"],
              role="sleeper", env={}, use_pipe=sys.argv[1] == "pipe")
time.sleep(60)
"""


@pytest.mark.parametrize("way", ["kernel", "pipe"])
def test_a_child_ends_when_its_parent_is_killed(way: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, way], cwd=ROOT, env=bare_env(), stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    with parent.stdout:
        sleeper = int(parent.stdout.readline())
        assert is_alive(sleeper)
        parent.kill()
        parent.wait()
        assert eventually(lambda: not is_alive(sleeper))


@pytest.mark.parametrize("use_pipe", [False, True])
def test_stopping_asks_first_and_insists_later(use_pipe: bool, tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    log = tmp_path / "log"
    child = start([sys.executable, "-c", stubborn], role="stubborn", env={}, log=log, use_pipe=use_pipe)
    assert eventually(lambda: "up" in log.read_text())

    child.stop(((signal.SIGTERM, 0.2),))

    assert not child.is_running
