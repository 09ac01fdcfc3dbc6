"""The wizard in a real terminal, from the first prompt to the last confirmation."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import (
    CONFIRM,
    CTRL_C,
    DOWN,
    ENTER,
    SPACE,
    TAB,
    UP,
    YES,
    Terminal,
    bare,
    prompts,
    told,
)

import wizard
from wizard.options import BY_NAME, Kind
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage

WIZARD = Path(wizard.__file__).parent
VARIABLES = ("AUDIT_LOGS_ENABLED", "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS")
REFRESH = "Add or refresh helm's repository now?"
STORED = "Take the chart out of the release itself?"
TARGET = "(release langsmith in langsmith, context practice)"


def stored(cluster: PracticeCluster) -> dict[str, object]:
    """What each organization's config says of audit logs, by how it began."""
    with cluster.connect() as connection:
        rows = dict(connection.execute("SELECT id, config FROM organizations").fetchall())
    return {
        name: (rows[id] or {}).get("can_use_audit_logs")
        for name, id in cluster.organizations.items()
    }


def backend_env(cluster: PracticeCluster) -> dict[str, str]:
    deployment = cluster.kubernetes.get("Deployment", cluster.namespace, "langsmith-backend")
    assert deployment
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def revision(cluster: PracticeCluster) -> int:
    answer = cluster.run_helm("list", "-n", cluster.namespace, "-o", "json")
    return int(json.loads(answer.stdout)[0]["revision"])


def test_start_to_finish_by_hand(cluster):
    before = cluster.values.read_text()
    with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
        for prompt, keys in prompts(cluster)[:-1]:
            terminal.answer(prompt, keys)
        terminal.wait_for("For which organizations?")
        shown = terminal.see("picked")
        assert re.search(r"- Halden Analytics +already on", shown)
        assert re.search(r"- Personal +personal", shown)
        terminal.send("merid")
        terminal.see("1 of 5")
        terminal.wait_until_gone("Tidewater")
        terminal.send(TAB + "\x15")
        terminal.see("1 picked")
        terminal.send(DOWN + SPACE + ENTER)
        terminal.wait_for("Meridian Freight, O'Rourke & Daughters")
        for done in ("has both variables", "Revision 1 → 2", "2 organizations have", "2 new pods"):
            terminal.wait_for(f"{CONFIRM} {TARGET}")
            terminal.send(YES)
            if done == "Revision 1 → 2":
                terminal.see("helm upgrade is running")
            terminal.wait_for(done)
        shown = terminal.wait_for("Done: audit logs are on, and confirmed.")
        assert terminal.end() == 0
        assert terminal.left_behind() == []
        assert cluster.api_key.encode() not in terminal.raw
    assert re.search(r"Confirmation ─+\n\n  ✓ 1", shown)
    assert len(re.findall(r"^  ✓ \d The ", shown.partition("Confirmation")[2], re.MULTILINE)) == 7
    assert "context: practice" in shown.partition("API key")[0]
    assert stored(cluster) == {"off": True, "null": True, "empty": None, "personal": False,
                               "on": True}  # fmt: skip
    assert {name: backend_env(cluster)[name] for name in VARIABLES} == dict.fromkeys(
        VARIABLES, "true"
    )
    assert revision(cluster) == 2
    added = [line for line in cluster.values.read_text().splitlines() if line not in before]
    assert [line.split()[-1] for line in added if "name" in line] == list(VARIABLES)
    assert cluster.api_key not in "".join(
        path.read_text() for path in (cluster.home / "state").rglob("*") if path.is_file()
    )


def two_contexts(cluster: PracticeCluster) -> dict[str, str]:
    config = json.loads(cluster.kubeconfig.read_text())
    config["clusters"].append({"name": "far", "cluster": {"server": "http://127.0.0.1:9"}})
    config["contexts"].insert(0, {"name": "far", "context": {"cluster": "far", "user": "practice"}})
    file = cluster.home / "contexts"
    file.write_text(json.dumps(config))
    return bare(cluster) | {"KUBECONFIG": str(file)}


