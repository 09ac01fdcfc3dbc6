"""A needle in each secret of a whole run, and every place that it could be found in afterwards."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest
from gateway import Gateway
from leftovers import secrets_of

from wizard.practice.cluster import PracticeCluster
from wizard.practice.listening import self_signed

PROXY_PASSWORD = "needle-of-the-proxy"
NOTED = """
import json, os, sys
with open(os.environ["NOTED"], "ab", 0) as file:  # one write: several run at a time
    file.write((json.dumps([sys.argv, dict(os.environ)]) + "\\n").encode())
os.execv({helm!r}, [{helm!r}, *sys.argv[1:]])
"""


@pytest.fixture
def places(cluster: PracticeCluster, tmp_path: Path) -> dict[str, Path]:
    """A helm that notes how it is called, a folder for temporary files, and a plan's place."""
    helm = cluster.home / "bin" / "helm"
    real = str(helm.resolve())
    helm.unlink()
    helm.write_text(f"#!{sys.executable}\n{NOTED.format(helm=real)}")
    helm.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    return {"noted": tmp_path / "noted", "tmp": tmp_path / "tmp", "plan": tmp_path / "plan.json"}


def needles(cluster: PracticeCluster, folder: Path) -> dict[str, str]:
    """Every secret; the kubeconfig gets a client certificate besides its token."""
    certificate, key = (file.read_bytes() for file in self_signed(folder))
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] |= {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }
    cluster.kubeconfig.write_text(json.dumps(config))
    return {
        **secrets_of(cluster),
        "token": cluster.kubernetes.token,
        "client key": key.decode().splitlines()[1],
        "client key in base64": base64.b64encode(key).decode(),
        "proxy password": PROXY_PASSWORD,
    }


def test_no_secret_of_a_whole_run_is_anywhere(cluster, run, places, tmp_path) -> None:
    secret = needles(cluster, tmp_path)
    assert len(secret) > 9
    said = ""
    with Gateway("http", leads_to=1) as gateway:
        proxy = gateway.url.replace("://", f"://me:{PROXY_PASSWORD}@")
        env = {
            "NOTED": str(places["noted"]),
            "TMPDIR": str(places["tmp"]),
            "PGPASSWORD": cluster.postgres.password,
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy),
        }
        for walk in (
            ("plan", "--all", "-o", str(places["plan"])),
            ("run", "--yes", "--all"),
            ("check", "--format", "json"),
            ("orgs", "--format", "json"),
            ("undo", "--yes"),
        ):
            answer = run(*walk, env=env)
            assert answer.returncode == 0, (walk, answer.stdout, answer.stderr)
            said += answer.stdout + answer.stderr
    calls = [json.loads(line) for line in places["noted"].read_text().splitlines()]
    assert calls
    texts = {
        "what was said": said,
        "the plan": places["plan"].read_text(),
        "what a proxy heard": gateway.heard.decode("latin-1"),
        "command lines": repr([argv for argv, _ in calls]),
        "what a child was given": repr([_without_the_proxy(given) for _, given in calls]),
        "requests to the API server": repr(list(cluster.kubernetes.requests)),
        **{str(path): path.read_text(errors="replace") for path in _files(places["tmp"])},
        **{
            str(path): path.read_text(errors="replace")
            for path in _files(cluster.home / "state")
            if not path.name.endswith("-values.yaml")  # the copy that undo needs
        },
    }
    found = [
        (place, name) for place, text in texts.items() for name in secret if secret[name] in text
    ]
    assert found == []
    assert _files(places["tmp"]) == []


def _without_the_proxy(environ: dict[str, str]) -> dict[str, str]:
    """The variables of a child, without those that it needs to get through the proxy."""
    return {name: text for name, text in environ.items() if "PROXY" not in name.upper()}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
