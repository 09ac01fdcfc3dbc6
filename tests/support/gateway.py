"""A proxy on loopback: HTTP with CONNECT, the same over TLS, or SOCKS5; it notes what it is asked.

Whatever is asked for, it leads to one port of this machine.
"""

from __future__ import annotations

import base64
import contextlib
import selectors
import socket
import ssl
import threading
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
TRUST = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
VARIABLES = (*PROXIES, *map(str.lower, PROXIES), *TRUST)
"""The variables of a person's shell that say how to reach a server."""


class Gateway:
    """Listens for the time of the block.

    Attributes:
        asked: the first line of each HTTP request, or `SOCKS host:port`.
        logins: the user and password of each request that has them.
        heard: every byte that reached it.
    """

    def __init__(
        self,
        kind: str,
        *,
        leads_to: int,
        certificate: tuple[Path, Path] | None = None,
        refuses: str = "",
    ) -> None:
        self.kind = kind
        self.asked: list[str] = []
        self.logins: list[str] = []
        self.heard = b""
        self._port = leads_to
        self._refuses = refuses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context: ssl.SSLContext | None = None
        if kind == "https" and certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        self.url = f"{kind}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
            with client:
                self._socks(client) if self.kind == "socks5" else self._http(client)

    def _http(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._read(client)
        lines = head.decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        self.asked.append(f"{method} {target}")
        for line in lines:
            if line.lower().startswith("proxy-authorization: basic "):
                self.logins.append(base64.b64decode(line.split(" ")[2]).decode())
        if self._refuses:
            client.sendall(f"HTTP/1.1 {self._refuses}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                parts = urlsplit(target)
                path = parts.path + (f"?{parts.query}" if parts.query else "")
                server.sendall(head.replace(target.encode(), path.encode(), 1))
            self._both_ways(client, server)

    def _socks(self, client: socket.socket) -> None:
        methods = self._read(client)[2:]
        if 2 in methods:
            client.sendall(b"\x05\x02")
            words = self._read(client)
            user, rest = words[2 : 2 + words[1]], words[2 + words[1] :]
            self.logins.append(f"{user.decode()}:{rest[1:].decode()}")
            client.sendall(b"\x01\x00")
        else:
            client.sendall(b"\x05\x00")
        asked = self._read(client)
        host = asked[5 : 5 + asked[4]].decode() if asked[3] == 3 else socket.inet_ntoa(asked[4:8])
        self.asked.append(f"SOCKS {host}:{int.from_bytes(asked[-2:], 'big')}")
        failed = 2 if self._refuses else 0
        client.sendall(bytes([5, failed, 0, 1, 127, 0, 0, 1, 0, 0]))
        if not failed:
            with socket.create_connection(("127.0.0.1", self._port)) as server:
                self._both_ways(client, server)

    def _read(self, client: socket.socket) -> bytes:
        data = client.recv(65536)
        if not data:
            raise ConnectionError
        self.heard += data
        return data

    def _both_ways(self, client: socket.socket, server: socket.socket) -> None:
        client.settimeout(0.02)  # what is there to read may be TLS's own
        with selectors.DefaultSelector() as selector, contextlib.suppress(ConnectionError):
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            while True:
                pending = isinstance(client, ssl.SSLSocket) and client.pending()
                ready = [key.fileobj for key, _ in selector.select(0 if pending else None)]
                if server in ready:
                    data = server.recv(65536)
                    if not data:
                        return
                    client.sendall(data)
                if client in ready or pending:
                    with contextlib.suppress(TimeoutError):
                        server.sendall(self._read(client))
