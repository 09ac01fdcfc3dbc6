"""An external database: private authority, client certificate, schema, odd URLs, no password."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from databases import World, fresh, refused, told

from wizard.practice.cluster import NAMESPACE
from wizard.practice.listening import self_signed
from wizard.practice.postgres import DEBIAN, PracticePostgres
from wizard.systems.access import Systems
from wizard.systems.kubernetes.cluster import SECRETS
from wizard.systems.postgres.errors import check_system_certificates
from wizard.systems.postgres.libpq import LibpqSession
from wizard.systems.postgres.model import Login
from wizard.systems.postgres.ways_in import choose
from wizard.systems.postgres.ways_in.in_pod import Lasting
from wizard.systems.postgres.ways_in.stored import sweep
from wizard.systems.release.installation import Installation, SecretKeys

USER = "localhost"
"""The role is called as the client certificate's common name."""


def secret(systems: Systems, name: str, **data: bytes) -> None:
    encoded = {key.replace("_", "."): base64.b64encode(it).decode() for key, it in data.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}
    systems.cluster.create(SECRETS, NAMESPACE, body)


def external(systems: Systems, url: str, **more: Any) -> Installation:
    """The installation with an external database, its URL in a Secret of another name and key."""
    secret(systems, "my-own", db_url=url.encode())
    reference = dataclasses.replace(
        systems.installation.database, secret="my-own", key="db.url", external=True, **more
    )
    return dataclasses.replace(systems.installation, database=reference, postgres=None)


@pytest.fixture
def server(open_folder: Path) -> Iterator[PracticePostgres]:
    """A server that takes TLS alone, and clients with a certificate alone."""
    places = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if not places:
        pytest.skip("no PostgreSQL server with TLS on this machine (Debian: postgresql)")
    made = PracticePostgres(open_folder / "postgres", bin_dir=places[0])
    made.start()
    try:
        yield made
    finally:
        made.stop()


CLIENTS = f"hostssl all {USER} 127.0.0.1/32 cert\nhost all postgres all scram-sha-256\n"


