"""What is read of a values file is what helm reads, or it is refused: compared with helm itself.

A chart makes JSON of many generated files in one `helm template`; what cannot be read there is an
error of each file's own. The seed is printed with a difference, and can be given in HELM_SEED.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from wizard.systems.values.model import Refusal
from wizard.systems.values.reading import given_values, secrets_of

MANY = """{{- range $path, $_ := .Files.Glob "files/*" }}
{{ $path | base }}: {{ $.Files.Get $path | fromYaml | toJson | b64enc }}
{{- end }}
"""
WHOLE = "1: {{ toJson .Values | b64enc }}\n"
FILES = 1500
REFUSED = object()

Texts = Sequence[str]


class Helm:
    """What helm makes of values files."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.binary = binary
        self.chart = folder / "chart"
        (self.chart / "templates").mkdir(parents=True)
        (self.chart / "files").mkdir()
        (self.chart / "Chart.yaml").write_text("apiVersion: v2\nname: c\nversion: 0.1.0\n")
        kept = {name: it for name, it in os.environ.items() if not name.startswith("HELM_")}
        self.env = kept | {"HELM_CACHE_HOME": str(folder / "cache")}

    def each(self, texts: Texts) -> list[Any]:
        """Of each file, all in one call: its values, or `REFUSED`."""
        for number, text in enumerate(texts):
            (self.chart / "files" / f"{number + 1:06}").write_bytes(text.encode())
        done = self._template(MANY)
        assert done.returncode == 0, done.stderr
        found = _answers(done.stdout)
        return [REFUSED if set(it) == {"Error"} else it for it in found]

    def layers(self, *texts: str) -> Any:
        """Of files given with -f: what becomes of them, or `REFUSED`."""
        flags = []
        for number, text in enumerate(texts):
            path = self.chart.parent / f"{number}.yaml"
            path.write_bytes(text.encode())
            flags += ["--values", str(path)]
        done = self._template(WHOLE, *flags)
        return _answers(done.stdout)[0] if done.returncode == 0 else REFUSED

    def _template(self, template: str, *flags: str) -> subprocess.CompletedProcess[str]:
        (self.chart / "templates" / "all.yaml").write_text(template)
        command = [str(self.binary), "template", "r", str(self.chart), *flags]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)


def _answers(manifest: str) -> list[Any]:
    found = re.findall(r"^\d+: (.+)$", manifest, re.MULTILINE)
    return [json.loads(base64.b64decode(line)) for line in found]


@pytest.fixture
def reader(helm: Path, tmp_path: Path) -> Helm:
    return Helm(helm, tmp_path)


def ours(*texts: str) -> Any:
    try:
        return given_values([text.encode() for text in texts])
    except Refusal:
        return REFUSED


def same(one: Any, other: Any) -> bool:
    """In Python 1 equals True and 1.0, in JSON it does not."""
    if REFUSED in (one, other):
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def words(text: str) -> list[str]:
    return text.split()


PLAIN = words(
    """
7.0 1. 1e3 1.5e3 1e-05 -.5 +.5 .5 .5_0 ._5 .5_ 08 0888 0_8 0o17 0O17 0o8 0X1f 0x_ 0B11 0b_1 0b-1
-0b1 0b+1 -0b-1 9007199254740993 123456789012345678901 9223372036854775808 -017 1.2.3
18446744073709551615 18446744073709551616 -9223372036854775809 +9223372036854775808 1e400 -1e400 =
0xffffffffffffffffff 1e-400 1e20 1e21 -1e21 0.000001 1e-7 -0 -0.0 00 007 0b2 1_000 1__0_ _1 1_ <<
2001-12-14 2001-02-30 12:30:45 190:20:30 y Y n N yes No ON off True FALSE tRUE ~ null Null nULL
nan 0x 0b 0o + . .. ... 7241e52 1.0.0 1,000 1e 1e+ e1 .e1 .1e1_0 0x1p3 0x1.8 0xAB_CD ~x true1
+0x1F
"""
)
WITH_TAG = words(
    """
!!str;1 !!int;1 !!int;0x1F !!int;"12" !!int;1_0 !!float;1 !!float;0o17 !!str;~ !x;1 !!float;"1.50"
!!float;1e3 !!bool;yes !!bool;"true" !!null;~ !!null;"" !!binary;aGk= !!binary;gICA
!!timestamp;2001-12-14 !!timestamp;2001-1-1t1:2:3.5-05:00 !;1 !;"1" !!foo;7 !!merge;x
!<tag:yaml.org,2002:int>;1
"""
)
KEYS = words(
    """
1.0 08 1e3 1e6 1e-05 1.23456789 1e300 0.1 123456.5 1234567.5 0x1F true y on .inf -.inf .nan
2001-12-14 !!str;1 !!binary;YQ== "1" 9223372036854775807 1_0 <<x !;1
"""
)


