"""Each scenario comes up and is what it says, seen through the API and helm, not the wizard."""

from __future__ import annotations

import json
import re
import urllib.parse
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from api_requests import session

from wizard.practice.scenarios import SCENARIOS, stage
from wizard.practice.scenarios.tools import (
    BACKEND,
    SEEN_LIMIT,
    VARIABLES,
    backend_env,
    backend_of,
    enable_in_values,
    patch_backend,
    revision_status,
    upgrade_arguments,
)

FIRST = VARIABLES[0]["name"]
CHECKS = {}


def seen(*names, **expected):
    """Register what must be seen of scenarios: a function (cluster) that asserts, or gives a bool.

    Keywords are handed on to it, so that scenarios of one kind share one function.
    """

    def register(look):
        for name in names:
            CHECKS[name] = lambda cluster: look(cluster, **expected)
        return look

    return register


def helm(cluster, *arguments):
    return cluster.run_helm(*arguments, "--namespace", cluster.namespace)


def helm_list(cluster, *more):
    answer = cluster.run_helm("list", "--all-namespaces", *more, "-o", "json")
    return {(one["namespace"], one["name"]): one["chart"] for one in json.loads(answer.stdout)}


def deployments(cluster, namespace=None):
    found = cluster.kubernetes.list("Deployment", namespace or cluster.namespace)
    return {one["metadata"]["name"] for one in found}


def upgrade(cluster, *more):
    """The documented upgrade, with both variables in the values file."""
    enable_in_values(cluster)
    return cluster.run_helm(*upgrade_arguments(cluster), *more)


def values(cluster):
    return yaml.safe_load(cluster.values.read_text())


def deployed(cluster):
    return json.loads(helm(cluster, "get", "values", cluster.release, "-o", "json").stdout)


def events(cluster):
    return {(one["reason"], one["message"]) for one in cluster.kubernetes.list("Event")}


def managers(obj):
    return {entry["manager"] for entry in obj["metadata"]["managedFields"]}


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_is_what_it_says(cluster, name):
    stage(cluster, SCENARIOS[name])
    CHECKS[name](cluster)


def test_every_line_tells_what_to_see():
    for scenario in SCENARIOS.values():
        assert re.fullmatch(r"[a-z0-9-]+", scenario.name)
        assert re.search(r"[:,.] \S", scenario.line), scenario


@seen("fullname-override")
def _(cluster):
    assert "smith-prod-backend" in deployments(cluster)


@seen("name-override")
def _(cluster):
    assert "langsmith-tracing-backend" in deployments(cluster)


@seen("backend-name")
def _(cluster):
    backend = backend_of(cluster, name="langsmith-api-server")
    assert backend["spec"]["template"]["spec"]["containers"][0]["name"] == "api-server"


@seen("namespace-value")
def _(cluster):
    assert helm_list(cluster) == {("langsmith", "langsmith"): "langsmith-0.12.33"}
    assert BACKEND in deployments(cluster, "tracing")
    assert deployments(cluster, "langsmith") == set()


@seen("other-release-name")
def _(cluster):
    assert helm_list(cluster) == {("ai-platform", "observability"): "langsmith-0.12.33"}
    assert "observability-langsmith-backend" in deployments(cluster, "ai-platform")


@seen("several-releases")
def _(cluster):
    assert set(helm_list(cluster)) == {
        ("langsmith", "langsmith"),
        ("langsmith", "langsmith-staging"),
    }


@seen("too-old-chart")
def _(cluster):
    assert backend_of(cluster)["metadata"]["labels"]["helm.sh/chart"] == "langsmith-0.12.32"
    assert show_chart(cluster).returncode == 0


@seen("repo-missing")
def _(cluster):
    assert "repo langchain not found" in show_chart(cluster).stderr


@seen("repo-stale")
def _(cluster):
    assert show_chart(cluster).returncode != 0
    assert cluster.run_helm("repo", "update").returncode == 0
    assert show_chart(cluster).returncode == 0


@seen("version-gone")
def _(cluster):
    assert cluster.run_helm("repo", "update").returncode == 0
    assert show_chart(cluster).returncode != 0


def show_chart(cluster):
    return cluster.run_helm("show", "chart", "langchain/langsmith", "--version", "0.12.33")


