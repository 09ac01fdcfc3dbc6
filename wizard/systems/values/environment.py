"""Environment lists: which of the wanted variables are in one, and in what state.

A variable that is in `commonEnv` must not be added to `extraEnv` again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from wizard.record import dataclass, field
from wizard.systems.values.as_helm import CORE
from wizard.systems.values.document import Node, entries, named
from wizard.systems.values.model import EnvEntry, Refusal
from wizard.systems.values.path import duplicate

_TEMPLATED = re.compile(r"\{\{|\$\{|\$\(")
_STRING = (None, "!", CORE + "str")


@dataclass
class Variable:
    """A wanted variable that is in a list.

    Attributes:
        item: its entry in the list, as written there.
        value: the scalar that holds its value, when there is one.
        problem: why its value cannot be told.
        obstacle: why its value must not be changed.
    """

    item: Node
    value: Node | None = None
    problem: Refusal | None = None
    obstacle: Refusal | None = None

    def right(self, value: str) -> bool:
        """Whether it is the string `value`."""
        found = self.value
        return found is not None and found.tag in _STRING and found.data == value


@dataclass
class Environment:
    """An environment list.

    Attributes:
        node: the list; None when there is none.
        variables: the wanted variables in it, all occurrences, by name.
    """

    node: Node | None = None
    variables: dict[str, list[Variable]] = field(default_factory=dict)

    def repeated(self) -> Refusal | None:
        """The refusal when a wanted variable is listed twice."""
        for name, found in self.variables.items():
            if len(found) > 1:
                return listed_twice(name, found[1].item, "in the same list")
        return None


def listed_twice(name: str, item: Node, where: str) -> Refusal:
    """The refusal of a variable that is there twice."""
    return Refusal(
        "LSA323",
        f"{name} is listed twice ({where}); the chart refuses such values",
        "take one of the two out, then run this again",
        at=item.start,
    )


def environment(node: Node, wanted: Sequence[EnvEntry]) -> Environment:
    """What a list of `{name, value}` mappings has of the wanted variables.

    Raises:
        Refusal: an entry that is not a mapping, or a key of a wanted variable that is there twice.
    """
    found = Environment(node)
    names = {entry.name for entry in wanted}
    for item in node.children:
        mapping = item.resolved
        if mapping.kind != "mapping":
            raise Refusal(
                "LSA315",
                "An entry of the list is not a mapping with a name and a value",
                "mend the entry (- name: NAME, value: VALUE), then run this again",
                at=item.start,
            )
        for name in _names(mapping) & names:
            found.variables.setdefault(name, []).append(_variable(item, mapping, name))
    return found


def _names(mapping: Node) -> set[str]:
    """The names that it has, those that a later one hides among them."""
    listed = [value for _, value in named(mapping, "name")]
    listed += [it.value for key, it in entries(mapping).items() if key == "name"]
    return {it.data for it in listed if isinstance(it.data, str)}


def _variable(item: Node, mapping: Node, name: str) -> Variable:
    for key in ("name", "value", "valueFrom"):
        found = named(mapping, key)
        if len(found) > 1:
            raise duplicate(found[1][0], key)
    variable = Variable(item)
    if item.kind == "alias" or item.shared:
        variable.obstacle = _not_own(name, item, "is an alias or has a shared anchor")
    _fill(variable, mapping, name)
    return variable


def _fill(variable: Variable, mapping: Node, name: str) -> None:
    item, all_of_it = variable.item, entries(mapping)
    source, found = all_of_it.get("valueFrom"), all_of_it.get("value")
    if source is not None:
        variable.problem = Refusal(
            "LSA320",
            f"{name} takes its value from elsewhere (valueFrom), so it is not known here",
            'replace valueFrom by value: "true", or see to it that the source says true',
            at=(source.value if item.kind != "alias" else item).start,
        )
        return
    if found is None or found.value.empty:
        variable.problem = Refusal(
            "LSA321",
            f"{name} is listed without a value",
            'give it value: "true", in quotes, then run this again',
            at=item.start,
        )
        return
    value, own = found.value, found.through is None
    resolved = value.resolved
    if value.kind == "alias" or value.shared or not own:
        at = value if own and item.kind != "alias" else item
        id = "LSA319" if not own else "LSA317" if value.kind == "alias" else "LSA318"
        told = _not_own(name, at, "has a value that is shared with other places", id)
        variable.obstacle = variable.obstacle or told
    variable.value = resolved if resolved.kind == "scalar" else None
    if resolved.kind != "scalar" or resolved.tag not in _STRING:
        variable.problem = Refusal(
            "LSA315",
            f"The value of {name} is not a string",
            'write value: "true" instead, then run this again',
            at=(value if own else item).start,
        )
    elif _TEMPLATED.search(resolved.value):
        variable.problem = Refusal(
            "LSA322",
            f"The value of {name} is templated, so it is not known here",
            'write value: "true" instead, or see to it that the template gives "true"',
            at=(value if own else item).start,
        )


def _not_own(name: str, at: Node, why: str, id: str = "LSA317") -> Refusal:
    return Refusal(
        id,
        f"{name} {why}, so it cannot be changed here alone",
        "write the entry out in full here, then run this again",
        at=at.start,
    )


KEY = "commonEnv"
"""The chart's key for environment variables of all its workloads."""