def test_scalars_and_keys(reader: Helm) -> None:
    spaced = [it.replace(";", " ") for it in (*PLAIN, *WITH_TAG)]
    texts = [f"a: {it}\n" for it in spaced] + [f"a: ['{it}']\n" for it in PLAIN]
    texts += [f"{it.replace(';', ' ')}: x\n" for it in KEYS] + [f'a: "{it}"\n' for it in PLAIN]
    for text, read in zip(texts, reader.each(texts), strict=True):
        assert read is not REFUSED, text
        assert same(ours(text), read), (text, read, ours(text))


UNREADABLE = """a: .inf;a: .NAN;a: !!int foo;a: !!int 1.5;a: !!float x;a: !!bool 1;a: !!null x;~: 1
a: !!binary ...;null: 1;? [a];? {a: b};18446744073709551615: 1;<<: ~;<<: x;<<: [x];<<: [[{a: 1}]]
a: "x\\/y";%YAML 1.2;a: &a [x];a: !!timestamp 2001-02-30;a: !!int ""
a: !!float 18446744073709551615"""


def test_what_helm_cannot_read_is_refused(reader: Helm) -> None:
    texts = [text + "\n" for line in UNREADABLE.splitlines() for text in line.split(";")]
    texts[texts.index("%YAML 1.2\n")] += "---\na: 1\n"
    texts[texts.index("a: &a [x]\n")] += "b: {<<: *a}\n"
    for text, read in zip(texts, reader.each(texts), strict=True):
        assert read is REFUSED, text
        assert ours(text) is REFUSED, text


@pytest.mark.parametrize(
    "text", ["%YAML 1.1\n---\na: yes\n", "%TAG !e! tag:x,2000:\n---\na: !e!x 1\n", "--- {a: 1}\n"]
)
def test_what_only_helm_3_reads_is_refused(
    helm3: Path, helm4: Path, tmp_path: Path, text: str
) -> None:
    assert Helm(helm3, tmp_path / "3").layers(text) is not REFUSED
    assert Helm(helm4, tmp_path / "4").layers(text) is REFUSED
    assert ours(text) is REFUSED


MERGES = [
    "x: &x {b: 1, c: ~}\na: {b: 2, <<: *x}\n",
    "x: &x {b: 1}\na: {<<: *x, b: 2}\n",
    "x: &x {b: 1}\ny: &y {b: 3, d: 4}\na: {<<: [*x, *y], b: ~}\n",
    "x: &x {b: 1}\ny: &y {<<: *x, d: 4}\na: {b: 2, <<: *y}\n",
    "x: &x {b: {c: 1}}\na: {b: {d: 2}, <<: *x}\n",
    "a: {b: 1, !!merge <<: {b: 2}, '<<': {b: 3}, ! <<: {b: 4}, !!str <<: {b: 5}}\n",
    "b: 1\n!!merge '<<': {b: 2}\n",
    "a: <<\nb: [<<]\n",
    "a: &a 1\nb: *a\nc: &a {d: &a 2, e: *a}\nf: *a\n",
    "a: 1\na: 2\nb: {c: 1, c: ~}\n",
]


def test_merges_anchors_and_duplicates(reader: Helm) -> None:
    for text, read in zip(MERGES, reader.each(MERGES), strict=True):
        assert same(ours(text), read), (text, read, ours(text))


LAYERS = [
    ("a: {b: {c: 1, d: [1, 2]}, e: 5}\nf: {x: 1}\n", "a: {b: {d: [3]}, e: 6}\nf: 1\n"),
    ("a: {b: 1, c: {d: 2}}\n", "a: {c: 7}\n", "a: {c: {e: 8}}\n"),
    ("a: &a {b: 1}\nc: *a\n", "a: {<<: {b: 2}, d: 7.0}\n"),
    ("", "# nothing\n", "---\na: 1\n"),
]


@pytest.mark.parametrize("texts", LAYERS)
def test_layers(reader: Helm, texts: Texts) -> None:
    assert same(ours(*texts), reader.layers(*texts))


