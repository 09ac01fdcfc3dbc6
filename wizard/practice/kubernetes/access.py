"""Rights: everything is allowed but for what the faults forbid; reviews say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import dig
from wizard.practice.kubernetes.kinds import VERBS, Kind, Kinds

if TYPE_CHECKING:
    from wizard.practice.kubernetes.faults import Faults
    from wizard.practice.kubernetes.routes import Route

Json = dict[str, Any]

USER = "practice"
_CONNECTS = ("exec", "attach", "portforward")


def refuse(faults: Faults, verb: str, route: Route) -> None:
    """Refuse what is forbidden.

    Raises:
        ApiError: 403 with the real server's message.
    """
    namespace = route.name if route.resource == "namespaces" else route.namespace
    verbs = {verb, "create"} if route.subresource in _CONNECTS else {verb}
    banned = sorted(
        one
        for one in verbs
        if faults.forbids(one, route.group, route.resource, route.subresource, namespace)
    )
    if not banned:
        return
    named = f"{route.resource}.{route.group}" if route.group else route.resource
    subject = f'{named} "{route.name}"' if route.name else named
    what = f"{route.resource}/{route.subresource}" if route.subresource else route.resource
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    details = {"name": route.name, "group": route.group, "kind": route.resource}
    raise ApiError(
        403,
        f'{subject} is forbidden: User "{USER}" cannot {banned[0]} resource "{what}" '
        f'in API group "{route.group}" {where}',
        details={key: value for key, value in details.items() if value},
    )


def admit(faults: Faults, verb: str, resource: str, name: str) -> None:
    """Refuse what a staged admission webhook denies.

    Raises:
        ApiError: 403 with the webhook's name and message, as the real server words it.
    """
    denial = faults.denial(verb, resource, name)
    if denial is not None:
        told = f'admission webhook "{denial.webhook}" denied the request: {denial.message}'
        raise ApiError(403, told)


def review(kind: Kind, obj: Json, faults: Faults, kinds: Kinds) -> Json:
    """The answered review of an access question."""
    answer = {**obj, "apiVersion": kind.api_version, "kind": kind.kind}
    answer.setdefault("metadata", {})
    if kind.kind == "SelfSubjectReview":
        groups = ["system:masters", "system:authenticated"]
        answer["status"] = {"userInfo": {"username": USER, "groups": groups}}
    elif kind.kind == "SelfSubjectRulesReview":
        namespace = dig(obj, "spec", "namespace", default="")
        answer["status"] = _rules(faults, kinds, namespace)
    else:
        asked = dig(obj, "spec", "resourceAttributes", default={})
        denied = bool(asked) and faults.forbids(
            asked.get("verb", ""),
            asked.get("group", ""),
            asked.get("resource", ""),
            asked.get("subresource", ""),
            asked.get("namespace", ""),
        )
        answer["status"] = {"allowed": not denied}
        if denied:
            answer["status"]["reason"] = "no rule of the practice cluster grants it"
    return answer


def _rules(faults: Faults, kinds: Kinds, namespace: str) -> Json:
    if not faults.any_forbidden():
        rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    else:
        rules = []
        for kind in kinds.all():
            for subresource in ("", *kind.subresources):
                named = f"{kind.plural}/{subresource}" if subresource else kind.plural
                granted = [
                    verb
                    for verb in VERBS
                    if not faults.forbids(verb, kind.group, kind.plural, subresource, namespace)
                ]
                if granted:
                    rules.append(
                        {"verbs": granted, "apiGroups": [kind.group], "resources": [named]}
                    )
    paths = {"verbs": ["get"], "nonResourceURLs": ["*"]}
    return {"resourceRules": rules, "nonResourceRules": [paths], "incomplete": False}
