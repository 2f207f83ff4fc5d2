"""Who the servers run as, and where their folders are.

PostgreSQL refuses to run as root. When root starts it, it runs as an unprivileged account instead, and no folder
above ours is ever opened for that account: if it cannot reach the data folder, the servers' files live elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import Refusal

SHIM = str(Path(__file__).with_name("shim.py"))
SERVICE_NAMES = ("postgres", "nobody")
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
# sockaddr_un holds 104 bytes on macOS and 108 on Linux; PostgreSQL adds "/.s.PGSQL.5432.lock".
LONGEST_SOCKET_FOLDER = 80


@dataclass(frozen=True)
class Account:
    """An unprivileged account for the servers."""

    uid: int
    gid: int
    name: str

    @classmethod
    def of(cls, uid: int) -> Account:
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            raise Refusal(
                f"The servers' files belong to user number {uid}, who does not exist here. Choose another DATA_DIR."
            ) from None
        return cls(entry.pw_uid, entry.pw_gid, entry.pw_name)


def service_account() -> Account | None:
    """The account to give root's servers; None when we are not root and keep our own."""
    if os.geteuid() != 0:
        return None
    for name in SERVICE_NAMES:
        try:
            return Account.of(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    raise Refusal(
        "There is no account to run PostgreSQL under. Create a user named postgres, or start as another user."
    )


def can_reach(account: Account | None, paths: Iterable[Path], mode: int = os.R_OK | os.X_OK) -> bool:
    """Whether ``account`` can read and enter (``mode``) every one of ``paths``, asked of the kernel by becoming it."""
    names = [str(path) for path in paths]
    if account is None:
        return all(os.access(name, mode) for name in names)
    options = json.dumps({"user": [account.uid, account.gid], "check": names, "mode": mode})
    return subprocess.run([sys.executable, "-I", "-S", SHIM, options], check=False).returncode == 0


def give(path: Path, account: Account | None) -> None:
    """Hand one of our own new files or folders to ``account``."""
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def give_tree(root: Path, account: Account | None) -> None:
    give(root, account)
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            give(Path(folder) / name, account)


def servers_home(data_dir: Path, say: Callable[[str], None]) -> tuple[Path, Account | None]:
    """The private folder of the servers' files and the account that owns it.

    It is DATA_DIR/servers, unless root's service account cannot get there; then it is a folder of its own, and
    DATA_DIR/servers.path remembers which.
    """
    account = service_account()
    home, pointer = data_dir / "servers", data_dir / "servers.path"
    if pointer.is_file():
        home = Path(pointer.read_text().strip())
    elif account is not None and not home.exists() and not can_reach(account, [data_dir], os.X_OK):
        base = next(base for base in (Path("/var/lib"), Path("/var/tmp")) if base.is_dir())
        home = base / f"techdeputies-{secrets.token_hex(6)}"
        pointer.write_text(f"{home}\n")
        say(f"The account {account.name} cannot reach {data_dir}, so the database lives in {home}.")
    if home.exists():
        owner = home.stat().st_uid
        if account is not None and owner not in (0, account.uid):
            account = Account.of(owner)
        if account is None and owner != os.geteuid():
            raise Refusal(
                f"The folder {home} belongs to another user. Start as that user, or set DATA_DIR to another folder."
            )
    else:
        home.mkdir(mode=0o700)
    give(home, account)
    return home, account


def socket_folder(home: Path, account: Account | None) -> Path:
    """A private folder for unix sockets: inside ``home``, or a short one in /tmp when that path will not do."""
    folder = home / "run"
    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER or not PLAIN_PATH.fullmatch(str(folder)):
        uid = account.uid if account else os.geteuid()
        folder = Path("/tmp") / f"techdeputies-{uid}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"
        if folder.is_symlink() or (folder.exists() and folder.stat().st_uid not in (uid, os.geteuid())):
            raise Refusal(f"The folder {folder} belongs to somebody else. Remove it, or choose a shorter DATA_DIR.")
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    give(folder, account)
    return folder


def private_copy(home: Path, name: str, account: Account | None, copy: Callable[[Path], None]) -> Path:
    """``home``/``name``, filled by ``copy`` in a temporary folder first, so that a half copy is never used."""
    target = home / name
    if not target.exists():
        for left in home.glob(f"{name}.new-*"):
            shutil.rmtree(left)
        fresh = home / f"{name}.new-{secrets.token_hex(4)}"
        fresh.mkdir(mode=0o700)
        copy(fresh)
        give_tree(fresh, account)
        fresh.rename(target)
    return target