class Writer:
    """Writes values files that are hard to read, choice by choice."""

    names = (
        "a",
        "b",
        "c",
        "backend",
        "extraEnv",
        "'a'",
        "1",
        "0x1F",
        "true",
        "~",
        "!!str b",
        "[a]",
    )
    letters = "0123456789_.+-eExXoObBaAnNyY~:="
    merges = ("<<", "<<", "<<", "!!merge <<", '"<<"', "! <<")
    tags = ("",) * 12 + ("!!str ", "!!int ", "!!float ", "!!bool ", "!x ", "! ", "!!binary ")

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.anchors: list[str] = []

    def file(self) -> str:
        self.anchors = []
        if self.chance.random() < 0.3:
            return "".join(f"k{number}: {self.scalar()}\n" for number in range(4))
        return "".join(f"{line}\n" for line in self.block(2, ""))

    def one(self, *choices: str) -> str:
        return self.chance.choice(choices)

    def key(self) -> str:
        return self.one(*self.names[:5]) if self.chance.random() < 0.9 else self.one(*self.names)

    def scalar(self) -> str:
        text = self.one(*PLAIN)
        if self.chance.random() < 0.4:
            length = self.chance.randint(1, 9)
            text = "".join(self.chance.choice(self.letters) for _ in range(length)).strip(":")
        quote = self.one("", "", "", "'", '"')
        return self.one(*self.tags) + quote + (text or "0") + quote

    def anchor(self) -> str:
        if self.chance.random() < 0.7:
            return ""
        self.anchors.append(self.one("x", "y", "z"))
        return f"&{self.anchors[-1]} "

    def flow(self, depth: int) -> str:
        if self.anchors and self.chance.random() < 0.15:
            return "*" + self.one(*self.anchors)
        anchor, count = self.anchor(), self.chance.randint(0, 3)
        if depth == 0 or self.chance.random() < 0.5:
            return anchor + self.scalar()
        if self.chance.random() < 0.4:
            return f"{anchor}[{', '.join(self.flow(depth - 1) for _ in range(count))}]"
        return f"{anchor}{{{', '.join(self.pair(depth - 1) for _ in range(count))}}}"

    def pair(self, depth: int) -> str:
        if self.chance.random() > 0.15:
            return f"{self.key()}: {self.flow(depth)}"
        alias = "*" + self.one(*self.anchors) if self.anchors else "{a: 1}"
        value = self.one(alias, alias, f"[{alias}, {{b: 2}}]", "{c: 7.0, b: ~}", "[]", "~")
        return f"{self.one(*self.merges)}: {value}"

    def block(self, depth: int, indent: str) -> Iterator[str]:
        for _ in range(self.chance.randint(1, 4)):
            kind = self.chance.random()
            if kind < 0.3 and depth:
                yield f"{indent}{self.key()}: {self.anchor()}".rstrip()
                yield from self.block(depth - 1, indent + "  ")
            elif kind < 0.45:
                yield f"{indent}{self.key()}: {self.anchor()}".rstrip()
                yield from (f"{indent}- {self.flow(1)}" for _ in range(2))
            elif kind < 0.5:
                yield from (
                    f"{indent}{self.key()}: {self.one('|', '>', '|-', '>+')}",
                    f"{indent} x",
                )
            else:
                yield indent + self.pair(2)


HIDDEN = ("JSON lacks", "null as a key", "very large number as a key")
"""Helm reads a file with these where a later key hides them; here it is refused."""


@pytest.mark.repeats
def test_thousands_of_generated_files(reader: Helm) -> None:
    seed = int(os.environ.get("HELM_SEED", "") or random.randrange(10**9))
    writer = Writer(random.Random(seed))
    texts = [writer.file() for _ in range(FILES)]
    counts = {"same": 0, "refused": 0}
    for text, read in zip(texts, reader.each(texts), strict=True):
        try:
            found = given_values([text.encode()])
        except Refusal as refusal:
            told = f"HELM_SEED={seed}\n{text}\nhelm: {read}\nrefused: {refusal.what}"
            by_helm = "helm cannot read" in refusal.what
            assert read is REFUSED or not by_helm or any(it in refusal.what for it in HIDDEN), told
            counts["refused"] += 1
            continue
        assert same(found, read), f"HELM_SEED={seed}\n{text}\nhelm: {read}\nhere: {found}"
        counts["same"] += 1
    assert min(counts.values()) > FILES // 10, counts


def test_secrets_are_those_that_helm_reads() -> None:
    for text in (
        "apiKeySalt: 7241e52\n",
        "salt: !vault hidden-value\n",
        "a: 2001-02-30\nsalt: =x=x\n",
    ):
        assert len(secrets_of(text.encode())) == 1, text


@pytest.mark.parametrize("text", ["a: 0x_\n---\nsalt: s3cret-one\n", "a: [\nsalt: s3cret-one\n"])
def test_of_what_cannot_be_read_every_word_is_a_secret(text: str) -> None:
    assert "s3cret-one" in secrets_of(text.encode())
