"""The list of organizations in a terminal: searching, what cannot be picked, odd names, many."""

import json
import re
from uuid import UUID, uuid4

import pytest
from terminal import (
    CONFIRM,
    CTRL_A,
    CTRL_C,
    CTRL_U,
    DOWN,
    END,
    ENTER,
    ERASE,
    ESCAPE,
    HOME,
    SHIFT_TAB,
    SPACE,
    TAB,
    UP,
    YES,
    Terminal,
    bare,
    told,
)

from wizard.practice.cluster import PracticeCluster
from wizard.practice.langsmith_store import USERS

ODD = {
    "quotes": 'O\'Neil "& Sons" \\ Co',
    "pipes": "a | b; $(reboot) `x` [red]c[/red]",
    "emoji": "Ünïcode 🚀 日本",
    "override": "evil\u202eexe.gpj",
    "ansi": "\x1b[2J\x1b[31mred\x1b]0;title\x07\x9b5m",
    "lines": "one\ntwo\r\tthree\u2028four",
    "long": "x" * 300,
}
SHOWN = {
    "quotes": 'O\'Neil "& Sons" \\ Co',
    "pipes": "a | b; $(reboot) `x` [red]c[/red]",
    "emoji": "Ünïcode 🚀 日本",
    "override": "evil\\u202eexe.gpj",
    "ansi": "\\x1b[2J\\x1b[31mred\\x1b]0;title\\x07\\x9b5m",
    "lines": "one\\ntwo\\r\\tthree\\u2028four",
}
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


def add(cluster: PracticeCluster, names: list[str], config: str | None = None) -> list[UUID]:
    """Shared organizations of these names, with the key's owner as their admin; their ids."""
    rows = [(uuid4(), name, config) for name in names]
    with cluster.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO organizations (id, display_name, is_personal, config, created_at)"
            " VALUES (%s, %s, false, %s, now())",
            rows,
        )
        cursor.executemany(
            "INSERT INTO identities (user_id, organization_id, role)"
            " VALUES (%s, %s, 'ORGANIZATION_ADMIN')",
            [(USERS["admin_user"], row[0]) for row in rows],
        )
    return [row[0] for row in rows]


def on(cluster: PracticeCluster) -> set[UUID]:
    """The organizations with a stored true."""
    with cluster.connect() as connection:
        rows = connection.execute(
            "SELECT id FROM organizations WHERE config -> 'can_use_audit_logs' = 'true'"
        ).fetchall()
    return {row[0] for row in rows}


def asking(cluster: PracticeCluster, *args: str, **more: object) -> Terminal:
    """The wizard with all answers but the organizations."""
    env = cluster.environment()
    return Terminal(*args, env=env, **more)  # type: ignore[arg-type]


def test_what_is_personal_or_already_on_cannot_be_picked(cluster):
    with asking(cluster, "plan", "--details") as terminal:
        terminal.see("0 picked")
        terminal.send(UP + SPACE)
        terminal.see("Halden Analytics cannot be picked: already on")
        terminal.send("personal" + TAB)
        terminal.see("Personal cannot be picked: personal")
        terminal.send(DOWN + UP + SPACE + ENTER)
        terminal.see("Pick at least one, or leave with Ctrl-C")
        terminal.send(CTRL_U + CTRL_A)
        terminal.see("3 picked")
        terminal.send(CTRL_A)
        terminal.see("0 picked")
        terminal.send("zzz")
        terminal.see("nothing here has this in it")
        terminal.send(TAB + DOWN + ENTER)
        terminal.see("Pick at least one, or leave with Ctrl-C")
        terminal.send(CTRL_U + "TIDEWATER RES" + TAB + ENTER)
        terminal.wait_for("For which organizations? Tidewater Research")
        shown = terminal.wait_for("changes in 4 steps")
        assert "can_use_audit_logs true in 1 row" in shown
        assert terminal.end() == 0


