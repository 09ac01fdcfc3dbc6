"""A run in a pod of the practice cluster: the service account's files, no kubeconfig, no helm."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wizard.cli import main
from wizard.practice.cluster import PracticeCluster

READERS = ("wizard.systems.kubernetes.kubeconfig", "wizard.systems.kubernetes.cluster")


def in_a_pod(
    cluster: PracticeCluster,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Runs `langsmith-audit …` there; gives the exit code and what it wrote."""
    account = folder / "account"
    account.mkdir()
    (account / "token").write_text(cluster.kubernetes.token)
    (account / "ca.crt").write_text(cluster.kubernetes.certificate)
    (account / "namespace").write_text(cluster.namespace)
    for name in cluster.environment():
        if name.startswith(("HELM_", "KUBE", "LANGSMITH")):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    host, port = cluster.kubernetes.url.removeprefix("https://").rsplit(":", 1)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(folder / "state"))
    for module in READERS:
        monkeypatch.setattr(f"{module}.SERVICE_ACCOUNT", account)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        return (code, *capfd.readouterr())

    return call
