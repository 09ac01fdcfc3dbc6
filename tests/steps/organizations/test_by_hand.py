"""`--database manual`: the SQL for a DBA, the run that waits for it, and the run that goes on."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import psycopg
import pytest
from databases import World, fresh
from leftovers import OURS, trace, writes

from wizard.practice.cluster import PracticeCluster
from wizard.systems.postgres.by_hand import enable_by_hand, list_by_hand

ENV = {"LANGSMITH_AUDIT_DATABASE": "manual"}
OWN = "3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905"
"""The organization of the practice key."""
OTHER = "c2a95e17-7d34-4b8f-b6e1-0f4d8a6c3b73"
RUN = ("run", "--yes", "--no-input", "--org", OWN)


def script(*ids: UUID, schema: str = "public", only_off: bool = False) -> str:
    return enable_by_hand(schema, ids, only_off=only_off, lock_limit=0.5, statement_limit=5)


def dba(world: World, text: str) -> list[str]:
    """Run it as a DBA does, in one piece; the notices."""
    heard: list[str] = []
    with world.connect() as connection:
        connection.add_notice_handler(lambda told: heard.append(str(told.message_primary)))
        connection.execute(text.encode())
    return heard


def database_was_not_asked_for(cluster: PracticeCluster) -> bool:
    ours = [one for one in cluster.kubernetes.requests if one.user_agent.startswith(OURS)]
    pods = [one.name for one in ours if one.resource == "pods"]
    return bool(ours) and not any("postgres" in name for name in pods)


class TestTheRun:
    def test_it_waits_for_a_dba_and_goes_on(self, cluster, run) -> None:
        before = trace(cluster)
        plan = run("plan", "--org", OWN, env=ENV)
        assert plan.returncode == 0, plan.stderr
        assert "what is stored now cannot be known" in plan.stdout
        assert trace(cluster) == before

        first = run(*RUN, env=ENV)
        assert first.returncode == 9, first.stderr
        assert "a DBA" in first.stderr
        assert first.stdout.startswith("-- Audit logs for LangSmith organizations")
        copies = list((cluster.home / "state").glob("runs/*/*organizations.sql"))
        assert [copy.read_text() for copy in copies] == [first.stdout]
        told = json.loads(run("runs", "--format", "json").stdout)["runs"][0]
        assert (told["state"], told["changed"][-1]) == ("unfinished", "organizations")
        check = run("check", "--org", OWN, env=ENV)
        assert check.returncode in (3, 5)
        assert "LSA551" in check.stdout
        with cluster.connect() as connection:
            connection.execute(first.stdout.encode())
        second = run(*RUN, env=ENV)
        assert second.returncode == 0, second.stderr
        assert "was left unfinished" in second.stderr
        assert "The server says that audit logs are on for it" in second.stderr
        assert second.stdout == ""
        assert database_was_not_asked_for(cluster)
        assert run("check", "--org", OWN, env=ENV).returncode == 0

    def test_a_dba_who_did_not_run_it_is_asked_again(self, cluster, run) -> None:
        handed = run(*RUN, env=ENV)
        assert handed.returncode == 9, handed.stderr
        restarted = run(*RUN, "--skip", "audit_api", env=ENV)
        assert restarted.returncode == 3, restarted.stderr
        assert "LSA553" in restarted.stderr
        again = run(*RUN, env=ENV)
        assert again.returncode == 6, again.stderr
        assert again.stdout == handed.stdout
        assert database_was_not_asked_for(cluster)

    def test_what_cannot_be_known_is_said(self, cluster, run) -> None:
        listed = run("orgs", env=ENV)
        assert (listed.returncode, listed.stdout) == (5, "")
        assert "LSA549" in listed.stderr
        assert "SELECT id, display_name" in listed.stderr
        check = run("check", "--all", env=ENV)
        assert "LSA550" in check.stdout
        assert "cannot be known" in check.stdout
        unasked = run("run", "--yes", "--no-input", env=ENV)
        assert (unasked.returncode, "--org" in unasked.stderr) == (2, True)
        several = run("check", "--org", OTHER, env=ENV)
        assert "nor can this key ask about it" in several.stdout
        assert writes(cluster) == []
        assert database_was_not_asked_for(cluster)


@pytest.fixture
def world(postgres):
    with fresh(postgres) as world:
        yield world


class TestTheScript:
    @pytest.mark.parametrize("schema", ["public", 'we"ird $audit0$ \\ \':"schema"'])
    def test_exactly_the_chosen_rows(self, world, schema) -> None:
        world.table()
        quoted = schema.replace('"', '""')
        world.sql(f'CREATE SCHEMA IF NOT EXISTS "{quoted}"')
        if schema != "public":
            world.sql(f'ALTER TABLE organizations SET SCHEMA "{quoted}"')
        configs = [
            None,
            "{}",
            '{"a": 1, "can_use_audit_logs": "true"}',
            '{"can_use_audit_logs": true}',
        ]
        ids = [world.add(config, schema=quoted) for config in (*configs, "{}")]
        heard = dba(world, script(*ids[:4], schema=schema))
        assert heard == ["3 of 4 organizations changed, the others were on already"]
        found = dict(world.sql(f'SELECT id, config::text FROM "{quoted}".organizations'))
        on = '{"can_use_audit_logs": true}'
        assert [found[id] for id in ids] == [
            on,
            on,
            '{"a": 1, "can_use_audit_logs": true}',
            on,
            "{}",
        ]
        assert len(world.sql(list_by_hand(schema).replace("%", "%%"))) == 5

    @pytest.mark.parametrize("config", ["[]", "null", '"x"', "1"])
    def test_another_shape_is_refused_with_the_rest(self, world, config) -> None:
        world.table()
        ids = [world.add("{}"), world.add(config)]
        before = world.configs()
        for text in (script(*ids), script()):
            with pytest.raises(psycopg.errors.RaiseException, match="no JSON object"):
                dba(world, text)
        assert world.configs() == before

    def test_personal_and_missing_ones_are_refused(self, world) -> None:
        world.table()
        personal = world.add("{}", personal=True)
        with pytest.raises(psycopg.errors.RaiseException, match="1 organizations are personal"):
            dba(world, script(personal))
        with pytest.raises(psycopg.errors.RaiseException, match="1 of 2 organizations"):
            dba(world, script(world.add("{}"), uuid4()))
        assert set(world.configs().values()) == {"{}"}

    def test_every_shared_one_also_on_an_old_schema(self, world) -> None:
        world.table()
        off, default = world.add('{"can_use_audit_logs": false}'), world.add("{}")
        world.add("{}", personal=True)
        assert dba(world, script(only_off=True))[0].startswith("1 of 1")
        world.sql("DELETE FROM organizations WHERE is_personal")
        world.sql("ALTER TABLE organizations DROP COLUMN is_personal")
        assert dba(world, script())[0].startswith("1 of 2")
        assert world.configs()[off] == world.configs()[default]

    def test_what_else_acts_on_the_table(self, world) -> None:
        world.table()
        id = world.add("{}")
        with (
            world.elsewhere("UPDATE organizations SET display_name = 'x'"),
            pytest.raises(psycopg.errors.LockNotAvailable),
        ):
            dba(world, script(id))
        world.trap("BEFORE UPDATE ON organizations", "RETURN NULL;")
        with pytest.raises(psycopg.errors.RaiseException, match="0 rows written and 0 proved"):
            dba(world, script(id))
        world.sql("ALTER TABLE organizations ALTER config TYPE json")
        with pytest.raises(psycopg.Error):
            dba(world, script(id))
        assert world.configs() == {id: "{}"}
