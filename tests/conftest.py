"""What the tests share: helm, PostgreSQL, and a practice cluster that is fresh for each test."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wizard.practice.helm_binary import helm_binary
from wizard.practice.postgres import PracticePostgres


@pytest.fixture(scope="session")
def helm3() -> Path:
    """A helm 3 binary, fetched once for all tests when PATH has none."""
    return helm_binary(3)


@pytest.fixture(scope="session")
def helm4() -> Path:
    """A helm 4 binary, fetched once for all tests when PATH has none."""
    return helm_binary(4)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not; gone after the test."""
    folder = Path(tempfile.mkdtemp(prefix="lsa-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PracticePostgres]:
    """A PostgreSQL server for this worker; make a database of your own in it."""
    folder = Path(tempfile.mkdtemp(prefix="lsa-test-"))
    folder.chmod(0o711)
    server = PracticePostgres(folder / "postgres")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)
