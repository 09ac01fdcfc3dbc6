"""Any Kubernetes, with the part of PracticeKubernetes' interface that scenarios and tests need."""

from __future__ import annotations

import contextlib
import time

import yaml
from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError, ResourceNotFoundError

SLOWER = 6
"""How many times as long as the practice cluster a real one may take to show something."""

POLL = 0.1
"""Seconds between two looks, where the practice cluster would tell of each change."""

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
CUSTOM = (".io/v1alpha1", "fluxcd.io/v2")


class CannotStage(Exception):
    """A scenario needs what only the practice cluster can do; the text says what."""


STAGED = "LSA_STAGED"
"""The variable that tells containers what shall go wrong; in the chart's own ConfigMap."""

STAGES = f"""case " ${STAGED} " in *" $0 "*)
  echo "staged: $0 ends here, with $POSTGRES_DATABASE_URI" >&2; exit 3;;
esac
exec "$@"
"""
"""A shell's program before a container's own command; its $0 is what may be told to fail."""

PODS = "backend-pods"
JOBS = {
    "langsmith-backend-migrations": ("backend", "migrations", "./pg_migration_entrypoint.sh"),
    "auth-bootstrap": ("backend", "authBootstrap", "./auth_bootstrap_entrypoint.sh"),
    "backfill-check": ("backend", "backfillCheck", "./backfill_check_entrypoint.sh"),
    "e2e-test": ("e2eTest", "", "python scripts/test_e2e_trace.pyc"),
}
"""Hook Jobs that can be made to fail: where their values are, and the chart's own command."""


LIMITED = "lsa-live-limited"
"""Whom a kubeconfig acts as (`as`) when rights shall be missing, and the role of that user."""

RBAC = "rbac.authorization.k8s.io/v1"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


def rules_without(bans, served):
    """Rules of RBAC that allow everything that is served, but these (verb, resource)."""
    banned = {resource for _, resource in bans}
    rules = [
        {"apiGroups": [group], "resources": sorted(names - banned), "verbs": ["*"]}
        for group, names in served.items()
        if names - banned
    ]
    for resource in banned:
        verbs = [verb for verb in VERBS if (verb, resource) not in bans]
        rules.append({"apiGroups": ["*"], "resources": [resource], "verbs": verbs})
    return [*rules, {"nonResourceURLs": ["*"], "verbs": ["*"]}]


def staging():
    """Values with which containers fail when they are told to; without the variable, nothing."""
    backend = {"deployment": {"command": _before(PODS, "./entrypoint.sh")}}
    values = {"backend": backend}
    for name, (part, key, command) in JOBS.items():
        own = {"command": _before(name, command)}
        values.setdefault(part, {}).update({key: own} if key else own)
    return values


def _before(name, command):
    return ["sh", "-c", STAGES, name, *command.split()]


