"""The list of hosts in ``sandbox.network``: its grammar, and which host and port an entry means. Resolves no name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

PLAIN, SECURE = 80, 443
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST: Final = 253


@dataclass(frozen=True)
class Host:
    """One entry of the list.

    Attributes:
        name: in lower case, without a dot at its end; an address in its usual form.
        below: the names below it are meant, not itself (``*.name``).
        port: None: 443 for a tunnel (CONNECT), 80 for plain HTTP.
        address: what it is when it is no name.
    """

    name: str
    below: bool = False
    port: int | None = None
    address: Address | None = None

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else f"*.{self.name}" if self.below else self.name
        return name if self.port is None else f"{name}:{self.port}"

    def means(self, host: str, port: int, *, tunnel: bool) -> bool:
        """Whether a request for this host, as ``host_of`` gives it, and port is what the entry allows."""
        same = host.endswith(f".{self.name}") if self.below else host == self.name
        return same and port == (self.port or (SECURE if tunnel else PLAIN))

    def gives(self, address: Address, port: int, *, tunnel: bool) -> bool:
        """Whether the address itself is listed, so that a listed name may lead to it."""
        return self.address == address and self.means(self.name, port, tunnel=tunnel)


def host_of(text: str) -> tuple[str, Address | None]:
    """A host as it stands in a request or in the list: the name in lower case, or the address.

    IPv6 stands in brackets. What a resolver could take for a number in another spelling is refused (``127.1``,
    ``0x7f000001``, https://url.spec.whatwg.org/#ends-in-a-number-checker).

    Raises:
        ValueError: neither a name nor an address.
    """
    if text.startswith("[") and text.endswith("]"):
        return _address(text[1:-1], ipaddress.IPv6Address)
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _address(name, ipaddress.IPv4Address)
    if not name or len(name) > _LONGEST or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("not a host's name")
    return name, None


def _address(text: str, kind: Callable[[str], Address]) -> tuple[str, Address]:
    try:
        address = kind(text)
    except ValueError:
        raise ValueError("an address that is not spelt as usual") from None
    if "%" in text:
        raise ValueError("an address with a zone")
    return str(address), address


def split(text: str, port: int | None) -> tuple[str, int | None]:
    """``host:port`` in two; the given port where there is none.

    Raises:
        ValueError: what stands for a port is no number from 1 to 65535.
    """
    host, colon, digits = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text, port
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits[:6]) < 65_536):
        raise ValueError(f"{digits[:20]!r} is not a port")
    return host, int(digits)


def parse_host(text: str) -> Host:
    """An entry of the list: ``pypi.org``, ``*.pythonhosted.org``, ``registry.npmjs.org:443``, ``10.0.0.5:8080``.

    Raises:
        ValueError: what is wrong with it, in words for the user.
    """
    if "//" in text or "@" in text:
        raise ValueError("write the host alone, without a scheme or a user")
    if not text.isascii():
        raise ValueError(f"write the name as {text.encode('idna').decode()!r}")
    given, port = split(text, None)
    below = given.startswith("*.")
    name, address = host_of(given.removeprefix("*."))
    if below and (address is not None or "." not in name):
        raise ValueError("a star stands for the names below a name of two words or more, as in *.example.org")
    return Host(name, below, port, address)


def hosts_of(given: Any) -> tuple[Host, ...]:
    """The entries of ``sandbox.network``, which passed ``host_problems``; none for ``none`` and ``host``."""
    return () if isinstance(given, str) else tuple(parse_host(text) for text in given)


def host_problems(given: Iterable[Any]) -> list[tuple[int, str]]:
    """What is wrong with a list: index and words."""
    found = []
    for number, text in enumerate(given):
        try:
            parse_host(text)
        except (ValueError, UnicodeError) as error:
            found.append((number, f"{text!r} is no host: {error}"))
    return found
