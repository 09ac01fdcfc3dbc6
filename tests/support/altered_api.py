"""Stands before the practice LangSmith and alters some of its answers, as a fault of it would."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

Alter = Callable[[int, Any, str], tuple[int, Any]]
"""Status, JSON and request path of an answer; the status and the JSON in their place."""


class AlteredApi:
    """Listens for the time of the block; `alter` has what to do with a path's answers."""

    def __init__(self, behind: str, certificate: tuple[Path, Path] | None = None) -> None:
        self.alter: dict[str, Alter] = {}
        altered = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host",)}
                request = urllib.request.Request(behind + self.path, headers=kept)
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:
                        status, body = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, body = error.code, error.read()
                change = altered.alter.get(urlsplit(self.path).path)
                if change:
                    try:
                        data = json.loads(body)
                    except ValueError:
                        data = None
                    status, data = change(status, data, self.path)
                    body = json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        scheme, host = "http", "127.0.0.1"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
            scheme, host = "https", "localhost"
        self.url = f"{scheme}://{host}:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
