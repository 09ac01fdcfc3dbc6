"""Whom a TLS connection trusts, and what it shows of itself. No key is ever written to the disk."""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path


def system_trust() -> ssl.SSLContext:
    """What the system trusts: its files of certificates, or its keychain; SSL_CERT_FILE first."""
    if sys.platform in ("darwin", "win32") and not os.environ.get("SSL_CERT_FILE"):
        import truststore

        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return context
    context = ssl.create_default_context()
    return _lenient(context)


def only(authorities: bytes) -> ssl.SSLContext:
    """These authorities (PEM) alone.

    Raises:
        ssl.SSLError: there is no certificate in them.
    """
    context = _lenient(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    add(context, authorities)
    return context


def anybody() -> ssl.SSLContext:
    """Whoever answers: `insecure-skip-tls-verify`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def add(context: ssl.SSLContext, authorities: bytes) -> None:
    """Trust these authorities (PEM) too.

    Raises:
        ssl.SSLError: there is no certificate in them.
    """
    context.load_verify_locations(cadata=authorities.decode("ascii", "ignore"))


def show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Show this certificate when a server asks for one; both are PEM.

    Raises:
        ssl.SSLError, OSError: they are no certificate and its key.
    """
    with _readable(certificate) as shown, _readable(key) as secret:
        context.load_cert_chain(shown, secret, password=_no_question)


def _no_question() -> str:
    raise ssl.SSLError("the key is encrypted")


def _lenient(context: ssl.SSLContext) -> ssl.SSLContext:
    """As Go: a trusted certificate need not be a root, and lacking extensions are no fault."""
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@contextlib.contextmanager
def _readable(data: bytes) -> Iterator[str]:
    """A path from which the bytes are read once, without a file where the system has /dev/fd."""
    if not Path("/dev/fd").is_dir():
        import tempfile

        with tempfile.TemporaryDirectory(prefix="langsmith-audit-") as folder:
            file = Path(folder, "pem")
            file.write_bytes(data)
            yield str(file)
        return
    out, into = os.pipe()
    writer = threading.Thread(target=_write, args=(into, data), daemon=True)
    writer.start()
    try:
        yield f"/dev/fd/{out}"
    finally:
        os.close(out)
        writer.join()


def _write(into: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(into, "wb") as stream:
        stream.write(data)
