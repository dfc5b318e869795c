"""The raw side of one connection: write at once, notice a client that has gone. Knows no HTTP."""

from __future__ import annotations

import select
import socket


class Gone(Exception):
    """The client has hung up, or the connection is to be ended without another word."""


class Connection:
    """A connected socket."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            Gone: nobody is there to read it.
        """
        try:
            self._raw.sendall(data)
        except OSError as error:
            raise Gone from error

    def pause(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Gone: the client hung up meanwhile.
        """
        if seconds > 0 and self._readable(seconds) and self._ended():
            raise Gone

    def wait_for_end(self) -> None:
        """Return when the client hangs up or the server stops."""
        while not (self._readable(None) and self._ended()):
            pass

    def _readable(self, seconds: float | None) -> bool:
        try:
            return bool(select.select([self._raw], [], [], seconds)[0])
        except (OSError, ValueError):
            return True

    def _ended(self) -> bool:
        try:
            return self._raw.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True
