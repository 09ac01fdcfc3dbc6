"""Generated documents, styles and insert points: what holds for every edit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wizard.systems.values.diff import unified_diff
from wizard.systems.values.edit import edit
from wizard.systems.values.model import WANTED, Outcome

KEYS = ["name", "replicas", "config", "env", "image", "标题", "a-b", "service", "x1", "Kubernetes"]
PLAIN = [
    "yes",
    "no",
    "0o7",
    "1_000",
    "12:30:45",
    "2001-12-14",
    "~",
    "null",
    "x y",
    "C:\\x",
    "漢 😀",
]
WRITTEN = ['"{{ .Values.x }}"', "'it''s'", '"a\\tb"', "!ref x", "!!str 1", '"yes"', "''", "[1, b]"]
LITERALS = ["|", "|-", "|+", ">", ">-", ">+"]

DRAWN = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@dataclass(frozen=True)
class Manner:
    """The style of a generated document."""

    step: int
    flush: bool
    quote: str


class Writer:
    """Writes a document, choice by choice."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.manner = Manner(
            draw(st.integers(1, 8)), draw(st.booleans()), draw(st.sampled_from(["", "", '"', "'"]))
        )
        self.lines: list[str] = []

    def one(self, choices: list[Any]) -> Any:
        return self.draw(st.sampled_from(choices))

    def key(self, name: str) -> str:
        return f"{self.manner.quote}{name}{self.manner.quote}:"

    def noise(self, column: int) -> None:
        kind = self.one(["", "", "", "blank", "comment", "deep", "shallow"])
        if kind == "blank":
            self.lines.append(self.one(["", "  "]))
        elif kind:
            shift = {"comment": 0, "deep": 2, "shallow": -2}[kind]
            self.lines.append(" " * max(0, column + shift) + "# extraEnv: []")

    def scalar(self, head: str, column: int) -> None:
        kind = self.one(["plain", "written", "literal", "wrapped"])
        tail = self.one(["", "", "  # note", " "])
        if kind == "plain":
            self.lines.append(f"{head} {self.one(PLAIN)}{tail}")
        elif kind == "written":
            self.lines.append(f"{head} {self.one(WRITTEN)}{tail}")
        elif kind == "literal":
            self.lines.append(f"{head} {self.one(LITERALS)}{tail}")
            inner = " " * (column + self.manner.step)
            self.lines += [inner + "text: x", *[""] * self.one([0, 1, 2]), inner + "# no comment"]
            self.lines += [""] * self.one([0, 0, 1, 2])
        else:
            inner = " " * (column + self.manner.step)
            self.lines += [f"{head} one", f"{inner}two", "", f"{inner}three"]

    def entries(self, column: int) -> None:
        for name in self.draw(st.lists(st.sampled_from(["A", "B", "C"]), unique=True)):
            self.noise(column)
            pair = [f"name: {name}", "value: " + self.one(PLAIN)]
            if self.one([True, False]):
                pair.reverse()
            self.lines.append(" " * column + "- " + pair[0] + self.one(["", "  # n"]))
            self.lines.append(" " * (column + 2) + pair[1])

    def listed(self, column: int) -> None:
        head = " " * column + self.key("extraEnv")
        before = len(self.lines)
        self.entries(column if self.manner.flush else column + self.manner.step)
        if len(self.lines) > before and any("- " in line for line in self.lines[before:]):
            self.lines.insert(before, head + self.one(["", "  # env", " &anchor"]))
            return
        del self.lines[before:]
        empty = self.one(["", " []", " {}", " ~", " null", " [ ]", " &a []"])
        self.lines.append(head + empty + self.one(["", "  # none"]))

    def mapping(self, column: int, path: list[str], depth: int) -> None:
        names = self.draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=1, max_size=3))
        if path:
            names.insert(self.one(list(range(len(names) + 1))), path[0])
        for name in names:
            self.noise(column)
            head = " " * column + self.key(name)
            if path and name == path[0] == "extraEnv":
                self.listed(column)
            elif path and name == path[0]:
                self.lines.append(head)
                self.mapping(column + self.manner.step, self.below(path), depth + 1)
            elif depth < 3 and self.one([True, False, False]):
                self.lines.append(head + self.one(["", " # sub"]))
                self.mapping(column + self.manner.step, [], depth + 1)
            else:
                self.scalar(head, column)

    def below(self, path: list[str]) -> list[str]:
        return self.one([path[1:], path[1:], []])

    def document(self) -> bytes:
        self.mapping(0, self.one([[], ["backend", "deployment", "extraEnv"]]), 0)
        self.noise(0)
        text = self.one(["", "", "---\n", "# head\n---\n"]) + "\n".join(self.lines)
        text += self.one(["\n", "\n", "", "\n...\n"])
        text = text.replace("\n", self.one(["\n", "\n", "\r\n"]))
        return self.one([b"", b"\xef\xbb\xbf"]) + text.encode()


