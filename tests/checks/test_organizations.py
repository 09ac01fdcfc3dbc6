"""The checks of what is stored for the organizations, on real PostgreSQL."""

from __future__ import annotations

import pytest
from altered_api import AlteredApi

ONLY = ("--only", "target", "--only", "organizations")
IDS = [f"LSA{number}" for number in (560, 591, 561, 562, 563, 564)]


def store(cluster, name: str, config: str | None) -> None:
    with cluster.connect() as database:
        query = "UPDATE organizations SET config = %s::jsonb WHERE id = %s"
        database.execute(query, (config, cluster.organizations[name]))


@pytest.mark.parametrize("id", IDS)
def test_all_is_well(sees, id) -> None:
    assert sees(id, *ONLY) == [(id, "pass")]


@pytest.mark.parametrize("id", IDS)
def test_nothing_is_green_where_the_database_is_not_reached(cluster, sees, id) -> None:
    for verb, what, sub in (("get", "pods", "portforward"), ("*", "pods", "exec")):
        cluster.kubernetes.faults.forbid(verb, what, sub)
    (told,) = sees(id, *ONLY)
    assert told[1] == ("unknown" if id == "LSA560" else "not-run")


@pytest.mark.parametrize("id", IDS)
def test_a_database_that_nobody_reads_is_left_out(sees, id) -> None:
    (told,) = sees(id, *ONLY, "--database", "manual")
    assert told[1] != "pass"


def test_a_table_that_is_not_langsmiths(cluster, sees) -> None:
    with cluster.connect() as database:
        database.execute("ALTER TABLE organizations RENAME COLUMN config TO settings")
    told = sees("LSA560", *ONLY)
    with cluster.connect() as database:
        database.execute("ALTER TABLE organizations RENAME COLUMN settings TO config")
    assert told == [("LSA533", "fail")]


def test_a_stored_false(cluster, found) -> None:
    store(cluster, "null", '{"can_use_audit_logs": false}')
    own = ("--org", str(cluster.organizations["off"]))
    (told,) = found("LSA561", *ONLY, *own)
    assert told["state"] == "info"  # it was not chosen
    assert told["message"].startswith("1 shared organization has a stored false")
    assert [it["state"] for it in found("LSA561", *ONLY)] == ["skip"]  # LSA587 has told it
    assert [it["id"] for it in found("LSA591", *ONLY)] == ["LSA587"]


def test_a_config_that_is_no_object(cluster, sees) -> None:
    store(cluster, "null", "[]")
    assert sees("LSA562", *ONLY) == [("LSA562", "warn")]


def test_one_without_a_value_of_its_own(cluster, found) -> None:
    store(cluster, "null", None)
    (told,) = found("LSA563", *ONLY)
    assert (told["state"], told["message"]) == (
        "info", "1 shared organization without a stored value: the server decides",
    )  # fmt: skip


class TestTheServersWord:
    def test_is_another_than_what_is_stored(self, cluster, found) -> None:
        store(cluster, "off", '{"can_use_audit_logs": false}')
        (told,) = found("LSA564", *ONLY)
        assert told["state"] == "fail"
        assert told["evidence"] == ["stored: off", "the server says: yes"]

    def test_is_of_another_installation(self, cluster, found) -> None:
        other = "00000000-0000-4000-8000-000000000000"
        with AlteredApi(cluster.url) as api:
            api.alter["/api/v1/orgs/current/info"] = lambda status, data, _: (
                status, data | {"id": other},
            )  # fmt: skip
            (told,) = found("LSA564", *ONLY, "--url", api.url)
        assert told["state"] == "fail"
        assert "not in this database" in told["message"]

    def test_is_not_known(self, cluster, sees) -> None:
        assert sees("LSA564", *ONLY, env={"LANGSMITH_API_KEY": ""}) == [("LSA564", "skip")]
        with AlteredApi(cluster.url) as api:
            api.alter["/api/v1/orgs/current/info"] = lambda *_: (500, {})
            assert sees("LSA564", *ONLY, "--url", api.url) == [("LSA908", "not-run")]


class TestHowMany:
    @pytest.fixture
    def env(self, tmp_path) -> dict[str, str]:
        """A state folder of its own: nothing was counted before."""
        return {"LANGSMITH_AUDIT_STATE_DIR": str(tmp_path / "state")}

    def test_is_compared_with_the_check_before(self, cluster, found, env) -> None:
        (told,) = found("LSA565", *ONLY, env=env)
        assert (told["state"], "no earlier check" in told["message"]) == ("pass", True)
        (told,) = found("LSA565", *ONLY, env=env)
        assert (told["state"], "no more than at the check of" in told["message"]) == ("pass", True)
        with cluster.connect() as database:
            database.execute(
                "INSERT INTO organizations SELECT gen_random_uuid(), 'New', false, NULL"
            )
        found("LSA859", "--only", "LSA859", env=env)  # counts none, and is no check to compare with
        (told,) = found("LSA565", *ONLY, env=env)
        with cluster.connect() as database:
            database.execute("DELETE FROM organizations WHERE display_name = 'New'")
        assert told["state"] == "info"
        assert told["message"].startswith("1 shared organization more than at the check of")
        assert "1 default" in told["evidence"][0]

    def test_is_not_known_without_the_database(self, cluster, sees, env) -> None:
        for verb, what, sub in (("get", "pods", "portforward"), ("*", "pods", "exec")):
            cluster.kubernetes.faults.forbid(verb, what, sub)
        assert sees("LSA565", *ONLY, env=env) == [("LSA908", "not-run")]
