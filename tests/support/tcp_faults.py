"""A TCP wire between the tool and a server, that a test can cut or silence at a chosen word."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wire:
    """Forwards connections to a server on 127.0.0.1 until told otherwise.

    Attributes:
        word: bytes of the client that trigger the fault.
        fault: `cut before` or `cut after` the word has reached the server (its answer never
            arrives), or `silence` (nothing passes any more, but the connection stays).
        down: new connections are refused once the fault has happened.
    """

    def __init__(self, port: int, *, word: bytes, fault: str, down: bool = False) -> None:
        self._server_port = port
        self._word, self._fault, self._down = word, fault, down
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.happened = threading.Event()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Wire:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._listener)
        for end in self._sockets:
            _end(end)

    def leads_to(self, port: int) -> None:
        """Forward later connections to another server."""
        self._server_port = port

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._sockets += [client, server]
            silent = threading.Event()
            there = (self._up, client, server, silent)
            back = (self._back, server, client, silent)
            for work, *ends in (there, back):
                threading.Thread(target=work, args=ends, daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self._word in data and not self.happened.is_set():
                    silent.set()
                    self._happen(client, server, data)
                elif not silent.is_set():
                    server.sendall(data)
        if not silent.is_set() or self._fault != "silence":
            _end(server)

    def _happen(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        if self._down:
            _end(self._listener)
        if self._fault == "cut after":
            server.sendall(data)
            server.shutdown(socket.SHUT_WR)  # the server answers, ends, and closes
        self.happened.set()
        if self._fault != "silence":
            _end(client)

    def _back(self, server: socket.socket, client: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if not silent.is_set():
                    client.sendall(data)
        if not silent.is_set():
            _end(client)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
