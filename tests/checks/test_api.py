"""The checks of what the audit-logs API answers."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from altered_api import AlteredApi

from wizard.records.checkpoint import Checkpoint

ONLY = ("--only", "target", "--only", "api")
INFO, LOGS = "/api/v1/orgs/current/info", "/api/v1/audit-logs"
KEYS = ("/api/v1/api-key/current", "/api/v1/orgs/current/service-keys")
IDS = [f"LSA{number}" for number in (859, *range(860, 876), 891)]
STATES = dict.fromkeys(IDS, "pass") | {
    "LSA861": "skip", "LSA863": "skip", "LSA865": "skip", "LSA867": "skip",
    "LSA871": "info", "LSA872": "info",
}  # fmt: skip
"""What the practice LangSmith does not tell is left out."""


def days(number: float) -> str:
    return (datetime.now(UTC) + timedelta(days=number, seconds=60)).isoformat()


@pytest.fixture
def api(cluster) -> Iterator[AlteredApi]:
    """The practice LangSmith with other answers; `--url` leads there."""
    with AlteredApi(cluster.url) as altered:
        yield altered


@pytest.fixture
def state(found, api):
    """The state and the message of one check through the altered API."""

    def call(id: str, *arguments: str) -> tuple[str, str]:
        (told,) = found(id, *ONLY, "--url", api.url, *arguments)
        return told["state"], told["message"]

    return call


def of_organization(**more: object):
    return lambda status, data, _path: (status, data | more)


def of_events(change):
    """Alter each page of events by `change(items, path)`."""

    def alter(status: int, data: dict, path: str) -> tuple[int, dict]:
        return status, data | {"items": change(data["items"], path)}

    return alter


def second_page(path: str) -> bool:
    return "cursor=" in path


def test_all_is_well(cluster, found) -> None:
    told = {id: [it["state"] for it in found(id, *ONLY)] for id in IDS}
    assert told == {id: [state] for id, state in STATES.items()}


@pytest.mark.parametrize("id", [id for id in IDS if id != "LSA859"])
def test_nothing_is_green_where_the_api_has_an_error(api, state, id) -> None:
    api.alter[INFO] = lambda *_: (500, {"detail": "no"})
    assert state(id)[0] == ("unknown" if id == "LSA860" else "not-run")


@pytest.mark.parametrize("id", IDS)
def test_nothing_is_green_without_a_key(sees, id) -> None:
    (told,) = sees(id, *ONLY, env={"LANGSMITH_API_KEY": ""})
    assert told == (("LSA892", "unknown") if id == "LSA859" else ("LSA908", "not-run"))


@pytest.mark.parametrize("id", [f"LSA{number}" for number in range(869, 876)])
def test_nothing_of_the_log_is_green_where_it_is_refused(api, state, id) -> None:
    api.alter[LOGS] = lambda *_: (403, {"detail": "no"})
    assert state(id)[0] == "not-run"


@pytest.mark.parametrize(
    ("answer", "id"), [((401, {}), "LSA811"), ((404, {}), "LSA813"), ((200, []), "LSA817")]
)
def test_the_address_and_the_key(api, found, answer, id) -> None:
    api.alter[INFO] = lambda *_: answer
    (told,) = found("LSA860", *ONLY, "--url", api.url)
    assert (told["id"], told["state"]) == (id, "fail")


@pytest.mark.parametrize(("left", "expected"), [(400, "pass"), (10, "warn")])
def test_the_end_of_the_certificate(cluster, found, run, tmp_path, left, expected) -> None:
    key, pem = tmp_path / "key", tmp_path / "pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-days", str(left),
         "-keyout", str(key), "-out", str(pem)],
        check=True, capture_output=True,
    )  # fmt: skip
    with AlteredApi(cluster.url, (pem, key)) as api:
        options = ("--url", api.url, "--ca-file", str(pem))
        (told,) = found("LSA861", *ONLY, *options)
        metrics = run("check", *ONLY, *options, "--format", "prometheus").stdout
    assert told["state"] == expected, told
    (ends,) = re.findall(r"certificate_expiry_timestamp_seconds\{.*\} (\d+)", metrics)
    assert abs(int(ends) - time.time() - left * 86_400) < 600


@pytest.mark.parametrize(
    ("ends", "expected"),
    [(400, "pass"), (3, "warn"), (-1, "fail"), (None, "pass")],
)
def test_the_end_of_the_key(cluster, api, state, ends, expected) -> None:
    ends = ends and days(ends)
    short = f"{cluster.api_key[:8]}...{cluster.api_key[-4:]}"
    listed = [{"short_key": "lsv2_pt_...zzzz"}, {"short_key": short, "expires_at": ends}]
    api.alter |= dict.fromkeys(KEYS, lambda *_: (200, listed))
    assert state("LSA863")[0] == expected


def test_a_key_that_is_not_listed_or_cannot_be(api, state) -> None:
    api.alter |= dict.fromkeys(KEYS, lambda *_: (200, [{"short_key": "lsv2_pt_...zzzz"}]))
    assert state("LSA863")[0] == "skip"
    api.alter |= dict.fromkeys(KEYS, lambda *_: (500, {}))
    assert state("LSA863")[0] == "unknown"


def test_the_permission(api, state) -> None:
    api.alter[INFO] = of_organization(permissions=["workspaces:read"])
    assert state("LSA864")[0] == "fail"
    api.alter[INFO] = of_organization(permissions=None)
    assert state("LSA864")[0] == "skip"


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        ({"disabled": False, "tier": "enterprise"}, "pass"),
        ({"disabled": True}, "fail"),
        ({"member_disabled": True}, "fail"),
        ({"ip_allowlist_enabled": True}, "info"),
    ],
)
def test_what_bars_the_organization(api, state, bars, expected) -> None:
    api.alter[INFO] = of_organization(**bars)
    assert state("LSA865")[0] == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [({"can_use_audit_logs": False}, "fail"), ({}, "skip"), ({"can_use_audit_logs": True}, "pass")],
)
def test_the_servers_own_word(api, state, config, expected) -> None:
    api.alter[INFO] = of_organization(config=config)
    assert state("LSA866")[0] == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [(100, "pass"), (5, "warn"), (-2, "fail"), (4_102_444_800, "pass"), (None, "skip"),
     ("soon", "skip")],
)  # fmt: skip
def test_the_end_of_the_licence(api, state, told, expected) -> None:
    told = days(told) if isinstance(told, int) and told < 1000 else told
    api.alter["/api/v1/info"] = lambda status, data, _: (
        200, (data or {}) | {"license_expiration_time": told},
    )  # fmt: skip
    assert state("LSA867")[0] == expected


def test_another_version_than_the_releases(api, state) -> None:
    api.alter["/api/v1/info"] = lambda *_: (200, {"version": "0.13.1"})
    assert state("LSA868")[0] == "info"
    api.alter["/api/v1/info"] = lambda *_: (503, {})
    assert state("LSA868")[0] in ("unknown", "not-run")


def test_an_event_that_comes_twice(api, state) -> None:
    first: list[dict] = []

    def twice(items: list, path: str) -> list:
        if not second_page(path) and "limit=10" in path:
            first[:] = items
        return [first[0], *items] if second_page(path) else items

    api.alter[LOGS] = of_events(twice)
    assert state("LSA869") == ("fail", "1 event of the first page came again on the second")


def test_an_event_that_is_left_out(api, state) -> None:
    api.alter[LOGS] = of_events(lambda items, path: items[1:] if second_page(path) else items)
    assert state("LSA869") == ("fail", "1 event of one long page were on neither short one")


def test_a_limit_that_is_not_honoured(api, state) -> None:
    api.alter[LOGS] = of_events(lambda items, _: [*items, *items])
    assert state("LSA869") == ("fail", "Asked for 10 events, it gave 20")


def test_one_page_alone(api, state) -> None:
    api.alter[LOGS] = lambda status, data, _: (status, data | {"cursor": None})
    assert state("LSA869")[0] == "skip"


def test_an_event_of_another_shape(api, state) -> None:
    api.alter[LOGS] = of_events(lambda items, _: [items[0] | {"class_uid": 1}, *items[1:]])
    assert state("LSA870")[0] == "fail"
    assert state("LSA891")[0] == "pass"


def bare(value: object) -> object:
    """Without nulls."""
    if isinstance(value, dict):
        return {name: bare(it) for name, it in value.items() if it is not None}
    return value


def strict(items: list, _path: str) -> list:
    """The events without what OCSF does not take."""
    items = [bare(it) for it in items]
    return [
        it | {"metadata": it["metadata"] | {"version": "1.7.0"}, "time": it["time"] * 1000,
              "src_endpoint": {"ip": "10.0.0.1"}}
        for it in items
    ]  # fmt: skip


def test_an_event_that_is_strict(api, state) -> None:
    api.alter[LOGS] = of_events(strict)
    assert state("LSA871")[0] == "pass"
    assert state("LSA872")[0] == "pass"
    assert state("LSA873")[0] == "pass"


def test_times_in_two_units(api, state) -> None:
    api.alter[LOGS] = of_events(lambda items, path: [*strict(items[:1], path), *items[1:]])
    assert state("LSA872")[0] == "warn"


def test_looks_at_the_log_are_no_news(api, state) -> None:
    def looked(items: list, _path: str) -> list:
        return [it | {"api": {"operation": "get_audit_logs"}} for it in items]

    api.alter[LOGS] = of_events(looked)
    assert state("LSA873") == ("info", "Nothing was recorded in the last 30 days")


def test_no_event_at_all(api, state) -> None:
    api.alter[LOGS] = lambda status, data, _: (status, {"items": [], "cursor": None})
    for id, expected in (("LSA870", "skip"), ("LSA871", "skip"), ("LSA872", "skip"),
                         ("LSA873", "info"), ("LSA875", "pass")):  # fmt: skip
        assert state(id)[0] == expected


def test_a_slow_answer(api, state) -> None:
    def slow(status: int, data: dict, path: str) -> tuple[int, dict]:
        if not second_page(path) and "limit=10" in path:
            time.sleep(2.1)
        return status, data

    api.alter[LOGS] = slow
    assert state("LSA874")[0] == "info"


class TestTheApiAndTheTable:
    def test_an_event_that_is_not_in_the_table(self, api, found) -> None:
        def other(items: list, _path: str) -> list:
            uid = "00000000-0000-4000-8000-000000000000"
            return [items[0] | {"metadata": items[0]["metadata"] | {"uid": uid}}, *items[1:]]

        api.alter[LOGS] = of_events(other)
        (told,) = found("LSA875", *ONLY, "--url", api.url)
        assert told["state"] == "fail"
        assert told["evidence"][0] == "only in the API: 00000000-0000-4000-8000-000000000000"

    def test_an_entry_that_the_api_leaves_out(self, api, found) -> None:
        gone: list[str] = []

        def without(items: list, path: str) -> list:
            if "limit=10" in path and not second_page(path):
                gone.append(items[4]["metadata"]["uid"])
            return [*items[:4], *items[5:]]

        api.alter[LOGS] = of_events(without)
        (told,) = found("LSA875", *ONLY, "--url", api.url)
        assert told["evidence"] == [f"only in the table: {gone[0]}"]

    def test_a_table_that_cannot_be_read(self, cluster, sees) -> None:
        for verb, what, sub in (("get", "pods", "portforward"), ("*", "pods", "exec")):
            cluster.kubernetes.faults.forbid(verb, what, sub)
        assert sees("LSA875", *ONLY)[0][1] in ("unknown", "not-run")

    def test_a_database_that_nobody_reads(self, sees) -> None:
        assert sees("LSA875", *ONLY, "--database", "manual") == [("LSA875", "skip")]


class TestTheExport:
    @pytest.mark.parametrize(
        ("hours", "within", "state"), [(0.5, "1h", "pass"), (2, "1h", "fail"), (2, "3h", "pass")]
    )
    def test_keeps_up_or_not(self, found, tmp_path, hours, within, state) -> None:
        through = datetime.now(UTC) - timedelta(hours=hours)
        kept = Checkpoint(tmp_path / "state", {"source": "api"})
        with kept:
            kept.reached(through)
            kept.save()
        options = ("--events-state", str(kept.path), "--events-within", within)
        (told,) = found("LSA876", "--only", "LSA876", *options)
        assert told["state"] == state
        assert f"{through:%Y-%m-%d %H:%M:%SZ}" in told["message"]
        assert bool(told["next_step"]) == (state == "fail")

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"through": 3}', None])
    def test_is_not_known(self, sees, tmp_path, text) -> None:
        if text is not None:
            (tmp_path / "state").write_text(text)
        options = ("--events-state", str(tmp_path / "state"))
        assert sees("LSA876", "--only", "LSA876", *options) == [("LSA876", "unknown")]
        assert sees("LSA876", "--only", "LSA876") == [("LSA876", "skip")]


@pytest.mark.parametrize(("answer", "expected"), [(403, "fail"), (404, "fail"), (500, "unknown")])
def test_a_log_that_does_not_answer(api, state, answer, expected) -> None:
    api.alter[LOGS] = lambda *_: (answer, {"detail": "no"})
    assert state("LSA891")[0] == expected
