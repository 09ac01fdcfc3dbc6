"""Rights that several steps need, each declared once."""

from __future__ import annotations

from wizard.record import replace
from wizard.steps.step import Access
from wizard.systems.kubernetes.cluster import SECRETS
from wizard.systems.release.helm_rights import usual_rights
from wizard.systems.release.records import kept_in

_RECORDS = (kept_in() or SECRETS).plural

RELEASES = Access("kubernetes", "list", _RECORDS)
"""Where helm keeps its releases (`HELM_DRIVER`): their labels."""

RELEASE = Access("kubernetes", "get", _RECORDS)
"""What helm has recorded of one release."""

SECRET = Access("kubernetes", "get", "secrets")
"""The Secret with the database's URL."""

BACKEND = (
    Access("kubernetes", "get", "deployments", "apps"),
    Access("kubernetes", "get", "rollouts", "argoproj.io", kind="Rollout"),
    Access("kubernetes", "list", "replicasets", "apps"),
    Access("kubernetes", "list", "pods"),
)
"""The backend's workload, and the pods that are its own."""

ROLL = (
    Access("kubernetes", "patch", "deployments", "apps", changes=True),
    Access("kubernetes", "patch", "rollouts", "argoproj.io", changes=True, kind="Rollout"),
)
"""Giving the backend's workload another template, or restarting it."""

FOLLOW = (
    Access("kubernetes", "watch", "deployments", "apps", changes=True, optional=True),
    Access(
        "kubernetes",
        "watch",
        "rollouts",
        "argoproj.io",
        changes=True,
        optional=True,
        kind="Rollout",
    ),
)
"""Being told of the end of a rollout; without it the workload is read again and again."""

FORWARD = (
    Access("kubernetes", "get", "pods/portforward", way="port-forward"),
    Access("kubernetes", "create", "pods/portforward", way="port-forward"),
)
"""A port-forward over a WebSocket is a GET; newer API servers ask for `create` as well."""

EXEC = (
    Access("kubernetes", "get", "pods/exec", way="exec"),
    Access("kubernetes", "create", "pods/exec", way="exec"),
)
"""psql in the bundled pod, where no port can be forwarded or `--database exec` is told."""

OWN_POD = (
    Access("kubernetes", "get", "pods/exec", way="pod"),
    Access("kubernetes", "create", "pods/exec", way="pod"),
    Access("kubernetes", "create", "pods", way="pod"),
    Access("kubernetes", "get", "pods", way="pod"),
    Access("kubernetes", "delete", "pods", way="pod"),
    Access("kubernetes", "create", "selfsubjectaccessreviews", "authorization.k8s.io", way="pod"),
)
"""psql in a pod of its own, with `--database pod` alone."""

DATABASE = (
    SECRET,
    Access("kubernetes", "get", "services"),
    Access("kubernetes", "list", "pods"),
    *FORWARD,
    *EXEC,
    *OWN_POD,
)
"""The way to the database: the Secret with its URL, the Service behind it, a pod of that."""

DISCOVERY = (
    Access("kubernetes", "list", "namespaces", optional=True),
    Access("kubernetes", "list", "deployments", "apps", optional=True),
    Access("kubernetes", "list", "statefulsets", "apps", optional=True),
    Access("kubernetes", "list", "services", optional=True),
    Access("kubernetes", "list", "rollouts", "argoproj.io", optional=True),
)
"""Finding the release where it was not named, or is none of helm's."""

STATE = (Access("kubernetes", "list", "jobs", "batch", optional=True),)
"""What became of the hook Jobs of a release that is not deployed."""

OWNERS = (
    Access("kubernetes", "get", "helmreleases", "helm.toolkit.fluxcd.io", optional=True),
    Access("kubernetes", "list", "applications", "argoproj.io", optional=True),
    Access("kubernetes", "get", "applications", "argoproj.io", optional=True),
)
"""What an owner of the backend says itself."""

AUTOSCALERS = Access("kubernetes", "list", "horizontalpodautoscalers", "autoscaling", optional=True)
"""Whether how many pods there are is an autoscaler's to say."""

BUDGETS = Access("kubernetes", "list", "poddisruptionbudgets", "policy", optional=True)
"""What may keep an Argo Rollout from restarting."""

HAZARDS = (
    Access("kubernetes", "get", "services", optional=True),
    BUDGETS,
    AUTOSCALERS,
)
"""What may stand in the way of an upgrade, and the autoscaler that has set the replicas."""

SEEN = (
    Access("kubernetes", "list", "jobs", "batch", optional=True),
    Access("kubernetes", "list", "events", optional=True),
    Access("kubernetes", "watch", "events", optional=True),
    Access("kubernetes", "get", "pods/log", optional=True),
)
"""What is shown of an upgrade under way, and kept as evidence when it fails."""

REVIEW = Access(
    "kubernetes", "create", "selfsubjectaccessreviews", "authorization.k8s.io", changes=True
)
"""Asking beforehand whether a right is there."""

HELM = tuple(Access("helm", it.verb, it.what, it.group, changes=True) for it in usual_rights())
"""What helm needs by itself for a LangSmith of the usual kinds; see `wizard.engine.rights`."""


LEASE = tuple(
    Access("kubernetes", verb, "leases", "coordination.k8s.io", changes=True, optional=True)
    for verb in ("get", "create", "patch", "delete")
)
"""What a run asks for besides its steps; it goes without where a right is missing."""


TRIED = tuple(replace(it, changes=False, optional=True) for it in ROLL)
"""A write is tried with the right to make it; what may not be tried is told so."""


IDENTITY = (Access("kubernetes", "get", "namespaces", optional=True),)
"""What tells the target of a plan, and of a run's lock; without it the server's address does."""


LOG = (
    RELEASES,
    RELEASE,
    *DISCOVERY,
    *BACKEND,
    *DATABASE,
    Access("url", "GET", "/api/v1/audit-logs"),
    Access("url", "GET", "/api/v1/audit-logs/operations"),
    Access("url", "GET", "/api/v1/orgs/current/info"),
    Access("sql", "select", "audit_logs"),
)
"""What reading the log takes (`events`), from the API or from the table."""


PROOF = (
    Access("url", "GET", "/api/v1/workspaces", way="proof"),
    Access("url", "GET", "/api/v1/workspaces/current/tag-keys", way="proof"),
    Access("url", "POST", "/api/v1/workspaces/current/tag-keys", way="proof"),
    Access("url", "DELETE", "/api/v1/workspaces/current/tag-keys/{id}", way="proof"),
)
"""What `check --prove` asks of LangSmith's API."""