@st.composite
def documents(draw: Any) -> bytes:
    return Writer(draw).document()


@DRAWN
@given(documents())
def test_generated_documents(data: bytes) -> None:
    made = edit(data)
    assert made.outcome in (Outcome.INSERT, Outcome.UPDATE), (made.finding, made.message)
    _check(data, made.data, made.outcome)
    assert made.names == tuple(entry.name for entry in WANTED)
    again = edit(made.data)
    assert (again.outcome, again.data) == (Outcome.NOOP, made.data)
    _check_breaks(data, made.data)


@DRAWN
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=6) | st.sampled_from(["backend"]), inner, max_size=3)
        ),
    ),
    st.sampled_from([None, 1, 2, 4, "\t"]),
    st.sampled_from([(",", ":"), (", ", ": ")]),
    st.booleans(),
)
def test_generated_json(data: Any, indent: Any, separators: Any, ascii_only: bool) -> None:
    marks = (separators[0].strip(), separators[1]) if indent else separators
    text = json.dumps({"data": data}, indent=indent, separators=marks, ensure_ascii=ascii_only)
    made = edit(text.encode())
    if made.outcome is Outcome.REFUSE:  # JSON allows what YAML 1.1 does not
        assert made.finding in ("LSA311", "LSA312"), made.message
        return
    after = json.loads(made.data)
    env = after.pop("backend")["deployment"]["extraEnv"]
    assert after == json.loads(text)
    assert env == [{"name": entry.name, "value": entry.value} for entry in WANTED]
    assert (b"\n" in made.data) == ("\n" in text)


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(
    st.text(alphabet=" \n\t\r:-[]{}\"'#&*!|>%@`,?abkey0~\x85\u2028\ufeff漢😀\0\x07", max_size=60)
)
def test_any_text_has_an_answer(text: str) -> None:
    _answers(text.encode())


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.binary(max_size=80))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    _answers(data)


@settings(max_examples=800, deadline=None, derandomize=True)
@given(documents(), st.data())
def test_damaged_documents_have_an_answer(data: bytes, drawn: Any) -> None:
    at = drawn.draw(st.integers(0, len(data)))
    to = drawn.draw(st.integers(at, min(len(data), at + 5)))
    _answers(data[:at] + drawn.draw(st.binary(max_size=3)) + data[to:])


def _answers(data: bytes) -> None:
    made = edit(data)
    if made.outcome in (Outcome.INSERT, Outcome.UPDATE):
        _check(data, made.data, made.outcome)
        assert unified_diff(data, made.data, "values.yaml")
    else:
        assert made.data == data
        assert made.next_step or made.outcome is Outcome.NOOP


def _check(before: bytes, after: bytes, outcome: Outcome) -> None:
    if outcome is Outcome.INSERT:
        left = iter(after)
        assert all(byte in left for byte in before)
    old, new = _nodes(before), _nodes(after)
    if outcome is Outcome.INSERT or b"extraEnv" in before:
        assert _cut(new) == _cut(old)


def _check_breaks(before: bytes, after: bytes) -> None:
    if b"\r\n" in before:
        assert after.count(b"\n") == after.count(b"\r\n")
    else:
        assert b"\r" not in after
    assert after.startswith(b"\xef\xbb\xbf") == before.startswith(b"\xef\xbb\xbf")
    if before.count(b"\n") and b"..." not in before:
        assert after.endswith(b"\n") == before.endswith(b"\n")


def _nodes(data: bytes) -> Any:
    """The document as nested tuples of tags and texts, by PyYAML's composer."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _plain(yaml.compose(data.decode().removeprefix("\ufeff"), Loader=loader))


def _plain(node: Any) -> Any:
    if node is None:
        return ("map", [])
    if isinstance(node, yaml.MappingNode):
        return ("map", [(_plain(key), _plain(value)) for key, value in node.value])
    if isinstance(node, yaml.SequenceNode):
        return ("seq", [_plain(item) for item in node.value])
    return (node.tag, node.value)


def _cut(document: Any) -> Any:
    """The document without what an edit adds: the path where it holds nothing else."""
    names = {entry.name for entry in WANTED}

    def without(node: Any, path: list[str]) -> Any:
        if not path:
            items = node[1] if node[0] == "seq" else []
            ours = [[("tag:yaml.org,2002:str", name)] for name in names]
            kept = [it for it in items if [v for k, v in it[1] if k[1] == "name"] not in ours]
            return ("seq", kept) if kept else None
        if node[0] != "map":
            return None if node[1] in ("", "~", "null", []) else node
        pairs = []
        for key, value in node[1]:
            rest = without(value, path[1:]) if key[1] == path[0] else value
            if rest is not None:
                pairs.append((key, rest))
        return ("map", pairs) if pairs else None

    return without(document, ["backend", "deployment", "extraEnv"])
