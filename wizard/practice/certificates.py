"""A self-signed certificate for 127.0.0.1, to rehearse TLS that nobody trusts yet."""

from __future__ import annotations

import subprocess
from pathlib import Path

from wizard.problems import Problem

OPENSSL_LIMIT = 30.0
"""Seconds that openssl may take."""


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate and its key with the openssl command; their files, in PEM.

    Raises:
        Problem: there is no openssl, or it failed.
    """
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=OPENSSL_LIMIT)
    except (OSError, subprocess.SubprocessError) as error:
        raise Problem(
            "LSA955",
            "no self-signed certificate can be made",
            on="openssl",
            next_step="install openssl 1.1.1 or later and start again",
            detail=(type(error).__name__,),
        ) from error
    key.chmod(0o600)
    return certificate, key
