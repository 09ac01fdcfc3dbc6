"""The shell scripts, without a package index, and what they install."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = ("dev", "practice")
LIMIT = 90

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sh")


@pytest.fixture
def checkout(tmp_path):
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("pyproject.toml", *(f"requirements-{extra}.txt" for extra in LOCKS)):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.fixture
def tools(checkout):
    folder = checkout / "tools"
    folder.mkdir()
    for name in ("cat", "cksum", "dirname", "mkdir", "cp", "rm"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


@pytest.fixture
def python(tools):
    """Stands for Python 3.11: its environments hold programs that say how they were called."""
    told = tools / "told"
    told.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "${0##*/} $*"\n')
    told.chmod(0o755)
    python = tools / "python3"
    python.write_text(
        "#!/bin/sh\n"
        '[ "$2" = venv ] || exit 0\n'
        'rm -rf "$4" && mkdir -p "$4/bin"\n'
        f'for name in python langsmith-audit uv; do cp "{told}" "$4/bin/$name"; done\n'
    )
    python.chmod(0o755)
    return python


def call(checkout, script, path, *arguments):
    return subprocess.run(
        ["/bin/sh", str(checkout / "scripts" / script), *arguments],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )


@pytest.mark.parametrize("script", ["practice", "test", "lock"])
def test_no_python(checkout, tools, script):
    answer = call(checkout, script, tools)
    assert answer.returncode == 2
    assert "no Python 3.11 or later" in answer.stderr


def test_a_python_without_venv(checkout, tools, python):
    python.write_text("#!/bin/sh\ncase $2 in *venv*) exit 1;; esac\nexit 0\n")
    answer = call(checkout, "practice", tools)
    assert answer.returncode == 2
    assert "apt install python3-venv" in answer.stderr


@pytest.mark.parametrize("script", ["practice", "test"])
def test_an_environment_that_fits_is_used_again(checkout, tools, python, script):
    extra = {"practice": "practice", "test": "dev"}[script]
    venv = checkout / {"practice": ".venv-practice", "test": ".venv"}[script]
    installing = call(checkout, script, tools, "--list")
    assert f"--require-hashes --requirement {checkout}/requirements-{extra}.txt" in (
        installing.stdout
    )
    (venv / "left").touch()
    again = call(checkout, script, tools, "--keep", "a b")
    program = {"practice": "langsmith-audit practice", "test": "python -m pytest"}[script]
    assert again.stdout == f"{program} --keep a b\n"
    for changed in ("pyproject.toml", f"requirements-{extra}.txt"):
        (venv / "left").touch()
        with (checkout / changed).open("a") as file:
            file.write("\n")
        assert "pip install" in call(checkout, script, tools).stdout
        assert not (venv / "left").exists()


def test_the_newest_and_the_oldest_have_environments_of_their_own(checkout, tools, python):
    newest = call(checkout, "test", tools, "--newest", "tests/test_x.py").stdout.splitlines()
    assert newest[-1] == "python -m pytest tests/test_x.py"
    assert [line for line in newest if "pip install" in line] == [
        f"python -m pip install --quiet --disable-pip-version-check --editable {checkout}[dev]"
    ]
    oldest = call(checkout, "test", tools, "--oldest", "tests/test_x.py").stdout.splitlines()
    assert oldest[-1] == "python -m pytest tests/test_x.py"
    (resolved,) = [line for line in oldest if line.startswith("uv ")]
    assert f"--python {checkout}/.venv-oldest/bin/python --resolution lowest-direct" in resolved
    again = call(checkout, "test", tools, "--oldest", "tests/test_x.py").stdout.splitlines()
    assert again == ["python -m pytest tests/test_x.py"]
    assert not (checkout / ".venv").exists()


def locked(name):
    """Each requirement of a lock, and its hashes; every line of the file is one of these."""
    text = (ROOT / f"requirements-{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = {}
    for line in lines:
        words, *hashes = re.split(r"\s+--hash=sha256:", line)
        requirement = Requirement(words)
        found[requirement.name, str(requirement.marker or "")] = (requirement, hashes)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_each_version_is_pinned_and_its_files_are_known(name):
    for requirement, hashes in locked(name).values():
        assert [it.operator for it in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert hashes
        assert all(re.fullmatch("[0-9a-f]{64}", it) for it in hashes), requirement


def test_practice_gets_what_development_gets():
    dev, practice = (
        {str(requirement) for requirement, _ in locked(name).values()} for name in LOCKS
    )
    assert practice < dev


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_has_all_that_pyproject_asks_for(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    asked = [
        *project["project"]["dependencies"],
        *extras["practice"],
        *(extras["dev"] if name == "dev" else ()),
        *project["dependency-groups"]["build"],
        *project["build-system"]["requires"],
    ]
    versions = {}
    for requirement, _ in locked(name).values():
        key = canonicalize_name(requirement.name)
        versions.setdefault(key, []).append(next(iter(requirement.specifier)).version)
    for requirement in map(Requirement, asked):
        if requirement.name != project["project"]["name"]:
            found = versions[canonicalize_name(requirement.name)]
            assert all(map(requirement.specifier.contains, found)), requirement


def test_the_wheel_has_every_template_and_no_page_for_readers():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = build["targets"]["wheel"]["force-include"]
    there = {it.name for it in (ROOT / "templates").iterdir()} - {"docs"}
    assert included == {f"templates/{it}": f"wizard/_templates/{it}" for it in there}


def test_a_release_is_made_of_what_is_committed_alone(checkout):
    subprocess.run(["git", "init", "--quiet", checkout], check=True)
    release = [str(checkout / "scripts" / "release")]
    for arguments, told in (
        ([], "Commit first: a release is made of what is committed."),
        (["--upload"], "--no-audit]"),
    ):
        done = subprocess.run(release + arguments, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert told in done.stderr
    assert not (checkout / "dist").exists()
