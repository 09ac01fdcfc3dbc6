"""Leaving the wizard: at every prompt, at every confirmation, under way, and by force."""

import os
import re
import signal
import threading

import pytest
from terminal import CONFIRM, CTRL_C, CTRL_D, DOWN, ENTER, YES, Terminal, bare, prompts, told

from wizard.console import interrupts
from wizard.practice.cluster import PracticeCluster
from wizard.records.entries import entries_of
from wizard.records.journal import Run

DONE = ("has both variables", "Revision 1 → 2", "1 organization has", "2 new pods are ready")
"""What is shown after each of the four changes."""

BACKEND = {"app.kubernetes.io/component": "langsmith-backend"}
NOTICE = "Stopping at the next safe point; Ctrl-C once more leaves at once."
HERE = "--context practice -n langsmith --release langsmith"
AGAIN = f"next: langsmith-audit run {HERE} looks again"
AFRESH = f"next: langsmith-audit run {HERE} starts again"


def backend(cluster: PracticeCluster) -> dict:
    found = cluster.kubernetes.get("Deployment", cluster.namespace, "langsmith-backend")
    assert found
    return found


def state(cluster: PracticeCluster) -> tuple[object, ...]:
    """All that the four changes change: file, release, rows with their xmin, rollouts."""
    with cluster.connect() as connection:
        rows = connection.execute(
            "SELECT id, xmin::text, config FROM organizations ORDER BY id"
        ).fetchall()
    secrets = cluster.kubernetes.list("Secret", cluster.namespace, {"owner": "helm"})
    revisions = sorted(
        (secret["metadata"]["labels"]["version"], secret["metadata"]["labels"]["status"])
        for secret in secrets
    )
    template = backend(cluster)["spec"]["template"]
    return cluster.values.read_bytes(), revisions, rows, template


def journals(cluster: PracticeCluster) -> list[Run]:
    folder = cluster.home / "state" / "runs"
    found = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [Run(it.name, it, *entries_of((it / "journal.ndjson").read_bytes())) for it in found]


def confirm(terminal: Terminal, number: int) -> None:
    """Say yes to this many changes, and wait for the next confirmation."""
    for done in DONE[:number]:
        terminal.answer(CONFIRM, YES)
        terminal.wait_for(done)
    terminal.wait_for(CONFIRM)


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["ctrl-c", "ctrl-d"])
@pytest.mark.parametrize("number", range(3), ids=["key", "values", "org"])
def test_leaving_at_a_prompt_changes_nothing(cluster, number, key):
    before = state(cluster)
    asked = prompts(cluster)
    with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
        for prompt, keys in asked[:number]:
            terminal.answer(prompt, keys)
        terminal.answer(asked[number][0], key)
        terminal.wait_for("You left before the next change.")
        terminal.wait_for("changed: nothing")
        terminal.wait_for(
            AFRESH if number < 2 else f"{AFRESH.removesuffix(' starts again')} -f values"
        )
        assert terminal.end() == 8
        assert terminal.left_behind() == []
    assert state(cluster) == before


@pytest.mark.parametrize("keys", [CTRL_C, CTRL_D, "n" + ENTER, ENTER],
                         ids=["ctrl-c", "ctrl-d", "no", "enter"])  # fmt: skip
@pytest.mark.parametrize("number", range(4), ids=["values", "upgrade", "update", "restart"])
def test_leaving_at_a_confirmation_keeps_what_was_done_and_no_more(cluster, number, keys):
    with Terminal(env=told(cluster)) as terminal:
        confirm(terminal, number)
        before = state(cluster)
        terminal.send(keys)
        left = keys in (CTRL_C, CTRL_D)
        words = "You left before" if left else f"You declined step {number + 2}, the "
        terminal.wait_for(words)
        shown = terminal.wait_for(AGAIN if number else AFRESH)
        for done in DONE[:number]:
            assert done in shown.rpartition(words)[2]
        assert ("changed: nothing" in shown) is (number == 0)
        assert terminal.end() == (9 if number else 8)
        assert terminal.left_behind() == []
    assert state(cluster) == before


def test_keys_that_were_typed_ahead_confirm_nothing(cluster):
    before = state(cluster)
    with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
        for prompt, keys in prompts(cluster)[:-1]:
            terminal.answer(prompt, keys)
        terminal.answer("For which organizations?", " " + ENTER + YES + YES)
        terminal.wait_for(f"{CONFIRM} (release langsmith in langsmith, context practice) (y/N/?/b)")
        terminal.send(CTRL_C)
        assert terminal.end() == 8
    assert state(cluster) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 8), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("at", range(4), ids=["key", "values", "org", "yes"])
