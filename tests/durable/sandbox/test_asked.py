"""Promise: a request to the proxy that two programs could read differently is refused, and names lead only outside."""

from __future__ import annotations

import ipaddress

import pytest

from lao.config.hosts import parse_host
from lao.durable.sandbox.asked import Asked, read
from lao.durable.sandbox.guide import NotAllowed, addresses, is_public

LIST = tuple(
    parse_host(text)
    for text in ("pypi.org", "*.files.org", "local.test:8080", "127.0.0.1:8080", "both.test", "[2606:4700::1]:443")
)


def known(name: str) -> list[str]:
    """Addresses of the names of these tests."""
    return {
        "pypi.org": ["151.101.0.223", "2a04:4e42::223"],
        "a.files.org": ["151.101.1.1"],
        "local.test": ["127.0.0.1"],
        "both.test": ["127.0.0.1", "151.101.1.1", "10.0.0.1"],
    }[name]


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_a_tunnel_and_a_plain_request_are_read() -> None:
    """What is sent on has no headers that are about the proxy, and names the host that was asked for."""
    assert read(head("CONNECT pypi.org:443 HTTP/1.1", "Host: pypi.org:443")) == Asked("pypi.org", 443, None, True)
    assert read(head("CONNECT [2606:4700::1]:443 HTTP/1.1")).address == ipaddress.ip_address("2606:4700::1")
    asked = read(
        head(
            "POST http://PyPI.org./simple?q=1#x HTTP/1.1", "host: pypi.org", "Accept: */*", "Content-Length: 3",
            "Proxy-Connection: keep-alive", "Connection: keep-alive, X", "Proxy-Authorization: Basic eA==",
        )
    )  # fmt: skip
    assert (asked.host, asked.port, asked.tunnel, asked.body) == ("pypi.org", 80, False, 3)
    assert asked.head == head(
        "POST /simple?q=1 HTTP/1.1", "Host: PyPI.org.", "Accept: */*", "Content-Length: 3", "Connection: close"
    )
    assert read(head("GET http://a.org:8080?x HTTP/1.1")).head.startswith(b"GET /?x HTTP/1.1\r\nHost: a.org:8080\r\n")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["GET / HTTP/1.1", "Host: pypi.org"], "a proxy takes"),
        (["GET https://pypi.org/ HTTP/1.1"], "a proxy takes"),
        (["OPTIONS * HTTP/1.1"], "a proxy takes"),
        (["GET http://pypi.org@evil.org/ HTTP/1.1"], "a user in it"),
        (["GET http://pypi.org:80@evil.org/ HTTP/1.1"], "a user in it"),
        (["CONNECT pypi.org@evil.org:443 HTTP/1.1"], "a user in it"),
        (["CONNECT pypi.org HTTP/1.1"], "without a port"),
        (["CONNECT pypi.org:0443x HTTP/1.1"], "is not a port"),
        (["CONNECT pypi.org:+443 HTTP/1.1"], "is not a port"),
        (["CONNECT 2130706433:443 HTTP/1.1"], "not spelt as usual"),
        (["CONNECT 0x7f000001:443 HTTP/1.1"], "not spelt as usual"),
        (["CONNECT 0177.0.0.1:443 HTTP/1.1"], "not spelt as usual"),
        (["CONNECT 127.1:443 HTTP/1.1"], "not spelt as usual"),
        (["CONNECT [fe80::1%eth0]:443 HTTP/1.1"], "a zone"),
        (["CONNECT pypi.org\\evil:443 HTTP/1.1"], "not a host"),
        (["CONNECT pypi.org%2eevil.org:443 HTTP/1.1"], "not a host"),
        (["CONNECT :443 HTTP/1.1"], "not a host"),
        (["CONNECT .:443 HTTP/1.1"], "not a host"),
        (["GET http://pypi.org/ HTTP/1.1", "Host: evil.org"], "another host"),
        (["GET http://pypi.org/ HTTP/1.1", "Host: pypi.org:81"], "another host"),
        (["CONNECT pypi.org:443 HTTP/1.1", "Host: evil.org:443"], "another host"),
        (["GET http://pypi.org/ HTTP/1.1", "Host: pypi.org", "Host: evil.org"], "more than one Host"),
        (["GET http://pypi.org/ HTTP/1.1", "Host: pypi.org", " evil.org"], "one plain line"),
        (["GET http://pypi.org/ HTTP/1.1", "Host : pypi.org"], "one plain line"),
        (["GET http://pypi.org/ HTTP/1.1", "X: a\nHost: evil.org"], "one plain line"),
        (["GET http://pypi.org/ HTTP/1.1", "X: a\rHost: evil.org"], "one plain line"),
        (["GET http://pypi.org/\nX HTTP/1.1"], "not a request"),
        (["GET http://pypi.org/\x80 HTTP/1.1"], "not a request"),
        (["GET  http://pypi.org/ HTTP/1.1"], "not a request"),
        (["GET http://pypi.org/ HTTP/2.0"], "not a request"),
        (["POST http://pypi.org/ HTTP/1.1", "Transfer-Encoding: chunked"], "without a length"),
        (["POST http://pypi.org/ HTTP/1.1", "Content-Length: 1", "Content-Length: 2"], "no single number"),
        (["POST http://pypi.org/ HTTP/1.1", "Content-Length: -1"], "no single number"),
        (["POST http://pypi.org/ HTTP/1.1", "Content-Length: 1, 2"], "no single number"),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(lines: list[str], why: str) -> None:
    """Users in addresses, other spellings of addresses, headers that disagree, lines within lines."""
    with pytest.raises(ValueError, match=why):
        read(head(*lines))


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("CONNECT pypi.org:443", ["151.101.0.223", "2a04:4e42::223"]),
        ("GET http://pypi.org/", ["151.101.0.223", "2a04:4e42::223"]),
        ("CONNECT a.files.org:443", ["151.101.1.1"]),
        ("CONNECT local.test:8080", ["127.0.0.1"]),
        ("GET http://127.0.0.1:8080/", ["127.0.0.1"]),
        ("GET http://[::ffff:127.0.0.1]:8080/", None),
        ("CONNECT both.test:443", ["151.101.1.1"]),
        ("CONNECT [2606:4700:0::1]:443", ["2606:4700::1"]),
        ("CONNECT pypi.org:53", None),
        ("CONNECT pypi.org:80", None),
        ("CONNECT pypi.org:22", None),
        ("GET http://pypi.org:443/", None),
        ("CONNECT files.org:443", None),
        ("CONNECT evilfiles.org:443", None),
        ("CONNECT pypi.org.evil.org:443", None),
        ("CONNECT 151.101.0.223:443", None),
        ("CONNECT 169.254.169.254:80", None),
        ("CONNECT 127.0.0.1:443", None),
    ],
)
def test_only_what_is_listed_is_reached(target: str, found: list[str] | None) -> None:
    """A bare name means 443 by a tunnel and 80 without one; names lead to public or listed addresses only."""
    asked = read(head(f"{target} HTTP/1.1"))
    if found is None:
        with pytest.raises(NotAllowed, match="not in the list"):
            addresses(asked, LIST, known)
    else:
        assert [str(a) for a in addresses(asked, LIST, known)] == found


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "168.63.129.16", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::127.0.0.1", "fe80::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::", "2002:c0a8:1::1", "2001:0:7f00:1::1",
    ],
)  # fmt: skip
def test_a_name_that_leads_into_the_machine_or_its_networks_is_refused(address: str) -> None:
    """Looked at after the name is resolved: what it meant a moment ago does not count (DNS rebinding)."""
    assert not is_public(ipaddress.ip_address(address))
    asked = read(head("CONNECT pypi.org:443 HTTP/1.1"))
    with pytest.raises(NotAllowed, match="not of the internet"):
        addresses(asked, LIST, lambda name: [address])


@pytest.mark.parametrize(
    "address", ["151.101.0.223", "8.8.8.8", "2a04:4e42::223", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_the_internet_is_public(address: str) -> None:
    """Also through a translated address."""
    assert is_public(ipaddress.ip_address(address))
