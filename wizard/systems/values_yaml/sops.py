"""Files that SOPS has encrypted: an edit from outside would break their signature."""

from __future__ import annotations

from wizard.systems.values_yaml.gitops import child
from wizard.systems.values_yaml.model import Refusal
from wizard.systems.values_yaml.outline import Node


def refuse_encrypted(root: Node | None, keys: tuple[str, ...]) -> None:
    """Refuse a file with SOPS's own block in it.

    Raises:
        Refusal: the file is encrypted with SOPS.
    """
    block = child(root, "sops")
    if root is None or block is None or block.kind != "mapping":
        return
    names = {key.value for key, _ in block.pairs}
    if "mac" in names or {"lastmodified", "version"} <= names:
        where = ".".join((*keys, "backend.deployment.extraEnv"))
        raise Refusal(
            "LSA327",
            "The file is encrypted with SOPS, which signs every value in it",
            f"sops edit FILE, and add the two variables to {where} there",
            at=next(key.start for key, value in root.pairs if value is block),
        )