def test_a_signal_at_a_prompt_restores_the_terminal(cluster, at, number, code):
    asked = [*prompts(cluster), (CONFIRM, "")]
    with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
        for prompt, keys in asked[:at]:
            terminal.answer(prompt, keys)
        terminal.wait_for(asked[at][0])
        terminal.signal(number)
        terminal.wait_for("changed: nothing")
        assert terminal.end() == code
        assert terminal.left_behind() == []


def test_a_terminal_that_is_closed_at_a_prompt_ends_it(cluster):
    before = state(cluster)
    with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
        terminal.wait_for(prompts(cluster)[0][0])
        terminal.hang_up()
        assert terminal.ended() == 143
    assert state(cluster) == before


def test_the_end_of_a_closed_terminal_waits_for_its_signal(monkeypatch):
    monkeypatch.setattr(interrupts, "HANGUP_LIMIT", 60)
    ours, its = os.openpty()
    os.close(ours)
    hang_up = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGHUP))
    with os.fdopen(its) as stream, interrupts.StopSwitch().installed():
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(interrupts.Interrupted) as caught:
            hang_up.start()
            interrupts.wait_for_hangup()
    assert caught.value.signum == signal.SIGHUP


def test_terminated_at_a_confirmation_after_a_change(cluster):
    with Terminal(env=told(cluster)) as terminal:
        confirm(terminal, 1)
        terminal.signal(signal.SIGTERM)
        terminal.wait_for("has both variables")
        terminal.wait_for(AGAIN)
        assert terminal.end() == 9
        assert terminal.left_behind() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_looks(cluster, number, code):
    helm = cluster.home / "bin" / "helm"
    helm.unlink()
    helm.write_text("#!/bin/sh\necho helm is asked >/dev/tty\nexec sleep 600\n")
    helm.chmod(0o755)
    with Terminal(env=told(cluster)) as terminal:
        terminal.wait_for("helm is asked")
        terminal.signal(number)
        shown = terminal.wait_for("Interrupted.")
        assert "looking" not in shown  # the spinner's line is gone, and not doubled
        terminal.wait_for("changed: nothing")
        assert terminal.end() == code
        assert terminal.left_behind() == []


@pytest.fixture
def rolling(cluster):
    """A cluster whose new backend pods do not become ready before `faults.clear()`."""
    cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
    return cluster


def status_of(cluster: PracticeCluster) -> list[tuple[str, str]]:
    return state(cluster)[1]


