"""Opens the socket at which a command finds its proxy, hands it out, and becomes the command.

A program of its own, run as text by ``python -I -S -c`` inside the command's network namespace, with the standard
library only: ``CHANNEL PORT ARGUMENT...``. The proxy outside serves the socket; the command never has the channel.
"""

from __future__ import annotations

import os
import socket
import sys


def main(channel: int, port: int, arguments: list[str]) -> None:
    """Listen on the loopback, send the socket over the channel, and be replaced by the arguments."""
    with socket.socket(fileno=channel) as ours, socket.socket() as door:
        door.bind(("127.0.0.1", port))
        door.listen(64)
        socket.send_fds(ours, [b"x"], [door.fileno()])
    os.execv(arguments[0], arguments)  # noqa: S606 - the shell is in the arguments


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
