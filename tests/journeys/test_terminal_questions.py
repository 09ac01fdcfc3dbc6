"""Questions in a terminal: explained, gone back from, left and offered again."""

import re

from terminal import CONFIRM, CTRL_C, ENTER, ESCAPE, SPACE, YES, Terminal, bare, told

from wizard.practice.cluster import PracticeCluster

KEY, FILE, WHICH = "API key of an organization admin", "Which values file", "For which organiz"


def test_back_forth_left_and_on_with_what_was_answered(cluster: PracticeCluster):
    key = cluster.api_key + ENTER
    with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
        terminal.answer("? at a question explains it, Esc goes back", "")
        terminal.answer(KEY, "?" + ENTER)
        terminal.see("shown, stored and logged nowhere")
        terminal.answer(KEY, key)
        terminal.answer(FILE, ESCAPE)
        terminal.answer(KEY, key)
        terminal.answer(FILE, "?" + ENTER)
        terminal.wait_for("a copy is kept")
        terminal.answer(FILE, ENTER)
        shown = terminal.wait_for("4 of 7 steps to do: 2 rollouts of the backend (1 with --one-")
        assert re.search(r"✓ 1 The chart version +Chart 0\.12\.33", shown)
        assert re.search(r"○ 5 The backend's pods +to be done after step 4", shown)
        terminal.wait_for(WHICH)
        terminal.see("Esc back")
        terminal.send("?")
        terminal.wait_for("organizations that are made later need nothing")
        terminal.see("Esc back")
        terminal.send(ESCAPE)
        terminal.answer(FILE, ENTER)
        terminal.wait_for(WHICH)
        terminal.see("0 picked")
        terminal.send(SPACE + ENTER)
        terminal.wait_for("» 2 values file  · 3 Helm release  · 4 organizations")
        terminal.answer(CONFIRM, "?")
        terminal.wait_for("it is in the journal before it is")
        terminal.answer(CONFIRM, "b")
        terminal.wait_for(WHICH)
        terminal.see("0 picked")
        terminal.send(SPACE + ENTER)
        terminal.answer(CONFIRM, CTRL_C)
        terminal.wait_for("Your answers are kept; the next run offers them.")
        assert terminal.end() == 8
        assert terminal.left_behind() == []
    kept = (cluster.home / "state" / "answers.yaml").read_text()
    assert cluster.api_key not in kept
    with Terminal(env=bare(cluster), cwd=cluster.home) as terminal:
        terminal.answer("answers of the run that was left? (--values, --org)", YES)
        terminal.answer(KEY, key)
        terminal.answer(CONFIRM, YES)
        terminal.wait_for("✓ 2 values file  » 3 Helm release")
        terminal.answer(CONFIRM, "b" + "n" + ENTER)
        terminal.wait_for("You declined step 3, the helm release.")
        assert terminal.end() == 9
        assert terminal.left_behind() == []


def test_the_end_tells_what_was_changed_and_what_to_type_next(cluster: PracticeCluster):
    file = cluster.home / "answers.yaml"
    with Terminal("--one-rollout", f"--save-answers={file}", env=told(cluster)) as terminal:
        for _ in range(3):
            terminal.answer(CONFIRM, YES)
        terminal.wait_for("Done: audit logs are on, and confirmed.")
        assert terminal.end() == 0
        shown = terminal.text().partition("Done: ")[2]
    assert re.search(r"changed: \S+values\.yaml has both variables \(\+4 lines\)", shown)
    assert "changed: Revision 1 → 2 of release langsmith" in shown
    assert re.search(r"took: \d+ s", shown)
    assert f"to do: commit {cluster.values}" in shown
    command = re.search(r"again, without questions:\n((?:.*\\\n)*.*)", shown)
    assert command
    words = command[1].replace("\\\n", "").split()
    assert words[:2] == ["langsmith-audit", "run"]
    assert {"--yes", "--no-input", "--one-rollout"} <= set(words)
    run = re.search(r"langsmith-audit undo (?:.*\\\n)*.*(\d{8}T\d{6}Z-\w+)", shown)
    assert run
    assert (cluster.home / "state" / "runs" / run[1]).is_dir()
    assert "org:" in file.read_text()


def test_what_stands_in_the_way_comes_last(cluster: PracticeCluster):
    cluster.values.write_text("backend: {deployment: {extraEnv: text}}\n")
    with Terminal(env=told(cluster)) as terminal:
        terminal.wait_for("this stands in the way. Steps 3 to 7 wait for this.")
        assert terminal.end() == 3
        shown = terminal.text()
    assert shown.rindex("✗ ") > shown.index("✗ 2 The values file")
    assert "→ " in shown[shown.rindex("✗ ") :]