@dataclass
class Common:
    """What `commonEnv` has of the wanted variables.

    Attributes:
        defined: whether the file has the key at all.
        right: the names with the right value.
        refusal: why a variable in it forbids the edit.
    """

    defined: bool = False
    right: set[str] = field(default_factory=set)
    refusal: Refusal | None = None


def common(values: Node | None, wanted: Sequence[EnvEntry]) -> Common:
    """What the mapping `values` has below `commonEnv`."""
    effective = entries(values).get(KEY) if values and values.kind == "mapping" else None
    if values is None or effective is None:
        return Common()
    pairs = named(values, KEY)
    if effective.through is not None:
        pairs.append((effective.key, effective.value))
    found = Common(defined=True)
    for position, (_, value) in enumerate(pairs):
        names = _judge(value.resolved, wanted, found)
        if names and position < len(pairs) - 1 and not found.refusal:
            found.refusal = duplicate(pairs[-1][0], KEY)
    return found


def _judge(node: Node, wanted: Sequence[EnvEntry], found: Common) -> bool:
    if node.kind == "mapping":
        return _judge_mapping(node, wanted, found)
    if any(item.resolved.kind != "mapping" for item in node.children):
        return False
    listed = environment(node, wanted)
    found.refusal = found.refusal or listed.repeated()
    for entry in wanted:
        for variable in listed.variables.get(entry.name, []):
            if variable.problem:
                found.refusal = found.refusal or variable.problem
            elif variable.right(entry.value):
                found.right.add(entry.name)
            else:
                found.refusal = found.refusal or _wrong(entry, variable.value or variable.item)
    return bool(listed.variables)


def _judge_mapping(node: Node, wanted: Sequence[EnvEntry], found: Common) -> bool:
    names = {entry.name for entry in wanted}
    for name, (key, _, _) in entries(node).items():
        if name in names:
            found.refusal = found.refusal or Refusal(
                "LSA315",
                f"{name} is in commonEnv written as a mapping; the chart wants a list there",
                f"take {name} out of commonEnv, then run this again",
                at=key.start,
            )
            return True
    return False


def _wrong(entry: EnvEntry, at: Node) -> Refusal:
    return Refusal(
        "LSA328",
        f'{entry.name} is in commonEnv with another value than "{entry.value}"; the chart refuses '
        "a second one in extraEnv, and a change of commonEnv restarts 12 to 17 workloads, the "
        "bundled PostgreSQL, Redis and ClickHouse among them",
        f'take {entry.name} out of commonEnv, or set it to "{entry.value}" there at a time when '
        "all of LangSmith may restart, then run this again",
        at=at.start,
    )


def refuse_both(found: Common, variables: dict[str, Node]) -> None:
    """Refuse a variable that is in `commonEnv` and in `extraEnv`.

    Raises:
        Refusal: there is one.
    """
    for name, item in variables.items():
        if name in found.right:
            raise listed_twice(name, item, "in commonEnv and in backend.deployment.extraEnv")
