"""Server-sent events out of bytes. Lines end in CR or LF only: JSON may hold U+2028, where str.splitlines cuts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    """One event; a comment (a keep-alive ping) has neither name nor data."""

    name: str = ""
    data: str = ""


def read_events(chunks: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Events in order; an event that the end of the stream cut off without its blank line is given as well."""
    name, data = "", list[str]()
    for line in _lines(chunks):
        if line == "":
            if name or data:
                yield ServerEvent(name, "\n".join(data))
            name, data = "", []
        elif line.startswith(":"):
            yield ServerEvent()
        else:
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if key == "data":
                data.append(value)
            elif key == "event":
                name = value
    if name or data:
        yield ServerEvent(name, "\n".join(data))


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r").decode("utf-8", "replace")
    if rest:
        yield rest.rstrip(b"\r").decode("utf-8", "replace")
