"""The checks of the values files and of what the release says."""

from __future__ import annotations

import forked
import pytest
import yaml
from reports import found_by

from wizard.article import WANTED
from wizard.practice.scenarios.tools import set_env

ONLY = ("--only", "target", "--only", "values")
IDS = [f"LSA{number}" for number in (391, 381, 382, 383, 384, 385)]
NO_FILE = {"LANGSMITH_AUDIT_VALUES": ""}


def edited(cluster, change) -> None:
    values = yaml.safe_load(cluster.values.read_text())
    change(values)
    cluster.values.write_text(yaml.safe_dump(values))


@pytest.mark.parametrize("id", IDS)
def test_all_is_well(sees, id) -> None:
    assert sees(id, *ONLY) == [(id, "pass")]


def test_without_a_file_the_release_is_looked_at(sees) -> None:
    told = {id: sees(id, *ONLY, env=NO_FILE) for id in IDS}
    assert told == {id: [(id, "pass")] for id in IDS} | {
        "LSA391": [("LSA394", "skip")],
        "LSA385": [("LSA385", "skip")],
    }


@pytest.mark.parametrize("id", ["LSA381", "LSA382", "LSA383", "LSA384"])
def test_without_the_right_to_read_the_release_it_is_unknown(cluster, sees, id) -> None:
    cluster.kubernetes.faults.forbid("list", "secrets")
    cluster.kubernetes.faults.forbid("get", "secrets")
    (told,) = sees(id, *ONLY, env=NO_FILE)
    assert told[1] in ("unknown", "not-run")


def test_a_file_that_cannot_be_read_is_green_nowhere(cluster, sees) -> None:
    cluster.values.write_text("a: [")
    for id in ("LSA391", "LSA382", "LSA383", "LSA385"):
        assert sees(id, *ONLY)[0][1] in ("fail", "unknown", "not-run")


def test_a_variable_twice(cluster, found) -> None:
    entry = {"name": WANTED[0], "value": "true"}
    edited(cluster, lambda values: values.setdefault("commonEnv", []).append(entry))
    (told,) = found("LSA382", *ONLY)
    assert (told["state"], WANTED[0] in told["message"]) == ("fail", True)


def test_a_value_that_is_not_quoted(cluster, found) -> None:
    def unquoted(values: dict) -> None:
        values["backend"]["deployment"]["extraEnv"].append({"name": "OTHER", "value": True})

    edited(cluster, unquoted)
    (told,) = found("LSA383", *ONLY)
    assert (told["state"], told["message"]) == ("fail", "Not quoted: OTHER")


def test_what_the_files_would_change(cluster, found) -> None:
    edited(cluster, lambda values: values["config"].update(logLevel="DEBUG"))
    (told,) = found("LSA385", *ONLY)
    assert (told["state"], told["evidence"]) == ("warn", ["added: config.logLevel"])


def test_the_live_backend_is_another(cluster, found) -> None:
    name = cluster.kubernetes.get("Deployment", "langsmith", "langsmith-backend")["spec"][
        "template"]["spec"]["containers"][0]["name"]  # fmt: skip
    env = [{"name": "BY_HAND", "value": "hunter2"}, {"name": WANTED[1], "$patch": "delete"}]
    change = {"spec": {"template": {"spec": {"containers": [{"name": name, "env": env}]}}}}
    kubectl = cluster.kubernetes.acting_as("kubectl")
    kubectl.patch("Deployment", "langsmith", "langsmith-backend", change)
    (told,) = found("LSA384", *ONLY)
    assert told["state"] == "warn"
    assert told["evidence"] == [
        f"{WANTED[1]}: live it is another, or missing",
        "BY_HAND: live, and not in the release",
    ]
    assert "hunter2" not in str(told)


def test_the_release_lacks_them(shared_cluster) -> None:
    before, snapshot = shared_cluster
    before.restore(snapshot)
    answer = forked.call(("check", "--format", "json", *ONLY), before.environment())
    (told,) = found_by(answer.stdout, "LSA381")
    assert (told["state"], "LSA402" in told["message"]) == ("not-run", True)
    assert found_by(answer.stdout, "LSA391")[0]["id"] == "LSA392"


class TestOnAFreshInstallation:
    @pytest.fixture
    def cluster(self, shared_cluster):
        cluster, snapshot = shared_cluster
        cluster.restore(snapshot)
        return cluster

    @pytest.mark.parametrize(("names", "state"), [(WANTED, "warn"), (WANTED[:1], "fail")])
    def test_variables_that_the_live_backend_has_alone(self, cluster, found, names, state) -> None:
        set_env(cluster, "kubectl-set", **dict.fromkeys(names, "true"))
        (told,) = found("LSA381", *ONLY)
        assert (told["id"], told["state"]) == ("LSA381", state), told
