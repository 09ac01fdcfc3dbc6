"""Recorded answers in normal form, and what differs between two of them."""

import json
import re
from typing import Any

Json = dict[str, Any]
NO_LIMIT = "9007199254740988Ki"
"""What a node with cgroup v1 tells where there is no limit of memory."""
LONG = 1000
"""Characters of a text above which its middle is left out."""
SUFFIX = "[bcdfghjklmnpqrstvwxz2456789]"


def dig(value, path: str):
    """The value at a path; `[]` goes through a list, `[2]` takes one, `\\.` is a dot in a key."""
    if not path:
        return value
    head, _, rest = re.sub(r"\\\.", "\0", path).partition(".")
    head, rest = head.replace("\0", "."), rest.replace("\0", "\\.")
    match = re.fullmatch(r"(.*?)((?:\[[^\]]*\])*)", head)
    name, indexes = match.group(1), re.findall(r"\[([^\]]*)\]", match.group(2))
    if name:
        value = value.get(name) if isinstance(value, dict) else None
    for n, index in enumerate(indexes):
        if value is None:
            return None
        if index == "":
            left = "".join(f"[{one}]" for one in indexes[n + 1 :])
            left = ".".join(filter(None, (left, rest)))
            return [dig(one, left) for one in value]
        if "=" in index:
            key, _, wanted = index.partition("=")
            value = next((one for one in value if str(one.get(key)) == wanted), None)
        else:
            value = value[int(index)] if len(value) > int(index) else None
    return dig(value, rest)


def rows(body, paths: list[str]):
    """Of a list, each item's paths, in an order of their own."""
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        return body
    found = [{path: dig(one, path) for path in paths} for one in body["items"]]
    return {"rows": [{key: one for key, one in row.items() if one is not None} for row in found]}


def pick(body, paths: list[str]):
    if isinstance(body, dict) and body.get("kind") == "Status" and "status" not in paths:
        return body
    return {path: dig(body, path) for path in paths}