def test_several_contexts_are_asked_for_and_the_current_one_is_offered(cluster):
    with Terminal(env=two_contexts(cluster), cwd=cluster.home) as terminal:
        shown = terminal.see("» practice")
        assert re.search(r"far +http://127.0.0.1:9", shown)
        terminal.send(ENTER)
        terminal.wait_for("Which Kubernetes context? practice")
        terminal.answer("API key of an organization admin", "\x03")
        assert terminal.end() == 8


def test_a_file_that_is_not_there_is_asked_for_again(cluster):
    with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
        for prompt, keys in prompts(cluster)[:-2]:
            terminal.answer(prompt, keys)
        terminal.answer("Which values file", "x" + ENTER)
        terminal.see("There is no such file")
        terminal.send("\x7f" + ENTER)
        terminal.wait_for("For which organizations?")


def test_a_key_that_the_server_does_not_know_is_asked_for_again(cluster):
    with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
        terminal.answer("API key of an organization admin", "lsv2_pt_mistyped" + ENTER)
        terminal.wait_for("! LangSmith does not know the API key")
        terminal.answer("API key of an organization admin", cluster.api_key + ENTER)
        terminal.answer("Which values file", "\x03")
        assert terminal.end() == 8
        assert b"mistyped" not in terminal.raw


@pytest.mark.parametrize("keys", [YES, "n" + ENTER])
def test_other_values_that_would_change_need_a_yes_of_their_own(cluster, keys):
    cluster.values.write_text(cluster.values.read_text() + "\nadded: 7\n")
    with Terminal(env=told(cluster)) as terminal:
        shown = terminal.wait_for("Change these other deployed values too?")
        assert "added: added" in shown
        assert "has both variables" not in shown
        terminal.send(keys)
        if keys == YES:
            terminal.wait_for(CONFIRM)
            terminal.send("n" + ENTER)
        assert terminal.end() == 8
    assert revision(cluster) == 1


def test_a_version_that_is_gone_can_be_taken_out_of_the_release(cluster):
    stage(cluster, SCENARIOS["version-gone"])
    with Terminal(env=told(cluster)) as terminal:
        shown = terminal.wait_for(REFRESH)
        assert "helm repo update langchain" in shown
        terminal.send(YES)
        terminal.answer(STORED, YES)
        terminal.answer(CONFIRM, CTRL_C)
        assert terminal.end() == 8
    with Terminal("plan", "--repo-update", env=told(cluster)) as terminal:
        terminal.answer(STORED, "n" + ENTER)  # refreshing was told, and did not help
        assert terminal.end() == 8
    assert revision(cluster) == 1


def test_a_repository_that_is_not_known_can_be_added(cluster):
    stage(cluster, SCENARIOS["repo-missing"])
    with Terminal("plan", env=told(cluster)) as terminal:
        shown = terminal.wait_for(REFRESH)
        assert "helm repo add langchain" in shown
        terminal.send(YES)
        terminal.wait_for("changes in 4 steps")
        assert terminal.end() == 0
    assert "langchain" in cluster.run_helm("repo", "list").stdout


def test_yes_in_a_terminal_asks_nothing(cluster):
    with Terminal("--yes", env=told(cluster)) as terminal:
        terminal.wait_for("Done: audit logs are on, and confirmed.")
        assert terminal.end() == 0
        assert terminal.left_behind() == []
        assert CONFIRM not in terminal.text()
    assert stored(cluster)["off"] is True
    with Terminal("--yes", env=told(cluster)) as terminal:
        terminal.wait_for("Nothing to do: everything is right already.")
        assert terminal.end() == 0


MISSING = ("LANGSMITH_API_KEY", "--values", "LANGSMITH_AUDIT_VALUES", "--org ID, --all or",
           "LANGSMITH_AUDIT_ORG")  # fmt: skip


def test_no_input_never_asks_in_a_terminal(cluster):
    with Terminal("--no-input", env=bare(cluster)) as terminal:
        assert terminal.end() == 2
        shown = terminal.text()
    assert all(words in shown for words in MISSING)
    assert "3 answers are missing" in shown
    assert CONFIRM not in shown


