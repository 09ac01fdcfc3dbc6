"""Label and field selectors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import dig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json = dict[str, Any]

_SET = re.compile(r"^\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_PAIR = re.compile(r"^\s*([^=!\s]+)\s*(==|=|!=)\s*(\S*)\s*$")
_BARE = re.compile(r"^\s*(!?)\s*([A-Za-z0-9][\w./-]*)\s*$")


def _split(text: str) -> list[str]:
    """Split at the commas that are not inside parentheses."""
    return [part for part in re.split(r",(?![^()]*\))", text) if part.strip()]


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.match(text):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _PAIR.match(text):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _BARE.match(text):
        absent, key = found.groups()
        return lambda labels: (key in labels) != bool(absent)
    message = f"unable to parse requirement: found '{text}', expected: ',' or 'end of string'"
    raise ApiError(400, message)


def label_selector(text: str) -> Callable[[Json], bool]:
    """A test for `app=x,tier in (a,b),!old`.

    Raises:
        ApiError: 400, when the text is not a selector.
    """
    requirements = [_requirement(part) for part in _split(text)]

    def matches(obj: Json) -> bool:
        labels = dig(obj, "metadata", "labels", default={})
        return all(requirement(labels) for requirement in requirements)

    return matches


def field_selector(text: str) -> Callable[[Json], bool]:
    """A test for `metadata.name=x,status.phase!=Running`.

    Raises:
        ApiError: 400, when the text is not a selector.
    """
    wanted: list[tuple[list[str], bool, str]] = []
    for part in _split(text):
        found = _PAIR.match(part)
        if not found:
            raise ApiError(400, f"invalid selector: '{text}'; can't understand '{part}'")
        path, operator, value = found.groups()
        wanted.append((path.split("."), operator != "!=", value))

    def matches(obj: Json) -> bool:
        return all(
            (str(dig(obj, *path, default="")) == value) is equal for path, equal, value in wanted
        )

    return matches


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