# -- normal form -----------------------------------------------------------------------------

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
OF_SET = re.compile(
    r'((?:ReplicaSet|replica set) "?[a-z0-9-]+?)-([0-9bcdfghjklmnpqrstvwxz]{8,10})\b'
)
GENERIC = [
    (OF_SET, r"\1-HASH"),
    (re.compile(TIME), "T"),
    (re.compile(r"containerd://[0-9a-f]{64}"), "containerd://ID"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:ID"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"kube-api-access-" + SUFFIX + r"{5}"), "kube-api-access-NAME"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "IP"),
    (re.compile(r"(?<=IP):\d{4,5}\b"), ":PORT"),
    (re.compile(r"Pulled.{0,40}? in \S+ \(.*?\)"), "Pulled in S"),
    (re.compile(r"too old resource version: \d+ \(\d+\)"), "too old resource version: N (N)"),
    (re.compile(r"current: \d+"), "current: N"),
    (re.compile(r"in record \(\d+\)"), "in record (N)"),
    (re.compile(r"resource version: \d{3,}"), "resource version: N"),
    (re.compile(r"failed for volume \S+ "), "failed for volume NAME "),
    (re.compile(r"(?<=[a-z])\.[0-9a-f]{16}\b"), ".EVENT"),
    (re.compile(r"hash=[0-9A-F]{16,}"), "hash=HASH"),
    (re.compile(r'(resourceVersion[\\": ]+)\d+'), r"\1RV"),
]


class Clean:
    """Replaces what differs from run to run, the same for the same within a case."""

    def __init__(self, namespace: str, image: str, raw: list) -> None:
        self.words: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.versions: set[int] = set()
        bare = image.removeprefix("docker.io/").removeprefix("library/")
        self.images = {image, bare, f"docker.io/{bare}", f"docker.io/library/{bare}"}
        self.namespace = namespace
        for answer in raw:
            self.collect(answer["body"])
        self.ranks = {str(one): f"RV-{n}" for n, one in enumerate(sorted(self.versions), 1)}
        self.words[namespace] = "NS"
        for one in self.images:
            self.words[one] = "IMAGE"
        known = sorted(self.words, key=len, reverse=True)
        self.known = re.compile("|".join(map(re.escape, known)))

    def number(self, kind: str, word: str) -> None:
        if word and word not in self.words:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.words[word] = f"{kind}-{self.counts[kind]}"

    def collect(self, value, key: str = "") -> None:
        if isinstance(value, list):
            for one in value:
                self.collect(one)
            return
        if not isinstance(value, dict):
            return
        self.metadata(value, value.get("metadata"))
        for name, one in value.items():
            if isinstance(one, str):
                for found in OF_SET.finditer(one):
                    self.number("HASH", found.group(2))
                self.field(name, one)
            else:
                self.collect(one, name)

    def metadata(self, value: Json, meta) -> None:
        if not isinstance(meta, dict):
            return
        is_list = "items" in value or value.get("kind") in ("Status", "Table", "Bookmark")
        version = str(meta.get("resourceVersion", ""))
        if version.isdigit() and not is_list:
            self.versions.add(int(version))
        if meta.get("generateName") and meta.get("name"):
            self.generated(meta["generateName"], meta["name"])
        elif re.search(r"-[0-9a-f]{7,10}$", str(meta.get("name", ""))):
            self.number("HASH", meta["name"].rpartition("-")[2])

    def field(self, name: str, one: str) -> None:
        if name == "uid" or name.endswith("-uid"):
            self.number("UID", one)
        elif name in ("pod-template-hash", "rollouts-pod-template-hash"):
            self.number("HASH", one)
        elif name in ("controller-revision-hash", "currentRevision", "updateRevision"):
            self.number("HASH", one.rpartition("-")[2])
        elif one and name in ("nodeName", "kubernetes.io/hostname", "continue"):
            self.words[one] = "CONTINUE" if name == "continue" else "NODE"
        elif name == "host" and re.fullmatch(r"[a-z][\w-]*", one):
            self.words[one] = "NODE"
        elif name == "username" and "system:" not in one:
            self.words[one] = "USER"

    def generated(self, start: str, name: str) -> None:
        if re.fullmatch(SUFFIX + "{5}", name.removeprefix(start)):
            self.number("NAME", name.removeprefix(start))
        match = re.search(r"-([0-9a-z]{7,10})-$", start)
        if match:
            self.number("HASH", match.group(1))

    def text(self, value: str) -> str:
        value = self.known.sub(lambda match: self.words[match.group()], value)
        value = re.sub(UUID, "UID", value)
        for pattern, word in GENERIC:
            value = pattern.sub(word, value)
        value = re.sub(rf"-[0-9a-f]{{7,10}}-{SUFFIX}{{5}}\b", "-HASH-NAME", value)
        value = re.sub(rf"-HASH-(\d+)-{SUFFIX}{{5}}\b", r"-HASH-\1-NAME", value)
        if len(value) > LONG:
            value = f"{value[: LONG // 2]} … {value[-LONG // 4 :]}"
        return re.sub(r'User "(?!system:)[^"]*"', 'User "USER"', value)

    def value(self, value, key: str = ""):
        if isinstance(value, dict):
            if dig(value, "limits.memory") == NO_LIMIT:
                value = {name: one for name, one in value.items() if name != "limits"}
            if key == "fieldsV1":
                return sorted(self.text(one) for one in leaves(value))
            return {self.text(name): self.value(one, last(name)) for name, one in value.items()}
        if isinstance(value, list):
            if key == "managedFields":
                value = sorted(
                    value,
                    key=lambda one: (
                        one.get("manager", ""),
                        str(one.get("subresource")),
                        one["operation"],
                    ),
                )
            return [self.value(one, key) for one in value]
        if key in ("resourceVersion", "lastSyncResourceVersion") and isinstance(value, str):
            return self.ranks.get(value, "RV" if value.isdigit() else value)
        if key in ("nodePort", "healthCheckNodePort") and isinstance(value, int):
            return "PORT" if value else value
        if isinstance(value, str):
            if key == "cells" and re.fullmatch(r"(\d+[smhd])+", value):
                return "AGE"
            return self.text(value)
        return value

    def answer(self, request: dict, answer: dict) -> dict:
        body = answer["body"]
        paths = request.get("pick")
        if "stream" in answer:
            if paths:
                body = [
                    {"type": one.get("type"), **pick(one.get("object") or one, paths)}
                    for one in body
                ]
            if request.get("distinct"):
                body = distinct(self.value(body))
            clean = self.value(body)
        else:
            if "rows" in request:
                body = rows(body, request["rows"])
            elif paths:
                body = pick(body, paths)
            clean = self.value(body)
            if "rows" in request and "rows" in clean:
                clean["rows"].sort(key=lambda one: json.dumps(one, sort_keys=True))
            if request.get("sorted"):
                clean = arrange(clean, request["sorted"])
        kept = {"code": answer["code"], "headers": self.value(answer["headers"]), "body": clean}
        if "late" in answer:
            kept["late"] = self.value(answer["late"])
        return {key: one for key, one in kept.items() if one not in ({}, None)}


def last(path: str) -> str:
    """The field that a picked path ends in."""
    return (
        re.sub(r"\[[^\]]*\]$", "", path).rpartition(".")[2]
        if not path.startswith(("f:", "k:", "v:"))
        else path
    )


def normal(case: dict, raw: list, image: str) -> dict:
    """The case with its raw answers in normal form."""
    clean = Clean(f"rec-{case['case']}", image, raw)
    steps = [
        {"request": step["request"], "answer": clean.answer(step["request"], answer)}
        for step, answer in zip(case["steps"], raw, strict=True)
    ]
    return {**case, "steps": steps}


def leaves(fields: dict, before: str = "") -> list[str]:
    """A fieldsV1 as its leaves: `f:spec/f:replicas`."""
    found = []
    for name, one in fields.items():
        path = f"{before}/{name}" if before else name
        found += leaves(one, path) if one else [path]
    return found


def distinct(events: list) -> list:
    """Without events that repeat the one before."""
    kept: list = []
    for one in events:
        if not kept or kept[-1] != one:
            kept.append(one)
    return kept


def arrange(clean, path: str):
    """Sort a list in the answer, where the order is by random names."""
    found = clean.get(path) if path in clean else dig(clean, path)
    if isinstance(found, list):
        found.sort(key=lambda one: json.dumps(one, sort_keys=True))
    return clean


MISSING = "(not there)"


def differences(one, other, path: str = "") -> list[tuple[str, object, object]]:
    """Path, first value, second value of all that differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = []
        for key in [*one, *(key for key in other if key not in one)]:
            at = f"{path}.{key}" if path else str(key)
            if key not in one or key not in other:
                found.append((at, one.get(key, MISSING), other.get(key, MISSING)))
            else:
                found += differences(one[key], other[key], at)
        return found
    if isinstance(one, list) and isinstance(other, list):
        first, second = _by_name(one, other, path)
        return differences(first, second, path)
    same = one == other and isinstance(one, bool) is isinstance(other, bool)
    return [] if same else [(path, one, other)]


def _by_name(one: list, other: list, path: str) -> tuple[Json, Json]:
    """The items of two lists by what names them, else by their place."""
    if path.endswith("fieldsV1"):
        return dict.fromkeys(one), dict.fromkeys(other)
    if path.endswith(("managedFields", "conditions", "causes", "resources")):
        for name in ("manager", "type", "name", "field"):
            whole = [it for it in [*one, *other] if isinstance(it, dict) and name in it]
            if len(whole) == len(one) + len(other):
                first, second = ({_named(it, name): it for it in items} for items in (one, other))
                if len(first) == len(one) and len(second) == len(other):
                    return first, second
    return dict(enumerate(one)), dict(enumerate(other))


def _named(item: Json, name: str) -> str:
    more = [item.get("subresource", "") if name == "manager" else "", item.get("operation", "")]
    return "/".join(filter(None, [str(item[name]), *more]))


def step_differences(one: Json, other: Json) -> list[tuple[str, object, object]]:
    """Of two answers; where the codes differ, no more than what each says."""
    if one["code"] == other["code"]:
        return differences(one, other)
    return [("code", *(gist(answer) for answer in (one, other)))]


def gist(answer: Json) -> str:
    """Code, reason and message of a Status, or the beginning of another body."""
    body = answer.get("body")
    if isinstance(body, dict) and body.get("kind") == "Status":
        return f"{answer['code']} {body.get('reason', '')}: {body.get('message', '')}"
    return f"{answer['code']} {json.dumps(body)[:160]}"
