"""`langsmith-audit events`, run as a user runs it, against a stand-in of the API alone."""

import contextlib
import csv
import io
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import forked
import pytest
from event_log import KEY, OPERATIONS, ORGANIZATION, EventServer, ocsf, rows, serving
from reading import environment, events, lines, uids

from wizard.practice.cluster import PracticeCluster
from wizard.records.event import NAMES

NOW = datetime.now(UTC)
GIVEN = rows(400, NOW - timedelta(days=3), NOW - timedelta(minutes=2))
INFO = "/api/v1/orgs/current/info"


@pytest.fixture
def server() -> Iterator[EventServer]:
    with serving(GIVEN) as it:
        yield it


def test_the_newest_come_first_in_the_table_and_the_closing_line_says_there_are_more(
    server: EventServer, tmp_path: Path
) -> None:
    answer = events(server, tmp_path)
    assert answer.returncode == 0, answer.stderr
    head, *found = answer.stdout.splitlines()
    assert head.split()[0] == "WHEN"
    newest = [row["operation_name"] for row in GIVEN[:-11:-1]]
    assert [name for line in found for name in line.split() if name in OPERATIONS] == newest
    assert "10 events" in answer.stderr
    assert "--all reads every one" in answer.stderr
    assert KEY not in answer.stdout + answer.stderr


def test_all_of_the_range_oldest_first(server: EventServer, tmp_path: Path) -> None:
    answer = events(server, tmp_path, "--all", "--since", "4d", "-o", "ndjson")
    assert answer.returncode == 0, answer.stderr
    known = {row["id"]: ocsf(row) for row in GIVEN}
    assert [(it["metadata"]["uid"], it) for it in lines(answer.stdout)] == [
        (row["id"], known[row["id"]])
        for row in sorted(GIVEN, key=lambda row: (row["request_time"], row["id"]))
        if row["id"] in uids(answer.stdout)
    ]
    assert len(uids(answer.stdout)) == 400
    assert "events, " in answer.stderr


def test_a_document_and_a_table_of_the_same(server: EventServer, tmp_path: Path) -> None:
    document = json.loads(events(server, tmp_path, "--limit", "3", "-o", "json").stdout)
    assert document["schema_version"] == "1.0"
    text = events(server, tmp_path, "--limit", "3", "-o", "csv").stdout
    records = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(records[0]) == NAMES
    assert [it["uid"] for it in records] == [it["metadata"]["uid"] for it in document["events"]]
    assert [it["time"] for it in records] == sorted(it["time"] for it in records)


