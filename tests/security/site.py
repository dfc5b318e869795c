"""What a list of hosts leads to in the corpus: one site that may be reached, and names that must not lead anywhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lao.config.hosts import Host, parse_host

NAMES = {
    "site.test": ["127.0.0.1"],
    "rebound.test": ["127.0.0.1"],
    "six.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "zero.test": ["0.0.0.0"],
    "metadata.test": ["169.254.169.254"],
    "mixed.test": ["10.255.255.1", "127.0.0.1"],
}


@dataclass
class Site:
    """Says ESCAPED to everyone who does not ask for itself.

    Attributes:
        port: of the site; the doors of the world have another one.
        looked_up: names that were looked up and are not in the list: each could carry a secret to its name server.
    """

    port: int
    looked_up: list[str] = field(default_factory=list)

    def hosts(self, door: str) -> tuple[Host, ...]:
        """The list of the attempts: the site by name and address, and at the door's port names that lead inside."""
        inside = [f"{name}:{door}" for name in NAMES if name != "site.test"]
        return tuple(map(parse_host, (f"site.test:{self.port}", f"127.0.0.1:{self.port}", *inside)))

    def resolve(self, name: str) -> list[str]:
        if name not in NAMES:
            self.looked_up.append(name)
            raise OSError(f"{name} is not known")
        return NAMES[name]

    def answer(self, caller: socket.socket) -> None:
        with caller:
            caller.settimeout(0.3)
            try:
                text = b""
                while block := caller.recv(9999):
                    text += block
            except OSError:
                pass  # a connection that is kept open
            names = [line for line in text.lower().splitlines() if line.startswith(b"host:")]
            right = [f"host: {name}:{self.port}".encode() for name in ("site.test", "127.0.0.1")]
            proof = any(name not in right for name in names) or b"evil" in text
            caller.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + (b"ESCAPED" if proof else b"the site"))


@contextmanager
def site() -> Iterator[Site]:
    """Open for the block."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        made = Site(door.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    caller, _ = door.accept()
                except OSError:
                    return
                threading.Thread(target=_quietly, args=(made, caller), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield made
        finally:
            door.shutdown(socket.SHUT_RDWR)


def _quietly(made: Site, caller: socket.socket) -> None:
    try:
        made.answer(caller)
    except OSError:
        return  # whoever asked has gone
