"""The stand-in as a process: started, stopped, started again."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from sandbox.mailgun import Config
from sandbox.mailgun.tests.conftest import message
from sandbox.tests.helpers import ROOT, stand_in_process


def test_a_process_takes_keys_from_the_environment_and_keeps_mail_through_a_kill(tmp_path: Path) -> None:
    environment = {"MAILGUN_API_KEY": "key-a", "MAILGUN_SENDER_DOMAIN": "mg.example.org"}
    with stand_in_process("sandbox.mailgun", tmp_path, **environment) as (process, url):
        answer = requests.post(f"{url}/mg.example.org/messages", data=message(), auth=("api", "key-a"), timeout=5)
        assert answer.status_code == 200
        process.kill()
        process.wait(5)

    with stand_in_process("sandbox.mailgun", tmp_path, **environment) as (process, url):
        assert "Your session is booked" in requests.get(url.removesuffix("v3"), timeout=5).text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_without_a_word(tmp_path: Path, number: signal.Signals) -> None:
    with stand_in_process("sandbox.mailgun", tmp_path) as (process, url), requests.Session() as session:
        session.get(url.replace("v3", "healthz"), timeout=5)  # a kept-alive connection stays open
        started = time.monotonic()
        process.send_signal(number)

        assert process.wait(5) == 0
        assert time.monotonic() - started < 2
        assert process.stderr
        assert process.stderr.read() == ""


def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "sandbox.mailgun", "--port", str(port), "--data-dir", str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )

    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_environment_names_what_the_account_is() -> None:
    config = Config.from_environment(
        {"MAILGUN_STANDIN_WEBHOOK_URL": "http://x/", "MAILGUN_API_KEY": "", "MAILGUN_STANDIN_AUTO_DELIVER": "1"}
    )

    assert config.webhook_url == "http://x/"
    assert config.api_key == Config().api_key
    assert config.auto_deliver is True
    with pytest.raises(ValueError, match="owner"):
        Config.from_environment({"MAILGUN_STANDIN_READ_ROLE": "owner"})
