"""Faults that an admission policy of the cluster's own stages: of new pods, and of writes.

MutatingAdmissionPolicy is served from Kubernetes 1.36, ValidatingAdmissionPolicy from 1.30.
"""

from __future__ import annotations

import json

API = "admissionregistration.k8s.io/v1"
MARK = "lsa-staged"
"""The label that a broken pod bears, so that a trial shows when the policy is in force."""

_QUICK = ("periodSeconds", "failureThreshold")
NOWHERE = "registry.invalid/langsmith-backend:0"
BREAKS = {
    "ImagePullBackOff": [("replace", "/spec/containers/0/image", NOWHERE)],
    "CreateContainerConfigError": [
        ("add", "/spec/containers/0/envFrom/-", {"secretRef": {"name": "lsa-staged-missing"}})
    ],
    "Unschedulable": [("add", "/spec/nodeSelector", {"lsa-staged": "no-node"})],
    "NotReady": [  # with little that the probes allow, so that helm is still at work
        ("add", "/spec/containers/0/startupProbe", {"exec": {"command": ["true"]}}),
        *(("add", f"/spec/containers/0/startupProbe/{key}", 1) for key in _QUICK),
        *(("add", f"/spec/containers/0/readinessProbe/{key}", 1) for key in _QUICK),
        ("replace", "/spec/containers/0/readinessProbe/httpGet/port", 1),
    ],
}
"""What keeps a new pod from becoming ready, as changes of its JSON."""

BUSY = [("add", "/spec/containers/0/command", ["sh", "-c", "sleep 60"])]
"""What lets a Job's pod run for a while; it is never asked whether it is ready."""

OPERATIONS = {"create": "CREATE", "patch": "UPDATE", "update": "UPDATE", "delete": "DELETE"}


def delayed(seconds):
    """The change with which a pod is ready no sooner than after so many seconds."""
    delay = "/spec/containers/0/readinessProbe/initialDelaySeconds"
    return [("add", delay, int(seconds))]


def for_pods(name, namespace, labels, owner, changes):
    """The policy and its binding that change each new pod of an owner, and mark it."""
    marked = [*changes, ("add", f"/metadata/labels/{MARK}", name)]
    patches = ", ".join(
        f"JSONPatch{{op: {json.dumps(op)}, path: {json.dumps(path)}, value: {json.dumps(value)}}}"
        for op, path, value in marked
    )
    spec = {
        "matchConstraints": {
            **_within(namespace, "", "pods", "CREATE"),
            "objectSelector": {"matchLabels": dict(labels)},
        },
        "matchConditions": [{"name": "owner", "expression": _owned_by(owner)}],
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{patches}]"}}],
    }
    return _pair("MutatingAdmissionPolicy", name, spec, {})


def refusing(name, namespace, verb, resource, message, name_contains):
    """The policy and its binding that refuse a write, with a message."""
    named = f"request.name.contains({json.dumps(name_contains)})"
    spec = {
        "matchConstraints": _within(namespace, "*", resource, OPERATIONS[verb]),
        "matchConditions": [{"name": "name", "expression": named}],
        "failurePolicy": "Fail",
        "validations": [{"expression": "false", "message": message}],
    }
    return _pair("ValidatingAdmissionPolicy", name, spec, {"validationActions": ["Deny"]})


def trial(labels, owner):
    """A pod that a policy of `for_pods` is tried with, never to be made."""
    reference = {"apiVersion": "apps/v1", "kind": owner, "name": "trial", "uid": "trial"}
    container = {
        "name": "trial",
        "image": NOWHERE,
        "envFrom": [{"configMapRef": {"name": "trial"}}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lsa-trial", "labels": {**labels}, "ownerReferences": [reference]},
        "spec": {"containers": [container]},
    }


def _within(namespace, group, resource, operation):
    rule = {"apiGroups": [group], "apiVersions": ["*"], "resources": [resource]}
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "resourceRules": [{**rule, "operations": [operation]}],
    }


def _owned_by(kind):
    owners = "object.metadata.?ownerReferences.orValue([])"
    return f"{owners}.exists(one, one.kind == {json.dumps(kind)})"


def _pair(kind, name, spec, binding):
    about = {"apiVersion": API, "metadata": {"name": name}}
    return [
        {**about, "kind": kind, "spec": spec},
        {**about, "kind": f"{kind}Binding", "spec": {"policyName": name, **binding}},
    ]
