"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import dig

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]

_TOKEN = re.compile(r"\s*(==|!=|[()=,!<>]|[^\s()=,!<>]+|$)")
_FIELD = re.compile(r"\s*([^=!\s]+)\s*(==|=|!=)\s*(\S*)\s*")
_MARKS = ("(", ")", ",", "!", "=", "==", "!=", "<", ">", "")
_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt", "<", ">")
_ALWAYS = ("metadata.name", "metadata.namespace")
_POD_FIELDS = (
    *("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"),
    *("spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
)
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): _POD_FIELDS,
    ("", "events"): (
        *(f"involvedObject.{name}" for name in _INVOLVED),
        *("reason", "reportingComponent", "source", "type"),
    ),
    ("", "secrets"): ("type",),
    ("", "namespaces"): ("status.phase", "name"),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
}
"""What a field selector may name besides the name and the namespace."""

Test = Callable[[Mapping[str, str]], bool]


def _bad(found: str, expected: str) -> ApiError:
    return ApiError(400, f"unable to parse requirement: found '{found}', expected: {expected}")


class _Labels:
    """Reads a label selector token by token, as the real server's parser does."""

    def __init__(self, text: str) -> None:
        self.left = [found for found in _TOKEN.findall(text.strip()) if found]

    def _next(self) -> str:
        return self.left[0] if self.left else ""

    def _take(self) -> str:
        return self.left.pop(0) if self.left else ""

    def _word(self, expected: str = "identifier") -> str:
        word = self._take()
        if word in _MARKS:
            raise _bad(word, expected)
        return word

    def tests(self) -> list[Test]:
        """One for each requirement."""
        found: list[Test] = []
        while self.left:
            if self._next() in _MARKS and self._next() != "!":
                raise _bad(self._next(), "!, identifier, or 'end of string'")
            found.append(self._requirement())
            end = self._take()
            if end not in (",", ""):
                raise _bad(end, "',' or 'end of string'")
            if end and self._next() in _MARKS and self._next() != "!":
                raise _bad(self._next(), "identifier after ','")
        return found

    def _requirement(self) -> Test:
        if self._next() == "!":
            self._take()
            absent = self._word()
            return lambda labels: absent not in labels
        key = self._word()
        if self._next() in (",", ""):
            return lambda labels: key in labels
        operator = self._take()
        if operator not in _OPERATORS:
            raise _bad(operator, "in, notin, =, ==, !=, gt, lt")
        if operator in ("gt", "lt", "<", ">"):
            return self._compared(key, operator)
        values = self._values() if operator in ("in", "notin") else {self._value()}
        if operator in ("notin", "!="):
            return lambda labels: labels.get(key) not in values
        return lambda labels: labels.get(key) in values

    def _compared(self, key: str, operator: str) -> Test:
        bound = int(self._word())
        more = operator in ("gt", ">")
        return lambda labels: (
            labels.get(key, "").isdigit()
            and (int(labels[key]) > bound if more else int(labels[key]) < bound)
        )

    def _value(self) -> str:
        return "" if self._next() in (",", "") else self._word()

    def _values(self) -> set[str]:
        if (opened := self._take()) != "(":
            raise _bad(opened, "'('")
        found: set[str] = set()
        while self._next() != ")":
            if self._next() == ",":
                self._take()
                continue
            found.add(self._word("',', ')' or identifier"))
        self._take()
        return found or {""}


def label_selector(text: str) -> Callable[[Json], bool]:
    """A test for `app=x,tier in (a,b),!old`."""
    requirements = _Labels(text).tests()
    return lambda obj: all(one(dig(obj, "metadata", "labels", default={})) for one in requirements)


def field_selector(text: str, kind: Kind) -> Callable[[Json], bool]:
    """A test for `metadata.name=x,status.phase!=Running`."""
    wanted: list[tuple[list[str], bool, str]] = []
    for part in filter(str.strip, text.split(",")):
        found = _FIELD.fullmatch(part)
        if not found:
            raise ApiError(400, f"invalid selector: '{text}'; can't understand '{part}'")
        path, operator, value = found.groups()
        if path not in _ALWAYS and path not in _FIELDS.get(kind.key, ()):
            told = f'"{path}" is not a known field selector: only "metadata.name", '
            told += '"metadata.namespace"'
            raise ApiError(
                400, f"field label not supported: {path}" if kind.key in _FIELDS else told
            )
        path = "status.succeeded" if path == "status.successful" else path
        wanted.append((path.split("."), operator != "!=", value))
    return lambda obj: all(
        (str(dig(obj, *path, default="")) == value) is equal for path, equal, value in wanted
    )


def _expression(expression: Json, labels: Mapping[str, str]) -> bool:
    key, operator = str(expression["key"]), expression["operator"]
    values: list[str] = expression.get("values") or []
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    return (key in labels) is (operator == "Exists")


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector (`matchLabels`, `matchExpressions`) selects these labels."""
    if selector is None:
        return False
    pairs = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in pairs.items()):
        return False
    return all(_expression(one, labels) for one in selector.get("matchExpressions") or [])
