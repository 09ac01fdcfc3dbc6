"""Logins that do not work, each told for what it is."""

import contextlib
import dataclasses
import datetime as dt
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import World, fresh, refused, told

from wizard.practice.listening import free_port, self_signed
from wizard.practice.postgres import DEBIAN, PracticePostgres
from wizard.problems import Exit
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.errors import refused_login, refused_twice
from wizard.systems.postgres.model import Login
from wizard.systems.postgres.statements import Statement


@pytest.fixture
def world(postgres: PracticePostgres) -> Iterator[Any]:
    with fresh(postgres) as world:
        world.table()
        yield world


def test_wrong_password(world: World) -> None:
    with refused("LSA524") as caught:
        world.open(password="not the one")
    assert "not the one" not in told(caught.value)
    assert caught.value.__cause__ is None


def test_no_such_user(world: World) -> None:
    with refused("LSA524"):
        world.open(user="nobody_at_all")


def test_no_such_database(world: World) -> None:
    with refused("LSA525") as caught:
        world.open(dbname="elsewhere")
    assert caught.value.exit == Exit.FAILED


def test_nothing_listens(world: World) -> None:
    with refused("LSA522") as caught:
        world.open(port=free_port())
    assert caught.value.exit == Exit.UNKNOWN


def test_no_such_name(world: World) -> None:
    with refused("LSA522") as caught:
        world.open(host="db.invalid")
    assert "host db.invalid cannot be resolved" in caught.value.what
    assert "--database pod for an external one" in caught.value.next_step


def test_no_such_socket(world: World, tmp_path: Path) -> None:
    with refused("LSA522"):
        world.open(host=str(tmp_path))


