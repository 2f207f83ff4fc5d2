"""Data folders for servers: in /tmp, where the account that root gives them can go."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder that does not exist yet, with a space in its path."""
    base = Path(tempfile.mkdtemp(prefix="td guard ", dir="/tmp"))
    base.chmod(0o711)
    folder = base / "data"
    yield folder
    pointer = folder / "servers.path"
    if pointer.is_file():
        shutil.rmtree(pointer.read_text().strip())
    shutil.rmtree(base)
