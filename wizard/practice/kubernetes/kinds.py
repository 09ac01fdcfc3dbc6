"""The kinds that the practice API serves: names, scope and subresources of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Kind:
    """One resource: `deployments` of `apps/v1`, say.

    Attributes:
        group: "" for the core group.
        subresources: names as in the path (`status`, `scale`, `exec`, …).
        custom: defined by a CustomResourceDefinition, so without strategic merge patch.
        verbs: what discovery offers; a review has `create` only.
        schema: of a custom kind, the openAPIV3Schema of its version.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    custom: bool = False
    verbs: tuple[str, ...] = VERBS
    schema: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """Group and plural: where objects of this kind are stored."""
        return (self.group, self.plural)

    @property
    def api_version(self) -> str:
        """`v1` or `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`pods` or `deployments.apps`, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """`Pod` or `Deployment.apps`, as messages about an invalid object name it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def singular(self) -> str:
        """The kind in small letters."""
        return self.kind.lower()


_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")

# group/version | kind | plural | scope | short names | subresources | categories
_TABLE = """
v1 Namespace namespaces cluster ns status,finalize -
v1 Node nodes cluster no status -
v1 PersistentVolume persistentvolumes cluster pv status -
v1 Pod pods ns po status,log,exec,attach,portforward,eviction all
v1 Service services ns svc status all
v1 ReplicationController replicationcontrollers ns rc status,scale all
v1 ConfigMap configmaps ns cm - -
v1 Secret secrets ns - - -
v1 ServiceAccount serviceaccounts ns sa token -
v1 PersistentVolumeClaim persistentvolumeclaims ns pvc status -
v1 Event events ns ev - -
v1 Endpoints endpoints ns ep - -
v1 LimitRange limitranges ns limits - -
v1 ResourceQuota resourcequotas ns quota status -
apps/v1 Deployment deployments ns deploy status,scale all
apps/v1 ReplicaSet replicasets ns rs status,scale all
apps/v1 StatefulSet statefulsets ns sts status,scale all
apps/v1 DaemonSet daemonsets ns ds status all
apps/v1 ControllerRevision controllerrevisions ns - - -
batch/v1 Job jobs ns - status all
batch/v1 CronJob cronjobs ns cj status all
policy/v1 PodDisruptionBudget poddisruptionbudgets ns pdb status -
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers ns hpa status all
networking.k8s.io/v1 Ingress ingresses ns ing status -
networking.k8s.io/v1 IngressClass ingressclasses cluster - - -
networking.k8s.io/v1 NetworkPolicy networkpolicies ns netpol - -
discovery.k8s.io/v1 EndpointSlice endpointslices ns - - -
rbac.authorization.k8s.io/v1 Role roles ns - - -
rbac.authorization.k8s.io/v1 RoleBinding rolebindings ns - - -
rbac.authorization.k8s.io/v1 ClusterRole clusterroles cluster - - -
rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings cluster - - -
coordination.k8s.io/v1 Lease leases ns - - -
storage.k8s.io/v1 StorageClass storageclasses cluster sc - -
scheduling.k8s.io/v1 PriorityClass priorityclasses cluster pc - -
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations \
cluster - - -
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy validatingadmissionpolicies \
cluster - status -
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding \
validatingadmissionpolicybindings cluster - - -
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations \
cluster - - -
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions cluster crd,crds \
status -
"""
_REVIEWS = """\
authorization.k8s.io/v1 SelfSubjectAccessReview selfsubjectaccessreviews cluster
authorization.k8s.io/v1 SelfSubjectRulesReview selfsubjectrulesreviews cluster
authorization.k8s.io/v1 SubjectAccessReview subjectaccessreviews cluster
authorization.k8s.io/v1 LocalSubjectAccessReview localsubjectaccessreviews ns
authentication.k8s.io/v1 SelfSubjectReview selfsubjectreviews cluster
"""

ARGO_ROLLOUT = Kind(
    "argoproj.io",
    "v1alpha1",
    "Rollout",
    "rollouts",
    short=("ro",),
    subresources=("status", "scale"),
    custom=True,
)
"""What the cluster has a controller for, and serves once its definition is there."""


def _words(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))


def _builtin() -> Iterator[Kind]:
    for line in (_TABLE + _REVIEWS).strip().splitlines():
        api_version, kind, plural, scope, *more = line.split()
        group, _, version = api_version.rpartition("/")
        short, subresources, categories = map(_words, more or ("-", "-", "-"))
        verbs = tuple(one for one in VERBS if kind != "Namespace" or one != "deletecollection")
        yield Kind(
            group,
            version,
            kind,
            plural,
            namespaced=scope == "ns",
            short=short,
            subresources=subresources,
            categories=categories,
            verbs=verbs if more else ("create",),
        )


def custom_kind(definition: dict[str, Any]) -> Kind:
    """The Kind that a CustomResourceDefinition defines (its storage version)."""
    spec = definition["spec"]
    names = spec["names"]
    stored = next(one for one in spec["versions"] if one.get("storage"))
    return Kind(
        spec["group"],
        stored["name"],
        names["kind"],
        names["plural"],
        namespaced=spec.get("scope", "Namespaced") == "Namespaced",
        short=tuple(names.get("shortNames") or ()),
        subresources=tuple(stored.get("subresources") or ()),
        categories=tuple(names.get("categories") or ()),
        custom=True,
        verbs=_CUSTOM_VERBS,
        schema=(stored.get("schema") or {}).get("openAPIV3Schema") or {},
    )


class Kinds:
    """The registry: built-in kinds, and those that CustomResourceDefinitions add."""

    def __init__(self) -> None:
        self._builtin = {kind.key: kind for kind in _builtin()}
        self.changed = -1
        self.define(())

    def define(self, definitions: Iterable[dict[str, Any]]) -> None:
        """Serve exactly these CustomResourceDefinitions, besides the built-in kinds."""
        self._custom = {kind.key: kind for kind in map(custom_kind, definitions)}
        named: dict[str, list[Kind]] = {}
        for kind in (*self.all(), ARGO_ROLLOUT):
            for name in {kind.singular, kind.plural}:
                named.setdefault(name, []).append(kind)
        self._named = named  # whole: other threads look into it meanwhile
        self.changed += 1

    def all(self) -> list[Kind]:
        """Every kind, each once."""
        return list({**self._custom, **self._builtin}.values())

    def groups(self) -> set[str]:
        """The groups that are served."""
        return {kind.group for kind in self.all()}

    def by_resource(self, group: str, plural: str) -> Kind | None:
        """The kind with that plural, or None."""
        return self._builtin.get((group, plural)) or self._custom.get((group, plural))

    def by_name(self, name: str, group: str | None = None) -> Kind | None:
        """The kind called `Deployment`, `deployments` or `deployment`, or None."""
        named = self._named.get(name.lower(), ())
        return next((kind for kind in named if group in (None, kind.group)), None)
