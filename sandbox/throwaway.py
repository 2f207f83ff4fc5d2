"""Servers for tests and checks: a few cached folders under /tmp, the first free one taken."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sandbox.data_folder import DataFolder
from sandbox.environment import has_database, has_redis
from sandbox.errors import Refusal
from sandbox.servers import Servers

MOST_AT_ONCE = 16


def quiet(_words: str) -> None:
    """Say nothing: the folder is ours and nobody looks for it."""


def free_folder() -> DataFolder:
    """An open folder that no other run holds. The cluster inside is kept, which saves its making next time."""
    base = Path("/tmp") / f"techdeputies-tests-{os.geteuid()}"
    base.mkdir(mode=0o711, exist_ok=True)
    if base.is_symlink() or base.stat().st_uid != os.geteuid():
        raise Refusal(f"The folder {base} belongs to somebody else. Remove it and start again.")
    for number in range(MOST_AT_ONCE):
        with contextlib.suppress(Refusal):
            return DataFolder(base / str(number)).open()
    raise Refusal(f"All {MOST_AT_ONCE} folders in {base} are in use or cannot be used.")


@contextlib.contextmanager
def throwaway_servers(environ: Mapping[str, str], say: Callable[[str], None] = quiet) -> Iterator[dict[str, str]]:
    """Addresses of fresh servers for whatever ``environ`` does not give; they end with the block."""
    if has_database(environ) and has_redis(environ):
        yield {}
        return
    with free_folder() as folder, Servers(folder, environ, throwaway=True, say=say) as servers:
        yield {**servers.env, "DATA_DIR": str(folder.path)}
