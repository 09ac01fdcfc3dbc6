"""Rights: everything is allowed but for what the faults forbid; reviews say the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.apply import track_update
from wizard.practice.kubernetes.errors import ApiError, invalid
from wizard.practice.kubernetes.json_tools import dig, now, without_empty
from wizard.practice.kubernetes.kinds import VERBS, Kind, Kinds

if TYPE_CHECKING:
    from wizard.practice.kubernetes.faults import Faults
    from wizard.practice.kubernetes.reading import Ask
    from wizard.practice.kubernetes.routes import Route

Json = dict[str, Any]

USER = "practice"
_CONNECTS = ("exec", "attach", "portforward")


def refuse(faults: Faults, verb: str, route: Route) -> None:
    """Refuse what is forbidden."""
    namespace = _namespace(route)
    verbs = (verb, "create") if route.subresource in _CONNECTS else (verb,)
    for one in verbs:
        if faults.forbids(one, route.group, route.resource, route.subresource, namespace):
            # what a WebSocket's GET needs besides is refused without a word of it (1.35 and later)
            raise _forbidden(USER if one == verb else "", one, route)


def anonymous(path: str, verb: str, route: Route | None) -> ApiError:
    """403 for who brings no credentials."""
    if route is not None:
        return _forbidden("system:anonymous", verb, route)
    told = f'forbidden: User "system:anonymous" cannot get path "{path}"'
    return ApiError(403, told, details={})


def _namespace(route: Route) -> str:
    return route.name if route.resource == "namespaces" else route.namespace


def _forbidden(user: str, verb: str, route: Route) -> ApiError:
    namespace = _namespace(route)
    named = f"{route.resource}.{route.group}" if route.group else route.resource
    subject = f'{named} "{route.name}"' if route.name else named
    what = f"{route.resource}/{route.subresource}" if route.subresource else route.resource
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    told = f'User "{user}" cannot {verb} resource "{what}" in API group "{route.group}" {where}'
    return ApiError(
        403,
        f"{subject} is forbidden: {told if user else ''}",
        details=without_empty(name=route.name, group=route.group, kind=route.resource),
    )


def admit(faults: Faults, verb: str, resource: str, name: str) -> None:
    """Refuse what a staged admission webhook denies."""
    denial = faults.denial(verb, resource, name)
    if denial is not None:
        told = f'admission webhook "{denial.webhook}" denied the request: {denial.message}'
        raise ApiError(403, told)


def review(kind: Kind, obj: Json, ask: Ask, faults: Faults, kinds: Kinds) -> Json:
    """The answered review of an access question."""
    answer = {**obj, "kind": kind.kind, "apiVersion": kind.api_version}
    answer["metadata"] = dict(obj.get("metadata") or {})
    if kind.kind == "SelfSubjectReview":
        groups = ["system:masters", "system:authenticated"]
        answer["metadata"]["creationTimestamp"] = now()
        answer["status"] = {"userInfo": {"username": USER, "groups": groups}}
    elif kind.kind == "SelfSubjectRulesReview":
        namespace = dig(obj, "spec", "namespace", default="")
        answer["status"] = _rules(faults, kinds, namespace)
    else:
        asked = dig(obj, "spec", "resourceAttributes", default={})
        if not asked and not dig(obj, "spec", "nonResourceAttributes"):
            told = "Invalid value: null: exactly one of nonResourceAttributes or "
            told += "resourceAttributes must be specified"
            raise invalid(replace(kind, kind=""), "", [("spec.resourceAttributes", told)])
        track_update(None, answer, ask.manager, custom=False)
        names = ("verb", "group", "resource", "subresource", "namespace")
        denied = bool(asked) and faults.forbids(*(asked.get(name, "") for name in names))
        answer["status"] = {"allowed": not denied}
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
                rule = {"verbs": granted, "apiGroups": [kind.group], "resources": [named]}
                rules += [rule] if granted else []
    paths = {"verbs": ["get"], "nonResourceURLs": ["*"]}
    return {"resourceRules": rules, "nonResourceRules": [paths], "incomplete": False}
