"""Credential plugins: what they are given, what they give, how they fail, what a person sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from terminal import ENTER, Terminal

from wizard.problems import Problem
from wizard.systems.kubernetes import plugin
from wizard.systems.kubernetes.kubeconfig import ContextInfo, Entry
from wizard.systems.kubernetes.plugin import Plugin
from wizard.terminal import LAST_LINE

V1 = "client.authentication.k8s.io/v1"
CODE = "open https://microsoft.com/devicelogin and enter ABC-DEF"
Make = Callable[..., Plugin]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A plugin that runs this Python script, from a kubeconfig in this folder."""

    def made(script: str, cluster: dict[str, Any] | None = None, **more: Any) -> Plugin:
        program = tmp_path / "get-token"
        program.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{script}\n")
        program.chmod(0o700)
        told = {"apiVersion": V1, "command": "./get-token", "interactiveMode": "IfAvailable"}
        user = Entry("users", "u", {"exec": {**told, **more}}, tmp_path / "config")
        entry = Entry("clusters", "c", cluster or {}, tmp_path / "config")
        words = "credential plugin get-token"
        info = ContextInfo("here", "https://k", "ls", "u", True, words, entry, user)
        return Plugin(info)

    return made


def gives(**status: str) -> str:
    answer = {"kind": "ExecCredential", "apiVersion": V1, "status": status}
    return f"print({json.dumps(json.dumps(answer))})"


def refused(work: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as caught:
        work()
    assert caught.value.id == "LSA212"
    assert caught.value.__cause__ is None
    return caught.value


def test_what_a_plugin_is_given(make: Make, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_needle")
    monkeypatch.setenv("PGPASSWORD", "needle")
    told = f"json.dump([dict(os.environ), sys.argv[1:]], open({str(tmp_path / 'told')!r}, 'w'))"
    cluster = {
        "server": "https://k", "certificate-authority-data": "Q0E=", "tls-server-name": "n",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"a": 1}}],
    }  # fmt: skip
    made = make(f"{told}\n{gives(token='t')}", cluster, args=["get", "x"], provideClusterInfo=True,
                env=[{"name": "OWN", "value": "1"}])  # fmt: skip
    assert made.shown().authorization == "Bearer t"
    environ, argv = json.loads((tmp_path / "told").read_text())
    assert (argv, environ["OWN"]) == (["get", "x"], "1")
    assert "needle" not in "".join(environ.values())
    info = json.loads(environ["KUBERNETES_EXEC_INFO"])
    assert (info["apiVersion"], info["kind"]) == (V1, "ExecCredential")
    assert info["spec"]["interactive"] is False
    assert info["spec"]["cluster"] == {
        "server": "https://k", "certificate-authority-data": "Q0E=", "tls-server-name": "n",
        "config": {"a": 1},
    }  # fmt: skip


@pytest.mark.parametrize("lasts", [timedelta(hours=1), timedelta(seconds=-1), None])
def test_a_token_is_kept_until_it_expires_or_is_refused(
    make: Make, tmp_path, lasts, monkeypatch
) -> None:
    ends = (datetime.now(UTC) + lasts).isoformat() if lasts else ""
    made = make(f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\n"
                + gives(token="t", expirationTimestamp=ends))  # fmt: skip
    for _ in range(3):
        assert made.shown().authorization == "Bearer t"
    expired = lasts is not None and lasts < timedelta()
    assert (tmp_path / "runs").read_text() == "x" * (3 if expired else 1)
    assert not made.refused()  # it was asked just now
    monkeypatch.setattr(plugin, "PAUSE", 0.0)
    assert made.refused()
    made.shown()
    assert len((tmp_path / "runs").read_text()) == (4 if expired else 2)


def test_a_certificate(make: Make) -> None:
    shown = make(gives(clientCertificateData="CERT", clientKeyData="KEY")).shown()
    assert (shown.certificate, shown.key, shown.authorization) == (b"CERT", b"KEY", "")
    assert "KEY" not in repr(shown)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sys.exit(3)", "failed with exit code 3"),
        ("print('no JSON')", "gave no ExecCredential"),
        ("print('[]')", "gave no ExecCredential"),
        ("print('null')", "gave no ExecCredential"),
        (gives(), "gave neither a token nor a certificate"),
        (gives(clientKeyData="KEY"), "gave neither a token nor a certificate"),
        (gives(token="t").replace("v1", "v1beta1"), "speaks client.authentication.k8s.io/v1beta1"),
        (gives().replace("status", "other"), "gave no status"),
        ("os.kill(os.getpid(), 9)", "failed with exit code -9"),
    ],
)
def test_a_plugin_that_fails_is_quoted(make: Make, script: str, words: str) -> None:
    made = make(f"print({CODE!r}, 'password=S3CRET', file=sys.stderr, flush=True)\n{script}")
    problem = refused(made.shown)
    assert words in problem.what
    assert "plugin get-token of user u" in problem.what
    assert problem.detail == (f"{CODE} password=***",)


def test_a_plugin_that_hangs_is_given_up(make: Make, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(plugin, "LIMIT", 2.0)
    made = make("")
    # Not in Python: that alone may take a busy machine as long to start as it has here.
    (tmp_path / "get-token").write_text(f"#!/bin/sh\necho '{CODE}' >&2\nexec sleep 60\n")
    began = time.monotonic()
    problem = refused(made.shown)
    assert "did not end within 2 seconds" in problem.what
    assert problem.detail == (CODE,)
    assert 2.0 < time.monotonic() - began < 20


def test_what_it_leaves_running_keeps_nobody(make: Make) -> None:
    script = "import subprocess\nsubprocess.Popen(['sleep', '60'])\n" + gives(token="t")
    began = time.monotonic()
    assert make(script).shown().authorization == "Bearer t"
    assert time.monotonic() - began < 20


def test_what_it_leaves_running_may_speak_and_is_drawn_over(capsys) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    ours, its = os.pipe()
    os.write(its, b"still here")
    os.close(its)
    plugin._collect(os.fdopen(ours, "rb"), bytearray(), ended)
    assert LAST_LINE.draw("looking")
    assert LAST_LINE.draw("")
    assert "still here\n\r\x1b[2Klooking" in capsys.readouterr().err


def test_a_device_code_is_seen_in_a_terminal_before_the_plugin_ends(tmp_path: Path) -> None:
    program = tmp_path / "log-in"
    program.write_text(
        f"#!/bin/sh\nprintf '%s: ' '{CODE}' >&2\nread answer\necho \"got $answer\" >&2\nexit 4\n"
    )
    program.chmod(0o700)
    user = {"exec": {"apiVersion": V1, "command": "./log-in", "interactiveMode": "IfAvailable"}}
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    env = {"PATH": os.defpath, "HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "config")}
    with Terminal("check", "-n", "ls", "--release", "ls", env=env) as terminal:
        terminal.wait_for("enter ABC-DEF:")
        time.sleep(0.5)  # a person reads it, and nothing is drawn over it
        terminal.send("7" + ENTER)
        assert terminal.end() == 5
        shown = " ".join(terminal.text().split())
    assert "got 7" in shown
    assert "failed with exit code 4" in shown
    assert shown.count("enter ABC-DEF") == 2  # at once, and in the finding