@seen("values-of-another-line")
def _(cluster):
    answer = template(cluster, cluster.variables["LANGSMITH_AUDIT_CHART_VERSION"])
    assert "backend.autoscaling.enabled is no longer a value" in answer.stderr
    assert template(cluster, "0.12.33").returncode == 0


def template(cluster, version="0.12.33"):
    chart = ("langchain/langsmith", "--version", version)
    return helm(cluster, "template", cluster.release, *chart, "--values", str(cluster.values))


@seen("image-missing")
def _(cluster):
    upgrade(cluster, "--no-hooks", "--version", "0.13.37")
    wait(cluster, lambda: ("backend", "ImagePullBackOff") in waiting(cluster))


def wait(cluster, true):
    cluster.kubernetes.until(true, timeout=SEEN_LIMIT)


def waiting(cluster):
    """Container and reason of everything that waits."""
    found = set()
    for pod in cluster.kubernetes.list("Pod", cluster.namespace):
        for status in pod["status"].get("containerStatuses", ()):
            reason = status["state"].get("waiting", {}).get("reason")
            found |= {(status["name"], reason)} if reason else set()
    return found


@seen("on-by-default", version="0.13.37")
@seen("backfill-blocks", version="0.16.5")
def _(cluster, version):
    assert list(helm_list(cluster).values()) == [f"langsmith-{version}"]
    if version == "0.16.5":
        answer = upgrade(cluster, "--version", version)
        assert "pre-upgrade hooks failed" in answer.stderr
        assert FIRST not in backend_env(cluster)


@seen("certificate-noise", kind="Secret")
@seen("random-job-noise", kind="Job")
def _(cluster, kind):
    one, other = (
        {json.dumps(obj) for obj in yaml.safe_load_all(template(cluster).stdout) if obj}
        for _ in range(2)
    )
    assert {json.loads(obj)["kind"] for obj in one - other} == {kind}


@seen("chart-directory")
def _(cluster):
    chart = cluster.variables["LANGSMITH_AUDIT_CHART"]
    assert "version: 0.12.33" in cluster.run_helm("show", "chart", chart).stdout


@seen("layered-values")
def _(cluster):
    assert backend_env(cluster)["ASYNCPG_POOL_MAX_SIZE"] == "16"
    assert len(cluster.variables["LANGSMITH_AUDIT_VALUES"].split(":")) == 2


@seen("drift-dropped-key", "drift-changed-key", "lost-salt", "lost-license", "lost-jwt-secret")
def _(cluster):
    assert deployed(cluster) != values(cluster)


@seen("owner-reverts")
def _(cluster):
    assert upgrade(cluster, "--no-hooks").returncode == 0
    assert deployed(cluster)["backend"]["deployment"]["extraEnv"][-1] == VARIABLES[-1]
    wait(cluster, lambda: FIRST not in backend_env(cluster))


@seen("live-edit", variable="SAMPLING_RATE", manager="kubectl-set")
@seen("live-only", variable=FIRST, manager="kubectl-set")
@seen("edited-by-hand", variable=FIRST, manager="kubectl-edit")
def _(cluster, variable, manager):
    assert variable in backend_env(cluster)
    assert variable not in helm(cluster, "get", "manifest", cluster.release).stdout
    assert manager in managers(backend_of(cluster))


@seen("edited-elsewhere", kind="Deployment", name="langsmith-queue", manager="kubectl-scale")
@seen("live-salt", kind="Secret", name="langsmith-secrets", manager="kubectl-edit")
def _(cluster, kind, name, manager):
    assert manager in managers(cluster.kubernetes.get(kind, cluster.namespace, name))


@seen("crash-loop", reason="CrashLoopBackOff")
@seen("image-pull", reason="ImagePullBackOff")
@seen("config-error", reason="CreateContainerConfigError")
def _(cluster, reason):
    upgrade(cluster, "--no-hooks")
    wait(cluster, lambda: ("backend", reason) in waiting(cluster))
    if reason == "CrashLoopBackOff":
        assert cluster.postgres.password in log_of(cluster, ("backend", reason))