def test_without_a_terminal_nothing_is_asked(cluster, run):
    empty = dict.fromkeys(("LANGSMITH_API_KEY", "LANGSMITH_AUDIT_VALUES"), "")
    answer = run("run", env=empty)
    assert answer.returncode == 2, answer.stderr
    assert all(words in answer.stderr for words in MISSING)
    unconfirmed = run("run", env={"LANGSMITH_AUDIT_ORG": str(cluster.organizations["off"])})
    assert unconfirmed.returncode == 2
    assert "--yes or LANGSMITH_AUDIT_YES" in unconfirmed.stderr
    assert stored(cluster)["off"] is False
    assert revision(cluster) == 1


def test_heartbeats_without_a_terminal_are_few_and_plain(cluster, run):
    answer = run("run", "--yes", env=told(cluster))
    assert answer.returncode == 0, answer.stderr
    beats = [line for line in answer.stderr.splitlines() if line.startswith("    … ")]
    assert any("helm upgrade is running" in line for line in beats)
    assert len(beats) <= 6
    assert "\x1b" not in answer.stderr
    assert answer.stdout.startswith("\nDone: audit logs are on, and confirmed.\n   changed: ")


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_a_terminal_of_any_width(cluster, columns):
    with Terminal(env=bare(cluster), cwd=cluster.home, columns=columns) as terminal:
        for prompt, keys in prompts(cluster):
            terminal.answer(prompt[:20], keys)
        terminal.wait_for(CONFIRM)
        shown = terminal.text()
        assert "AUDIT_LOGS_ENABLED" in shown
        assert max(map(len, shown.splitlines())) <= columns
        terminal.send("\x03")
        assert terminal.end() == 8
        assert terminal.left_behind() == []


def test_the_picker_goes_on_in_a_terminal_that_was_resized(cluster):
    with Terminal(env=told(cluster) | {"LANGSMITH_AUDIT_ORG": ""}) as terminal:
        terminal.see("0 picked · 2 of 5")
        for columns in (60, 200, 80):
            terminal.resize(columns)
            terminal.send(DOWN)
            terminal.see("0 picked · ")
            terminal.send(UP)
            terminal.see("0 picked · 2 of 5")
        terminal.send(SPACE + ENTER)
        shown = terminal.wait_for(CONFIRM)
        assert "For which organizations? Meridian Freight" in shown
        assert "  » 2 values file  " in shown
        terminal.send("n" + ENTER)
        assert terminal.end() == 8
        assert terminal.left_behind() == []


def test_without_colours(cluster):
    with Terminal(env=bare(cluster) | {"NO_COLOR": "1"}, cwd=cluster.home) as terminal:
        for prompt, keys in prompts(cluster):
            terminal.answer(prompt, keys)
        terminal.answer(CONFIRM, "n" + ENTER)
        assert terminal.end() == 8
        assert terminal.left_behind() == []
        assert not re.search(rb"\x1b\[[0-9;]*(?:3[0-8]|9[0-7]|4[0-8])m", terminal.raw)


def test_a_terminal_that_knows_lines_only(cluster):
    with Terminal(env=bare(cluster), cwd=cluster.home, term="dumb") as terminal:
        for prompt, keys in prompts(cluster)[:-1]:
            terminal.answer(prompt, keys)
        shown = terminal.wait_for("For which organizations? (numbers, with blanks between them)")
        assert re.search(r"-  Personal +personal", shown)
        terminal.send("1" + ENTER)
        terminal.wait_for("Type the numbers of lines that have one")
        terminal.answer("For which organizations?", "2" + ENTER)
        terminal.answer(f"{CONFIRM} {TARGET} (y/N/?/b", YES)
        terminal.wait_for("✓ ")
        terminal.answer(CONFIRM, "n" + ENTER)
        assert terminal.end() == 9
        assert b"\x1b" not in terminal.raw
        assert terminal.left_behind() == []
        assert cluster.api_key.encode() not in terminal.raw


