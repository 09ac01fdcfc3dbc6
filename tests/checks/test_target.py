"""The checks of what leads to the cluster."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from types import SimpleNamespace

import pytest

from wizard.checks import target
from wizard.checks.check import Besides
from wizard.practice.kubernetes import discovery
from wizard.records.findings import Finding
from wizard.resources import templates
from wizard.systems.kubernetes.ending import certificate_ends, token_ends

ONLY = ("--only", "target")
IDS = [f"LSA{number}" for number in (230, 231, 232, 234)]


@pytest.mark.parametrize("id", IDS)
def test_all_is_well(sees, id) -> None:
    assert sees(id, *ONLY) == [(id, "pass")]


@pytest.mark.parametrize("id", [*IDS, "LSA233"])
def test_nothing_is_green_where_nobody_answers(cluster, sees, id) -> None:
    cluster.kubernetes.faults.stall()
    (told,) = sees(id, *ONLY, "--connect-limit", "1")
    cluster.kubernetes.faults.clear()
    assert told == (("LSA114", "unknown") if id == "LSA230" else ("LSA908", "not-run"))


def test_nobody_verifies_the_server(cluster, sees) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    told = config["clusters"][0]["cluster"]
    del told["certificate-authority-data"]
    told["insecure-skip-tls-verify"] = True
    cluster.kubeconfig.write_text(json.dumps(config))
    assert sees("LSA231", *ONLY) == [("LSA219", "warn")]


def token(seconds: float) -> str:
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    parts = ({"alg": "none"}, {"exp": int(ends.timestamp())})
    coded = (base64.urlsafe_b64encode(json.dumps(it).encode()).decode().rstrip("=") for it in parts)
    return ".".join((*coded, "x"))


def sight(**systems: object) -> SimpleNamespace:
    about = systems.pop("cluster", {})
    cluster = SimpleNamespace(server="https://x.example", context="here", **about)
    return SimpleNamespace(systems=SimpleNamespace(cluster=cluster, **systems))


@pytest.mark.parametrize(
    ("days", "state"), [(400, "pass"), (13, "warn"), (-1, "fail"), (None, "skip")]
)
def test_the_end_of_the_login(days, state) -> None:
    ends = None if days is None else datetime.now(UTC) + timedelta(days=days, seconds=60)
    found = target.lasting(sight(cluster={"login_ends": ends}))
    assert found.state == state
    if days == 13:
        assert "ends in 13 days" in found.message


@pytest.mark.parametrize(
    ("wanted", "have", "state"),
    [
        (">=1.25.0-0", "v1.33.4", "pass"),
        (">= 1.34", "v1.33.4-eks-1", "fail"),
        ("", "v1.33.4", "pass"),
        ("~1.30", "v1.33.4", "pass"),  # told, not judged
        (None, "v1.33.4", "info"),
    ],
)
def test_the_versions_that_the_chart_takes(wanted, have, state) -> None:
    found: Finding = target.version(sight(server_version=have, wanted_kubernetes=wanted))
    assert found.state == state


@pytest.mark.parametrize(("seconds", "state"), [(0, "pass"), (300, "warn"), (-300, "warn")])
def test_a_clock_that_is_wrong(seconds, state) -> None:
    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    found = target.clocks(sight(cluster={"now": now}))
    assert found.state == state
    if seconds:
        assert ("behind" in found.message) == (seconds > 0)


class TestTheEndOf:
    @pytest.mark.parametrize("days", [10, 20_000])
    def test_a_certificate(self, tmp_path, days) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
             "-days", str(days), "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "pem")],
            check=True, capture_output=True,
        )  # fmt: skip
        ends = certificate_ends((tmp_path / "pem").read_bytes())
        assert ends
        assert abs((ends - datetime.now(UTC)).total_seconds() - days * 86_400) < 120

    def test_a_token(self) -> None:
        ends = token_ends(token(3600))
        assert ends
        assert 3500 < (ends - datetime.now(UTC)).total_seconds() <= 3600

    @pytest.mark.parametrize("text", ["", "abc", "a.b.c", "a.e30.c", "a.eyJleHAiOiJ4In0.c"])
    def test_what_does_not_say(self, text) -> None:
        assert token_ends(text) is None
        assert certificate_ends(text.encode()) is None
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
        assert certificate_ends(broken) is None


def test_the_login_of_a_service_account_says_when_it_ends(cluster, found) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    assert config["users"][0]["user"].get("token")
    (told,) = found("LSA233", *ONLY)
    assert told["state"] == "skip"


class TestTheHelmOnPath:
    def test_goes_with_the_cluster(self, cluster, sees, found) -> None:
        assert sees("LSA235", *ONLY) == []
        assert sees("LSA235", "--only", "target", "--only", "LSA235") == [("LSA235", "skip")]
        (told,) = found("LSA235", *ONLY, "--with-helm")
        assert told["state"] == "pass", told

    @pytest.mark.parametrize(
        ("helm", "cluster", "state"),
        [
            ("3.19.0", "v1.34.1", "pass"),
            ("3.19.0", "v1.31.0", "pass"),
            ("3.19.0", "v1.30.9-gke.1", "warn"),
            ("3.19.0", "v1.35.0", "warn"),
            ("4.3.1", "v1.37.0", "pass"),
            ("4.3.1", "v1.33.0", "warn"),
        ],
    )
    def test_was_made_for_four_versions(self, helm, cluster, state) -> None:
        own = SimpleNamespace(version=helm, major=int(helm[0]), binary="/bin/helm")
        looked = sight(helm=own, server_version=cluster)
        looked.besides = Besides(helm=True)
        assert target.helm(looked).state == state

    def test_is_not_there(self, cluster, sees, tmp_path) -> None:
        (tmp_path / "none").mkdir()
        env = {"PATH": str(tmp_path / "none")}
        assert sees("LSA235", *ONLY, "--with-helm", env=env) == [("LSA111", "unknown")]


def test_a_cluster_that_the_chart_does_not_take(cluster, found, tmp_path, monkeypatch) -> None:
    chart = tmp_path / "langsmith"
    shutil.copytree(templates() / "practice" / "chart", chart)
    with (chart / "Chart.yaml").open("a") as file:
        file.write('kubeVersion: ">=1.25.0-0"\n')
    words = ("upgrade", "langsmith", str(chart), "-n", "langsmith", "-f", str(cluster.values))
    cluster.must(cluster.run_helm(*words), "helm upgrade")
    (told,) = found("LSA232", *ONLY)
    assert (told["state"], ">=1.25.0-0" in told["message"]) == ("pass", True)
    monkeypatch.setitem(discovery.VERSION, "gitVersion", "v1.24.9")
    (told,) = found("LSA232", *ONLY)
    assert (told["state"], "1.24.9" in told["message"]) == ("fail", True)


def test_a_login_that_ends_soon(cluster, found, tmp_path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days",
         "10", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    config = json.loads(cluster.kubeconfig.read_text())
    coded = {it: base64.b64encode((tmp_path / it).read_bytes()).decode() for it in ("key", "pem")}
    user = config["users"][0]["user"]
    user |= {"client-certificate-data": coded["pem"], "client-key-data": coded["key"]}
    cluster.kubeconfig.write_text(json.dumps(config))
    (told,) = found("LSA233", *ONLY)
    assert (told["state"], "days" in told["message"]) == ("warn", True)


def test_a_clock_that_is_another_than_the_api_servers(cluster, found, monkeypatch) -> None:
    late = formatdate(time.time() - 300, usegmt=True)
    monkeypatch.setattr("aiohttp.web_response.rfc822_formatted_time", lambda: late)
    (told,) = found("LSA234", *ONLY)
    assert told["state"] == "warn"
    assert told["message"] == "This machine's clock is 5 minutes ahead of the API server's"
