"""The helm that a run started and left: helm goes on by itself when the wizard is gone."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.records.journal import runs
from wizard.systems.processes import still_runs

if TYPE_CHECKING:
    from wizard.steps.base import Watch
    from wizard.systems.access import Systems

POLL_SECONDS = 1.0
UNDER_WAY = "pending-upgrade"


def note_helm(watch: Watch, pid: int) -> None:
    """Keep in the journal which process is at work, for whoever comes after this one."""
    watch.note(helm=pid, host=socket.gethostname())


def at_work(folder: Path) -> bool | None:
    """Whether the helm of the run in this folder is at work; None where nothing tells."""
    noted = [
        entry
        for run in runs()
        if run.folder == folder
        for entry in run.entries
        if entry["event"] == "note" and "helm" in entry
    ]
    if not noted or noted[-1].get("host") != socket.gethostname():
        return None
    return still_runs(int(noted[-1]["helm"]), "helm")


def settle(systems: Systems, folder: Path, watch: Watch) -> None:
    """Wait for the helm that a run left at work, up to `--upgrade-limit` seconds.

    Whatever state the release is in afterwards is for the steps to look at.
    """
    began, limit = time.monotonic(), systems.target.upgrade_limit
    while at_work(folder):
        seconds = time.monotonic() - began
        if seconds > limit:
            return
        what = f"helm of the run that was left is still at work (limit {limit:.0f} s)"
        release = systems.release
        watch.waiting(what, seconds, (f"revision {release.revision} is {release.status}",))
        time.sleep(POLL_SECONDS)
        systems.forget()
    systems.forget()  # what was read of the release may be older than the end of that helm
