"""Running one command in each sandbox that works here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lao.core.words import CommandResult
from lao.durable.containment import Containment, works
from lao.durable.processes import run_command
from lao.durable.sandbox.policy import Sandbox

HOLDING = (Containment.BUBBLEWRAP, Containment.UNSHARE, Containment.LANDLOCK)


def run(command: str, cwd: Path, how: Containment, timeout_s: float = 60, **more: Any) -> CommandResult:
    """In ``cwd``; skips the test where this backend does not work."""
    if not works(how):
        pytest.skip(f"{how.value} does not work here")
    return run_command(command, cwd=cwd, timeout_s=timeout_s, marker=f"test/{cwd}/", containment=Sandbox(how, **more))
