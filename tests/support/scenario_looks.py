"""What is seen of each scenario that is staged, through the API and helm, not the wizard."""

from __future__ import annotations

import json

import yaml
from api_requests import session

from wizard.practice.scenarios.tools import (
    BACKEND,
    SEEN_LIMIT,
    VARIABLES,
    backend_env,
    backend_of,
    revision_status,
)

FIRST = VARIABLES[0]["name"]
LOOKS = {}
"""By scenario: a function (cluster) that asserts, and changes nothing."""


def seen(*names, looks=LOOKS, **expected):
    """Register what must be seen of scenarios: a function (cluster) that asserts.

    Keywords are handed on to it, so that scenarios of one kind share one function.
    """

    def register(look):
        for name in names:
            looks[name] = lambda cluster: look(cluster, **expected)
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


def values(cluster):
    return yaml.safe_load(cluster.values.read_text())


def deployed(cluster):
    return json.loads(helm(cluster, "get", "values", cluster.release, "-o", "json").stdout)


def managers(obj):
    return {entry["manager"] for entry in obj["metadata"]["managedFields"]}


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


def wait(cluster, true):
    cluster.kubernetes.until(true, timeout=SEEN_LIMIT)


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


@seen("uninstalling")
def _(cluster):
    assert revision_status(cluster, 1) == "uninstalling"


@seen("argo-rollout", "budget-blocks")
def _(cluster):
    assert backend_of(cluster, "Rollout")["status"]["phase"] == "Healthy"
    assert BACKEND not in deployments(cluster)


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
