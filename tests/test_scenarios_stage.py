"""Each scenario comes up and is what it says, seen through the API and helm, not the wizard."""

from __future__ import annotations

import pytest

from wizard.practice.scenarios import SCENARIOS, stage


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_comes_up(cluster, name):
    stage(cluster, SCENARIOS[name])
