"""Which object is what, whatever the values have renamed or moved."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from wizard.practice.cluster import PracticeCluster
from wizard.problems import Exit, Problem
from wizard.resources import templates
from wizard.systems.helm.records import Release
from wizard.systems.release.installation import Installation, read_installation, url_of
from wizard.systems.release.manifest import documents

CHART = templates() / "practice" / "chart"
NEEDED: dict[str, Any] = {
    "config": {
        "langsmithLicenseKey": "l",
        "apiKeySalt": "s",
        "authType": "mixed",
        "basicAuth": {
            "enabled": True,
            "initialOrgAdminEmail": "a@example.com",
            "initialOrgAdminPassword": "Aa1!Aa1!Aa1!",
            "jwtSecret": "j",
        },
    }
}


def release(name: str = "my", chart: str = "langsmith") -> Release:
    return Release(name, "ns", 1, "deployed", f"{chart}-0.12.33", chart, "0.12.33", "0.12.72", "")


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, dict) else value
    return both


@pytest.fixture
def render(helm: Path, tmp_path: Path):
    def call(name: str = "my", **values: Any) -> tuple[str, dict[str, Any]]:
        given = merged(NEEDED, values)
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(given))
        argv = [helm, "template", name, CHART, "--namespace", "ns", "--values", file]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return done.stdout, given

    return call


def both_ways(rendered: tuple[str, dict[str, Any]], name: str = "my") -> Installation:
    """Read with the comments and, as after a post-renderer, without them: the same."""
    manifest, values = rendered
    found = read_installation(manifest, values, release(name))
    bare = re.sub(r"^# Source: .*\n", "", manifest, flags=re.MULTILINE)
    assert read_installation(bare, values, release(name)) == found
    return found


def test_the_plain_release(render) -> None:
    found = both_ways(render())
    assert found.namespace == "ns"
    backend = found.backend
    assert (backend.kind, backend.name) == ("Deployment", "my-langsmith-backend")
    assert (backend.container, backend.port) == ("backend", 1984)
    assert backend.env["POSTGRES_DATABASE_URI"] is None
    assert backend.env["PORT"] == "1984"
    assert "AUDIT_LOGS_ENABLED" not in backend.env
    assert (found.database.secret, found.database.key) == (
        "my-langsmith-postgres",
        "connection_url",
    )
    assert (found.database.schema, found.database.external) == (None, False)
    assert (found.postgres.pod, found.postgres.container) == ("my-langsmith-postgres-0", "postgres")
    assert found.url is None


@pytest.mark.parametrize(
    ("name", "values", "backend", "postgres"),
    [
        ("langsmith", {}, "langsmith-backend", "langsmith-postgres"),
        ("my", {"fullnameOverride": "acme"}, "acme-backend", "acme-postgres"),
        ("my", {"nameOverride": "obs"}, "my-obs-backend", "my-obs-postgres"),
        (
            "my",
            {"backend": {"name": "api"}, "postgres": {"name": "pg"}, "frontend": {"name": "web"}},
            "my-langsmith-api",
            "my-langsmith-pg",
        ),
    ],
)
def test_renamed_objects(render, name: str, values: dict, backend: str, postgres: str) -> None:
    found = both_ways(render(name, **values), name)
    assert found.backend.name == backend
    assert found.backend.container == values.get("backend", {}).get("name", "backend")
    assert found.postgres.name == postgres
    # The Secret keeps its name when postgres.name changes.
    assert found.database.secret == re.sub("-[a-z]+$", "-postgres", postgres)


def test_objects_moved_to_another_namespace(render) -> None:
    assert both_ways(render(namespace="elsewhere")).namespace == "elsewhere"


def test_the_backend_as_an_argo_rollout(render) -> None:
    found = both_ways(render(backend={"rollout": {"enabled": True}}))
    assert (found.backend.kind, found.backend.name) == ("Rollout", "my-langsmith-backend")


def test_an_external_database(render) -> None:
    external = {
        "enabled": True,
        "existingSecretName": "db",
        "connectionUrlSecretKey": "url",
        "schema": "ls",
    }
    found = both_ways(render(postgres={"external": external}))
    assert (found.database.secret, found.database.key) == ("db", "url")
    assert (found.database.schema, found.database.external) == ("ls", True)
    assert found.postgres is None


def test_variables_of_the_release(render) -> None:
    entries = [{"name": "AUDIT_LOGS_ENABLED", "value": "true"}]
    found = both_ways(render(backend={"deployment": {"extraEnv": entries}}))
    assert found.backend.env["AUDIT_LOGS_ENABLED"] == "true"


def test_the_deployed_release_on_the_practice_cluster(cluster: PracticeCluster) -> None:
    manifest = cluster.run_helm("get", "manifest", "langsmith", "--namespace", "langsmith").stdout
    values = yaml.safe_load(cluster.values.read_text())
    found = read_installation(manifest, values, release("langsmith"))
    assert found.url == cluster.url
    assert cluster.kubernetes.get("Deployment", "langsmith", found.backend.name)
    assert cluster.kubernetes.get("Secret", "langsmith", found.database.secret)


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"hostname": "ls.example.com"}, "https://ls.example.com"),
        ({"hostname": "https://ls.example.com/"}, "https://ls.example.com"),
        ({"hostname": "http://ls.example.com", "basePath": "ls"}, "http://ls.example.com/ls"),
        ({"hostname": "ls.example.com", "basePath": "/a/b/"}, "https://ls.example.com/a/b"),
        ({"hostname": "localhost:8080"}, "http://localhost:8080"),
        ({"hostname": "localhost.example.com"}, "https://localhost.example.com"),
        ({"hostname": ""}, None),
        ({"hostname": None, "basePath": None}, None),
        (None, None),
    ],
)
def test_the_url(config: dict[str, Any] | None, url: str | None) -> None:
    assert url_of({"config": config}) == url


def refused(manifest: str, **more: str) -> Problem:
    with pytest.raises(Problem) as caught:
        read_installation(manifest, {}, release(**more))
    return caught.value


def test_another_chart_is_refused(render) -> None:
    problem = refused(render()[0], chart="nginx")
    assert (problem.id, problem.exit) == ("LSA140", Exit.FAILED)
    assert "nginx-0.12.33" in problem.what


def test_a_manifest_without_a_backend(render) -> None:
    manifest = render()[0].replace("templates/backend/deployment", "templates/backend/other")
    assert refused(manifest).id == "LSA141"
    assert refused("").id == "LSA141"


def test_a_backend_without_a_database(render) -> None:
    assert refused(render()[0].replace("POSTGRES_DATABASE_URI", "OTHER")).id == "LSA141"


def test_a_manifest_that_is_not_yaml_does_not_show_its_text() -> None:
    manifest = "---\n# Source: langsmith/templates/backend/deployment.yaml\na: [S3CRET\n"
    problem = refused(manifest)
    assert problem.id == "LSA142"
    assert problem.__cause__ is None
    assert "S3CRET" not in problem.what + problem.next_step


def test_documents_are_split_at_their_markers_only() -> None:
    manifest = "---\n# Source: a/b.yaml\nx: |\n  ---\n  y\n--- # note\nz: '---'\n"
    assert [source for source, _ in documents(manifest)] == ["a/b.yaml", ""]