def log_of(cluster, wanted):
    """The log of the pod whose container waits for that reason."""
    pods = cluster.kubernetes.list("Pod", cluster.namespace)
    (pod,) = [
        pod["metadata"]["name"]
        for pod in pods
        for one in pod["status"].get("containerStatuses", ())
        if (one["name"], one["state"].get("waiting", {}).get("reason")) == wanted
    ]
    url = f"{cluster.kubernetes.url}/api/v1/namespaces/{cluster.namespace}/pods/{pod}/log"
    answer = session(cluster.kubernetes).get(url, params={"tailLines": 1}, timeout=SEEN_LIMIT)
    return answer.text


@seen("unschedulable", event="FailedScheduling", text="Insufficient memory")
@seen("failing-probe", event="Unhealthy", text="Readiness probe failed")
@seen("quota-exceeded", event="FailedCreate", text="exceeded quota: compute, requested: pods=1")
def _(cluster, event, text):
    upgrade(cluster, "--no-hooks")
    wait(cluster, lambda: any(one == event and text in said for one, said in events(cluster)))
    if event == "FailedCreate":
        wait(cluster, lambda: "ReplicaFailure" in conditions(cluster))


def conditions(cluster):
    return {one["type"] for one in backend_of(cluster)["status"]["conditions"]}


@seen("admission-refusal")
def _(cluster):
    answer = upgrade(cluster)
    assert 'admission webhook "validation.gatekeeper.sh" denied the request' in answer.stderr
    assert revision_status(cluster, 2) == "failed"
    assert FIRST not in backend_env(cluster)


@seen("missing-right", verb="patch", resource="deployments", group="apps")
@seen("secrets-forbidden", verb="list", resource="secrets")
def _(cluster, **asked):
    body = {"spec": {"resourceAttributes": {"namespace": cluster.namespace, **asked}}}
    url = f"{cluster.kubernetes.url}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = session(cluster.kubernetes).post(url, json=body, timeout=SEEN_LIMIT)
    assert answer.json()["status"]["allowed"] is False


@seen("migration-fails", job="langsmith-backend-migrations")
@seen("auth-bootstrap-fails", job="langsmith-backend-auth-bootstrap")
@seen("e2e-test-fails", job="langsmith-e2e-test")
def _(cluster, job):
    assert cluster.kubernetes.faults.job_fails(job)
    assert not cluster.kubernetes.faults.job_fails("langsmith-backend-ch-migrations")


def test_a_hook_without_a_second_try_fails_the_release(cluster):
    stage(cluster, SCENARIOS["auth-bootstrap-fails"])
    answer = upgrade(cluster)
    assert "post-upgrade hooks failed" in answer.stderr
    assert revision_status(cluster, 2) == "failed"
    assert FIRST in backend_env(cluster)


@seen("argocd", "argocd-without-release")
def _(cluster):
    backend = backend_of(cluster)
    notes = backend["metadata"]["annotations"]
    identity = "langsmith:apps/Deployment:langsmith/langsmith-backend"
    assert notes["argocd.argoproj.io/tracking-id"] == identity
    assert "argocd-controller" in managers(backend)
    application = cluster.kubernetes.get("Application", "argocd", "langsmith")
    assert application["spec"]["syncPolicy"]["automated"]["selfHeal"] is True


@seen("flux", manager="helm-controller")
@seen("terraform", manager="terraform-provider-helm_v2.17.0_x5")
def _(cluster, manager):
    assert manager in managers(backend_of(cluster))
    assert "helm" not in managers(backend_of(cluster))
    assert set(helm_list(cluster)) == {("langsmith", "langsmith")}
    labels = backend_of(cluster)["metadata"]["labels"]
    assert ("helm.toolkit.fluxcd.io/name" in labels) == (manager == "helm-controller")


def test_without_a_release_only_the_label_tells_the_chart(cluster):
    stage(cluster, SCENARIOS["argocd-without-release"])
    assert helm_list(cluster, "--all") == {}
    assert backend_of(cluster)["metadata"]["labels"]["helm.sh/chart"] == "langsmith-0.12.33"


@seen("pending-install", revision=1, status="pending-install", live=False)
@seen("pending-upgrade", revision=2, status="pending-upgrade", live=True)
@seen("another-helm", revision=2, status="pending-upgrade", live=False)
@seen("pending-rollback", revision=3, status="pending-rollback", live=False)
@seen("failed-upgrade", revision=2, status="failed", live=True)
def _(cluster, revision, status, live):
    assert revision_status(cluster, revision) == status
    assert (FIRST in backend_env(cluster)) == live
    if status.startswith("pending"):
        assert "another operation" in upgrade(cluster).stderr


