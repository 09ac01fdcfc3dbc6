"""What a way back finds where there is nothing to change."""

from __future__ import annotations

from wizard.records.findings import Finding, State


def nothing(subject: str, why: str) -> Finding:
    """It is as it was before the run."""
    return Finding("LSA931", State.PASS, subject, f"Nothing to put back: {why}")


def not_ours(subject: str, why: str, *evidence: str, next_step: str = "") -> Finding:
    """Somebody changed it since, so it is left as it is."""
    message = f"Left as it is: {why}"
    step = next_step or "look at it, and put it back by hand where that is wanted"
    return Finding("LSA932", State.WARN, subject, message, evidence, step)


def cannot(subject: str, why: str, *evidence: str, next_step: str) -> Finding:
    """It is ours, and this tool has no means to put it back."""
    return Finding("LSA934", State.FAIL, subject, f"Cannot be put back: {why}", evidence, next_step)
