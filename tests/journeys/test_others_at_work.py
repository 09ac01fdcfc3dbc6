"""Another helm acts on the release at the same moment, and comes to its end."""

from __future__ import annotations

from leftovers import NOTHING, backend_env, refused

from wizard.article import WANTED
from wizard.practice.cluster import PracticeCluster
from wizard.practice.scenarios import SCENARIOS, stage
from wizard.practice.scenarios.tools import SEEN_LIMIT, revision_status


def test_when_the_other_helm_has_ended_nothing_is_in_the_way(cluster: PracticeCluster, run) -> None:
    stage(cluster, SCENARIOS["another-helm"])
    refused(cluster, run("run", "--yes", "--all"), 3, "LSA152", "may still be at work", NOTHING)
    assert WANTED[0] not in backend_env(cluster)
    cluster.kubernetes.faults.clear()  # its hook, which the scenario holds for a while, ends
    cluster.kubernetes.until(lambda: revision_status(cluster, 2) == "deployed", timeout=SEEN_LIMIT)
    again = run("plan", "--all", "--detailed-exitcode")
    assert again.returncode == 6, again.stderr