@seen("uninstalling")
def _(cluster):
    assert revision_status(cluster, 1) == "uninstalling"


@seen("argo-rollout", "budget-blocks")
def _(cluster):
    assert backend_of(cluster, "Rollout")["status"]["phase"] == "Healthy"
    assert BACKEND not in deployments(cluster)


def test_a_budget_holds_up_the_restart_of_a_rollout(cluster):
    stage(cluster, SCENARIOS["budget-blocks"])
    (before,) = backend_pods(cluster)
    restart_at(cluster, datetime.now(UTC) + timedelta(seconds=1))
    wait(cluster, lambda: observed(cluster))
    answer = evict(cluster, before)
    assert (answer.status_code, answer.json()["reason"]) == (429, "TooManyRequests")
    assert backend_pods(cluster) == {before}
    budget = f"/apis/policy/v1/namespaces/{cluster.namespace}/poddisruptionbudgets/{BACKEND}"
    session(cluster.kubernetes).delete(cluster.kubernetes.url + budget, timeout=SEEN_LIMIT)
    wait(cluster, lambda: before not in backend_pods(cluster))


def restart_at(cluster, moment):
    change = {"spec": {"restartAt": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    someone = cluster.kubernetes.acting_as("kubectl-argo-rollouts")
    someone.patch("Rollout", cluster.namespace, BACKEND, change)


def observed(cluster):
    rollout = backend_of(cluster, "Rollout")
    return rollout["status"]["observedGeneration"] == str(rollout["metadata"]["generation"])


def backend_pods(cluster):
    wanted = {"app.kubernetes.io/component": BACKEND}
    pods = cluster.kubernetes.list("Pod", cluster.namespace, wanted)
    return {
        pod["metadata"]["name"]
        for pod in pods
        if pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
    }


def evict(cluster, pod):
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{urllib.parse.quote(pod)}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    return session(cluster.kubernetes).post(
        cluster.kubernetes.url + path, json=body, timeout=SEEN_LIMIT
    )


@seen("hpa", autoscaler=BACKEND)
@seen("keda", autoscaler=f"keda-hpa-{BACKEND}")
def _(cluster, autoscaler):
    manifest = yaml.safe_load_all(helm(cluster, "get", "manifest", cluster.release).stdout)
    (rendered,) = [
        one
        for one in manifest
        if one and (one["kind"], one["metadata"]["name"]) == ("Deployment", BACKEND)
    ]
    assert "replicas" not in rendered["spec"]
    assert cluster.kubernetes.get("HorizontalPodAutoscaler", cluster.namespace, autoscaler)
    wait(cluster, lambda: backend_of(cluster)["status"].get("availableReplicas") == 2)


@seen("one-replica", "budget-one-replica")
def _(cluster):
    assert backend_of(cluster)["spec"]["replicas"] == 1


def test_a_budget_does_not_hold_up_a_deployment(cluster):
    stage(cluster, SCENARIOS["budget-one-replica"])
    (before,) = backend_pods(cluster)
    assert evict(cluster, before).status_code == 429
    patch_backend(cluster, {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}})
    wait(cluster, lambda: before not in backend_pods(cluster))


@seen("paused")
def _(cluster):
    assert upgrade(cluster, "--no-hooks").returncode == 0
    assert FIRST in backend_env(cluster)
    wait(cluster, lambda: backend_of(cluster)["status"].get("observedGeneration", 0) > 1)
    assert backend_of(cluster)["status"].get("updatedReplicas", 0) == 0


@seen("rolling-already")
def _(cluster):
    assert backend_of(cluster)["status"]["unavailableReplicas"] == 1


@seen("on-delete")
def _(cluster):
    found = cluster.kubernetes.get("StatefulSet", cluster.namespace, "langsmith-postgres")
    assert found["spec"]["updateStrategy"] == {"type": "OnDelete"}


@seen("slow-pods")
def _(cluster):
    assert cluster.kubernetes.faults.pods_take == 12


@seen("no-load-balancer")
def _(cluster):
    answer = upgrade(cluster, "--wait", "--timeout", "1s", "--no-hooks")
    assert re.search("timed out|deadline exceeded", answer.stderr)
    assert FIRST in backend_env(cluster)
