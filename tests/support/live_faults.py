"""What can be made to go wrong on any Kubernetes: by the API, by RBAC, and by its own policies."""

from __future__ import annotations

import contextlib

import live_policies


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
BACKEND = {"app.kubernetes.io/component": "langsmith-backend"}
JOBS = {
    "langsmith-backend-migrations": ("backend", "migrations", "./pg_migration_entrypoint.sh"),
    "auth-bootstrap": ("backend", "authBootstrap", "./auth_bootstrap_entrypoint.sh"),
    "backfill-check": ("backend", "backfillCheck", "./backfill_check_entrypoint.sh"),
    "e2e-test": ("e2eTest", "", "python scripts/test_e2e_trace.pyc"),
}
"""Hook Jobs that can be made to fail: where their values are, and the chart's own command."""


IN_FORCE = 10
"""Seconds until a policy is in force, on the practice cluster's scale."""

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
        self._granted = []
        self._policies = []
        self._config = ("", "")

    def begin(self, namespace, config):
        """A release was installed; its containers' variables come from this ConfigMap."""
        self._fail, self._config = [], (namespace, config)

    def allow(self):
        """Nobody's rights are missing any more, and no policy is in the way."""
        for kind, name in self._policies:
            self._kubernetes.delete(kind, None, name)
        self._policies = []
        self._revoke()
        if not self._bans:
            return
        self._kubernetes.act_as("")
        for kind in ("ClusterRoleBinding", "ClusterRole"):
            self._kubernetes.delete(kind, None, LIMITED)
        self._bans = []

    def __getattr__(self, name):
        raise CannotStage(f"{name.replace('_', ' ')}: a fault of the practice cluster's own")

    def fail_pods(self, labels, reason="CrashLoopBackOff", *, owner=""):
        if reason == "CrashLoopBackOff":
            self._tell([*self._fail, PODS])
        elif (reason, owner) == ("NotReady", "Job"):
            self._change_pods(labels, owner, live_policies.BUSY)
        else:
            self._change_pods(labels, owner, live_policies.BREAKS[reason])

    def slow(self, *, pods, jobs=None):
        if jobs is not None:
            raise CannotStage("slow Jobs: a fault of the practice cluster's own")
        self._change_pods(BACKEND, "ReplicaSet", live_policies.delayed(pods))

    def deny(self, verb, resource, message, *, name_contains, webhook):
        """Refuse a write; a policy has no webhook's name."""
        namespace, _ = self._config
        name = f"{namespace}-{webhook}"
        policy = live_policies.refusing(name, namespace, verb, resource, message, name_contains)
        self._put(policy)
        admin = self._kubernetes.acting_as("kubectl-edit")
        self._kubernetes.until(
            lambda: admin.refused(resource, namespace, name_contains), timeout=IN_FORCE
        )

    def _change_pods(self, labels, owner, changes):
        self._must_run()
        namespace, _ = self._config
        self._put(live_policies.for_pods(f"{namespace}-pods", namespace, labels, owner, changes))
        trial = live_policies.trial(labels, owner)
        admin = self._kubernetes.acting_as("kubectl-create")

        def in_force():
            tried = admin.try_to_create(trial, namespace)
            return live_policies.MARK in tried["metadata"]["labels"]

        self._kubernetes.until(in_force, timeout=IN_FORCE)

    def _put(self, policy):
        admin = self._kubernetes.acting_as("kubectl-create")
        for obj in policy:
            self._kubernetes.served(obj)
        for obj in policy:
            self._policies.append((obj["kind"], obj["metadata"]["name"]))
            admin.create(obj)

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

    def grant_only(self, roles):
        """Act as somebody who has these Roles and nothing else."""
        self._revoke()
        admin = self._kubernetes.acting_as("kubectl-create")
        for role in roles:
            about = role["metadata"]
            group = RBAC.split("/")[0]
            reference = {"apiGroup": group, "kind": role["kind"], "name": about["name"]}
            who = [{"apiGroup": group, "kind": "User", "name": LIMITED}]
            binding = {"apiVersion": RBAC, "kind": f"{role['kind']}Binding", "metadata": about}
            for made in (role, {**binding, "roleRef": reference, "subjects": who}):
                self._granted.append((made["kind"], about.get("namespace"), about["name"]))
                admin.create(made)
        self._kubernetes.act_as(LIMITED)

    def _revoke(self):
        if self._granted:
            self._kubernetes.act_as("")
        for kind, namespace, name in self._granted:
            self._kubernetes.delete(kind, namespace, name)
        self._granted = []

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

    def _must_run(self):
        if not self._kubernetes.list("Node"):
            raise CannotStage("no container really runs on this cluster")

    def _tell(self, names):
        self._must_run()
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
