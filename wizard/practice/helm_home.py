"""The folder in which the practice cluster's helm keeps its repositories and its cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class HelmHome:
    """Where helm finds `langchain`, apart from the helm of who works on this machine."""

    folder: Path

    @property
    def repositories(self) -> Path:
        """The file with the repositories and their aliases."""
        return self.folder / "config" / "repositories.yaml"

    @property
    def index(self) -> Path:
        """The index of `langchain`, as helm last fetched it."""
        return self.folder / "cache" / "repository" / "langchain-index.yaml"

    def settings(self) -> dict[str, str]:
        """The variables that lead helm here."""
        return {
            "HELM_CACHE_HOME": str(self.folder / "cache"),
            "HELM_CONFIG_HOME": str(self.folder / "config"),
            "HELM_DATA_HOME": str(self.folder / "data"),
            "HELM_REPOSITORY_CONFIG": str(self.repositories),
            "HELM_REPOSITORY_CACHE": str(self.index.parent),
        }

    def keep(self) -> dict[Path, bytes]:
        """The repositories and the index as they are now."""
        return {file: file.read_bytes() for file in (self.repositories, self.index)}

    def put_back(self, kept: Mapping[Path, bytes]) -> None:
        """Make them again what `keep` gave, and forget charts that were fetched since."""
        for file in self.index.parent.glob("*.tgz"):
            file.unlink()
        for file, content in kept.items():
            file.write_bytes(content)
