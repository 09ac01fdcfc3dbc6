"""Commands in messages: those that are shown can be typed, and meet the cluster of their run."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest

from wizard.aim import Aim, aim, aimed
from wizard.cli import COMMANDS, parser_of
from wizard.problems import Problem, catalogue
from wizard.records.findings import Finding, State
from wizard.settings import settings_from, target_from

WIZARD = Path(__file__).parent.parent / "wizard"
HERE = Aim(
    "prod eu", "", "ls", "langsmith", (("org", "--org x"), ("accept_drift", "--accept-drift"))
)
OURS = "--context 'prod eu' -n ls --release langsmith"
ALL = f"{OURS} --org x --accept-drift"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("helm rollback ls 1 -n ls --wait (hooks)",
         "helm --kube-context 'prod eu' rollback ls 1 -n ls --wait (hooks)"),
        ("see helm history, then roll back",
         "see helm --kube-context 'prod eu' -n ls history, then roll back"),
        ("helm list --all-namespaces --all",
         "helm --kube-context 'prod eu' list --all-namespaces --all"),
        ("helm mapkubeapis ls -n ls", "helm mapkubeapis --kube-context 'prod eu' ls -n ls"),
        ("wait until a helm upgrade is done: helm repo update x", None),
        ("kubectl get pods, kubectl logs job/x -n y",
         "kubectl --context 'prod eu' -n ls get pods, kubectl --context 'prod eu' logs job/x -n y"),
        ("kubectl argo rollouts promote x -n y",
         "kubectl argo rollouts --context 'prod eu' promote x -n y"),
        ("kubectl get --raw /readyz", "kubectl --context 'prod eu' get --raw /readyz"),
        ("kubectl config get-contexts lists them", None),
        ("langsmith-audit run --accept-drift; langsmith-audit runs lists all",
         f"langsmith-audit run {OURS} --org x --accept-drift; langsmith-audit runs lists all"),
        ("langsmith-audit plan shows it", f"langsmith-audit plan {ALL} shows it"),
        ("langsmith-audit undo, which", f"langsmith-audit undo {OURS}, which"),
        ("langsmith-audit apply PLAN", "langsmith-audit apply --context 'prod eu' PLAN"),
        ("langsmith-audit values FILE", None),
    ],
)  # fmt: skip
def test_what_is_shown_meets_the_cluster_of_the_run(said: str, shown: str | None) -> None:
    assert aimed(said) == said, "nothing is known yet"
    aim(HERE)
    assert aimed(said) == (shown or said)
    assert aimed(aimed(said)) == aimed(said)
    assert Problem("LSA999", "", on="", next_step=said).next_step == aimed(said)
    assert Finding("LSA999", State.FAIL, "", "", (), said).next_step == aimed(said)


def test_what_was_typed_is_said_again_and_nothing_that_says_yes() -> None:
    told = {"values": ["a b.yaml", "c"], "all": True, "yes": True, "unfinished": "leave"}
    told |= {"lock_limit": 7.0, "namespace": "ls", "chart": "./x"}
    target = target_from(settings_from(told, {"LANGSMITH_AUDIT_DATABASE": "exec"}))
    assert dict(target.typed) == {
        "values": "-f 'a b.yaml' -f c",
        "chart": "--chart ./x",
        "all": "--all",
        "lock_limit": "--lock-limit 7",
    }


PROSE = {"again", "help", "is", "on", "that", "wrote"}
"""What follows the tool's name where no command is meant: the langsmith-audit that made a plan."""


def _plain(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "X"


def said_in_code() -> list[str]:
    """Every text in the code, with X for what is filled in."""
    found = []
    for path in sorted(WIZARD.rglob("*.py")):
        if "practice" not in path.parts:
            nodes = [*ast.walk(ast.parse(path.read_text()))]
            parts = {part for it in nodes if isinstance(it, ast.JoinedStr) for part in it.values}
            for node in nodes:
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(map(_plain, node.values)))
                elif isinstance(node, ast.Constant) and node not in parts:
                    found.append(str(node.value))
    return found


def advice() -> list[str]:
    entries = [(it.next_step, it.source) for it in catalogue().values()]
    texts = [text for entry in entries for text in entry] + said_in_code()
    return [text for text in dict.fromkeys(texts) if "langsmith-audit " in text]


def words_of(text: str, parser: argparse.ArgumentParser) -> list[str]:
    """The command's own words at the beginning of a text; what follows is prose."""
    words, rest = [], re.split(r"[ \n]+", text.strip())
    while rest:
        word = rest.pop(0)
        plain = word.strip("`'\"().,;:")
        if plain.startswith("-"):
            words.append(plain)
            action = parser._option_string_actions.get(plain)
            assert action, (plain, text)
            if action.nargs is None and rest:
                value = rest.pop(0).strip("`'\"().,;:")  # X stands for what is told at run time
                words.append(next(iter(action.choices or (value,))) if value == "X" else value)
        elif re.fullmatch(r"[A-Z][A-Z…]*", plain):
            words.append(plain)
        else:
            return words
        if word[-1] in ".,;:)":
            return words
    return words


@pytest.mark.parametrize("known", [False, True], ids=["as written", "of a run"])
def test_every_command_in_the_advice_can_be_typed(known: bool) -> None:
    names = set()
    if known:
        aim(Aim("c", "k", "ns", "r", (("values", "-f v"), ("org", "--org x"), ("url", "--url u"))))
    for text in advice():
        for found in re.finditer(r"langsmith-audit ([a-z]+)(?![\w-])([^`\n]*)", aimed(text)):
            name, rest = found.groups()
            if name not in COMMANDS:
                assert name in PROSE, text
                continue
            names.add(name)
            parser = parser_of(name)
            words = words_of(rest, parser) if not rest or rest[0] == " " else []
            if name == "apply" and not {"PLAN", "X"} & set(words):
                words.append("PLAN")  # "apply of the same plan"
            if name == "completion":
                words.append("bash")
            if name in ("show", "values") and len(words) < 1:
                words.append("FILE")
            parser.parse_args([w for w in words if w != "--help"])
    assert names >= {"run", "plan", "apply", "check", "undo", "orgs", "rbac", "runs", "explain"}


def test_every_flag_in_the_advice_is_one() -> None:
    ours = {flag for name in COMMANDS for flag in parser_of(name)._option_string_actions}
    others = {
        *("--all-namespaces", "--wait", "--raw", "--minify", "--show-managed-fields", "--devel"),
        *("--previous", "--versions", "--version", "--timeout", "--force-conflicts"),
        "--kube-context",
    }  # fmt: skip
    for entry in catalogue().values():
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", entry.next_step):
            assert flag in ours | others, (entry.id, flag)