class LiveFaults:
    """What can go wrong on a live cluster by itself; everything else cannot be staged there."""

    def __init__(self, kubernetes):
        self._kubernetes = kubernetes
        self._fail = []
        self._bans = []
        self._config = ("", "")

    def begin(self, namespace, config):
        """A release was installed; its containers' variables come from this ConfigMap."""
        self._fail, self._config = [], (namespace, config)

    def allow(self):
        """Nobody's rights are missing any more."""
        if not self._bans:
            return
        self._kubernetes.act_as("")
        for kind in ("ClusterRoleBinding", "ClusterRole"):
            self._kubernetes.delete(kind, None, LIMITED)
        self._bans = []

    def __getattr__(self, name):
        raise CannotStage(f"{name.replace('_', ' ')}: a fault of the practice cluster's own")

    def fail_pods(self, labels, reason="CrashLoopBackOff", *, owner=""):
        if reason != "CrashLoopBackOff" or owner != "ReplicaSet":
            raise CannotStage(f"{reason}: pods of a real cluster can only be made to crash")
        self._tell([*self._fail, PODS])

    def forbid(self, verb, resource):
        self._bans.append((verb, resource))
        role = {"metadata": {"name": LIMITED}, "rules": rules_without(self._bans, self._served())}
        admin = self._kubernetes.acting_as("kubectl-create")
        if len(self._bans) > 1:
            admin.patch("ClusterRole", None, LIMITED, role)
            return
        about = {"apiVersion": RBAC, "metadata": {"name": LIMITED}}
        reference = {"apiGroup": RBAC.split("/")[0], "kind": "ClusterRole", "name": LIMITED}
        who = [{"apiGroup": reference["apiGroup"], "kind": "User", "name": LIMITED}]
        admin.create({**about, "kind": "ClusterRole", **role})
        admin.create({**about, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": who})
        self._kubernetes.act_as(LIMITED)

    def _served(self):
        """The names of all resources and subresources, by group."""
        served = {}
        for one in self._kubernetes.everything():
            names = served.setdefault(one.group or "", set())
            names |= {one.name, *(f"{one.name}/{sub}" for sub in one.subresources or ())}
        return served

    def fail_job(self, name_contains):
        if name_contains not in JOBS:
            raise CannotStage(f"the Job {name_contains} cannot be told to fail")
        self._tell([*self._fail, name_contains])

    def clear(self):
        self._tell([])

    def _tell(self, names):
        if not self._kubernetes.list("Node"):
            raise CannotStage("no container really runs on this cluster")
        namespace, name = self._config
        self._fail = names
        change = {"data": {STAGED: " ".join(names)}}
        self._kubernetes.acting_as("kubectl-edit").patch("ConfigMap", namespace, name, change)

    def held(self):
        return contextlib.nullcontext()

    def no_load_balancer(self):
        for service in self._kubernetes.list("Service"):
            if service["status"].get("loadBalancer", {}).get("ingress"):
                raise CannotStage("this cluster gives Services of type LoadBalancer an address")


class LiveKubernetes:
    """Reads and writes as PracticeKubernetes does, through the Python client.

    Attributes:
        made: (kind, name) of the cluster-wide objects that scenarios have made.
    """

    def __init__(self, kubeconfig):
        self._kubeconfig = kubeconfig
        self._client = DynamicClient(config.new_client_from_config(str(kubeconfig)))
        self.faults = LiveFaults(self)
        self.made = []
        self._written = None

    def __getattr__(self, name):
        raise CannotStage(f"{name} is the practice cluster's own")

    def resource(self, kind):
        """The served resource of a kind; the core group and the preferred version come first."""
        found = self._client.resources.search(kind=kind)
        if not found:
            raise ResourceNotFoundError(kind)
        return sorted(found, key=lambda one: (not one.preferred, bool(one.group)))[0]

    def everything(self):
        """Every resource that is served."""
        found = self._client.resources.search()
        return [one for one in found if one.name]  # the kinds of lists have none

    def served(self, obj):
        """The resource of an object's own version; a cluster may be too old or too new for it."""
        try:
            return self._client.resources.get(api_version=obj["apiVersion"], kind=obj["kind"])
        except ResourceNotFoundError:
            raise CannotStage(f"{obj['kind']} {obj['apiVersion']} is not served here") from None

    def get(self, kind, namespace, name):
        try:
            return self.resource(kind).get(name=name, namespace=namespace).to_dict()
        except (NotFoundError, ResourceNotFoundError):
            return None

    def list(self, kind, namespace=None, labels=None):
        selector = ",".join(f"{key}={value}" for key, value in (labels or {}).items())
        try:
            found = self.resource(kind).get(namespace=namespace, label_selector=selector)
        except ResourceNotFoundError:
            return []
        return found.to_dict()["items"]

    def delete(self, kind, namespace, name):
        try:
            self.resource(kind).delete(name=name, namespace=namespace)
        except NotFoundError:
            return

    def until(self, true, *, timeout):
        timeout *= SLOWER
        ends = time.monotonic() + timeout
        while not true():
            if time.monotonic() > ends:
                raise TimeoutError(f"not seen within {timeout:.0f} s")
            time.sleep(POLL)

    def acting_as(self, manager):
        return LiveSomeone(self, manager)

    def act_as(self, user):
        """Let the kubeconfig that was written last act as another user."""
        path, namespace = self._written
        self.write_kubeconfig(path, namespace=namespace, user=user)

    def write_kubeconfig(self, path, *, namespace="default", user=""):
        """Let the current context lead to another namespace, and act as another user."""
        self._written = path, namespace
        document = yaml.safe_load(self._kubeconfig.read_text())
        for context in document["contexts"]:
            if context["name"] == document["current-context"]:
                context["context"]["namespace"] = namespace
                login = context["context"]["user"]
        for entry in document["users"]:
            if user and entry["name"] == login:
                entry["user"]["as"] = user
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))


class LiveSomeone:
    """A client with a field manager of its own."""

    def __init__(self, kubernetes, manager):
        self._kubernetes = kubernetes
        self._manager = manager

    def create(self, obj):
        meta = obj["metadata"]
        definition = obj["kind"] == "CustomResourceDefinition"
        if definition and self._kubernetes.get(obj["kind"], None, meta["name"]):
            raise CannotStage(f"{meta['name']} is there already, and its controller would act")
        if "namespace" not in meta:
            self._kubernetes.made.append((obj["kind"], meta["name"]))
        made = self._kubernetes.served(obj).create(
            body=obj, namespace=meta.get("namespace"), field_manager=self._manager
        )
        return made.to_dict()

    def patch(self, kind, namespace, name, change):
        resource = self._kubernetes.resource(kind)
        custom = resource.group_version.endswith(CUSTOM)
        done = resource.patch(
            body=change,
            name=name,
            namespace=namespace,
            content_type=MERGE if custom else STRATEGIC,
            field_manager=self._manager,
        )
        return done.to_dict()

    def take_over(self, other):
        raise CannotStage(f"what {other} wrote cannot be made to look like another's")