def turn_tls_on(
    server: PracticePostgres, own: tuple[Path, Path], clients: Path, hba: str = CLIENTS
) -> None:
    owner = (server.data / "PG_VERSION").stat()
    for source, name in ((own[0], "server.crt"), (own[1], "server.key"), (clients, "root.crt")):
        file = server.data / name
        shutil.copyfile(source, file)
        file.chmod(0o600)
        os.chown(file, owner.st_uid, owner.st_gid)
    (server.data / "pg_hba.conf").write_text(hba)
    admin = World(server, "postgres")
    admin.sql(f"CREATE ROLE {USER} SUPERUSER LOGIN")
    admin.sql("ALTER SYSTEM SET ssl = on")
    admin.sql("ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
    admin.sql("SELECT pg_reload_conf()")
    for _ in range(200):
        if admin.sql("SELECT current_setting('ssl')") == [("on",)]:
            return
        threading.Event().wait(0.05)
    raise AssertionError("no TLS")


def certificate(folder: Path) -> tuple[Path, Path]:
    folder.mkdir()
    return self_signed(folder)


def test_a_private_authority_and_a_client_certificate(
    systems, server, tmp_path, monkeypatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    own, client = certificate(tmp_path / "server"), certificate(tmp_path / "client")
    turn_tls_on(server, own, client[0])
    secret(systems, "ca", ca_pem=own[0].read_bytes())
    secret(systems, "mtls", tls_crt=client[0].read_bytes(), tls_key=client[1].read_bytes())
    with fresh(server) as world:
        world.table("lang")
        id = world.add('{"can_use_audit_logs": false}', schema="lang")
        installation = external(
            systems,
            f"{USER}:un@used@127.0.0.1:{server.port}/{world.name}",
            schema="lang",
            authority=SecretKeys("ca", ("ca.pem",)),
            client=SecretKeys("mtls", ("tls.crt", "tls.key")),
        )
        with choose.database(systems.target, systems.cluster, installation) as database:
            assert "is no Service of the cluster" in database.login.evidence
            assert "verify-full" in database.login.options["sslmode"]
            files = [Path(database.login.options[name]) for name in ("sslrootcert", "sslkey")]
            assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
            assert (sys.platform == "linux") == (list(temporary.iterdir()) == [])
            assert len(database.enable(database.organizations()).changes) == 1
        assert list(temporary.iterdir()) == []
        config = world.sql("SELECT config::text FROM lang.organizations WHERE id = %s", id)
        assert config == [('{"can_use_audit_logs": true}',)]

        without = dataclasses.replace(installation.database, client=None)
        other = dataclasses.replace(installation, database=without)
        with (
            refused("LSA526", "LSA527", "LSA524"),
            choose.database(systems.target, systems.cluster, other),
        ):
            pass
        distrusted = dataclasses.replace(
            installation.database, authority=SecretKeys("mtls", ("tls.crt",))
        )
        other = dataclasses.replace(installation, database=distrusted)
        with (
            refused("LSA526"),
            choose.database(systems.target, systems.cluster, other),
        ):
            pass


def test_another_process_can_read_the_certificates(systems, tmp_path) -> None:
    """As that of a check's connection is, see `driver`."""
    own, _ = certificate(tmp_path / "server")
    secret(systems, "ca", ca_pem=own.read_bytes())
    authority = SecretKeys("ca", ("ca.pem",))
    installation = external(systems, "u:p@db.example.com/x", authority=authority)
    with choose.login(systems.target, systems.cluster, installation) as way:
        path = way.options["sslrootcert"]
        read = subprocess.run(["cat", path], capture_output=True, check=False)
    assert read.stdout == own.read_bytes(), read.stderr


def test_what_a_killed_process_left_is_swept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = subprocess.Popen(["true"])
    dead.wait()
    names = [
        f"langsmith-audit-{dead.pid}-x",
        f"langsmith-audit-{os.getpid()}-y",
        "langsmith-audit-z",
    ]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "pem").write_text("KEY")
    sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_tls_goes_through_a_port_forward(cluster, systems, server, tmp_path, monkeypatch) -> None:
    own = certificate(tmp_path / "server")
    turn_tls_on(server, own, own[0], "hostssl all postgres all scram-sha-256\n")
    secret(systems, "ca", ca_pem=own[0].read_bytes())
    monkeypatch.setattr(cluster.postgres, "port", server.port)
    with fresh(server) as world:
        url = f"postgres:{quote(server.password)}@langsmith-postgres:5432/{world.name}"
        authority = SecretKeys("ca", ("ca.pem",))
        installation = external(systems, f"{url}?sslmode=verify-ca", authority=authority)
        with choose.database(systems.target, systems.cluster, installation) as database:
            assert "port-forward to pod langsmith-postgres-0" in database.login.evidence
            by = "SELECT ssl FROM pg_stat_ssl NATURAL JOIN pg_stat_activity WHERE "
            assert world.sql(f"{by} application_name = 'langsmith-audit'") == [(True,)]
        named = dataclasses.replace(installation.database, secret="named", key="db.url")
        secret(systems, "named", db_url=f"{url}?sslmode=verify-full".encode())
        other = dataclasses.replace(installation, database=named)
        with refused("LSA526"), choose.database(systems.target, systems.cluster, other):
            pass  # its certificate is not for the name of the Service


def test_a_certificate_that_is_not_in_its_secret(systems) -> None:
    secret(systems, "ca", other=b"x")
    installation = external(
        systems, "u:p@db.example.com/x", authority=SecretKeys("ca", ("ca.pem",))
    )
    with (
        refused("LSA586") as caught,
        choose.login(systems.target, systems.cluster, installation),
    ):
        pass
    assert "ca.pem" in caught.value.what


def test_an_iam_url_is_explained(systems) -> None:
    installation = external(systems, "user@db.example.com:5432/x")
    with (
        refused("LSA521") as caught,
        choose.login(systems.target, systems.cluster, installation),
    ):
        pass
    assert "IAM" in caught.value.what
    assert "--database direct" in caught.value.next_step


def test_a_url_that_is_not_understood_is_not_shown(systems) -> None:
    installation = external(systems, "hidden words without a place")
    with (
        refused("LSA520") as caught,
        choose.login(systems.target, systems.cluster, installation),
    ):
        pass
    assert "hidden" not in told(caught.value)


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords with which a login was tried."""
    tried: list[str] = []
    log_in = LibpqSession.open

    def noted(login: Login, connect_limit: int) -> LibpqSession:
        tried.append(login.password)
        return log_in(login, connect_limit)

    monkeypatch.setattr(LibpqSession, "open", noted)
    return tried


@pytest.mark.parametrize(
    ("real", "tried", "told"),
    [
        ("p@ss", ["p@ss"], "taken URL-decoded, as the backend reads it"),
        ("p%40ss", ["p@ss", "p%40ss"], "taken as it is stored, since URL-decoded the server"),
    ],
)
def test_a_stored_password_without_a_scheme_is_read_in_both_ways(
    systems, postgres, logins, real, tried, told
) -> None:
    with fresh(postgres) as world, contextlib.closing(Lasting()) as lasting:
        world.table()
        role = world.role()
        world.sql(f"ALTER ROLE {role.user} PASSWORD '{real}'")
        url = f"{role.user}:p%40ss@{postgres.host}:{postgres.port}/{world.name}"
        installation = external(systems, url)
        for _ in range(2):
            way = choose.database(systems.target, systems.cluster, installation, lasting)
            with way as database:
                assert database.identity().user == role.user
                assert told in database.login.evidence
                assert real not in repr(database.login) + database.login.evidence
    assert logins == [*tried, tried[-1]]  # what failed once is not tried again


def test_two_logins_at_most_fail(systems, postgres, logins) -> None:
    with fresh(postgres) as world, contextlib.closing(Lasting()) as lasting:
        role = world.role()
        url = f"{role.user}:p%40ss@{postgres.host}:{postgres.port}/{world.name}"
        installation = external(systems, url)
        for _ in range(2):
            with (
                refused("LSA524") as caught,
                choose.database(systems.target, systems.cluster, installation, lasting),
            ):
                pass
            assert "neither URL-decoded nor as it is stored" in caught.value.what
            assert "both count" in caught.value.next_step
            assert not {"p@ss", "p%40ss"} & set(told(caught.value).split())
    assert logins == ["p@ss", "p%40ss"]


def test_a_service_file(systems, postgres, monkeypatch, tmp_path) -> None:
    with fresh(postgres) as world:
        world.table()
        file = tmp_path / "services"
        file.write_text(
            f"[mine]\nhost={postgres.host}\nport={postgres.port}\nuser={postgres.user}\n"
            f"password={postgres.password}\ndbname={world.name}\n"
            "target_session_attrs=read-write\n"
        )
        monkeypatch.setenv("PGSERVICEFILE", str(file))
        monkeypatch.setenv("PGSERVICE", "mine")
        target = dataclasses.replace(systems.target, database="direct")
        with choose.database(target, systems.cluster, systems.installation) as database:
            assert database.identity().database == world.name
            assert postgres.password not in repr(database.login)


@pytest.mark.parametrize("form", ["url", "words"])
def test_a_url_in_a_file(systems, postgres, tmp_path, form) -> None:
    with fresh(postgres) as world:
        world.table()
        world.add("{}")
        place = f"{postgres.host}:{postgres.port},{postgres.host}:{postgres.port}"
        password = quote(postgres.password, safe="")
        text = f"postgresql://{postgres.user}:{password}@{place}/{world.name}"
        text += "?target_session_attrs=read-write\n"
        if form == "words":
            text = f"host={postgres.host} port={postgres.port} user={postgres.user} "
            text += f"password={postgres.password} dbname={world.name}"
        file = tmp_path / "url"
        file.write_text(text)
        target = dataclasses.replace(systems.target, database_url_file=file)
        with choose.database(target, systems.cluster, systems.installation) as database:
            assert database.identity().database == world.name
            assert "as --database-url-file asks" in database.login.evidence
            assert postgres.password not in repr(database.login)
            assert len(database.enable(database.organizations()).changes) == 1


def test_a_read_only_server_is_not_a_read_write_one(systems, postgres, tmp_path) -> None:
    with fresh(postgres) as world:
        world.sql(f"ALTER DATABASE {world.name} SET default_transaction_read_only = on")
        file = tmp_path / "url"
        file.write_text(
            f"host={postgres.host} port={postgres.port} user={postgres.user} "
            f"password={postgres.password} dbname={world.name} target_session_attrs=read-write"
        )
        target = dataclasses.replace(systems.target, database_url_file=file)
        with (
            refused("LSA538", "LSA528", "LSA522"),
            choose.database(target, systems.cluster, systems.installation),
        ):
            pass


def test_a_file_that_holds_no_url_is_not_shown(systems, tmp_path) -> None:
    file = tmp_path / "url"
    target = dataclasses.replace(systems.target, database_url_file=file)
    for content, id in ((None, "LSA554"), (b"\xff", "LSA554"), (b"hidden word=", "LSA555")):
        if content is not None:
            file.write_bytes(content)
        with (
            refused(id) as caught,
            choose.login(target, systems.cluster, systems.installation),
        ):
            pass
        assert "hidden" not in told(caught.value)


def test_the_systems_certificates_need_a_newer_library(monkeypatch) -> None:
    login = Login("db.example.com", 5432, "u", "p", "x", {"sslrootcert": "system"})
    check_system_certificates(login, 160000)
    with refused("LSA556") as caught:
        check_system_certificates(login, 150007)
    assert "libpq 16" in caught.value.what
    monkeypatch.setenv("PGSSLROOTCERT", "system")
    check_system_certificates(dataclasses.replace(login, options={}), 150007)
    with refused("LSA556"):
        by_variables = dataclasses.replace(login, options={}, by_variables=True)
        check_system_certificates(by_variables, 150007)
