"""gunicorn's settings for a copy under ``make run``; production has its own."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

wsgi_app = "techdeputies.wsgi:application"
worker_class = "gthread"
workers = 2
threads = 4
timeout = 60
graceful_timeout = 8
# Version 27 would open one in the home directory, shared by every copy on the machine.
control_socket_disable = True
reload = True
# Django keeps compiled templates, so an edited one needs a new worker as well; a folder changes with its files' names.
reload_extra_files = [str(path) for path in (ROOT / "templates").rglob("*") if path.is_dir() or path.suffix == ".html"]
