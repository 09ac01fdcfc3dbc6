"""What the tests share: helm, PostgreSQL, and a practice cluster that is fresh for each test."""

from pathlib import Path

import pytest

from wizard.practice.helm_binary import helm_binary


@pytest.fixture(scope="session")
def helm3() -> Path:
    """A helm 3 binary, fetched once for all tests when PATH has none."""
    return helm_binary(3)


@pytest.fixture(scope="session")
def helm4() -> Path:
    """A helm 4 binary, fetched once for all tests when PATH has none."""
    return helm_binary(4)
