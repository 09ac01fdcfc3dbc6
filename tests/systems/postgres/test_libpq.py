"""The driver's connection: where it goes, and what of the user's environment counts."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import fresh, refused
from tcp_faults import Wire

from wizard.practice.postgres import PracticePostgres
from wizard.problems import Problem
from wizard.systems.access import Systems
from wizard.systems.postgres.database import Database
from wizard.systems.postgres.ways_in import choose

ELSEWHERE = "127.0.0.77"
VARIABLES = {
    "PGHOSTADDR": ELSEWHERE,
    "PGSERVICE": "mine",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREAUTH": "none",
    "PGCHANNELBINDING": "require",
    "PGGSSENCMODE": "require",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "system",
    "PGREQUIREPEER": "somebody",
    "PGLOADBALANCEHOSTS": "maybe",
    "PGTZ": "no/where",
    "PGGEQO": "maybe",
    "PGDATESTYLE": "nonsense",
    "PGMINPROTOCOLVERSION": "9.9",
    "PGMAXPROTOCOLVERSION": "0.1",
    "PGSSLMINPROTOCOLVERSION": "TLSv9",
    "PGSSLNEGOTIATION": "maybe",
    "PGSSLCERTMODE": "maybe",
    "PGCONNECT_TIMEOUT": "soon",
    "PGCLIENTENCODING": "nonsense",
    "PGOPTIONS": "-c nonsense=1",
    "PGSSLCERT": "/no/such/file",
    "PGUSER": "nobody",
    "PGDATABASE": "nothing",
    "PGPORT": "1",
}
"""What a person's shell may have, each of which breaks or diverts a connection of libpq's."""


@pytest.fixture
def elsewhere() -> Iterator[list[bytes]]:
    """What reaches another server, on PostgreSQL's own port."""
    heard: list[bytes] = []
    with socket.create_server((ELSEWHERE, 5432)) as listener:

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with peer:
                        heard.append(peer.recv(1000))

        threading.Thread(target=listen, daemon=True).start()
        yield heard
        listener.shutdown(socket.SHUT_RDWR)


def test_no_variable_counts_but_for_direct_by_the_variables(
    systems: Systems, elsewhere: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "services").write_text(f"[mine]\nhostaddr={ELSEWHERE}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    failed = {}
    for name, text in VARIABLES.items():
        with monkeypatch.context() as patched:
            patched.setenv(name, text)
            way = choose.database(systems.target, systems.cluster, systems.installation)
            try:
                with way as database:
                    assert database.identity().database == "postgres"
            except Problem as problem:
                failed[name] = problem.what
            assert os.environ[name] == text
    assert (failed, elsewhere) == ({}, [])


@pytest.fixture
def another(open_folder: Path, postgres: PracticePostgres) -> Iterator[PracticePostgres]:
    """A second server that takes the same login."""
    server = PracticePostgres(open_folder / "postgres", password=postgres.password)
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("lost", ["the first", "the second"])
def test_a_way_that_leads_to_another_server_since_writes_nothing(
    postgres: PracticePostgres,
    another: PracticePostgres,
    lost: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wizard.systems.postgres.database.IDLE", 0.0)
    with fresh(postgres) as world, Wire(postgres.port, word=b"\0never\0", fault="silence") as wire:
        world.table()
        id = world.add("{}")
        copy = type(world)(another, "postgres")
        copy.sql(f"CREATE DATABASE {world.name}")
        copy = type(world)(another, world.name)
        copy.table()
        copy.sql("INSERT INTO organizations VALUES (%s, 'Acme', false, '{}')", id)
        with Database.open(world.login(port=wire.port), connect_limit=5) as database:
            shown = database.organizations()
            wire.leads_to(another.port)
            if lost == "the first":
                world.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'langsmith-audit'"
                )
            with refused("LSA539") as caught:
                database.enable(shown)
            assert "nothing was changed" in caught.value.what
            assert len(caught.value.detail) == 2
        assert (world.config(id), copy.config(id)) == ("{}", "{}")