def test_with_stdout_in_a_file_the_prompts_stay_in_the_terminal(cluster):
    file = cluster.home / "out"
    env = bare(cluster)
    with Terminal("plan", env=env, cwd=cluster.home, redirect=f">{file}") as terminal:
        for prompt, keys in prompts(cluster):
            if "API key" not in prompt:
                terminal.answer(prompt, keys)
        assert terminal.end() == 0
        assert terminal.left_behind() == []
    plan = file.read_text()
    assert "5 changes in 4 steps" in plan
    assert "Which namespace" not in plan
    assert "\x1b" not in plan


def test_the_run_leaves_stdout_empty(cluster):
    file = cluster.home / "out"
    with Terminal("--yes", env=told(cluster), redirect=f">{file}") as terminal:
        terminal.wait_for("Done: audit logs are on, and confirmed.")
        assert terminal.end() == 0
    assert file.read_text() == ""


@pytest.mark.parametrize("redirect", ["<&-", "</dev/null", "2>/dev/null", "2>&-"])
def test_without_a_terminal_to_ask_in(cluster, redirect):
    with Terminal(env=bare(cluster), cwd=cluster.home, redirect=redirect) as terminal:
        assert terminal.end() == 2
        assert terminal.left_behind() == []
        if "<" in redirect:
            assert "3 answers are missing" in terminal.text()


class TestContract:
    """Whatever the walks ask has a flag and a variable that answer it."""

    def test_every_prompt_names_an_option_that_can_be_told(self, cluster):
        with Terminal(env=two_contexts(cluster), cwd=cluster.home) as terminal:
            terminal.answer("Which Kubernetes context?", ENTER)
            for prompt, keys in prompts(cluster):
                terminal.answer(prompt, keys)
            terminal.answer(CONFIRM, "\x03")
            terminal.end()
            questions = re.findall(r"^\? (.+?[?:])", terminal.text(), re.MULTILINE)
        texts = {
            option.ask: name
            for name, option in BY_NAME.items()
            if option.ask and option.kind is not Kind.SWITCH  # consents, each in a test of its own
        }
        asked = {texts.get(question, question) for question in questions}
        elsewhere = {"namespace", "release"}  # asked where looking does not tell: test_discovery.py
        elsewhere |= {
            "unfinished",
            "on_failure",
            "answers",
        }  # asked after a run that did not end well
        elsewhere |= {"chart"}  # asked where it cannot be had
        assert asked == {*texts.values(), CONFIRM} - elsewhere

    def test_nothing_asks_but_by_the_name_of_an_option(self):
        """The one way to a prompt is an option's name, which has a flag and a variable."""
        callers, asked = set(), set()
        for path in (p for p in WIZARD.rglob("*.py") if "practice" not in p.parts):
            text = path.read_text()
            if re.search(
                r"questionary|prompt_toolkit|getpass\.getpass|\binput\(|stdin\.read", text
            ):
                callers.add(str(path.relative_to(WIZARD)))
            if path.parent.name != "console":
                asked |= set(re.findall(r"prompts\.(ask_\w+)\(\s*(\w+|\"\w+\")", text))
        assert callers <= {"console/prompts.py", "console/picker.py"}
        names = {name for function, name in asked if function != "ask_yes"}
        known = ("context", "release", "org", "unfinished", "on_failure")
        assert names == {"name", *(f'"{name}"' for name in known)}
        assert BY_NAME["yes"].flags[-1] == "--yes"
        assert BY_NAME["yes"].variable == "LANGSMITH_AUDIT_YES"

    def test_with_all_of_them_told_nothing_is_asked(self, cluster):
        env = two_contexts(cluster) | {
            "LANGSMITH_AUDIT_CONTEXT": "practice",
            "LANGSMITH_AUDIT_NAMESPACE": cluster.namespace,
            "LANGSMITH_AUDIT_RELEASE": cluster.release,
            "LANGSMITH_AUDIT_VALUES": str(cluster.values),
            "LANGSMITH_API_KEY": cluster.api_key,
            "LANGSMITH_AUDIT_ORG": str(cluster.organizations["off"]),
            "LANGSMITH_AUDIT_YES": "true",
        }
        answer = subprocess.run(
            [sys.executable, "-m", "wizard", "run", "--no-input"],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert answer.returncode == 0, answer.stderr
