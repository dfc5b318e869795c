"""The profile of macOS' ``sandbox-exec`` for one command, as text. Later rules win.

Made after what Chromium and Codex publish of the language; never run by LAO's own tests, which have no macOS.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lao.durable.sandbox.folders import SECRETS, View

_SYSTEM: Final = (
    "/System", "/Library", "/usr", "/bin", "/sbin", "/opt", "/private/etc", "/private/var/db", "/private/var/select",
    "/dev", "/Applications",
)  # fmt: skip
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/tty", "/dev/random", "/dev/urandom", "/dev/dtracehelper")


def profile(view: View, private: Path, *, network: bool) -> str:
    """What ``sandbox-exec -p`` takes.

    Args:
        private: the command's own folder for HOME and TMPDIR.
    """
    readable = [*map(Path, _SYSTEM), *view.tools]
    writable = [*view.writable, Path(os.path.realpath(private))]
    lines = [
        "(version 1)",
        "(deny default)",
        "(allow process-exec process-fork)",
        "(allow signal (target same-sandbox))",
        "(allow process-info* (target same-sandbox))",
        "(allow sysctl-read)",
        '(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo"))',
        "(allow ipc-posix-sem)",
        "(allow pseudo-tty)",
        "(allow file-read-metadata)",
        '(allow file-read* (literal "/"))',
        _rule("allow", "file-read*", readable),
        _rule("allow", "file-read* file-write*", writable),
        _rule("allow", "file-write*", map(Path, _DEVICES)),
        _rule("deny", "file-read*", [Path(f"/private{secret}") for secret in SECRETS]),
        _rule("deny", "file-write*", view.frozen),
    ]
    if network:
        lines += ["(allow network*)", "(allow system-socket)"]
    else:
        lines += ['(allow network* (local ip "localhost:*") (remote ip "localhost:*"))']
    return "\n".join(line for line in lines if line) + "\n"


def _rule(verdict: str, what: str, paths: Iterable[Path]) -> str:
    places = " ".join(f"(subpath {_quoted(path)})" for path in paths)
    return f"({verdict} {what} {places})" if places else ""


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
