"""The user's own programs (hooks, MCP servers): tied to the process that started them, and not kept from anything."""

from __future__ import annotations

from collections.abc import Sequence

from lao.durable.containment import BARE, Containment, unshare_prefix


def tied(command: str, how: Containment) -> list[str]:
    """The arguments that run a shell command line so that its processes end with this one.

    Where ``how`` can do that: by the kernel, when the first process of their namespace dies.
    """
    if how is Containment.UNSHARE:  # the first process of a namespace ignores signals: that must not be the command
        return [*_prefix(how), "/bin/sh", "-c", '/bin/sh -c "$1"; exit $?', "sh", command]
    return [*_prefix(how), "/bin/sh", "-c", command]


def _prefix(how: Containment) -> Sequence[str]:
    if how is Containment.BUBBLEWRAP:
        return ("bwrap", *BARE, "--unshare-pid", "--die-with-parent", "--")
    return unshare_prefix(True) if how is Containment.UNSHARE else ()
