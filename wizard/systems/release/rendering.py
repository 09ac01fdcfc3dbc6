"""The deployed manifest against a new rendering, object by object, place by place.

Both are normalised: order of keys, nulls and empty maps do not count, and lists whose entries have
names (containers, variables, volumes) are compared by name. The chart is rendered twice: what then
differs between the two renderings (fresh certificates, random names) is noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wizard.record import dataclass, field
from wizard.systems.release.manifest import Key, documents, key_of

Parse = Callable[[str], dict[str, Any]]
Path = tuple[str, ...]
Leaves = Mapping[Path, Any]

ORDER = "(order)"
"""The last part of the place that holds the names of a list's entries."""
RANDOM = "…"
HOOK = ("metadata", "annotations", "helm.sh/hook")


@dataclass(frozen=True)
class Renderings:
    """Texts of manifests with their hooks: as deployed, and twice as they would become."""

    old: str
    new: str
    again: str
    namespace: str


@dataclass(frozen=True)
class Differing:
    """An object that differs; its values may be secret.

    Attributes:
        name: with `…` at the end where the rest of it is random.
        old, new: each place with its value; none where the object is not there.
        changed: the places that differ in themselves, sorted.
        noise: the places that differ at every rendering.
    """

    kind: str
    namespace: str
    name: str
    old: Leaves | None = field(repr=False)
    new: Leaves | None = field(repr=False)
    changed: tuple[Path, ...] = ()
    noise: tuple[Path, ...] = ()

    @property
    def hook(self) -> bool:
        """Whether it is a hook of the release."""
        return any(HOOK in side for side in (self.old, self.new) if side)


@dataclass(frozen=True)
class _Object:
    source: str
    leaves: Leaves = field(repr=False)


def differing(texts: Renderings, parse: Parse) -> tuple[Differing, ...]:
    """Every object that differs.

    Raises:
        Problem: whatever `parse` raises for a document that is no YAML.
    """
    sides = (_objects(text, texts.namespace, parse) for text in _unlike(texts))
    old, new, again = _with_random_names(*sides)
    found = (
        _compared(key, old.get(key), new.get(key), again.get(key))
        for key in dict.fromkeys((*old, *new))
    )
    return tuple(it for it in found if it)


def _unlike(texts: Renderings) -> tuple[list[tuple[str, str]], ...]:
    """The documents that are not the same text everywhere: only these need be read."""
    split = [
        [(source, text.strip()) for source, text in documents(whole)]
        for whole in (texts.old, texts.new, texts.again)
    ]
    alike = set.intersection(*({text for _, text in each} for each in split))
    return tuple([it for it in each if it[1] not in alike] for each in split)


def _objects(found: Iterable[tuple[str, str]], namespace: str, parse: Parse) -> dict[Key, _Object]:
    objects = {}
    for source, text in found:
        document = parse(text)
        if key := key_of(document, namespace):
            document["metadata"]["namespace"] = key[1]
            objects[key] = _Object(source, dict(leaves_of(document)))
    return objects


def _with_random_names(*sides: dict[Key, _Object]) -> tuple[dict[Key, _Object], ...]:
    """Objects with another name at every rendering get the one name `<stem>…` on all sides."""
    _, new, again = sides
    stems: dict[tuple[str, str, str], set[str]] = {}
    for key in new.keys() - again.keys():
        for other in again.keys() - new.keys():
            kind_and_place = key[:2] == other[:2] and new[key].source == again[other].source
            stem = key[2].rpartition("-")[0]
            if kind_and_place and stem and stem == other[2].rpartition("-")[0]:
                stems.setdefault((*key[:2], new[key].source), set()).add(f"{stem}-")
    return tuple(_renamed(side, stems) for side in sides)


def _renamed(
    side: Mapping[Key, _Object], stems: Mapping[tuple[str, str, str], set[str]]
) -> dict[Key, _Object]:
    renamed = {}
    for key, it in side.items():
        wanted = stems.get((*key[:2], it.source), ())
        stem = next((stem for stem in wanted if key[2].startswith(stem)), None)
        renamed[(*key[:2], f"{stem}{RANDOM}") if stem else key] = it
    return renamed


def _compared(
    key: Key, old: _Object | None, new: _Object | None, again: _Object | None
) -> Differing | None:
    kind, namespace, name = key
    if old is None or new is None:
        sides = (old.leaves if old else None), (new.leaves if new else None)
        return Differing(kind, namespace, name, *sides)
    found = changed_places(old.leaves, new.leaves)
    random = set(changed_places(new.leaves, again.leaves)) if again else set()
    changed = tuple(path for path in found if path not in random)
    noise = tuple(path for path in found if path in random)
    if not found:
        return None
    return Differing(kind, namespace, name, old.leaves, new.leaves, changed, noise)


def changed_places(old: Leaves, new: Leaves) -> list[Path]:
    """The places that differ, sorted."""
    places = [path for path in {*old, *new} if _exact(path, old) != _exact(path, new)]
    return sorted(path for path in places if path[-1] != ORDER or _reordered(path, old, new))


def _exact(path: Path, side: Leaves) -> str:
    """The value as text: in Python 1 equals True, in a manifest it does not."""
    return repr(side[path]) if path in side else ""


def _reordered(path: Path, old: Leaves, new: Leaves) -> bool:
    """Whether the entries that are on both sides are in another order."""
    before, after = old.get(path, ()), new.get(path, ())
    return [it for it in before if it in after] != [it for it in after if it in before]


def leaves_of(node: Any, path: Path = ()) -> Iterable[tuple[Path, Any]]:
    """Each place with a value; nulls and empty maps are none."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, dict | list):
                yield from leaves_of(value, (*path, str(key)))
            elif value is not None:
                yield (*path, str(key)), value
    elif isinstance(node, list) and node and all(isinstance(it, dict) for it in node):
        yield from _entries(node, path)
    elif node is not None:
        yield path, node


def _entries(entries: Sequence[Mapping[str, Any]], path: Path) -> Iterable[tuple[Path, Any]]:
    names = [str(it.get("name") or "") for it in entries]
    named = all(names) and len(set(names)) == len(names)
    for number, (name, entry) in enumerate(zip(names, entries, strict=True)):
        at = (*path[:-1], f"{path[-1]}[{name if named else number}]") if path else (name,)
        rest = {key: value for key, value in entry.items() if not (named and key == "name")}
        yield from leaves_of(rest, at)
    if named:
        yield (*path, ORDER), tuple(names)