@pytest.mark.parametrize("stop", ["key", signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_helm_finish(rolling, stop):
    with Terminal(env=told(rolling)) as terminal:
        confirm(terminal, 1)
        terminal.send(YES)
        terminal.see("  Running")
        press(terminal, stop)
        terminal.see(NOTICE)
        rolling.kubernetes.faults.clear()
        terminal.wait_for("✓ Revision 1 → 2")
        terminal.wait_for("Stopped at a safe point, as you asked.")
        terminal.wait_for(AGAIN)
        assert terminal.end() == 9
        assert terminal.left_behind() == []
    assert status_of(rolling) == [("1", "superseded"), ("2", "deployed")]
    (run,) = journals(rolling)
    assert [entry["event"] for entry in run.entries][-1] == "done"


@pytest.mark.parametrize("columns", [60, 200])
def test_a_terminal_that_is_resized_while_helm_is_waited_for(rolling, columns):
    with Terminal(env=told(rolling)) as terminal:
        confirm(terminal, 1)
        terminal.send(YES)
        terminal.see("  Running")
        terminal.resize(columns)
        terminal.see("helm upgrade is running")
        rolling.kubernetes.faults.clear()
        terminal.wait_for("✓ Revision 1 → 2")
        terminal.answer(CONFIRM, "n" + ENTER)
        assert terminal.end() == 9
        assert terminal.left_behind() == []


def test_a_terminal_that_is_closed_lets_helm_finish(rolling):
    with Terminal(env=told(rolling)) as terminal:
        confirm(terminal, 1)
        terminal.send(YES)
        terminal.see("  Running")
        terminal.hang_up()
        rolling.kubernetes.faults.clear()
        assert terminal.ended() == 9
    assert status_of(rolling) == [("1", "superseded"), ("2", "deployed")]
    (run,) = journals(rolling)
    assert [entry["event"] for entry in run.entries][-1] == "done"


@pytest.mark.parametrize("stop", ["key", signal.SIGTERM])
def test_the_second_signal_leaves_and_helm_goes_on(rolling, stop):
    with Terminal(env=told(rolling)) as terminal:
        confirm(terminal, 1)
        terminal.send(YES)
        terminal.see("  Running")
        press(terminal, stop)
        terminal.see(NOTICE)
        press(terminal, stop)
        terminal.wait_for("Interrupted.")
        terminal.wait_for("begun, and not seen to its end: helm upgrade langsmith")
        terminal.wait_for("going on: helm upgrade goes on by itself")
        terminal.wait_for(AGAIN)
        assert terminal.end() == 9
        assert terminal.left_behind() == []
    assert status_of(rolling)[-1] == ("2", "pending-upgrade")
    rolling.kubernetes.faults.clear()
    rolling.kubernetes.until(lambda: status_of(rolling)[-1] == ("2", "deployed"), timeout=60)


@pytest.mark.parametrize("stop", ["key", signal.SIGTERM])
def test_a_signal_while_the_backend_rolls(cluster, stop):
    with Terminal(env=told(cluster)) as terminal:
        confirm(terminal, 3)
        cluster.kubernetes.faults.fail_pods(BACKEND, "NotReady")
        terminal.send(YES)
        terminal.see("  Running")
        press(terminal, stop)
        terminal.wait_for("Stopped at a safe point, as you asked.")
        terminal.wait_for("1 organization has audit logs stored as on")
        terminal.wait_for("begun, and not seen to its end: restart the 2 pods")
        terminal.wait_for("going on: the rollout goes on by itself")
        assert terminal.end() == 9
        assert terminal.left_behind() == []
    cluster.kubernetes.faults.clear()
    cluster.kubernetes.until(lambda: settled(cluster), timeout=60)


def settled(cluster: PracticeCluster) -> bool:
    """Whether the backend's rollout is over: the next test must not meet it."""
    status = backend(cluster)["status"]
    counts = {status.get(name) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    pods = cluster.kubernetes.list("Pod", cluster.namespace, BACKEND)
    owners = [pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods]
    return counts == {2} and owners.count("ReplicaSet") == 2


def press(terminal: Terminal, stop: object) -> None:
    """Ctrl-C as a key, or a signal from elsewhere."""
    if isinstance(stop, signal.Signals):
        terminal.signal(stop)
    else:
        terminal.send(CTRL_C)


@pytest.mark.parametrize("number", range(1, 5), ids=["values", "upgrade", "update", "restart"])
def test_killed_after_a_step_the_next_run_finishes_the_job(cluster, number):
    generation = backend(cluster)["metadata"]["generation"]
    with Terminal(env=told(cluster)) as terminal:
        for done in DONE[:number]:
            cluster.langsmith.delay = 2.0 if done == DONE[-1] else 0.0  # it is not over at once
            terminal.answer(CONFIRM, YES)
            terminal.wait_for(f"{done}")
        terminal.signal(signal.SIGKILL)
        assert terminal.end() == -9
    cluster.langsmith.delay = 0.0
    (killed,) = journals(cluster)
    before = state(cluster)
    with Terminal("--yes", env=told(cluster)) as terminal:
        terminal.wait_for(f"Run {killed.id} was left unfinished")
        terminal.wait_for("Nothing to do" if number == 4 else "Done: audit logs are on")
        assert terminal.end() == 0
    after = state(cluster)
    assert status_of(cluster) == [("1", "superseded"), ("2", "deployed")]
    assert backend(cluster)["metadata"]["generation"] == generation + 2
    assert number < 1 or after[0] == before[0]
    assert number < 3 or after[2] == before[2]
    assert number < 4 or after[3] == before[3]
    steps = [entry["step"] for run in journals(cluster) for entry in run.entries
             if entry["event"] == "done"]  # fmt: skip
    assert steps == ["values_file", "helm_upgrade", "organizations", "backend_restart"]
    with Terminal("--yes", env=told(cluster)) as terminal:
        shown = terminal.wait_for("Nothing to do")
        assert "unfinished" not in shown
        assert terminal.end() == 0
    assert state(cluster) == after


def test_the_run_that_was_left_is_told_with_what_it_changed(cluster):
    with Terminal(env=told(cluster)) as terminal:
        confirm(terminal, 1)
        terminal.send(CTRL_C)
        assert terminal.end() == 9
    edited = cluster.values.read_bytes()
    with Terminal(env=told(cluster)) as terminal:
        shown = terminal.wait_for("What is to become of it?")
        assert re.search(r"! Run \S+ was left unfinished \(changed: values_file\)", shown)
        terminal.send(ENTER)
        assert re.search(r"✓ 2 The values file +The values give", terminal.wait_for(CONFIRM))
        terminal.send(CTRL_C)
        assert terminal.end() == 8
    with Terminal(env=told(cluster)) as terminal:
        terminal.answer("What is to become of it?", DOWN + ENTER)
        terminal.wait_for("put back the copy of")
        terminal.answer(CONFIRM, YES)
        terminal.wait_for("Done: everything is as it was before the run.")
        assert terminal.end() == 0
    assert cluster.values.read_bytes() != edited
    with Terminal(env=told(cluster)) as terminal:
        assert "unfinished" not in terminal.wait_for(CONFIRM)
        terminal.send(CTRL_C)
        assert terminal.end() == 8