def test_a_server_that_never_answers(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, refused("LSA523") as caught:
        Database.open(world.login(port=silent.getsockname()[1]), connect_limit=2)
    assert "within 2 seconds" in caught.value.what


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_is_not_postgresql(world: World, words: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = stranger.accept()
                    with connection:
                        connection.recv(100)
                        connection.sendall(words)

        threading.Thread(target=answer, daemon=True).start()
        with refused("LSA522", "LSA526"):
            world.open(port=stranger.getsockname()[1])
        stranger.shutdown(socket.SHUT_RDWR)


def test_tls_is_wanted_and_not_there(world: World) -> None:
    with refused("LSA526") as caught:
        world.open(options={"sslmode": "require"})
    assert "sslmode require" in caught.value.what


def test_a_parameter_that_libpq_does_not_know(world: World) -> None:
    with refused("LSA529") as caught:
        world.open(options={"pool_size": "5"})
    assert caught.value.exit == Exit.USAGE


def test_no_connection_left(world: World) -> None:
    login = world.role()
    world.sql(f"ALTER ROLE {login.user} CONNECTION LIMIT 0")
    with refused("LSA528"):
        Database.open(login)


def test_pg_hba_lets_nobody_in(world: World) -> None:
    login = world.role()
    with _hba(world, f"host {world.name} {login.user} all reject"), refused("LSA527"):
        Database.open(login)


def test_libpq_variables_serve_where_the_login_says_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = world.login()
    for name, value in (
        ("PGHOST", full.host), ("PGPORT", full.port), ("PGUSER", full.user),
        ("PGPASSWORD", full.password), ("PGDATABASE", full.dbname),
        ("PGOPTIONS", "-c statement_timeout=1"),
    ):  # fmt: skip
        monkeypatch.setenv(name, str(value))
    by_them = Login("", 0, "", "", "", via="direct", by_variables=True)
    with Database.open(by_them) as database:
        assert database.identity().database == world.name
        assert database._live.rows(_shown("statement_timeout"))[0]["setting"] == "0"


def test_settings_of_the_role_do_not_matter(world: World) -> None:
    login = world.role(
        "GRANT SELECT, UPDATE ON organizations TO {}",
        "ALTER ROLE {} SET datestyle = 'German'",
        "ALTER ROLE {} SET timezone = 'Asia/Kathmandu'",
        "ALTER ROLE {} SET default_transaction_isolation = 'serializable'",
        "ALTER ROLE {} SET standard_conforming_strings = off",
        "ALTER ROLE {} SET bytea_output = 'escape'",
        "ALTER ROLE {} SET client_encoding = 'LATIN1'",
    )
    id = world.add("{}", "Łódź \\ 🙂")
    with Database.open(login) as database:
        [shown] = database.organizations(search="\\ 🙂")
        assert (shown.id, shown.display_name) == (id, "Łódź \\ 🙂")
        done = database.enable([shown])
    age = dt.datetime.now(dt.UTC) - done.committed_at
    assert abs(age.total_seconds()) < 60


def test_tls_with_a_private_ca(tmp_path: Path, open_folder: Path) -> None:
    server = _server_with_tls(open_folder)
    certificate, key = self_signed(_folder(tmp_path / "ours"))
    stranger, _ = self_signed(_folder(tmp_path / "stranger"))
    server.start()
    try:
        world = World(server, "postgres")
        _turn_tls_on(world, certificate, key)
        with world.open(options=_trusting(certificate)) as database:
            assert database.identity().database == "postgres"
        with refused("LSA526") as caught:
            world.open(options=_trusting(stranger))
        assert "certificate verify failed" in told(caught.value)
        with refused("LSA526"):
            world.open(options=_trusting(tmp_path / "missing.crt"))
    finally:
        server.stop()


def test_a_server_too_old(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    from wizard.systems.postgres import session

    monkeypatch.setattr(session, "OLDEST", 99)
    with refused("LSA530") as caught:
        world.open()
    assert "PostgreSQL 99 or newer" in caught.value.what


def _shown(name: Any) -> Any:

    return Statement("", {}, {}, {"name": name}, "SELECT current_setting(:'name') AS setting")


def _trusting(certificate: Path) -> dict[str, str]:
    return {"sslmode": "verify-full", "sslrootcert": str(certificate)}


@contextlib.contextmanager
def _hba(world: World, line: str) -> Iterator[Any]:
    file = world.server.data / "pg_hba.conf"
    plain = file.read_text()
    file.write_text(f"{line}\n{plain}")
    world.sql("SELECT pg_reload_conf()")
    _await(world, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'reject'", 1)
    try:
        yield
    finally:
        file.write_text(plain)
        world.sql("SELECT pg_reload_conf()")
        _await(world, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'reject'", 0)


def _server_with_tls(home: Any) -> PracticePostgres:
    """The wheel's server is built without TLS, Debian's and Homebrew's have it."""
    places = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    if on_path:
        places.append(Path(on_path).resolve().parent)
    if not places:
        pytest.skip("no PostgreSQL server with TLS on this machine (Debian: postgresql)")
    return PracticePostgres(home / "postgres", bin_dir=places[0])


def _turn_tls_on(world: World, certificate: Path, key: Path) -> None:
    data = world.server.data
    for source, name in ((certificate, "server.crt"), (key, "server.key")):
        target = data / name
        target.write_bytes(source.read_bytes())
        target.chmod(0o600)
        owner = (data / "PG_VERSION").stat()
        os.chown(target, owner.st_uid, owner.st_gid)
    world.sql("ALTER SYSTEM SET ssl = on")
    world.sql("SELECT pg_reload_conf()")
    _await(world, "SELECT (current_setting('ssl') = 'on')::int", 1)


def _await(world: World, query: str, wanted: int) -> None:
    for _ in range(200):
        if world.sql(query)[0][0] == wanted:
            return
        threading.Event().wait(0.05)
    raise AssertionError(query)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("via", ["libpq", "psql"])
def test_what_the_server_says_of_a_refused_statement_is_redacted(world: World, via: str) -> None:
    world.via = via
    id = world.add("{}")
    secret = "S3CRETS3CRET"
    words = f"secret={secret} postgres://u:{secret}@h/x {world.server.password}"
    world.trap("BEFORE UPDATE ON organizations", f"RAISE EXCEPTION '{words}';")
    with world.open() as database, refused("LSA545") as caught:
        database.enable(database.organizations())
    said = told(caught.value)
    assert "P0001" in said
    assert secret not in said
    assert world.server.password not in said
    assert world.config(id) == "{}"


NOWHERE = Login("", 0, "", "", "", via="psql in a pod")
"""Who logs in, and where, only the pod knows."""


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (
            'FATAL:  password authentication failed for user "lang"',
            "does not accept user lang with",
        ),
        ("FATAL:  no password supplied", "does not accept the user of this way in with"),
        ('FATAL:  database "lang" does not exist', "there is no database lang on this server"),
        ("ERROR:  no such database", "there is no such database on this server"),
        ('could not translate host name "db" to address: x', "the name of host db cannot be"),
        ("failed to resolve host", "the name of the server cannot be"),
    ],
)
def test_no_message_has_a_hole_where_a_name_is_missing(words: str, what: str) -> None:
    problem = refused_login(words, NOWHERE)
    assert what in problem.what
    both = refused_twice(dataclasses.replace(NOWHERE, reading="a", otherwise=NOWHERE), problem)
    assert "  " not in problem.what + both.what