def test_filters(server: EventServer, tmp_path: Path) -> None:
    person = GIVEN[0]["user_id"]
    options = ("--since", "4d", "--all", "-o", "ndjson", "--operation", "create_role")
    found = uids(events(server, tmp_path, *options, "--actor", person).stdout)
    assert found == [
        row["id"]
        for row in GIVEN
        if row["operation_name"] == "create_role" and row["user_id"] == person
    ]
    server.answers["/api/v1/audit-logs/operations"] = (200, sorted(OPERATIONS))
    about = GIVEN[3]["enrichments"]["resource_ids"][0]
    answer = events(server, tmp_path, "--since", "4d", "--resource", about, "-o", "ndjson")
    assert uids(answer.stdout) == [GIVEN[3]["id"]]
    assert "1 event," in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "id"),
    [
        (("--limit", "0"), "LSA830"),
        (("--limit", "101"), "LSA830"),
        (("--since", "1h", "--until", "2h"), "LSA830"),
        (("--since", "2026-11-02T08:00 MEZ"), "LSA830"),
        (("--workspace", "ours"), "LSA830"),
    ],
)
def test_refused_before_the_server_is_asked(server, tmp_path, arguments, id) -> None:
    answer = events(server, tmp_path, *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert id in answer.stderr
    assert server.requests == []


def test_an_operation_that_the_server_does_not_know(server: EventServer, tmp_path: Path) -> None:
    server.operations = sorted(OPERATIONS)
    answer = events(server, tmp_path, "--operation", "create_rol")
    assert answer.returncode == 2
    assert "did you mean create_role" in answer.stderr
    assert server.requests == []


def test_where_the_server_has_no_list_what_is_not_documented_is_said(server, tmp_path) -> None:
    server.answers["/api/v1/audit-logs/operations"] = (404, {"detail": "Not Found"})
    answer = events(server, tmp_path, "--operation", "create_rol")
    assert answer.returncode == 0, answer.stderr
    told = "No documentation names the operation 'create_rol': did you mean create_role,"
    assert told in answer.stderr
    assert "No documentation" not in events(server, tmp_path, "--operation", "create_role").stderr


@pytest.mark.parametrize(
    ("status", "info", "id"),
    [
        (401, None, "LSA811"),
        (403, {"permissions": ["organization:read"], "config": {}}, "LSA821"),
        (403, {"permissions": ["organization:manage"],
               "config": {"can_use_audit_logs": False}}, "LSA822"),
        (404, None, "LSA824"),
    ],
)  # fmt: skip
def test_refusals_are_those_of_a_check(server, tmp_path, status, info, id) -> None:
    server.answers["/api/v1/audit-logs"] = (status, {"detail": "no"})
    if info:
        server.answers[INFO] = (200, {"id": ORGANIZATION, "display_name": "Acme", **info})
    answer = events(server, tmp_path)
    assert (answer.returncode, answer.stdout) == (3, "")
    assert id in answer.stderr


def test_the_organization_is_sent(server: EventServer, tmp_path: Path) -> None:
    server.answers["/api/v1/audit-logs"] = (403, {"detail": "Forbidden"})
    own = {"id": ORGANIZATION, "display_name": "Acme", "permissions": [], "config": {}}
    server.answers[INFO] = (403, {"detail": "Forbidden"})
    other = "8b7d40f2-16e9-4c55-8a0d-52c9e3f7b1a6"
    answer = events(server, tmp_path, "--org", other)
    assert answer.returncode == 3
    server.answers[INFO] = (200, own)
    assert "LSA821" in events(server, tmp_path, "--org", other).stderr


def test_the_variable_that_chooses_all_organizations_is_none_of_its_business(
    server: EventServer, tmp_path: Path
) -> None:
    answer = events(server, tmp_path, "-o", "ndjson", LANGSMITH_AUDIT_ALL="true")
    assert len(lines(answer.stdout)) == 10
    assert "LANGSMITH_API_KEY" in environment(tmp_path)


def started(server: EventServer, home: Path, out: Path, *arguments: str) -> forked.Fork:
    """A run that goes on while the test does, its events at the end of a file."""
    with out.open("ab") as stdout, (home / "stderr").open("ab") as stderr:
        nothing = os.open(os.devnull, os.O_RDONLY)
        streams = (nothing, stdout.fileno(), stderr.fileno())
        told = ("events", "--url", server.url, "-o", "ndjson", *arguments)
        fork = forked.shared().start(told, environment(home), streams)
        os.close(nothing)
    return fork


def whole(path: Path) -> list[str]:
    """The ids of all lines that are whole."""
    found = []
    for line in path.read_text().splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            found.append(json.loads(line)["metadata"]["uid"])
    return found


def test_killed_at_random_and_gone_on_with(tmp_path: Path, record_property) -> None:
    given = rows(3000, NOW - timedelta(days=12), NOW - timedelta(minutes=5))
    out, chance = tmp_path / "events.ndjson", random.Random(4)
    options = ("--since", "13d", "--state", str(tmp_path / "state"))
    with serving(given) as server:
        server.delay = 0.02
        for _ in range(10):
            run = started(server, tmp_path, out, *options)
            enough = len(whole(out)) + chance.randrange(1, 250)
            while run.poll() is None and len(whole(out)) < enough:
                time.sleep(0.01)
            run.kill()
            run.wait(30)
        assert started(server, tmp_path, out, *options).wait(60) == 0
        assert started(server, tmp_path, out, *options).wait(60) == 0
    found = whole(out)
    repeats = len(found) - len(set(found))
    record_property("repeats", repeats)
    assert set(found) == {row["id"] for row in given}
    assert repeats < 10 * 4 * 300
    assert "0 events" in (tmp_path / "stderr").read_text().splitlines()[-1]


def test_sigterm_ends_it_after_the_event_under_way_with_the_state_written(tmp_path: Path) -> None:
    given = rows(500, NOW - timedelta(hours=20), NOW - timedelta(minutes=5))
    out, state = tmp_path / "events.ndjson", tmp_path / "state"
    options = ("--follow", "--lag", "2s", "--state", str(state), "--heartbeat", "1s")
    with serving(given) as server:
        run = started(server, tmp_path, out, *options)
        while len(whole(out)) < len(given):
            time.sleep(0.05)
        again = events(server, tmp_path, "--state", str(state))
        assert again.returncode == 5
        assert "LSA833" in again.stderr
        late = rows(1, NOW - timedelta(seconds=1), datetime.now(UTC), seed=3)[0]
        late["request_time"] = datetime.now(UTC)
        server.log.add(late)
        while late["id"] not in whole(out):
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        assert run.wait(30) == 143
        told = (tmp_path / "stderr").read_text()
        assert "stopped: 501 events" in told
        answer = events(server, tmp_path, "--state", str(state), "-o", "ndjson")
    assert len(whole(out)) == 501
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "going on from" in answer.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--follow", "--until", "1h"),
        ("--follow", "-o", "json"),
        ("--follow", "--limit", "5"),
        ("--state", "s", "--source", "both"),
        ("--follow", "--lag", "soon"),
        ("--state", "no/folder"),
    ],
)
def test_what_does_not_go_together(server, tmp_path, arguments) -> None:
    answer = events(server, tmp_path, *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert server.requests == []


def test_a_line_that_a_kill_cut_off_is_ended_and_a_csv_has_one_heading(
    server: EventServer, tmp_path: Path
) -> None:
    out = tmp_path / "events"
    out.write_text('{"metadata": {"uid": "tor')
    assert started(server, tmp_path, out, "--state", str(tmp_path / "a")).wait(60) == 0
    first, *rest = out.read_text().splitlines()
    assert first.endswith("tor")
    assert len(rest) == len(whole(out)) > 50
    out.write_text("")
    for name in ("b", "c"):
        options = ("--state", str(tmp_path / name), "-o", "csv", "--since", "3h")
        assert started(server, tmp_path, out, *options).wait(60) == 0
    assert out.read_text().count("time,uid") == 1


class TestOnACluster:
    """Through the release, its database and its API."""

    @pytest.fixture
    def cluster(self, newer_cluster) -> PracticeCluster:
        cluster, snapshot = newer_cluster
        cluster.restore(snapshot)
        return cluster

    @pytest.mark.parametrize("way", ["port-forward", "exec", "pod"])
    def test_the_table_through_every_way_is_the_api(self, cluster, run, way) -> None:
        organization = str(cluster.organizations["on"])
        common = ("--all", "-o", "ndjson", "--org", organization)
        api = run("events", *common)
        table = run("events", *common, "--source", "database", "--database", way)
        assert (api.returncode, table.returncode) == (0, 0), api.stderr + table.stderr
        assert lines(api.stdout) == lines(table.stdout) != []
        assert "from " in table.stderr
        newest = run("events", "--source", "database", "--limit", "3", "-o", "ndjson", *common[3:])
        assert uids(newest.stdout) == uids(api.stdout)[-3:]
        assert cluster.postgres.password not in table.stdout + table.stderr

    def test_both_compared(self, cluster, run) -> None:
        organization = str(cluster.organizations["on"])
        answer = run("events", "--source", "both", "--org", organization)
        assert answer.returncode == 0, answer.stderr
        assert "14 events are in the API and in the table." in answer.stdout
        more = ("--source", "both", "--org", organization, "-o", "json")
        document = json.loads(run("events", *more).stdout)
        assert (document["in_both"], document["only_api"], document["only_table"]) == (14, [], [])

    def test_without_a_key_it_says_what_is_missing(self, cluster, run) -> None:
        answer = run("events", env={"LANGSMITH_API_KEY": ""})
        assert answer.returncode == 2
        assert "LSA900" in answer.stderr


def test_a_summary(server: EventServer, tmp_path: Path) -> None:
    options = ("--summary", "--since", "4d", "--chart-version", "0.12.33")
    text = events(server, tmp_path, *options)
    assert text.returncode == 0, text.stderr
    assert "400 events" in text.stdout
    assert "chart 0.12.33 records 32 operations" in text.stdout
    document = json.loads(events(server, tmp_path, *options, "-o", "json").stdout)
    assert document["events"] == 400
    page = events(server, tmp_path, *options[:3], "-o", "html").stdout
    assert page.startswith("<!doctype html>")
    assert "--chart-version" in page


def test_strict_and_in_an_envelope(server: EventServer, tmp_path: Path) -> None:
    answer = events(server, tmp_path, "-o", "ndjson", "--ocsf", "strict", "--envelope", "hec")
    assert answer.returncode == 0
    first = json.loads(answer.stdout.splitlines()[0])
    assert first["event"]["metadata"]["version"] == "1.7.0"
    assert first["event"]["time"] == pytest.approx(first["time"] * 1000)
    assert "metadata.version 1.7.0 added" in answer.stderr
    for wrong in (("--ocsf", "strict"), ("--envelope", "hec", "-o", "csv"), ("-o", "html")):
        assert events(server, tmp_path, *wrong).returncode == 2
