"""Which proxy a URL is reached through, by the rules of Go's programs: kubectl, helm.

Source: golang.org/x/net/http/httpproxy (ProxyFromEnvironment), client-go (`proxy-url`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from wizard.record import dataclass, field

SCHEMES = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Proxy:
    """A proxy, and who logs in to it."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """Its URL without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def socks(self) -> bool:
        """Whether it speaks SOCKS5; it then resolves the names itself."""
        return self.scheme.startswith("socks5")


def read_proxy(text: str) -> Proxy:
    """A proxy's URL, as `proxy-url` in a kubeconfig.

    Raises:
        ValueError: it is none, or of a scheme that nobody speaks.
    """
    parts = urlsplit(text.strip())
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES or not parts.hostname:
        raise ValueError("not an http, https or socks5 URL")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(scheme, parts.hostname, parts.port or SCHEMES[scheme], user, password)


def proxy_for(url: str, environ: Mapping[str, str]) -> tuple[Proxy | None, str]:
    """The proxy that the variables name for a URL (none: directly), and the variable's name.

    Raises:
        ValueError: the variable's value is no proxy's URL; its name is the exception's text.
    """
    parts = urlsplit(url)
    upper = f"{parts.scheme.upper()}_PROXY"
    name = next((name for name in (upper, upper.lower()) if environ.get(name)), "")
    if not name or not _proxied(parts, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None, ""
    text = environ[name]
    try:
        return read_proxy(text if "://" in text else f"http://{text}"), name
    except ValueError:
        raise ValueError(name) from None


def _proxied(url: SplitResult, exceptions: str) -> bool:
    host = (url.hostname or "").lower()
    port = str(url.port or SCHEMES[url.scheme])
    address = _address(host)
    if host == "localhost" or (address is not None and _mapped(address).is_loopback):
        return False
    return not any(
        _matches(entry.strip().lower(), host, port, address) for entry in exceptions.split(",")
    )


def _matches(entry: str, host: str, port: str, address: Address | None) -> bool:
    if not entry or entry == "*":
        return bool(entry)
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        return address is not None and _mapped(address) in network
    name, only = _port_apart(entry)
    if only and only != port:
        return False
    excepted = _address(name)
    if excepted is not None:
        return address is not None and _mapped(address) == _mapped(excepted)
    name = name[1:] if name.startswith("*.") else name
    return bool(name) and (host == name or host.endswith("." + name.removeprefix(".")))


def _port_apart(entry: str) -> tuple[str, str]:
    """`host:port`, `[address]:port`, or either without the port."""
    name, colon, port = entry.rpartition(":")
    if colon and (":" not in name or name.startswith("[")) and "]" not in port:
        return name.strip("[]"), port
    return entry.strip("[]"), ""


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _mapped(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address
