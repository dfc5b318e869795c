"""Where a request may lead: the list of hosts, names resolved here, and no way into the machine or its networks."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from lao.config.hosts import Address, Host
from lao.durable.sandbox.asked import Asked

Resolver: TypeAlias = Callable[[str], Iterable[str]]
"""The addresses of a name, as text. Raises OSError when there are none."""

_TRANSLATED: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_OF_CLOUDS: Final = frozenset({ipaddress.ip_address("168.63.129.16")})  # the one metadata address in public space


class NotAllowed(Exception):
    """The request is refused; its text says why, for the command and the record."""


def system_resolver(name: str) -> list[str]:
    """What this machine knows about a name."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def addresses(asked: Asked, hosts: Iterable[Host], resolve: Resolver) -> list[Address]:
    """Where to connect to, best first: to these and not to the name, which may mean something else a moment later.

    Raises:
        NotAllowed: it is not in the list, or leads into a private network that is not listed by address.
        OSError: the name has no address.
    """
    listed = tuple(hosts)
    if not any(host.means(asked.host, asked.port, tunnel=asked.tunnel) for host in listed):
        raise NotAllowed("not in the list" if asked.address is None else "an address that is not in the list")
    if asked.address is not None:
        return [asked.address]
    found = [ipaddress.ip_address(text.partition("%")[0]) for text in resolve(asked.host)]
    given = [a for a in found if any(host.gives(a, asked.port, tunnel=asked.tunnel) for host in listed)]
    if usable := [a for a in found if a in given or is_public(a)]:
        return usable
    raise NotAllowed(f"its name leads to {', '.join(map(str, found[:3])) or 'nothing'}, which is not of the internet")


def is_public(address: Address) -> bool:
    """Whether it is an address of the internet, also when an IPv4 address is hidden in it."""
    if isinstance(address, ipaddress.IPv6Address):
        hidden = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if any(address in network for network in _TRANSLATED) or int(address) < 2**32:
            hidden.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = [a for a in hidden if a is not None]
        if inner:
            return all(is_public(a) for a in inner)
    return address.is_global and not address.is_multicast and address not in _OF_CLOUDS
