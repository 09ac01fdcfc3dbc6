"""ValidatingAdmissionPolicies: which of them are about a write, and what their expressions say."""

from __future__ import annotations

import ast
import contextlib
import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import REASONS, ApiError, forbidden
from wizard.practice.kubernetes.json_tools import dig
from wizard.practice.kubernetes.selectors import selects

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind
    from wizard.practice.kubernetes.store import Store

Json = dict[str, Any]

_GROUP = "admissionregistration.k8s.io"
_MARKS = re.compile(r"""("(?:\\.|[^"])*"|'(?:\\.|[^'])*')|&&|\|\||!(?!=)|\b(?:true|false|null)\b""")
_PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False"}
_COMPARED: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, other: one in other,
}
_CALLED: dict[str, Callable[..., Any]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "size": len,
}


def admit(store: Store, kind: Kind, obj: Json, old: Json | None) -> None:
    """Refuse a write that a policy with a binding of action Deny refuses."""
    doing = "UPDATE" if old else "CREATE"
    for binding in store.items((_GROUP, "validatingadmissionpolicybindings")):
        spec = binding["spec"]
        policy = store.get((_GROUP, "validatingadmissionpolicies"), "", spec.get("policyName", ""))
        if policy is None or "Deny" not in (spec.get("validationActions") or []):
            continue
        limits = (policy["spec"].get("matchConstraints"), spec.get("matchResources"))
        if all(_matches(store, one or {}, kind, obj, doing) for one in limits):
            names = f"'{policy['metadata']['name']}' with binding '{binding['metadata']['name']}'"
            _judge(policy["spec"], names, kind, obj, old, doing)


def _matches(store: Store, limits: Json, kind: Kind, obj: Json, operation: str) -> bool:
    meta = obj["metadata"]
    home = store.get(("", "namespaces"), "", meta.get("namespace", "")) or obj
    labels = dig(home, "metadata", "labels", default={})
    if not selects(limits.get("namespaceSelector") or {}, labels):
        return False
    if not selects(limits.get("objectSelector") or {}, meta.get("labels") or {}):
        return False
    rules = limits.get("resourceRules")
    return rules is None or any(
        _one_of(rule.get("apiGroups"), kind.group)
        and _one_of(rule.get("resources"), kind.plural)
        and _one_of(rule.get("operations"), operation)
        and meta["name"] in (rule.get("resourceNames") or [meta["name"]])
        for rule in rules
    )


def _one_of(listed: list[str] | None, value: str) -> bool:
    return "*" in (listed or []) or value in (listed or [])


def _judge(spec: Json, names: str, kind: Kind, obj: Json, old: Json | None, operation: str) -> None:
    meta = obj["metadata"]
    request = {"name": meta["name"], "namespace": meta.get("namespace", ""), "operation": operation}
    known = {"object": obj, "oldObject": old, "request": request}
    if not all(evaluate(one["expression"], known) for one in spec.get("matchConditions") or []):
        return
    for one in spec.get("validations") or []:
        text = one["expression"]
        try:
            told = "" if evaluate(text, known) else one.get("message", f"failed expression: {text}")
        except (KeyError, TypeError, ValueError) as problem:
            if spec.get("failurePolicy") == "Ignore":
                continue
            told = f"expression '{text}' resulted in error: {problem}"
        if told:
            reason = one.get("reason", "Invalid")
            code = next((code for code, name in REASONS.items() if name == reason), 422)
            told = f"ValidatingAdmissionPolicy {names} denied request: {told}"
            refusal = forbidden(kind, meta["name"], told, causes=[{"message": told}])
            raise ApiError(code, refusal.message, reason=reason, details=refusal.details)


def evaluate(expression: str, known: Json) -> Any:
    """The value of a CEL expression, as far as Python's grammar has the like of it."""
    text = _MARKS.sub(lambda found: found[1] or _PYTHON.get(found[0], "None"), expression)
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, known)
    except SyntaxError:
        raise ValueError(f"'{expression}' is not understood here") from None


def _value(node: ast.expr, known: Json) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.Attribute):
        return _value(node.value, known)[node.attr]
    if isinstance(node, ast.List):
        return [_value(one, known) for one in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _value(node.operand, known)
    if isinstance(node, ast.BoolOp):
        wanted = isinstance(node.op, ast.Or)
        return any(bool(_value(one, known)) is wanted for one in node.values) is wanted
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        compare = _COMPARED[type(node.ops[0])]
        return compare(_value(node.left, known), _value(node.comparators[0], known))
    if isinstance(node, ast.Call):
        return _call(node, known)
    raise ValueError(f"'{ast.unparse(node)}' is not understood here")


def _call(node: ast.Call, known: Json) -> Any:
    if isinstance(node.func, ast.Name) and node.func.id == "has":
        with contextlib.suppress(KeyError, TypeError):
            return _value(node.args[0], known) is not None
        return False
    given = [_value(one, known) for one in node.args]
    if isinstance(node.func, ast.Attribute):
        given.insert(0, _value(node.func.value, known))
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    if name not in _CALLED:
        raise ValueError(f"{name}() is not understood here")
    return _CALLED[name](*given)
