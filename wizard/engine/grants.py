"""What somebody who runs one command is granted: in the cluster, in the database, at the API.

All of it is made from what the steps and findings declare (`wizard.engine.rights.NEEDS`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from wizard.arguments import DATABASE, PROOF, SECRETS
from wizard.engine.rights import NEEDS, rights_of
from wizard.record import dataclass
from wizard.systems.kubernetes.rbac import Right, binding, roles

if TYPE_CHECKING:
    import argparse

    from wizard.settings import Target
    from wizard.systems.release.installation import DatabaseReference

FORWARDED = "pods/portforward"
INTO = (FORWARDED, "pods/exec")
"""What leads into pods, and so to the database."""


@dataclass(frozen=True)
class Tier:
    """How much of a walk's rights is wanted.

    Attributes:
        walk: a command that NEEDS tells of.
        secrets: whether Secrets may be read: helm keeps its releases in them. Without, labels tell
            the chart's version, and the release's state is unknown.
        database: whether the database is to be reached, which without `secrets` takes the one
            Secret that has its URL.
        proof: whether `--prove` is wanted.
    """

    walk: str
    secrets: bool = True
    database: bool = True
    proof: bool = False

    def of(self, rights: Iterable[Right], namespace: str, named: Iterable[str]) -> list[Right]:
        """Those of a walk's rights that the tier leaves; `named` are the database's Secrets."""
        left = [it for it in rights if self.secrets or it.what != SECRETS]
        if not self.database:
            return [it for it in left if it.what not in INTO]
        if not self.secrets:
            left += [Right("get", SECRETS, "", namespace, name) for name in named]
        return left

    def sql(self, schema: str, role: str) -> Iterator[str]:
        """The statements that make the login of its own, with what the walk needs there alone."""
        from wizard.systems.postgres.statements import grants, readable

        needs = {(it.verb, it.what) for it in NEEDS[self.walk] if it.system == "sql"}
        reads = all(verb == "select" for verb, _ in needs)
        for line in (readable("login", role=role) + ";").splitlines():
            if reads or "read_only" not in line:
                yield line
        for line in grants(schema, role):
            told = any(f"GRANT {verb.upper()} " in line and f".{what} TO " in line
                       for verb, what in needs)  # fmt: skip
            if told or "ON SCHEMA" in line:
                yield line

    def asked(self) -> Iterator[str]:
        """What is asked of LangSmith's API, a request each."""
        for it in dict.fromkeys(NEEDS[self.walk]):
            if it.system == "url" and (self.proof or it.way != PROOF):
                yield f"{it.verb} {it.what}"


def database_secrets(reference: DatabaseReference) -> tuple[str, ...]:
    """The Secrets that lead to the database."""
    others = (it.secret for it in (reference.authority, reference.client) if it)
    return tuple(dict.fromkeys((reference.secret, *others)))


def usual_secret(release: str) -> str:
    """The Secret that has the database's URL in a release that renames nothing."""
    full = release if "langsmith" in release else f"{release}-langsmith"
    return f"{full[:63].rstrip('-')}-postgres"


def service_account(name: str, namespace: str) -> dict[str, str]:
    """A ServiceAccount as a RoleBinding names it."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def granted(rights: Iterable[Right], name: str, subject: dict[str, str]) -> list[dict[str, Any]]:
    """The Roles and what binds them."""
    found = roles(rights, name)
    return [*found, *(binding(role, subject) for role in found)]


def declared(tier: Tier, target: Target, *, kind: str = "Deployment") -> list[Right]:
    """What the tier needs of a release that renames nothing, in the target's namespace."""
    rights = rights_of(tier.walk, target.namespace, database=target.database, kind=kind)
    secrets = () if target.database_url_file else (usual_secret(target.release),)
    return tier.of(rights, target.namespace, secrets)


def tier_of(args: argparse.Namespace, walk: str) -> Tier:
    """The tier that was asked for."""
    secrets = SECRETS not in args.without
    database = DATABASE in args.besides or (secrets and DATABASE not in args.without)
    return Tier(walk, secrets, database, PROOF in args.besides)
