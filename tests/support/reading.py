"""`langsmith-audit events` against the stand-in of tests/support/event_log.py."""

import json
import os
import subprocess
from pathlib import Path

import forked
from event_log import KEY, EventServer


def environment(home: Path) -> dict[str, str]:
    """What a person has who reads the log: a key, and no cluster."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("LANG")}
    return kept | {
        "LANGSMITH_API_KEY": KEY,
        "LANGSMITH_AUDIT_STATE_DIR": str(home / "state"),
        "KUBECONFIG": str(home / "none"),
    }


def events(
    server: EventServer, home: Path, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """One run against the stand-in; `more` are further variables."""
    env = environment(home) | more
    return forked.call(("events", "--url", server.url, *arguments), env)


def lines(text: str) -> list[dict]:
    """The events of an NDJSON output."""
    return [json.loads(line) for line in text.splitlines()]


def uids(text: str) -> list[str]:
    """Their ids, in their order."""
    return [event["metadata"]["uid"] for event in lines(text)]
