"""Whatever is typed, set in the environment or left of a journal: a documented exit code, never 1.

The seeds are fixed, and a failure prints what was typed, set or left.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import forked
import pytest
from leftovers import refused

from wizard.cli import COMMANDS, main, parser_of
from wizard.console.interrupts import StopSwitch
from wizard.engine.answers import Answers
from wizard.engine.undo import Undoing
from wizard.options import OPTIONS, STEP_NAMES, Kind
from wizard.practice.cluster import PracticeCluster
from wizard.problems import Exit
from wizard.records.journal import runs
from wizard.settings import settings_from, target_from
from wizard.systems.access import Systems

pytestmark = pytest.mark.skipif(os.name != "posix", reason="devices and modes of POSIX")
DOCUMENTED = {int(each) for each in Exit} - {Exit.UNEXPECTED}

FILES = {"v.yaml": "backend: {}\n", "w.yaml": "- a\n", "k": "lsv2_pt_x\n"}
LINES, REACHING, SEED = 440, 60, 20264
ODD = (
    *("", " ", "-", "--", "=", "/", "//", "..", ".", "x", "x" * 300, "é", "🦊", "\x1b[31m", "\n"),
    *("0", "-1", "7", "1e309", "nan", "inf", "true", "no", "{}", "[]", "null", "a,b", "a b"),
    *("/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "https://[", "http://x:99999/"),
    *("https://u:p@127.0.0.1:1/x", "postgresql://", "host=", "lsv2_pt_x", "langsmith", "default"),
    *("6f1e2d3c-0000-0000-0000-000000000000", "https://h/o/6f1e2d3c", "0.13.37", "v0.12.33"),
    *("stored", "./x", "oci://x", "LSA101", "lsa", os.fsdecode(b"\xff"), "\u202e", "$(x)", "%s{x}"),
)
AROUND = (
    *("HOME", "KUBECONFIG", "PATH", "TMPDIR", "COLUMNS", "TERM", "NO_COLOR", "HELM_DRIVER"),
    *("HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "LANGSMITH_ENDPOINT", "PGHOST", "PGPORT"),
    *("PGSERVICE", "XDG_STATE_HOME", "LANGSMITH_AUDIT_STATE_DIR", "KUBERNETES_SERVICE_HOST"),
    *("HELM_PLUGINS", "HELM_MAX_HISTORY", "HELM_NAMESPACE", "LANGSMITH_API_KEY", "USER"),
)


FITTING = {
    **dict.fromkeys(("upgrade_limit", "rollout_limit", "patience"), ("5", "0.1")),
    **dict.fromkeys(("connect_limit", "lock_limit"), ("1", "0.5", "2")),
    **dict.fromkeys(("values", "edit_file", "files", "output", "plan"), ("v.yaml", "w.yaml")),
    **dict.fromkeys(("kubeconfig", "ca_file", "api_key_file"), ("v.yaml", "w.yaml", "k")),
    "database_url_file": ("k", "v.yaml"), "chart": ("stored", "langchain/langsmith", "./v.yaml"),
    "namespace": ("langsmith", "other"), "release": ("langsmith", "other"), "context": ("x",),
    "org": ("3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905",), "chart_version": ("0.12.33", "0.13.37"),
    "url": ("http://127.0.0.1:1",), "search": ("a", "%"), "expires": ("1m", "7d"),
    "skip": STEP_NAMES, "run": ("2026",), "id": ("LSA101",),
}  # fmt: skip
"""Values that an option takes, by its name."""


def value_of(chance: random.Random, name: str, choices: Any = ()) -> str:
    """One that fits as a rule, or an odd one."""
    fitting = (*(choices or ()), *FITTING.get(name, ()))
    return str(chance.choice(fitting if fitting and chance.random() < 0.75 else ODD))


def typed(chance: random.Random) -> list[str]:
    """A command line: a command as a rule, flags that it has or has not, and odd values."""
    name = chance.choice([*COMMANDS, *("run", "plan", "check", "apply", "undo"), *ODD[:8]])
    if name == "practice":  # it would start a cluster of its own
        return [name, *chance.choice((["--list"], ["--scenario", chance.choice(ODD)], ["--no"]))]
    flags: list[Any] = []
    if name in COMMANDS:
        flags = [it for it in parser_of(name)._actions if it.option_strings]
    words = [name] * (chance.random() < 0.97)
    for _ in range(chance.randrange(5)):
        if flags and chance.random() < 0.9:
            action = chance.choice(flags)
            words.append(chance.choice(action.option_strings))
            if action.nargs is None and chance.random() < 0.95:
                words.append(value_of(chance, action.dest, action.choices))
        elif chance.random() < 0.4:
            words.append(value_of(chance, chance.choice(("plan", "run", "id", "files"))))
    return words


def around(chance: random.Random) -> dict[str, str]:
    """Variables, of ours and of others, with odd values."""
    ours = {option.variable: option for option in OPTIONS}
    found = {}
    for _ in range(chance.randrange(4)):
        name = chance.choice([*ours, *AROUND])
        option = ours.get(name)
        switch = ("1", "yes") if option and option.kind is Kind.SWITCH else ()
        choices = option.choices or switch if option else ()
        found[name] = value_of(chance, option.name if option else "", choices)
    return found


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment whose cluster answers nobody, and a folder of its own to write to."""
    (tmp_path / "config").write_text(
        json.dumps({
            "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        })
    )  # fmt: skip
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {
        "KUBECONFIG": str(tmp_path / "config"),
        "LANGSMITH_AUDIT_STATE_DIR": str(tmp_path / "state"),
        "LANGSMITH_AUDIT_CONNECT_LIMIT": "1",
    }


def ends(words: list[str], env: dict[str, str], cwd: Path) -> tuple[int, str]:
    """The exit code, and what is wrong with how it ended; nothing as a rule."""
    nothing = os.open(os.devnull, os.O_RDWR)
    read, write = os.pipe()
    fork = forked.shared().start(words, env, (nothing, nothing, write), cwd=cwd)
    os.close(nothing)
    os.close(write)
    with os.fdopen(read, encoding="utf-8", errors="replace") as stream:
        told, late = fork.read_within(60, stream.read)
    code = fork.wait()
    if code in DOCUMENTED and not late and "Traceback" not in told and "LSA999" not in told:
        return code, ""
    return code, f"{words!r} with {env!r} ended with {code}: {told[-500:]}"


@pytest.mark.repeats
def test_whatever_is_typed_or_set(nowhere: dict[str, str], tmp_path: Path) -> None:
    chance = random.Random(SEED)
    cases = [(typed(chance), nowhere | around(chance)) for _ in range(LINES)]
    wrong, codes = all_end(cases, tmp_path)
    assert not wrong, "\n".join((f"seed {SEED}", *wrong))
    assert codes.keys() >= {0, 2, 5}, codes


def all_end(cases: list[tuple[list[str], dict[str, str]]], cwd: Path) -> tuple[list[str], Counter]:
    """What is wrong with how they ended, and how often each code came."""
    forked.shared()  # before there are several threads
    with ThreadPoolExecutor(2) as several:
        found = [*several.map(lambda case: ends(*case, cwd), cases)]
    return [wrong for _, wrong in found if wrong], Counter(code for code, _ in found)


@pytest.mark.repeats
def test_whatever_is_typed_where_a_cluster_answers(
    cluster: PracticeCluster, tmp_path: Path
) -> None:
    chance = random.Random(SEED + 1)
    env = {**cluster.environment(), "LANGSMITH_AUDIT_STATE_DIR": str(tmp_path / "state")}
    env |= {"LANGSMITH_AUDIT_NO_INPUT": "1", "LANGSMITH_AUDIT_CONNECT_LIMIT": "2"}
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    cases = [(reaching(chance), env | around(chance)) for _ in range(REACHING)]
    wrong, codes = all_end(cases, tmp_path)
    assert not wrong, "\n".join((f"seed {SEED + 1}", *wrong))
    assert codes.keys() >= {0, 2, 3}, codes


def reaching(chance: random.Random) -> list[str]:
    """A command that looks at a cluster, with one or two odd words."""
    words = [chance.choice(("run", "plan", "check", "orgs", "undo", "rbac"))]
    return words + typed(chance)[1:4] if chance.random() < 0.6 else words


JOURNALS, OTHER_SEED = 200, 20262
VALUES = (None, 7, -1, True, "", "x", "\x00", [], [7], {}, {"file": 7}, {"a": {}}, "2026-01-01")


def damaged(chance: random.Random, text: str) -> bytes:
    """A journal after something that a disk, an editor or a killed process does."""
    lines = text.splitlines()
    at = chance.randrange(len(lines))
    match chance.randrange(8):
        case 0:
            return text.encode()[: chance.randrange(len(text))]
        case 1:
            data = bytearray(text.encode())
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            return bytes(data)
        case 2:
            del lines[at]
        case 3:
            lines.insert(chance.randrange(len(lines)), lines[at])
        case 4:
            chance.shuffle(lines)
        case 5:
            start = text.encode()
            return start[: chance.randrange(len(start))] + b"\0" * 512
        case _:
            for _ in range(chance.randrange(1, 3)):
                lines[at] = json.dumps(changed(chance, json.loads(lines[at])))
    return "\n".join(lines).encode() + b"\n"


KNOWN = {
    "a step that nobody knows": (lambda e: e.update(step="nosuch"), 2, "LSA939", "nosuch"),
    "no path": (lambda e: e["register"].pop("path"), 3, "LSA934", "does not tell its path"),
    "no path before": (lambda e: e["register"].pop("before"), 3, "LSA934", "tell its before"),
    "no path after": (lambda e: e["register"].pop("after"), 3, "LSA934", "tell its after"),
    "another type": (lambda e: e["register"].update(path=7), 3, "LSA941", "1 line of the journal"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "code", "id", "words"), KNOWN.values(), ids=KNOWN)
def test_what_lacks_in_a_journal_is_told(cluster, run, damage, code, id, words) -> None:
    only = [word for name in STEP_NAMES[2:] for word in ("--skip", name)]
    run("run", "--yes", "--all", *only)
    edited = cluster.values.read_bytes()
    (journal,) = (cluster.home / "state" / "runs").glob("*/journal.ndjson")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    damage(next(line for line in lines if line["event"] == "intent"))
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    refused(cluster, run("undo", "--yes"), code, id, words)
    assert cluster.values.read_bytes() == edited
    assert run("runs").returncode == 0


def changed(chance: random.Random, entry: Any) -> Any:
    """The entry with another value, or none, at some place in it."""
    node = entry
    while True:
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return entry
        key = chance.choice(keys)
        deeper = node[key]
        if isinstance(deeper, dict | list) and deeper and chance.random() < 0.7:
            node = deeper
        elif chance.random() < 0.3:
            del node[key]
            return entry
        else:
            node[key] = chance.choice(VALUES)
            return entry


@pytest.mark.repeats
def test_whatever_is_left_of_a_journal(
    cluster: PracticeCluster, run, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 0, answer.stderr
    environment = {**cluster.environment(), "LANGSMITH_AUDIT_NO_INPUT": "1"}
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    state = cluster.home / "state"
    (kept,) = (state / "runs").iterdir()
    journal = kept / "journal.ndjson"
    text = journal.read_text()
    chance = random.Random(OTHER_SEED)
    codes = set()
    settings = settings_from({}, environment)
    with Systems(target_from(settings)) as systems:
        for number in range(JOURNALS):
            journal.write_bytes(damaged(chance, text))
            left = f"seed {OTHER_SEED}, journal {number}: {journal.read_bytes()!r}"
            for command in (["runs"], ["runs", kept.name], ["runs", kept.name, "--format", "json"]):
                assert main(command) in DOCUMENTED, left
            (found,) = runs()
            try:
                code = Undoing(Answers(settings), StopSwitch()).put_back(found, systems)
            except Exception as error:
                raise AssertionError(left) from error
            codes.add(code)
            assert code in DOCUMENTED, left
            for other in (state / "runs").iterdir():
                if other != kept:
                    shutil.rmtree(other)
            capsys.readouterr()
    assert codes >= {Exit.USAGE, Exit.FAILED}, codes
    for number in range(6):  # and by whole commands
        journal.write_bytes(damaged(chance, text))
        left = f"seed {OTHER_SEED}, journal {JOURNALS + number}: {journal.read_bytes()!r}"
        for words in (("undo",), ("run", "--all"), ("check", "--all")):
            assert forked.call(words, environment).returncode in DOCUMENTED, left
