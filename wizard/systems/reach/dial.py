"""A TCP connection to a host, through its proxy: CONNECT (also over TLS to the proxy) or SOCKS5.

Source: RFC 9110, 9.3.6 (CONNECT), RFC 1928 and 1929 (SOCKS5).
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from wizard.systems.reach.failures import Failure, Kind
from wizard.systems.reach.proxies import Proxy

CHUNK = 64 * 1024
LARGEST_HEAD = 16 * 1024
_SOCKS = {
    1: "a general failure",
    2: "its rules do not allow it",
    3: "the network is unreachable",
    4: "the host is unreachable",
    5: "the connection is refused",
    6: "it took too long",
}
Noted = Callable[[socket.socket], None]


def dial(
    host: str, port: int, proxy: Proxy | None, limit: float, noted: Noted, *, tunnel: bool = True
) -> socket.socket:
    """The connection, without TLS of its own; `limit` is in seconds, for each step.

    Args:
        noted: gets each socket as soon as it is there, for who may have to cut it.
        tunnel: False ends at an HTTP proxy, which is asked for whole URLs then.

    Raises:
        Failure: it does not come about.
    """
    if proxy is None:
        return _connected(host, port, limit, noted)
    try:
        return _through(proxy, host, port, limit, noted, tunnel=tunnel)
    except Failure as failure:
        words = failure.words or failure.kind.value
    except (OSError, ValueError, UnicodeError) as error:
        words = getattr(error, "strerror", "") or str(error) or type(error).__name__
    raise Failure(Kind.PROXY, f"{proxy.shown}: {words}") from None


def login_to(proxy: Proxy) -> str:
    """The header `Proxy-Authorization`; empty where the proxy's URL names no user."""
    if not proxy.user:
        return ""
    pair = f"{proxy.user}:{proxy.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _connected(host: str, port: int, limit: float, noted: Noted) -> socket.socket:
    try:
        # As bytes where they will do: a text goes through the tables of IDNA, whatever is in it.
        name: Any = host.encode() if host.isascii() else host
        made = socket.create_connection((name, port), timeout=limit)
    except (socket.gaierror, UnicodeError) as error:
        raise Failure(Kind.NAME, getattr(error, "strerror", "") or "not a host's name") from None
    except TimeoutError:
        raise Failure(Kind.UNCONNECTED) from None
    except ConnectionRefusedError as error:
        raise Failure(Kind.REFUSED, error.strerror or "Connection refused") from None
    except OSError as error:
        raise Failure(Kind.UNREACHABLE, error.strerror or str(error)) from None
    noted(made)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _through(
    proxy: Proxy, host: str, port: int, limit: float, noted: Noted, *, tunnel: bool
) -> socket.socket:
    way = _connected(proxy.host, proxy.port, limit, noted)
    try:
        if proxy.scheme == "https":
            way = _over_tls(way, proxy, limit, noted)
        if proxy.socks:
            _socks(way, proxy, host, port)
        elif tunnel:
            _connect(way, proxy, host, port)
    except BaseException:
        way.close()
        raise
    return way


def _over_tls(plain: socket.socket, proxy: Proxy, limit: float, noted: Noted) -> socket.socket:
    """A plain socket whose bytes go through TLS to the proxy: TLS to the host fits into it."""
    from wizard.systems.reach.trust import system_trust

    outer = system_trust().wrap_socket(plain, server_hostname=proxy.host)
    near, far = socket.socketpair()
    near.settimeout(limit)
    noted(near)
    threading.Thread(target=_pump, args=(outer, far), daemon=True).start()
    return near


def _pump(outer: ssl.SSLSocket, far: socket.socket) -> None:
    outer.settimeout(0)  # what is there to read may be TLS's own
    with outer, far, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        selector.register(outer, selectors.EVENT_READ)
        selector.register(far, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select(0 if outer.pending() else None)]
            if outer in ready or outer.pending():
                with contextlib.suppress(ssl.SSLWantReadError):
                    data = outer.recv(CHUNK)
                    if not data:
                        return
                    far.sendall(data)
            if far in ready:
                data = far.recv(CHUNK)
                if not data:
                    return
                outer.settimeout(None)
                outer.sendall(data)
                outer.settimeout(0)


def _connect(way: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    lines += [f"Proxy-Authorization: {login}"] if (login := login_to(proxy)) else []
    way.sendall("\r\n".join([*lines, "", ""]).encode("idna" if not place.isascii() else "ascii"))
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):  # one by one: what follows is the host's
        byte = way.recv(1)
        if not byte or len(head) > LARGEST_HEAD:
            raise OSError("it ended the connection" if not byte else "its answer has no end")
        head += byte
    status = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    if not status[0].startswith("HTTP/") or len(status) < 2:
        raise OSError("it does not speak HTTP")
    if status[1] != "200":
        raise OSError("it answered " + " ".join(status[1:])[:100])


def _socks(way: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    way.sendall(b"\x05\x02\x00\x02" if proxy.user else b"\x05\x01\x00")
    version, method = _exactly(way, 2)
    if version != 5 or method not in (0, 2):
        raise OSError("it does not speak SOCKS5" if version != 5 else "it wants another login")
    if method == 2:
        user, password = proxy.user.encode(), proxy.password.encode()
        way.sendall(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if _exactly(way, 2)[1]:
            raise OSError("it does not accept user and password")
    way.sendall(b"\x05\x01\x00" + _socks_address(host) + port.to_bytes(2, "big"))
    _, failed, _, kind = _exactly(way, 4)
    if failed:
        raise OSError(_SOCKS.get(failed, f"it answered {failed}"))
    length = {1: 4, 4: 16}.get(kind) or _exactly(way, 1)[0]
    _exactly(way, length + 2)


def _socks_address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna")
        return bytes([3, len(name)]) + name
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


def _exactly(way: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        more = way.recv(count - len(got))
        if not more:
            raise OSError("it ended the connection")
        got += more
    return got
