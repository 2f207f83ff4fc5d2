"""The guards of the embedded servers, each against what it guards from."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest
import redis

from sandbox import valkey as valkey_module
from sandbox.account import servers_home, service_account
from sandbox.child import FolderLock
from sandbox.data_folder import DataFolder
from sandbox.errors import Refusal
from sandbox.servers import Servers
from sandbox.tests.helpers import eventually, is_alive, owner
from sandbox.valkey import Valkey


def quiet(_words: str) -> None:
    """Say nothing."""


def remember(address: str) -> None:
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (words text)")
        connection.execute("INSERT INTO kept VALUES ('still here')")


def remembered(address: str) -> int:
    with psycopg.connect(address) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row
    return int(row[0])


def test_servers_start_in_a_folder_with_a_space_and_find_their_data_again(data_dir: Path) -> None:
    with DataFolder(data_dir) as folder, Servers(folder, {}, say=quiet) as servers:
        address = servers.env["DATABASE_URL"]
        remember(address)
        with psycopg.connect(address) as connection:
            connection.execute("CREATE EXTENSION btree_gist")
            connection.execute("CREATE EXTENSION pg_trgm")
            facts = connection.execute(
                "SELECT current_setting('data_checksums'), datlocprovider, datlocale, rolsuper, "
                "current_setting('max_connections')::int >= 200, current_setting('listen_addresses') "
                "FROM pg_database JOIN pg_roles ON rolname = current_user WHERE datname = current_database()"
            ).fetchone()
        assert facts == ("on", "b", "C.UTF-8", False, True, "")

    with DataFolder(data_dir) as folder, Servers(folder, {}, say=quiet) as servers:
        assert servers.env["DATABASE_URL"] == address
        assert remembered(address) == 1


def test_a_wrong_password_is_refused_and_the_right_one_is_kept_to_ourselves(data_dir: Path) -> None:
    with DataFolder(data_dir) as folder, Servers(folder, {}, say=quiet) as servers:
        assert servers.postgres
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"host={servers.postgres.sockets} user=techdeputies password=guess dbname=techdeputies")
        assert (data_dir / "secrets.json").stat().st_mode & 0o777 == 0o600
        assert servers.postgres.sockets.stat().st_mode & 0o777 == 0o700


def test_a_killed_owner_leaves_nothing_running_and_loses_nothing(data_dir: Path) -> None:
    with owner(data_dir) as (program, facts):
        remember(facts["DATABASE_URL"])
        with redis.Redis.from_url(facts["REDIS_URL"]) as client:
            client.set("kept", "still here")
        program.kill()
        assert eventually(lambda: not is_alive(facts["postgres"]) and not is_alive(facts["valkey"]))

    with owner(data_dir) as (_program, facts):
        assert remembered(facts["DATABASE_URL"]) == 1
        with redis.Redis.from_url(facts["REDIS_URL"], decode_responses=True) as client:
            assert client.get("kept") == "still here"


def test_killed_servers_leave_files_that_a_new_start_heals(data_dir: Path) -> None:
    with owner(data_dir) as (program, facts):
        remember(facts["DATABASE_URL"])
        pid_file = Path(facts["cluster"]) / "postmaster.pid"
        told = pid_file.read_text()
        for role in ("postgres", "valkey"):
            os.kill(facts[role], signal.SIGKILL)
        program.kill()

    # The number now belongs to another living program: us.
    stale = told.replace(str(facts["postgres"]), str(os.getpid()), 1)
    pid_file.write_text(stale)
    Path(f"{facts['socket']}.lock").write_text(stale)
    Path(facts["socket"]).touch()

    with owner(data_dir) as (_program, facts):
        assert remembered(facts["DATABASE_URL"]) == 1


def test_a_half_made_cluster_is_never_used(data_dir: Path) -> None:
    with DataFolder(data_dir) as folder:
        home, _account = servers_home(folder.path, quiet)
        half = home / "pg18.new-0badcafe" / "cluster"
        half.mkdir(parents=True)
        (half / "PG_VERSION").write_text("18\n")
        with Servers(folder, {}, say=quiet) as servers:
            remember(servers.env["DATABASE_URL"])
        assert not half.exists()


def test_another_major_version_is_refused_with_a_way_out(data_dir: Path) -> None:
    with DataFolder(data_dir) as folder:
        home, _account = servers_home(folder.path, quiet)
        (home / "pg17").mkdir()
        with pytest.raises(Refusal, match=r"PostgreSQL 17, .*pg_dumpall"), Servers(folder, {}, say=quiet):
            pass


def test_a_data_folder_has_one_owner(data_dir: Path) -> None:
    with DataFolder(data_dir) as folder:
        folder.write("state.json", {"web": {"address": "http://127.0.0.1:8123"}})
        with pytest.raises(Refusal, match=r"already running at http://127\.0\.0\.1:8123 on the data folder"):
            DataFolder(data_dir).open()
    DataFolder(data_dir).open().close()


def test_a_second_server_on_the_same_files_is_refused_while_the_first_lives(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey_module, "SECONDS_TO_FREE", 0.1)
    with DataFolder(data_dir) as folder, Servers(folder, {"DATABASE_URL": "given"}, say=quiet) as servers:
        first = servers.valkey
        assert first
        second = Valkey(home=first.home, account=first.account, log=first.log)
        with pytest.raises(Refusal, match="Another Valkey still runs"):
            second.launch()
        assert not FolderLock(first.home / "valkey.lock").acquire()


def test_a_closed_folder_stays_closed_and_the_data_lives_where_the_servers_can_go(data_dir: Path) -> None:
    data_dir.parent.chmod(0o700)
    said: list[str] = []
    with DataFolder(data_dir) as folder, Servers(folder, {}, say=said.append) as servers:
        assert servers.postgres
        home = servers.postgres.home
        remember(servers.env["DATABASE_URL"])
    assert data_dir.parent.stat().st_mode & 0o777 == 0o700
    assert home.stat().st_mode & 0o777 == 0o700
    if service_account() is None:
        assert home == data_dir / "servers"
    else:
        assert said == [f"The account {home.owner()} cannot reach {data_dir}, so the database lives in {home}."]
    with DataFolder(data_dir) as folder, Servers(folder, {}, say=quiet) as servers:
        assert remembered(servers.env["DATABASE_URL"]) == 1


def test_programs_that_the_account_cannot_read_are_copied(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.postgres.can_reach", lambda *_: False)
    monkeypatch.setattr("sandbox.valkey.can_reach", lambda *_: False)
    with DataFolder(data_dir) as folder, Servers(folder, {}, say=quiet) as servers:
        assert servers.postgres
        assert servers.valkey
        assert servers.postgres.home in servers.postgres.install.parents
        assert servers.valkey.home in servers.valkey.program.parents
        remember(servers.env["DATABASE_URL"])


def test_given_addresses_start_nothing(data_dir: Path) -> None:
    with DataFolder(data_dir) as folder:
        servers = Servers(folder, {"DATABASE_URL_REMOTE": "postgres://db.example/td", "REDIS_URL": "redis://r.example"})
        assert servers.postgres is None
        assert servers.valkey is None
        assert servers.env == {}
        assert not (data_dir / "servers").exists()
