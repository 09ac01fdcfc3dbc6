"""`langsmith-audit rbac`: the Role that a walk needs, as YAML. It changes nothing."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from wizard.engine.answers import Answers
from wizard.engine.look import tell_remarks
from wizard.engine.rights import NEEDS, at_work, objects, rights_of
from wizard.problems import Exit
from wizard.systems.access import Systems
from wizard.systems.kubernetes.rbac import Right, roles_text
from wizard.systems.release.helm_rights import helm_rights, most_kept

NAMESPACE = "langsmith"
"""Where nobody names one, and no cluster is asked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which walk, and whether to look at the release."""
    parser.add_argument(
        "--for",
        dest="walk",
        choices=tuple(NEEDS),
        default="run",
        help="what is to be done with it (default: run)",
    )
    parser.add_argument(
        "--from-release",
        action="store_true",
        help="look at the release for what helm needs: the kinds in its manifest, its hooks, this "
        "helm's version (without it: those of a chart with few values, for helm 3 and 4)",
    )


def main(args: argparse.Namespace) -> Exit:
    """Print the Role, and the ClusterRole where one is needed.

    Raises:
        Problem: the release cannot be read.
    """
    answers = Answers(args.settings, may_ask=False)
    if args.from_release:
        with Systems(answers.locate()) as systems:
            rights = _from_release(systems, args.walk)
            tell_remarks(systems)
            namespace = systems.target.namespace
    else:
        target = answers.target()
        namespace = target.namespace or NAMESPACE
        rights = list(rights_of(args.walk, namespace, database=target.database, kind="Deployment"))
    name = f"langsmith-audit-{args.walk}"
    sys.stdout.write(f"# What langsmith-audit {args.walk} needs. Bind it to whoever does it:\n")
    sys.stdout.write(f"# kubectl create rolebinding {name} -n {namespace} --role {name} --user …\n")
    sys.stdout.write(roles_text(rights, name))
    return Exit.OK


def _from_release(systems: Systems, walk: str) -> list[Right]:
    """What the walk needs for this release, and helm for its objects, hooks and history."""
    changes = walk not in ("check", "plan")
    here, release = systems.installation, systems.release.namespace
    kind, database = here.backend.kind, systems.target.database
    rights = list(rights_of(walk, here.namespace, database=database, kind=kind, helm=False))
    if here.namespace != release:  # helm's records stay there
        rights += [replace(it, namespace=release) for it in rights if it.what == "secrets"]
        rights += [replace(it, namespace=release) for it in rights if it.what == "leases"]
    old = objects(systems, systems.manifest)
    if walk != "check":
        found = helm_rights(at_work(systems, "upgrade"), old, old)
        rights += [it for it in found if it.verb == "get"]  # compared with what is live
    if changes:
        rights += _of_helm(systems, walk)
    return rights


def _of_helm(systems: Systems, walk: str) -> list[Right]:
    """A run may offer a rollback: what that needs is asked for with it."""
    old = objects(systems, systems.manifest)
    new = old | objects(systems, systems.hooks)
    found: list[Right] = []
    for operation in ("upgrade", "rollback") if walk != "undo" else ("rollback",):
        work = replace(at_work(systems, operation), full=bool(most_kept()))
        found += helm_rights(work, old, new)
    return found
