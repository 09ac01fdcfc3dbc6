"""The rules of the API server, asked over HTTP."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from api_requests import session

from wizard.practice.kubernetes import CLUSTER_UID, PracticeKubernetes
from wizard.practice.kubernetes.store import HISTORY

LIMIT = 30
Json = dict[str, Any]

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


class Http:
    """Plain requests to the API; a path is below /api/v1/namespaces/default unless absolute."""

    def __init__(self, kube: PracticeKubernetes) -> None:
        self.url = kube.url
        self.session = session(kube)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        place = path if path.startswith("/") else f"/api/v1/namespaces/default/{path}"
        data = json.dumps(body) if isinstance(body, dict | list) else body
        headers = {"Content-Type": "application/json"} | more.pop("headers", {})
        return self.session.request(
            method, self.url + place, data=data, headers=headers, timeout=LIMIT, **more
        )

    def patch(self, path: str, body: Any, kind: str, **query: str) -> requests.Response:
        return self.ask("PATCH", path, body, headers={"Content-Type": kind}, params=query)


@pytest.fixture
def kube() -> Iterator[PracticeKubernetes]:
    cluster = PracticeKubernetes(pod_ready_after=0.02)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def http(kube: PracticeKubernetes) -> Http:
    return Http(kube)


def config_map(name: str = "one", **data: str) -> Json:
    return {"metadata": {"name": name, "labels": {"app": name}}, "data": data}


def deployment(name: str = "web", replicas: int = 0, **env: str) -> Json:
    listed = [{"name": key, "value": value} for key, value in env.items()]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "example:1", "env": listed}]},
            },
        },
    }


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
WEB = f"{DEPLOYMENTS}/web"


def env_of(answer: Json) -> Json:
    container = answer["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one.get("value") for one in container.get("env", [])}


def test_version_health_and_discovery(http: Http) -> None:
    assert http.ask("GET", "/readyz").text == "ok"
    assert http.ask("GET", "/version").json()["major"] == "1"
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    answer = http.ask("GET", "/apis", headers={"Accept": accept})
    groups = {one["metadata"]["name"] for one in answer.json()["items"]}
    assert {"apps", "batch", "policy", "autoscaling"} <= groups
    assert "argoproj.io" not in groups
    again = http.ask(
        "GET", "/apis", headers={"Accept": accept, "If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    paths = http.ask("GET", "/openapi/v3").json()["paths"]
    place = paths["apis/apps/v1"]["serverRelativeURL"]
    patch = http.ask("GET", place).json()["paths"][
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    ]["patch"]
    assert "fieldValidation" in {one["name"] for one in patch["parameters"]}


def test_kube_system_has_a_stable_uid(http: Http) -> None:
    found = http.ask("GET", "/api/v1/namespaces/kube-system").json()
    assert found["metadata"]["uid"] == CLUSTER_UID


def test_create_read_and_the_errors_of_names(http: Http) -> None:
    made = http.ask("POST", "configmaps", config_map(a="1"))
    assert made.status_code == 201
    assert made.json()["metadata"]["uid"]
    again = http.ask("POST", "configmaps", config_map(a="1"))
    assert (again.status_code, again.json()["reason"]) == (409, "AlreadyExists")
    missing = http.ask("GET", "configmaps/two").json()
    assert missing["message"] == 'configmaps "two" not found'
    nowhere = http.ask("POST", "/api/v1/namespaces/nowhere/configmaps", config_map())
    assert (nowhere.status_code, nowhere.json()["details"]["kind"]) == (404, "namespaces")
    wrong = http.ask("POST", "configmaps", config_map("Wrong_Name"))
    assert (wrong.status_code, wrong.json()["reason"]) == (422, "Invalid")
    assert http.ask("GET", "/apis/nosuch/v1/things").status_code == 404


def test_a_stale_resource_version_is_a_conflict(http: Http) -> None:
    made = http.ask("POST", "configmaps", config_map(a="1")).json()
    newer = http.ask("PUT", "configmaps/one", made | {"data": {"a": "2"}})
    assert newer.status_code == 200
    stale = http.ask("PUT", "configmaps/one", made | {"data": {"a": "3"}})
    assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
    same = http.ask("PUT", "configmaps/one", newer.json()).json()
    assert same["metadata"]["resourceVersion"] == newer.json()["metadata"]["resourceVersion"]


def test_selectors(http: Http) -> None:
    for name in ("one", "two", "three"):
        http.ask("POST", "configmaps", config_map(name))

    def names(**query: str) -> list[str]:
        items = http.ask("GET", "configmaps", params=query).json()["items"]
        return [one["metadata"]["name"] for one in items if one["metadata"]["name"][0] in "ot"]

    assert names(labelSelector="app in (one, two)") == ["one", "two"]
    assert names(labelSelector="app,app notin (one)") == ["three", "two"]
    assert names(labelSelector="app!=two,app") == ["one", "three"]
    assert names(fieldSelector="metadata.name=three") == ["three"]
    assert http.ask("GET", "configmaps", params={"labelSelector": "a==b==c,("}).status_code == 400


def test_lists_in_parts(http: Http) -> None:
    for name in ("one", "three", "two"):
        http.ask("POST", "configmaps", config_map(name))
    whole = http.ask("GET", "configmaps").json()
    assert "continue" not in whole["metadata"]
    found, query = [], {"limit": "2"}
    while query.get("continue", "first"):
        part = http.ask("GET", "configmaps", params=query).json()
        assert len(part["items"]) <= 2
        found += part["items"]
        left = len(whole["items"]) - len(found)
        assert part["metadata"].get("remainingItemCount", 0) == left
        query["continue"] = part["metadata"].get("continue", "")
    assert found == whole["items"]
    cached = http.ask("GET", "configmaps", params={"limit": "1", "resourceVersion": "0"}).json()
    assert cached["items"] == whole["items"]
    for wrong in ({"continue": "x"}, {"limit": "x"}):
        assert http.ask("GET", "configmaps", params=wrong).status_code == 400


def test_generation_counts_changes_of_spec_only(http: Http) -> None:
    made = http.ask("POST", DEPLOYMENTS, deployment()).json()
    assert made["metadata"]["generation"] == 1
    labelled = http.patch(WEB, {"metadata": {"labels": {"a": "b"}}}, MERGE).json()
    assert labelled["metadata"]["generation"] == 1
    changed = http.patch(WEB, {"spec": {"minReadySeconds": 1}}, MERGE).json()
    assert changed["metadata"]["generation"] == 2


def test_defaults_and_canonical_quantities(http: Http) -> None:
    body = deployment()
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"limits": {"cpu": "1000m", "memory": "1.5Gi"}}
    container["livenessProbe"] = {"httpGet": {"port": 80}, "timeoutSeconds": None}
    spec = http.ask("POST", DEPLOYMENTS, body).json()["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    stored = spec["template"]["spec"]["containers"][0]
    assert stored["resources"]["limits"] == {"cpu": "1", "memory": "1536Mi"}
    assert stored["livenessProbe"]["timeoutSeconds"] == 1
    assert stored["imagePullPolicy"] == "IfNotPresent"


@pytest.mark.parametrize("verb", ["POST", "PATCH", "APPLY"])
def test_an_env_value_that_is_no_text_is_refused(http: Http, verb: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": True}]
    if verb == "POST":
        answer = http.ask("POST", DEPLOYMENTS, body)
        told = "json: cannot unmarshal bool into Go struct field EnvVar"
    elif verb == "PATCH":
        http.ask("POST", DEPLOYMENTS, deployment())
        answer, told = http.patch(WEB, body, STRATEGIC), "unrecognized type: string"
    else:
        answer = http.patch(WEB, body, APPLY, fieldManager="helm")
        told = '.spec.template.spec.containers[name="main"].env[name="A"].value: expected string'
    assert answer.status_code in (400, 422, 500)
    assert told in answer.json()["message"]


def test_a_selector_cannot_change(http: Http) -> None:
    http.ask("POST", DEPLOYMENTS, deployment())
    change = {
        "spec": {
            "selector": {"matchLabels": {"app": "other"}},
            "template": {"metadata": {"labels": {"app": "other"}}},
        }
    }
    answer = http.patch(WEB, change, MERGE)
    assert answer.status_code == 422
    assert "field is immutable" in answer.json()["message"]


def test_dry_run_writes_nothing(http: Http, kube: PracticeKubernetes) -> None:
    query = {"dryRun": "All"}
    assert http.ask("POST", "configmaps", config_map(), params=query).status_code == 201
    assert kube.get("ConfigMap", "default", "one") is None
    http.ask("POST", "configmaps", config_map(a="1"))
    changed = http.patch("configmaps/one", {"data": {"a": "2"}}, MERGE, dryRun="All").json()
    assert changed["data"] == {"a": "2"}
    assert http.ask("DELETE", "configmaps/one", params=query).status_code == 200
    stored = kube.get("ConfigMap", "default", "one")
    assert stored is not None
    assert stored["data"] == {"a": "1"}
    assert [one.dry_run for one in kube.requests] == [True, False, True, True]


def test_strategic_merge_patch_merges_lists_by_key(http: Http) -> None:
    http.ask("POST", DEPLOYMENTS, deployment(A="1", B="2", C="3"))
    container = {
        "name": "main",
        "$setElementOrder/env": [{"name": "D"}, {"name": "A"}, {"name": "C"}],
        "env": [
            {"name": "D", "value": "4"},
            {"name": "B", "$patch": "delete"},
            {"name": "A", "value": "one"},
        ],
    }
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    answer = http.patch(WEB, body, STRATEGIC).json()
    assert list(env_of(answer).items()) == [("D", "4"), ("A", "one"), ("C", "3")]


def test_json_patch(http: Http) -> None:
    http.ask("POST", DEPLOYMENTS, deployment(A="1"))
    place = "/spec/template/spec/containers/0/env"
    operations = [
        {"op": "test", "path": f"{place}/0/value", "value": "1"},
        {"op": "add", "path": f"{place}/-", "value": {"name": "B", "value": "2"}},
        {"op": "remove", "path": f"{place}/0"},
    ]
    kind = "application/json-patch+json"
    assert env_of(http.patch(WEB, operations, kind).json()) == {"B": "2"}
    assert http.patch(WEB, operations, kind).status_code == 422


def test_a_custom_resource_takes_no_strategic_merge(kube: PracticeKubernetes, http: Http) -> None:
    kube.serve_argo_rollouts()
    place = "/apis/argoproj.io/v1alpha1/namespaces/default/rollouts"
    body = {**deployment(), "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    assert http.ask("POST", place, body).status_code == 201
    answer = http.patch(f"{place}/web", {"spec": {"paused": True}}, STRATEGIC)
    assert (answer.status_code, answer.json()["reason"]) == (415, "UnsupportedMediaType")


def test_apply_owns_conflicts_forces_and_removes(http: Http) -> None:
    created = http.patch(WEB, deployment(A="1", B="2"), APPLY, fieldManager="helm")
    assert created.status_code == 201
    other = {"name": "main", "env": [{"name": "A", "value": "x"}, {"name": "Z", "value": "z"}]}
    body = {"spec": {"template": {"spec": {"containers": [other]}}}}
    http.patch(WEB, body, STRATEGIC, fieldManager="kubectl-set")
    conflict = http.patch(WEB, deployment(A="2"), APPLY, fieldManager="helm")
    assert (conflict.status_code, conflict.json()["reason"]) == (409, "Conflict")
    cause = conflict.json()["details"]["causes"][0]
    assert cause["reason"] == "FieldManagerConflict"
    assert cause["message"] == 'conflict with "kubectl-set" using apps/v1'
    forced = http.patch(WEB, deployment(A="2"), APPLY, fieldManager="helm", force="true")
    assert env_of(forced.json()) == {"A": "2", "Z": "z"}


def test_the_same_apply_again_is_no_write(http: Http) -> None:
    body = config_map(a="1") | {"apiVersion": "v1", "kind": "ConfigMap"}
    first = http.patch("configmaps/one", body, APPLY, fieldManager="helm").json()
    again = http.patch("configmaps/one", body, APPLY, fieldManager="helm").json()
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert again["metadata"]["managedFields"] == first["metadata"]["managedFields"]


def test_a_client_may_rewrite_who_owns_what(http: Http) -> None:
    made = http.ask("POST", "configmaps", config_map(a="1"), params={"fieldManager": "helm"}).json()
    (entry,) = made["metadata"]["managedFields"]
    change = [
        {"op": "replace", "path": "/metadata/managedFields", "value": [entry | {"manager": "x"}]}
    ]
    http.patch("configmaps/one", change, JSON_PATCH, fieldManager="y")
    (now,) = http.ask("GET", "configmaps/one").json()["metadata"]["managedFields"]
    assert now == entry | {"manager": "x"}
    change[0]["value"] = [{}]
    http.patch("configmaps/one", change, JSON_PATCH, fieldManager="y")
    assert "managedFields" not in http.ask("GET", "configmaps/one").json()["metadata"]


def test_apply_leaves_the_fields_of_others(http: Http) -> None:
    http.patch(WEB, deployment(replicas=1), APPLY, fieldManager="helm")
    http.patch(WEB, {"spec": {"replicas": 3}}, MERGE, fieldManager="scaler")
    config = deployment()
    del config["spec"]["replicas"]
    answer = http.patch(WEB, config, APPLY, fieldManager="helm").json()
    assert answer["spec"]["replicas"] == 3


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number * 8 + 2) + varint(len(content)) + content


def protobuf(kind: str, message: bytes) -> bytes:
    type_meta = field(1, b"v1") + field(2, kind.encode())
    return b"k8s\x00" + field(1, type_meta) + field(2, message)


def test_protobuf_bodies(http: Http, kube: PracticeKubernetes) -> None:
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    blob = bytes(range(256)) * 3
    meta = field(1, b"blob") + field(11, field(1, b"owner") + field(2, b"helm"))
    entry = field(1, b"release") + field(2, blob)
    message = field(1, meta) + field(2, entry) + field(3, b"helm.sh/release.v1")
    made = http.ask("POST", "secrets", protobuf("Secret", message), headers=headers)
    assert made.status_code == 201
    stored = kube.get("Secret", "default", "blob")
    assert stored is not None
    assert base64.b64decode(stored["data"]["release"]) == blob
    assert stored["metadata"]["labels"] == {"owner": "helm"}
    assert stored["type"] == "helm.sh/release.v1"
    options = protobuf("DeleteOptions", field(5, b"All"))
    assert http.ask("DELETE", "secrets/blob", options, headers=headers).status_code == 200
    assert kube.get("Secret", "default", "blob") is not None
    unknown = http.ask("POST", "pods", protobuf("Pod", b""), headers=headers)
    assert unknown.status_code == 415
    cut = http.ask("POST", "secrets", b"k8s\x00" + struct.pack("B", 255), headers=headers)
    assert cut.status_code == 400


def events(answer: requests.Response) -> Iterator[tuple[str, Json]]:
    for line in answer.iter_lines():
        event = json.loads(line)
        yield event["type"], event["object"]


def test_watch_list_with_bookmark(http: Http) -> None:
    http.ask("POST", "configmaps", config_map("one"))
    query = {
        "watch": "1",
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
        "labelSelector": "app",
        "timeoutSeconds": str(LIMIT),
    }
    with http.ask("GET", "configmaps", params=query, stream=True) as answer:
        stream = events(answer)
        assert next(stream)[0] == "ADDED"
        kind, bookmark = next(stream)
        assert kind == "BOOKMARK"
        assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        http.ask("POST", "configmaps", config_map("two"))
        kind, added = next(stream)
        assert (kind, added["metadata"]["name"]) == ("ADDED", "two")
        http.patch("configmaps/two", {"metadata": {"labels": {"app": None}}}, MERGE)
        kind, left = next(stream)
        assert (kind, left["metadata"]["name"]) == ("DELETED", "two")


def test_watch_from_a_version_that_is_forgotten(http: Http, kube: PracticeKubernetes) -> None:
    for number in range(HISTORY + 1):
        kube.apply(config_map("one", n=str(number)) | {"apiVersion": "v1", "kind": "ConfigMap"})
    query = {"watch": "1", "resourceVersion": "1001", "timeoutSeconds": "5"}
    with http.ask("GET", "configmaps", params=query, stream=True) as answer:
        kind, status = next(events(answer))
    assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


def test_a_secret_above_the_limit_is_refused(http: Http) -> None:
    blob = base64.b64encode(bytes(1024 * 1024 + 1)).decode()
    body = {"metadata": {"name": "large"}, "data": {"blob": blob}}
    answer = http.ask("POST", "secrets", body)
    assert answer.status_code == 422
    assert "Too long" in answer.json()["message"]


def test_finalizers_hold_an_object(http: Http, kube: PracticeKubernetes) -> None:
    body = config_map()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    http.ask("POST", "configmaps", body)
    held = http.ask("DELETE", "configmaps/one").json()
    assert "deletionTimestamp" in held["metadata"]
    http.patch("configmaps/one", {"metadata": {"finalizers": []}}, MERGE)
    assert kube.get("ConfigMap", "default", "one") is None


def test_delete_preconditions(http: Http) -> None:
    http.ask("POST", "configmaps", config_map())
    options = {"preconditions": {"uid": "other"}}
    assert http.ask("DELETE", "configmaps/one", options).status_code == 409
    done = http.ask("DELETE", "configmaps/one").json()
    assert (done["kind"], done["status"]) == ("Status", "Success")


def test_tables(http: Http) -> None:
    http.ask("POST", DEPLOYMENTS, deployment())
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = http.ask("GET", DEPLOYMENTS, headers={"Accept": accept}).json()
    titles = [one["name"] for one in table["columnDefinitions"] if not one["priority"]]
    assert titles == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    wide = [one["name"] for one in table["columnDefinitions"] if one["priority"]]
    assert wide == ["Containers", "Images", "Selector"]
    assert table["rows"][0]["cells"][:2] == ["web", "0/0"]


def test_refused_rights_and_credentials(http: Http, kube: PracticeKubernetes) -> None:
    kube.faults.forbid("list", "pods", namespace="default")
    refused = http.ask("GET", "pods")
    assert refused.status_code == 403
    assert refused.json()["message"] == (
        'pods is forbidden: User "practice" cannot list resource "pods" in API group "" '
        'in the namespace "default"'
    )
    assert http.ask("GET", "/api/v1/namespaces/kube-system/pods").status_code == 200
    kube.faults.refuse_credentials()
    answer = http.ask("GET", "configmaps")
    assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")
    kube.faults.clear()
    assert http.ask("GET", "pods").status_code == 200


def test_stalled_requests_are_never_answered(http: Http, kube: PracticeKubernetes) -> None:
    kube.faults.stall()
    with pytest.raises(requests.ReadTimeout):
        http.session.get(f"{kube.url}/version", timeout=0.3)
    kube.faults.clear()
    assert http.ask("GET", "/version").status_code == 200


def test_requests_are_recorded(http: Http, kube: PracticeKubernetes) -> None:
    http.ask("GET", "pods/x/log", headers={"User-Agent": "teller/1"})
    http.ask("GET", "/apis/apps/v1/deployments")
    one, two = kube.requests
    assert (one.verb, one.resource, one.subresource, one.name) == ("get", "pods", "log", "x")
    assert (one.namespace, one.user_agent, one.status) == ("default", "teller/1", 404)
    assert (two.verb, two.group, two.namespace, two.status) == ("list", "apps", "", 200)


def test_custom_resource_definitions_add_a_kind(http: Http, kube: PracticeKubernetes) -> None:
    definition = {
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {}}],
        },
    }
    place = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert http.ask("POST", place, definition).status_code == 201
    name = "things.example.com"
    kube.until(
        lambda: "conditions" in kube.list("CustomResourceDefinition")[0].get("status", {}),
        timeout=LIMIT,
    )
    thing = {"metadata": {"name": "a"}, "spec": {"list": [], "nothing": None}}
    made = http.ask("POST", "/apis/example.com/v1/namespaces/default/things", thing)
    assert made.json()["spec"] == {"list": [], "nothing": None}
    http.ask("DELETE", f"{place}/{name}")
    kube.until(lambda: not kube.list("CustomResourceDefinition"), timeout=LIMIT)


def test_two_clusters_side_by_side_and_a_port_that_is_freed() -> None:
    one, two = PracticeKubernetes(), PracticeKubernetes()
    one.start()
    two.start()
    assert one.url != two.url
    port = int(one.url.rpartition(":")[2])
    one.stop()
    one.stop()
    three = PracticeKubernetes(port=port)
    three.start()
    assert three.url == one.url
    taken = PracticeKubernetes(port=port)
    with pytest.raises(OSError, match="address already in use"):
        taken.start()
    for cluster in (two, three, taken):
        cluster.stop()


@pytest.mark.parametrize(
    ("headers", "code"), [({}, 403), ({"Authorization": "Bearer practice"}, 401)]
)
def test_only_who_has_the_token_is_answered(http: Http, headers: dict[str, str], code: int) -> None:
    http.session.headers.pop("Authorization")
    answer = http.session.get(f"{http.url}/api/v1/pods", headers=headers, timeout=LIMIT)
    assert answer.status_code == code
    assert answer.json()["reason"] == ("Forbidden" if code == 403 else "Unauthorized")
    assert http.session.get(f"{http.url}/readyz", timeout=LIMIT).status_code == 200
