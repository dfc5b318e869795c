"""What a command asks the proxy for: the head of one request, read strictly. Opens nothing and allows nothing.

Whatever two programs could read differently is refused (https://www.rfc-editor.org/rfc/rfc9112.html): folded lines, a
bare LF or CR, a second Host, a user in the address, a length that is said twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lao.config.hosts import PLAIN, Address, host_of, split

HEAD_LIMIT: Final = 32_768
"""Bytes of a request's head."""
_LINE: Final = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.[01]")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_HOPS: Final = frozenset(
    b"connection proxy-connection keep-alive te trailer transfer-encoding upgrade proxy-authorization host".split()
)
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        tunnel: CONNECT: bytes go both ways as they are.
        head: for plain HTTP what is sent on; b"" for a tunnel.
        body: bytes that follow the head.
    """

    host: str
    port: int
    address: Address | None
    tunnel: bool
    head: bytes = b""
    body: int = 0

    @property
    def place(self) -> str:
        """``host:port`` for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read(head: bytes) -> Asked:
    """The request whose head this is, with the empty line at its end.

    Raises:
        ValueError: it is no request to a proxy, or could be read in two ways; in words for a person.
    """
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    first = _LINE.fullmatch(lines[0])
    if first is None:
        raise ValueError("not a request of HTTP/1.1")
    fields = [_field(line) for line in lines[1:]]
    method, target = first.group(1), first.group(2).decode("ascii")
    if method == b"CONNECT":
        host, port, address = _authority(target, None)
        _agree(fields, host, port, None)
        return Asked(host, port, address, tunnel=True)
    if not target.lower().startswith("http://"):
        raise ValueError("a proxy takes http://host/path and CONNECT host:port only")
    authority, path = re.fullmatch(r"([^/?#]*)(.*)", target[len("http://") :]).groups()  # type: ignore[union-attr]
    host, port, address = _authority(authority, PLAIN)
    _agree(fields, host, port, PLAIN)
    path = path.partition("#")[0]
    path = path if path.startswith("/") else f"/{path}"
    kept = [name + b": " + value for name, value in fields if name.lower() not in _HOPS]
    sent = [method + b" " + path.encode("ascii") + b" HTTP/1.1", b"Host: " + authority.encode("ascii"), *kept]
    return Asked(host, port, address, False, b"\r\n".join([*sent, b"Connection: close", b"", b""]), _body(fields))


def _field(line: bytes) -> tuple[bytes, bytes]:
    found = _FIELD.fullmatch(line)
    if found is None:
        raise ValueError("a header that is not one plain line")
    return found.group(1), found.group(2).strip()


def _authority(text: str, usual: int | None) -> tuple[str, int, Address | None]:
    if "@" in text:
        raise ValueError("an address with a user in it")
    host, port = split(text, usual)
    if port is None:
        raise ValueError("CONNECT without a port")
    name, address = host_of(host)
    return name, port, address


def _agree(fields: list[tuple[bytes, bytes]], host: str, port: int, usual: int | None) -> None:
    """The Host header names what the request does: servers of many sites go by it."""
    given = [value for name, value in fields if name.lower() == b"host"]
    if len(given) > 1:
        raise ValueError("more than one Host header")
    for value in given:
        name, its_port, _ = _authority(value.decode("latin-1"), usual or port)
        if (name, its_port) != (host, port):
            raise ValueError("the Host header names another host than the request")


def _body(fields: list[tuple[bytes, bytes]]) -> int:
    if any(name.lower() == b"transfer-encoding" for name, _ in fields):
        raise ValueError("a body without a length")
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise ValueError("a length that is no single number")
    return int(lengths[0]) if lengths else 0
