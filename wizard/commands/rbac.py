"""`langsmith-audit rbac`: the least rights that a walk needs, to be handed out. It changes nothing.

Role and RoleBinding as YAML, or with `--sql` the login for the database.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from wizard.engine.answers import Answers
from wizard.engine.grants import (
    Tier,
    database_secrets,
    declared,
    granted,
    service_account,
    tier_of,
)
from wizard.engine.look import tell_remarks
from wizard.engine.rights import LOOKS, at_work, objects, rights_of
from wizard.problems import Exit
from wizard.record import replace
from wizard.safe import safe
from wizard.settings import Target
from wizard.systems.access import Systems
from wizard.systems.kubernetes.rbac import GROUP, Right, as_yaml
from wizard.systems.release.helm_rights import helm_rights, most_kept

NAMESPACE = "langsmith"
"""Where nobody names one, and no cluster is asked."""


def main(args: argparse.Namespace) -> Exit:
    """Print the Roles with what binds them, or the SQL.

    Raises:
        Problem: the release cannot be read.
    """
    answers, tier = Answers(args.settings, may_ask=False), tier_of(args, args.walk)
    if args.sql:
        sys.stdout.write(_sql(tier, args))
        return Exit.OK
    if args.from_release:
        with Systems(answers.locate()) as systems:
            target, rights = systems.target, _from_release(systems, tier)
            tell_remarks(systems)
    else:
        target = answers.target()
        target = replace(target, namespace=target.namespace or NAMESPACE)
        rights = declared(tier, target)
    subject = service_account(args.service_account, target.namespace)
    if args.user or args.group:
        kind = "User" if args.user else "Group"
        subject = {"kind": kind, "name": args.user or args.group, "apiGroup": GROUP}
    sys.stdout.write("".join(f"# {line}\n" for line in _head(tier, target)))
    sys.stdout.write(as_yaml(granted(rights, f"langsmith-audit-{args.walk}", subject)))
    return Exit.OK


def _head(tier: Tier, target: Target) -> Iterable[str]:
    """What is to be known of it."""
    yield f"What langsmith-audit {tier.walk} needs: kubectl apply -f -"
    if not tier.secrets:
        yield "Without Secrets: say -n, --release and --url: helm's record is not read."
    if not tier.secrets and tier.database and not target.database_url_file:
        yield "The Secret is that of a release which renames nothing; --from-release looks."
    if not tier.database:
        yield "Without the way to the database, what is stored there is unknown."
    for request in tier.asked():
        yield f"LangSmith's API is asked: {request}"
    yield f"For the database, a login of its own: langsmith-audit rbac --for {tier.walk} --sql"


def _sql(tier: Tier, args: argparse.Namespace) -> str:
    from wizard.systems.postgres.statements import readable

    role, schema = args.sql_role, args.sql_schema
    told = [
        f"What langsmith-audit {tier.walk} needs of the database, for a login of its own.",
        "Run it as the owner of the tables; then give the login a password (\\password in psql).",
        "A table that a migration makes anew loses these grants. This keeps them, and gives the",
        "login all tables to come (OWNER is who runs the migrations):",
        readable("keep_grants", owner="OWNER", role=role, schema=schema) + ";",
    ]
    head, end = ([f"-- {safe(line)}" for line in part] for part in (told[:2], told[2:]))
    return "\n".join([*head, *tier.sql(schema, role), *end, ""])


def _from_release(systems: Systems, tier: Tier) -> list[Right]:
    """What the walk needs for this release, and helm for its objects, hooks and history."""
    walk, changes = tier.walk, tier.walk not in (*LOOKS, "plan")
    here, release = systems.installation, systems.release.namespace
    kind, database = here.backend.kind, systems.target.database
    rights = list(rights_of(walk, here.namespace, database=database, kind=kind, helm=False))
    if here.namespace != release:  # helm's records stay there
        rights += [replace(it, namespace=release) for it in rights if it.what == "secrets"]
        rights += [replace(it, namespace=release) for it in rights if it.what == "leases"]
    old = objects(systems, systems.manifest)
    if walk not in LOOKS:
        found = helm_rights(at_work(systems, "upgrade"), old, old)
        rights += [it for it in found if it.verb == "get"]  # compared with what is live
    if changes:
        rights += _of_helm(systems, walk)
    direct = systems.target.database_url_file
    secrets = () if direct else database_secrets(here.database)
    return tier.of(rights, here.namespace, secrets)


def _of_helm(systems: Systems, walk: str) -> list[Right]:
    """A run may offer a rollback: what that needs is asked for with it."""
    old = objects(systems, systems.manifest)
    new = old | objects(systems, systems.hooks)
    found: list[Right] = []
    for operation in ("upgrade", "rollback") if walk != "undo" else ("rollback",):
        work = replace(at_work(systems, operation), full=bool(most_kept()))
        found += helm_rights(work, old, new)
    return found
