"""`commonEnv`: a variable that is there must not be added to `extraEnv` again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wizard.systems.values_yaml.environment import environment, listed_twice
from wizard.systems.values_yaml.model import EnvEntry, Refusal
from wizard.systems.values_yaml.outline import Node
from wizard.systems.values_yaml.path import duplicate
from wizard.systems.values_yaml.reading import Reading

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


def common(reading: Reading, values: Node | None, wanted: Sequence[EnvEntry]) -> Common:
    """What the mapping `values` has below `commonEnv`."""
    if values is None or values.kind != "mapping":
        return Common()
    pairs = _pairs(reading, values)
    if not pairs:
        return Common()
    found = Common(defined=True)
    for position, (key, value) in enumerate(pairs):
        node = reading.resolved(value)
        names = _judge(reading, node, wanted, found)
        if names and position < len(pairs) - 1 and not found.refusal:
            found.refusal = duplicate(pairs[-1][0], key.value)
    return found


def _pairs(reading: Reading, values: Node) -> list[tuple[Node, Node]]:
    own = [pair for pair in values.pairs if pair[0].value == KEY]
    if own or not any(key.value == "<<" for key, _ in values.pairs):
        return own
    merged = [pair for it in reading.merged(values) for pair in it.pairs if pair[0].value == KEY]
    return merged[:1]


def _judge(reading: Reading, node: Node, wanted: Sequence[EnvEntry], found: Common) -> bool:
    if node.kind == "mapping":
        return _judge_mapping(node, wanted, found)
    if node.kind != "sequence" or node.odd is not None:
        return False
    listed = environment(reading, node, wanted)
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
    for key, _ in node.pairs:
        if key.value in names:
            found.refusal = found.refusal or Refusal(
                "LSA315",
                f"{key.value} is in commonEnv written as a mapping; the chart wants a list there",
                f"take {key.value} out of commonEnv, then run this again",
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
