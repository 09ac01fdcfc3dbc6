"""The same change on every PostgreSQL from 14 to 18, in containers where Docker runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databases import World, fresh, refused

from wizard.practice.postgres import DEBIAN, PracticePostgres, find_bin_dir
from wizard.systems.postgres.model import OrganizationState

VARIABLE = "LANGSMITH_AUDIT_TEST_POSTGRES"
"""Folders with the binaries of further majors, as in PATH."""
VERSIONS = ("14", "15", "16", "17", "18")
ON = '{"can_use_audit_logs": true}'
RIGHT = (None, "{}", '{"can_use_audit_logs": "true"}', '{"can_use_audit_logs": null, "x": [1]}')
WRONG = ("null", "[]", '"text"', "7", "true")


@dataclass(frozen=True)
class Container:
    """A server, in a container as a rule, with the psql of this machine."""

    host: str
    port: int
    user: str
    password: str
    bin_dir: Path


@pytest.fixture(
    scope="module", params=[*VERSIONS, *(f"here {version}" for version in VERSIONS), "here"]
)
def server(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Any]:
    """A server of each version in turn, and the ones that this machine has."""
    wanted: str = request.param
    if wanted.startswith("here"):
        yield from _here(wanted, request)
        return
    _need_docker()
    from testcontainers.postgres import PostgresContainer

    with PostgresContainer(f"postgres:{wanted}", driver=None) as running:
        host, port = running.get_container_host_ip(), int(running.get_exposed_port(5432))
        yield Container(host, port, running.username, running.password, find_bin_dir())


def _here(wanted: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    if wanted == "here":
        yield request.getfixturevalue("postgres")
        return
    bin_dir = _found(wanted.removeprefix("here "))
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="lsa-test-"))
    folder.chmod(0o711)
    made = PracticePostgres(folder / "postgres", bin_dir=bin_dir)
    made.start()
    clients = bin_dir if (bin_dir / "psql").exists() else find_bin_dir()
    yield Container(made.host, made.port, made.user, made.password, clients)
    made.stop()
    shutil.rmtree(folder)


def _found(major: str) -> Path:
    """The binaries of a major: Debian's, or in a folder that the variable names."""
    named = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    for folder in (DEBIAN / major / "bin", *map(Path, named)):
        postgres = folder / "postgres"
        if not (folder / "initdb").exists():
            continue
        told = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True)
        if f" {major}." in told.stdout:
            return folder
    pytest.skip(f"no PostgreSQL {major} on this machine (Debian's, or see CONTRIBUTING)")


def _need_docker() -> None:
    docker = pytest.importorskip("docker")
    try:
        client = docker.from_env()
        client.ping()
        client.close()
    except docker.errors.DockerException as error:
        pytest.skip(f"Docker does not run here: {type(error).__name__}")


@pytest.fixture(params=["libpq", "psql"])
def world(server: Any, request: pytest.FixtureRequest) -> Iterator[World]:
    with fresh(server) as world:
        world.via = request.param
        world.table("Lang Smith")
        yield world


def test_the_change_and_the_way_back(world: World) -> None:
    for config in (*RIGHT, '{"can_use_audit_logs": false}', ON):
        world.add(config, name=f"it's | {config}\n🦊", schema="Lang Smith")
    before = _configs(world)
    with world.open(schema="Lang Smith") as database:
        shown = database.organizations(search="🦊")
        assert len(shown) == len(RIGHT) + 2
        done = database.enable(shown)
        assert (done.count, len(done.changes), done.notes) == (len(RIGHT) + 1, len(RIGHT) + 1, ())
        assert database.organization_counts().shared[OrganizationState.ON] == len(shown)
        assert database.put_back(done.changes).restored == len(done.changes)
        assert database.audit_logs_table() is None
        assert database.identity().server_version
    assert _configs(world) == before


@pytest.mark.parametrize("config", WRONG)
def test_other_shapes_are_refused(world: World, config: str) -> None:
    world.add(config, schema="Lang Smith")
    before = _configs(world)
    with world.open(schema="Lang Smith") as database, refused("LSA503"):
        database.enable(database.organizations())
    assert _configs(world) == before


def test_a_lock_names_its_holder(world: World) -> None:
    world.add("{}", schema="Lang Smith")
    with world.open(schema="Lang Smith") as database:
        shown = database.organizations()
        statement = "UPDATE \"Lang Smith\".organizations SET display_name = 'x'"
        with world.elsewhere(statement), refused("LSA541") as caught:
            database.enable(shown, lock_limit=0.3)
    assert "the other one" in " ".join(caught.value.detail)


def test_a_right_that_is_missing(world: World) -> None:
    world.add("{}", schema="Lang Smith")
    login = world.role(
        'GRANT USAGE ON SCHEMA "Lang Smith" TO {}',
        'GRANT SELECT ON "Lang Smith".organizations TO {}',
    )
    as_role = {"user": login.user, "password": login.password, "schema": "Lang Smith"}
    with world.open(**as_role) as database, refused("LSA536", "LSA537"):
        database.enable(database.organizations())


def _configs(world: World) -> dict[Any, Any]:
    return dict(world.sql('SELECT id, config::text FROM "Lang Smith".organizations'))
