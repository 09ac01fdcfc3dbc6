"""The Roles that `langsmith-audit rbac` prints, and the same with less in them."""

from collections.abc import Iterable

import forked
import yaml

from wizard.practice.cluster import PracticeCluster
from wizard.systems.kubernetes.rbac import Right, roles


def role(cluster: PracticeCluster, walk: str, *options: str) -> list[dict]:
    answer = forked.call(("rbac", "--for", walk, *options), cluster.environment())
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    return [it for it in yaml.safe_load_all(answer.stdout) if "rules" in it]


def rights(documents: Iterable[dict]) -> set[Right]:
    return {
        Right(verb, what, group, document["metadata"].get("namespace", ""), name)
        for document in documents
        for rule in document["rules"]
        for group in rule["apiGroups"]
        for what in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", ("",))
    }


def without(documents: Iterable[dict], right: Right) -> list[dict]:
    """The same Role, but for one right."""
    return roles(rights(documents) - {right}, "less")