@pytest.mark.parametrize("kind", ODD)
def test_odd_names_are_shown_safely_in_the_picker(cluster, kind):
    (id,) = add(cluster, [ODD[kind]])
    with asking(cluster, cwd=cluster.home) as terminal:
        terminal.see("0 picked")
        terminal.send(str(id)[:8])
        terminal.see("1 of 6")
        if kind in SHOWN:
            assert SHOWN[kind][:30] in terminal.text()
        terminal.send(TAB + ENTER)
        terminal.answer(CONFIRM, CTRL_C)
        assert terminal.end() == 8
        assert not re.search(rb"\x1b\[2J|\x1b\]0;|\xc2\x9b|\xe2\x80\xae|\x07", terminal.raw)


@pytest.mark.parametrize("command", ["plan", "check"])
def test_odd_names_are_shown_safely_in_reports(cluster, run, command):
    chosen = [f"--org={id}" for id in add(cluster, list(ODD.values()))]
    told = run(command, *chosen)
    assert told.returncode == (3 if command == "check" else 0), (told.stdout, told.stderr)
    text = told.stdout
    assert not HARMFUL.search(text), text
    assert [shown for shown in SHOWN.values() if shown not in text] == []
    answer = run(command, "--format", "json", *chosen).stdout
    assert not HARMFUL.search(answer)
    names = json.dumps(json.loads(answer))
    assert [name for name in ODD.values() if json.dumps(name)[1:-1] not in names] == []


def test_an_odd_name_is_changed_and_no_other(cluster):
    before = on(cluster)
    (id,) = add(cluster, [ODD["ansi"]])
    env = told(cluster) | {"LANGSMITH_AUDIT_ORG": str(id)}
    with Terminal("--yes", env=env) as terminal:
        terminal.wait_for("Done: audit logs are on, and confirmed.")
        assert terminal.end() == 0
        assert b"\x1b[2J" not in terminal.raw
    assert on(cluster) == before | {id}


KEYS = "\x1b[D\x1b[C\x1b[3~\x1bOP\x1b[24~\x1b[1;9Z\x1b[200x\x1bx"
"""Left, right, delete, F1, F12, and some that nothing knows."""


def test_keys_that_move_or_mean_nothing_are_never_searched(cluster):
    with asking(cluster, "plan", "--details") as terminal:
        shown = terminal.see("type to search")
        assert re.search(r"organization +audit logs +id\n", shown)
        assert "off: a stored false · default: nothing is stored" in shown
        assert re.search(r"Meridian Freight +off, your key's own ", shown)
        terminal.send(KEYS + END)
        terminal.see("» ○ Tidewater Research")
        terminal.send(SPACE + SHIFT_TAB + HOME + "res" + SPACE + "x")
        terminal.see("/ res x")
        terminal.send(ERASE + ERASE)
        terminal.see(" / res   1 picked · 1 of 5 · ^A all · Tab pick · Esc clear")
        terminal.send(ESCAPE)
        terminal.wait_until_gone(" / res")
        terminal.see("type to search")
        terminal.send(CTRL_C)
        assert terminal.end() == 8


def test_pages_come_as_one_scrolls_and_searches(cluster):
    ids = add(cluster, [f"Team-{number:03}" for number in range(500)])
    with asking(cluster, "plan", "--details") as terminal:
        terminal.see("0 picked")
        assert "Team-100" not in terminal.text()
        terminal.send("\x1b[6~" * 16)
        terminal.see("» ○ Team-2")
        terminal.send("\x1b[6~" * 30)
        terminal.see("» ○ Tidewater Research")
        terminal.send("team" + CTRL_A)
        terminal.see("Only the 200 that are loaded; --all means every one")
        terminal.send(CTRL_A)
        terminal.see("more than 200 of 505")
        terminal.send("-29" + TAB)
        terminal.see("10 of 505")
        terminal.send(DOWN + DOWN + TAB + CTRL_U)
        terminal.see("2 picked")
        terminal.send("nil")
        terminal.see("nothing here has this in it")
        terminal.send(DOWN + TAB + CTRL_U + "merid" + TAB + ENTER)
        terminal.wait_for("For which organizations? Team-290, Team-292, Meridian Freight")
        shown = terminal.wait_for("changes in 4 steps")
        assert terminal.end() == 0
    picked = {str(ids[290]), str(ids[292]), str(cluster.organizations["off"])}
    assert set(re.findall(r"parameter: (\S+)", shown)) == picked


