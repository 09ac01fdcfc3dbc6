"""The LangSmith stand-in, on a real database: it opens only when each step was truly done."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
import requests
from psycopg import sql

from wizard.practice.langsmith import LangSmith
from wizard.practice.langsmith_store import ORGANIZATIONS, Keys, Store, migrate, plant
from wizard.practice.listening import self_signed

SALT = "a-salt"
BOTH = {"AUDIT_LOGS_ENABLED": "true", "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS": "true"}
LIMIT = 30


def pod_with(environment=None, *, chart="0.12.33", name="langsmith-backend-abc"):
    env = [{"name": key, "value": value} for key, value in (environment or {}).items()]
    env.append(
        {
            "name": "API_KEY_SALT",
            "valueFrom": {"secretKeyRef": {"name": "langsmith-secrets", "key": "api_key_salt"}},
        }
    )
    return {
        "metadata": {
            "name": name,
            "namespace": "langsmith",
            "uid": str(uuid4()),
            "labels": {
                "helm.sh/chart": f"langsmith-{chart}",
                "app.kubernetes.io/version": "0.12.72",
            },
        },
        "spec": {
            "containers": [
                {
                    "name": "backend",
                    "env": env,
                    "envFrom": [{"configMapRef": {"name": "langsmith-config"}}],
                    "ports": [{"name": "backend", "containerPort": 1984}],
                }
            ]
        },
    }


@pytest.fixture
def database(postgres):
    name = f"langsmith_{uuid4().hex[:8]}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield postgres.dsn(name)
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        query = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        connection.execute(query.format(sql.Identifier(name)))


@pytest.fixture
def keys(database):
    keys = Keys()
    with psycopg.connect(database) as connection:
        plant(connection, keys, SALT)
        migrate(connection)
    return keys


@pytest.fixture
def objects():
    """The Kubernetes objects that pods refer to."""
    return {
        ("Secret", "langsmith", "langsmith-secrets"): {
            "data": {"api_key_salt": base64.b64encode(SALT.encode()).decode()}
        },
        ("ConfigMap", "langsmith", "langsmith-config"): {
            "data": {"LANGCHAIN_ENDPOINT": "/api/v1", "AUDIT_LOGS_ENABLED": "false"}
        },
    }


@pytest.fixture
def langsmith(database, keys, objects):
    server = LangSmith(
        Store(lambda: database), lambda kind, namespace, name: objects.get((kind, namespace, name))
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def ask(langsmith, keys):
    """Ask the frontend as the organization admin, about the organization `off` unless told."""

    def call(path, *, method="GET", key=keys.admin, org="off", base=None, tenant=None, **more):
        headers = {"X-API-Key": key, "X-Tenant-Id": tenant}
        if org:
            headers["X-Organization-Id"] = str(ORGANIZATIONS.get(org, org))
        return requests.request(
            method, (base or langsmith.url) + path, headers=headers, timeout=LIMIT, **more
        )

    return call


def window(**more):
    now = datetime.now(UTC)
    start, end = now - timedelta(days=1), now + timedelta(minutes=1)
    return {"start_time": start.isoformat(), "end_time": end.isoformat(), **more}


def enable(database, name):
    with psycopg.connect(database) as connection:
        connection.execute(
            """UPDATE organizations SET config = COALESCE(config, '{}'::jsonb)
               || '{"can_use_audit_logs": true}'::jsonb WHERE id = %s""",
            (ORGANIZATIONS[name],),
        )


def test_it_opens_step_by_step(langsmith, database, ask):
    assert ask("/api/v1/audit-logs", params=window()).status_code == 502
    before = pod_with()
    langsmith.pod_ready(before)
    assert ask("/api/v1/audit-logs", params=window()).status_code == 404
    upgraded = pod_with(BOTH)
    langsmith.pod_ready(upgraded)
    langsmith.pod_gone(before)
    assert ask("/api/v1/audit-logs", params=window()).status_code == 403
    enable(database, "off")
    assert ask("/api/v1/audit-logs", params=window()).status_code == 403, "before the restart"
    langsmith.pod_ready(pod_with(BOTH))
    langsmith.pod_gone(upgraded)
    answer = ask("/api/v1/audit-logs", params=window())
    assert answer.status_code == 200
    assert len(answer.json()["items"]) == 10


@pytest.mark.parametrize(
    ("name", "effective"), [("off", False), ("null", True), ("empty", True), ("on", True)]
)
def test_the_stored_value_comes_before_the_default(langsmith, ask, name, effective):
    langsmith.pod_ready(pod_with(BOTH))
    info = ask("/api/v1/orgs/current/info", org=name).json()
    assert info["config"]["can_use_audit_logs"] is effective
    assert info["id"] == str(ORGANIZATIONS[name])
    assert "organization:manage" in info["permissions"]
    status = ask("/api/v1/audit-logs", org=name, params=window()).status_code
    assert status == (200 if effective else 403)


def test_without_the_default_only_a_stored_true_counts(langsmith, ask):
    langsmith.pod_ready(pod_with({"AUDIT_LOGS_ENABLED": "true"}))
    for name in ("off", "null", "empty"):
        assert ask("/api/v1/audit-logs", org=name, params=window()).status_code == 403
    assert ask("/api/v1/audit-logs", org="on", params=window()).status_code == 200


@pytest.mark.parametrize(("chart", "status"), [("0.13.36", 404), ("0.13.37", 200)])
def test_on_by_default_from_chart_0_13_37(langsmith, objects, ask, chart, status):
    del objects["ConfigMap", "langsmith", "langsmith-config"]["data"]["AUDIT_LOGS_ENABLED"]
    langsmith.pod_ready(pod_with(chart=chart))
    assert ask("/api/v1/audit-logs", org="null", params=window()).status_code == status


def test_who_may_not(langsmith, keys, ask):
    langsmith.pod_ready(pod_with(BOTH))
    cases = [
        ({"key": "lsv2_pt_wrong"}, 401),
        ({"key": None}, 401),
        ({"key": keys.viewer}, 403),
        ({"org": str(uuid4())}, 403),
        ({"org": "no-uuid"}, 422),
        ({"key": keys.viewer, "org": "personal"}, 403),
        ({"key": keys.service, "org": "on"}, 403),
        ({"key": keys.service, "org": None}, 403),
        ({"org": None}, 403),
        ({"org": "on"}, 200),
    ]
    seen = [
        (case, ask("/api/v1/audit-logs", params=window(), **case).status_code) for case, _ in cases
    ]
    assert seen == cases
    assert (
        "organization:manage"
        not in (ask("/api/v1/orgs/current/info", key=keys.viewer).json()["permissions"])
    )


def test_another_salt_makes_every_key_unknown(langsmith, objects, ask):
    objects["Secret", "langsmith", "langsmith-secrets"]["data"]["api_key_salt"] = "b3RoZXI="
    langsmith.pod_ready(pod_with(BOTH))
    assert ask("/api/v1/orgs/current/info").status_code == 401


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"start_time": None}, "start_time"),
        ({"end_time": None}, "end_time"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"cursor": "!!"}, "cursor"),
        ({"workspace_id": "1"}, "workspace_id"),
        ({"operations": "sing"}, "operations"),
    ],
)
def test_bad_parameters_are_named(langsmith, ask, change, where):
    langsmith.pod_ready(pod_with(BOTH))
    answer = ask("/api/v1/audit-logs", org="on", params=window(**change))
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", where]


def test_paging_gives_each_entry_once(langsmith, ask):
    langsmith.pod_ready(pod_with(BOTH))
    seen, cursor, pages = [], None, 0
    while cursor is not None or pages == 0:
        page = ask("/api/v1/audit-logs", org="on", params=window(limit=5, cursor=cursor)).json()
        seen += [item["metadata"]["uid"] for item in page["items"]]
        cursor, pages = page["cursor"], pages + 1
    assert pages == 3
    assert len(seen) == len(set(seen)) >= 12


def test_items_have_the_shape_of_the_document(langsmith, ask):
    langsmith.pod_ready(pod_with(BOTH))
    page = ask("/api/v1/audit-logs", org="on", params=window(limit=100)).json()
    times = [item["time"] for item in page["items"]]
    assert times == sorted(times, reverse=True)
    assert page["cursor"] is None
    for item in page["items"]:
        assert (item["class_uid"], item["category_uid"]) == (6003, 6)
        assert item["type_uid"] == 600300 + item["activity_id"]
        assert isinstance(item["time"], int)
        assert item["api"]["operation"] and item["http_request"]["url"]["path"]
        assert set(item) >= {"severity_id", "status_id", "status", "actor", "resources", "unmapped"}
    assert None in [item["actor"]["user"]["credential_uid"] for item in page["items"]]


def test_bounds_filter_by_time_workspace_and_operation(langsmith, ask):
    langsmith.pod_ready(pod_with(BOTH))
    everything = ask("/api/v1/audit-logs", org="on", params=window(limit=100)).json()["items"]
    name = everything[0]["api"]["operation"]
    same = [item for item in everything if item["api"]["operation"] == name]
    found = ask("/api/v1/audit-logs", org="on", params=window(limit=100, operations=[name]))
    assert found.json()["items"] == same
    old = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2020-02-01T00:00:00Z"}
    assert ask("/api/v1/audit-logs", org="on", params=old).json() == {"items": [], "cursor": None}
    elsewhere = window(workspace_id=str(uuid4()))
    assert ask("/api/v1/audit-logs", org="on", params=elsewhere).json()["items"] == []


def test_a_tag_key_leaves_two_entries(langsmith, ask):
    langsmith.pod_ready(pod_with(BOTH))
    tenant = ask("/api/v1/workspaces", org="on").json()[0]["id"]
    path = "/api/v1/workspaces/current/tag-keys"
    body = json.dumps({"key": "probe"})
    assert ask(path, method="POST", org="on", data=body).status_code == 403, "no X-Tenant-Id"
    made = ask(path, method="POST", org="on", tenant=tenant, data=body)
    assert made.status_code == 200
    assert ask(path, method="POST", org="on", tenant=tenant, data=body).status_code == 409
    tag = made.json()["id"]
    assert ask(f"{path}/{tag}", method="DELETE", org="on", tenant=tenant).status_code == 200
    assert ask(f"{path}/{tag}", method="DELETE", org="on", tenant=tenant).status_code == 404
    items = ask("/api/v1/audit-logs", org="on", params=window(limit=2)).json()["items"]
    assert [item["api"]["operation"] for item in items] == ["delete_tag_key", "create_tag_key"]
    assert [item["resources"] for item in items] == [[{"uid": tag}]] * 2


def test_outside_the_api_there_is_the_ui(langsmith, objects, ask):
    objects["ConfigMap", "langsmith", "langsmith-config"]["data"]["LANGCHAIN_ENDPOINT"] = (
        "/smith/api/v1"
    )
    langsmith.pod_ready(pod_with(BOTH))
    for path in ("/", "/o/x/settings", "/api/v1/audit-logs", "/smithy/api/v1/info"):
        answer = ask(path, org="on", params=window())
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/html")
    assert ask("/smith/api/v1/audit-logs", org="on", params=window()).json()["items"]
    assert ask("/smith/api/v1/info").json()["version"] == "0.12.72"
    assert ask("/smith/api/v1/none").json() == {"detail": "Not Found"}
    assert ask("/smith/api/v1/info", method="POST").status_code == 405


def test_each_pod_has_a_port_of_its_own(langsmith, ask):
    old, new = pod_with(), pod_with(BOTH)
    langsmith.pod_ready(old)
    langsmith.pod_ready(new)
    ports = [langsmith.pod_port(pod["metadata"]["uid"]) for pod in (old, new)]
    bases = [f"http://127.0.0.1:{port}" for port in ports]
    seen = [
        ask("/api/v1/audit-logs", org="on", params=window(), base=base).status_code
        for base in bases
    ]
    assert seen == [404, 200]
    assert ask("/", base=bases[0]).status_code == 404
    through = {ask("/api/v1/audit-logs", org="on", params=window()).status_code for _ in range(4)}
    assert through == {404, 200}, "the frontend spreads over both"
    langsmith.pod_gone(old)
    assert langsmith.pod_port(old["metadata"]["uid"]) is None
    with pytest.raises(requests.ConnectionError):
        ask("/", base=bases[0])


def test_a_connection_that_outlives_its_pod_is_not_the_frontend(langsmith):
    pod = pod_with()
    langsmith.pod_ready(pod)
    base = f"http://127.0.0.1:{langsmith.pod_port(pod['metadata']['uid'])}"
    with requests.Session() as session:
        assert session.get(base + "/api/v1/ok", timeout=LIMIT).json() == {"ok": True}
        langsmith.pod_gone(pod)
        assert session.get(base + "/api/v1/ok", timeout=LIMIT).status_code == 503


def test_pods_that_become_ready_at_the_same_moment(langsmith):
    pods = [pod_with(BOTH, name=f"pod-{number}") for number in range(12)]
    with ThreadPoolExecutor(len(pods)) as pool:
        list(pool.map(langsmith.pod_ready, pods))
    assert len({langsmith.pod_port(pod["metadata"]["uid"]) for pod in pods}) == len(pods)


def test_a_pod_that_is_being_deleted_gets_nothing_from_the_frontend(langsmith, objects, ask):
    old, new = pod_with(name="old"), pod_with(BOTH, name="new")
    langsmith.pod_ready(old)
    langsmith.pod_ready(new)
    objects["Pod", "langsmith", "old"] = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    through = {ask("/api/v1/audit-logs", org="on", params=window()).status_code for _ in range(4)}
    assert through == {200}


def test_other_pods_are_passed_over(langsmith):
    pod = pod_with()
    pod["spec"]["containers"][0]["ports"][0]["name"] = "platform"
    langsmith.pod_ready(pod)
    assert langsmith.views() == ()


def test_restore_brings_back_what_the_pods_knew(langsmith, database, ask):
    langsmith.pod_ready(pod_with(BOTH))
    views = langsmith.views()
    enable(database, "off")
    langsmith.pod_ready(pod_with(BOTH))
    langsmith.delay = 0.01
    langsmith.restore(views)
    assert langsmith.views() == views
    assert langsmith.delay == 0
    assert ask("/api/v1/audit-logs", params=window()).status_code == 403
    langsmith.restore(())
    assert ask("/api/v1/ok").status_code == 502


def test_a_missing_table_is_an_internal_error(langsmith, database, ask):
    with psycopg.connect(database) as connection:
        connection.execute("DROP TABLE audit_logs")
    langsmith.pod_ready(pod_with(BOTH))
    assert ask("/api/v1/audit-logs", org="on", params=window()).status_code == 500


def test_it_can_be_slow(langsmith):
    langsmith.delay = 5
    with pytest.raises(requests.ReadTimeout):
        requests.get(langsmith.url, timeout=0.05)


def test_tls_that_nobody_trusts(langsmith, tmp_path):
    certificate, key = self_signed(tmp_path)
    url = langsmith.serve_tls(certificate, key)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, timeout=LIMIT)
    assert requests.get(url, timeout=LIMIT, verify=str(certificate)).status_code == 200


def test_the_seed_is_one_of_each_kind(database, keys):
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT id, config, is_personal FROM organizations").fetchall()
        stored = {row[0]: (row[1], row[2]) for row in rows}
        names = connection.execute("SELECT display_name FROM organizations").fetchall()
    assert stored[ORGANIZATIONS["off"]][0]["can_use_audit_logs"] is False
    assert stored[ORGANIZATIONS["null"]] == (None, False)
    assert stored[ORGANIZATIONS["empty"]] == ({}, False)
    assert stored[ORGANIZATIONS["personal"]][1] is True
    assert stored[ORGANIZATIONS["on"]][0]["can_use_audit_logs"] is True
    assert any("'" in name for (name,) in names)
    assert all(isinstance(value, UUID) for value in ORGANIZATIONS.values())
    assert keys.admin not in repr(keys)
