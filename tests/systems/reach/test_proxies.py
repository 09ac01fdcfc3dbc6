"""Which proxy is taken, as Go's programs take it; tests/systems/kubernetes asks helm itself."""

from __future__ import annotations

import pytest

from wizard.systems.reach.proxies import proxy_for, read_proxy

PROXY = "http://proxy.corp:3128"


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({"HTTPS_PROXY": PROXY}, "https://k8s.example.com", PROXY),
        ({"https_proxy": PROXY}, "https://k8s.example.com", PROXY),
        ({"HTTPS_PROXY": PROXY, "https_proxy": "http://other"}, "https://h", PROXY),
        ({"HTTPS_PROXY": "proxy.corp:3128"}, "https://h", PROXY),
        ({"HTTPS_PROXY": "proxy.corp"}, "https://h", "http://proxy.corp:80"),
        ({"HTTPS_PROXY": "HTTPS://proxy.corp"}, "https://h", "https://proxy.corp:443"),
        ({"HTTPS_PROXY": "socks5://proxy.corp"}, "https://h", "socks5://proxy.corp:1080"),
        ({"HTTPS_PROXY": "http://[fd00::1]:8"}, "https://h", "http://[fd00::1]:8"),
        ({"HTTP_PROXY": PROXY}, "https://h", ""),
        ({"HTTPS_PROXY": PROXY}, "http://h", ""),
        ({"ALL_PROXY": PROXY}, "https://h", ""),
    ],
)
def test_the_variables_by_scheme(variables: dict[str, str], url: str, proxy: str) -> None:
    found, _ = proxy_for(url, variables)
    assert (found.shown if found else "") == proxy


@pytest.mark.parametrize(
    ("exceptions", "url", "proxied"),
    [
        ("", "https://h.example.com", True),
        ("", "https://127.0.0.1:6443", False),
        ("", "https://127.8.8.8:6443", False),
        ("", "https://[::1]:6443", False),
        ("", "https://[::ffff:127.0.0.1]:6443", False),
        ("", "https://localhost:6443", False),
        ("", "https://LocalHost:6443", False),
        ("*", "https://h.example.com", False),
        (" , *", "https://h.example.com", False),
        ("example.com", "https://h.example.com", False),
        ("example.com", "https://example.com", False),
        (".example.com", "https://h.example.com", False),
        (".example.com", "https://example.com", True),
        ("*.example.com", "https://h.example.com", False),
        ("*.example.com", "https://example.com", True),
        ("*example.com", "https://h.example.com", True),
        ("ample.com", "https://h.example.com", True),
        ("other.com, EXAMPLE.com ", "https://h.example.com", False),
        ("other.com h.example.com", "https://h.example.com", True),
        ("h.example.com:443", "https://h.example.com", False),
        ("h.example.com:6443", "https://h.example.com", True),
        ("h.example.com:6443", "https://h.example.com:6443", False),
        ("10.0.0.0/8", "https://10.1.2.3", False),
        ("10.9.9.9/8", "https://10.1.2.3", False),
        (" 10.0.0.0/8 ,x", "https://10.1.2.3", False),
        ("10.0.0.0/8", "https://11.1.2.3", True),
        ("10.0.0.0/8", "https://h.example.com", True),
        ("10.1.2.3", "https://10.1.2.3:6443", False),
        ("10.1.2.3:6443", "https://10.1.2.3:6443", False),
        ("10.1.2.3:443", "https://10.1.2.3:6443", True),
        ("fd00::/8", "https://[fd00::1]:6443", False),
        ("fd00::1", "https://[fd00::1]:6443", False),
        ("[fd00::1]:6443", "https://[fd00::1]:6443", False),
        ("10.0.0.0/99", "https://10.1.2.3", True),
        (":443", "https://h.example.com", True),
    ],
)
def test_what_is_reached_without_a_proxy(exceptions: str, url: str, proxied: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        found, _ = proxy_for(url, {"HTTPS_PROXY": PROXY, name: exceptions})
        assert (found is not None) is proxied


def test_who_logs_in_is_not_shown() -> None:
    proxy = read_proxy("http://me:p%40ss@proxy.corp")
    assert (proxy.user, proxy.password) == ("me", "p@ss")
    assert "p@ss" not in repr(proxy) + proxy.shown
    assert "me" not in proxy.shown


@pytest.mark.parametrize("text", ["ftp://h", "http://", "http://h:99999", "http://[x", "x y://h"])
def test_what_is_no_proxy_is_named_by_its_variable(text: str) -> None:
    with pytest.raises(ValueError, match=r"^HTTPS_PROXY$"):
        proxy_for("https://h", {"HTTPS_PROXY": text})