def test_more_than_can_be_sorted_come_by_id_and_say_so(cluster):
    add(cluster, [f"Team-{number:03}" for number in range(201)])
    with cluster.connect() as connection:
        connection.execute(
            "UPDATE pg_class SET reltuples = 200001 WHERE oid = 'organizations'::regclass"
        )
    with asking(cluster, "plan", "--details") as terminal:
        shown = terminal.see("in the order of their ids: too many to be sorted by name")
        assert "0 picked · 1 of 206" in shown
        terminal.send("team-0")
        terminal.see("100 of 206")
        terminal.send(CTRL_C)
        assert terminal.end() == 8


def test_a_database_that_goes_away_ends_the_picker(cluster):
    add(cluster, [f"Team-{number:03}" for number in range(300)])
    with asking(cluster) as terminal:
        terminal.see("0 picked")
        cluster.postgres.stop()
        terminal.send("team-29")
        terminal.wait_for("langsmith-audit explain LSA")
        assert terminal.end() == 5
        assert terminal.left_behind() == []
    cluster.postgres.start()


def test_where_only_lines_can_be_shown_it_is_searched_first(cluster):
    ids = add(cluster, [f"Team-{number:03}" for number in range(300)])
    with asking(cluster, "plan", "--details", term="dumb") as terminal:
        terminal.answer("There are more than 200. Part of the name to look for:", "team" + ENTER)
        terminal.answer("More than 200 have 'team' in their names. A longer part:", "nil" + ENTER)
        terminal.answer("None that can be picked has 'nil' in its name.", "team-29" + ENTER)
        terminal.answer("For which organizations?", "1 3" + ENTER)
        terminal.answer("2 picked. Another part to look for", ENTER)
        shown = terminal.wait_for("changes in 4 steps")
        assert terminal.end() == 0
    assert set(re.findall(r"parameter: (\S+)", shown)) == {str(ids[290]), str(ids[292])}


@pytest.mark.parametrize("key", [CTRL_C, "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_leaving_at_the_search(cluster, key):
    add(cluster, [f"Team {number:03}" for number in range(201)])
    with Terminal(env=bare(cluster) | {"LANGSMITH_API_KEY": cluster.api_key,
                  "LANGSMITH_AUDIT_VALUES": str(cluster.values)}) as terminal:  # fmt: skip
        terminal.see("0 picked")
        terminal.send("team" + key)
        terminal.wait_for("changed: nothing")
        assert terminal.end() == 8
        assert terminal.left_behind() == []


def test_a_long_list_scrolls_with_the_pointer(cluster):
    add(cluster, [f"Team {number:02}" for number in range(60)])
    with asking(cluster, "plan", "--details") as terminal:
        terminal.see("0 picked")
        assert "Team 40" not in terminal.text()
        terminal.send("\x1b[6~" * 3)
        terminal.see("» ○ Team 42")
        terminal.send(CTRL_C)
        assert terminal.end() == 8


def test_a_whole_run_on_the_picked_one(cluster):
    before = on(cluster)
    with asking(cluster) as terminal:
        terminal.wait_for("For which organizations?")
        terminal.see("0 picked")
        terminal.send("tide" + TAB + ENTER)
        for _ in range(4):
            terminal.answer(CONFIRM, YES)
        terminal.wait_for("Done: audit logs are on, and confirmed.")
        assert terminal.end() == 0
    assert on(cluster) == before | {cluster.organizations["empty"]}
