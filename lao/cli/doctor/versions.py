"""``lao doctor``, group Versions: Python, SQLite, and the packages that the work rests on. Needs no configuration."""

from __future__ import annotations

import sqlite3
import sys
from importlib import metadata
from typing import Final

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene

LEAST_PYTHON: Final = (3, 10)
LEAST_SQLITE: Final = (3, 35, 0)
PACKAGES: Final = {"huey": (3, 5), "peewee": (4, 5)}
"""What the queue and the state need at least."""


def examine(_scene: Scene) -> list[Check]:
    """The rows ``lao``, ``python``, ``sqlite`` and one for each of ``PACKAGES``."""
    from lao import __version__

    return [
        Check("lao", "ok", __version__),
        judged("python", sys.version_info[:3], LEAST_PYTHON, "install a newer Python"),
        judged("sqlite", sqlite3.sqlite_version_info, LEAST_SQLITE, "use a Python with a newer SQLite"),
        *(_package(name, least) for name, least in PACKAGES.items()),
    ]


def judged(name: str, found: tuple[int, ...], least: tuple[int, ...], remedy: str) -> Check:
    """Whether a version is enough."""
    told, wanted = (".".join(map(str, version)) for version in (found, least))
    if found < least:
        return Check(name, "fail", f"{told}, at least {wanted} is needed", remedy)
    return Check(name, "ok", told)


def _package(name: str, least: tuple[int, ...]) -> Check:
    remedy = f"`pip install --upgrade {name}`"
    try:
        text = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, "fail", "it is not installed", remedy)
    return judged(name, tuple(int(part) for part in text.split(".")[:3] if part.isdigit()), least, remedy)
