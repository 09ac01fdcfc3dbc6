"""Detached signatures of plans, made and verified by OpenSSH.

Made with `ssh-keygen -Y sign -n langsmith-audit-plan -f KEY plan.json`; the signature is then in
`plan.json.sig` (ssh-keygen(1), "ALLOWED SIGNERS").
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from wizard.exits import Exit
from wizard.problems import Problem

NAMESPACE = "langsmith-audit-plan"
LIMIT = 20.0
"""Seconds; a key in a hardware token is not asked for to verify."""


def signer(plan: Path, data: bytes, signature: Path, allowed: Path) -> str:
    """Who signed the plan's file, whose bytes are `data`: one of the allowed signers.

    Raises:
        Problem: LSA916, it is not verified, for whatever reason.
    """
    common = ["-s", str(signature), "-f", str(allowed), "-n", NAMESPACE]
    found = _ssh_keygen(plan, ["-Y", "find-principals", *common], b"")
    names = found.split()
    if not names:
        raise _not_verified(plan, ("no allowed signer has this key",))
    _ssh_keygen(plan, ["-Y", "verify", "-I", names[0], *common], data)
    return names[0]


def _ssh_keygen(plan: Path, argv: list[str], data: bytes) -> str:
    try:
        done = subprocess.run(
            ["ssh-keygen", *argv], input=data, capture_output=True, timeout=LIMIT, check=False
        )
    except OSError as error:
        raise _not_verified(plan, (f"ssh-keygen cannot be run: {error.strerror}",)) from None
    except subprocess.TimeoutExpired:
        raise _not_verified(plan, (f"ssh-keygen did not end within {LIMIT:.0f} s",)) from None
    if done.returncode != 0:
        words = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        raise _not_verified(plan, tuple(words.splitlines()[:5]))
    return done.stdout.decode("utf-8", "replace")


def _not_verified(plan: Path, words: tuple[str, ...]) -> Problem:
    return Problem(
        "LSA916",
        "The plan's signature is not verified",
        on=f"file {plan}",
        next_step=f"have this very file signed: ssh-keygen -Y sign -n {NAMESPACE} -f KEY {plan}; "
        "give the allowed signers with --allowed-signers",
        exit=Exit.REFUSED,
        detail=words,
    )
