"""Holds a database's write lock for a while, as another program may. Run: python -m tests.durability.lock_holder F S

Prints ``held`` when it has the lock; exit status 1 when it did not get it within a minute.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


def hold(path: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a process that holds the lock of ``path`` for ``seconds``; its output says whether it got it."""
    command = [sys.executable, "-m", "tests.durability.lock_holder", str(path), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def main() -> int:
    path, seconds = sys.argv[1], float(sys.argv[2])
    connection = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return 1
    print("held", flush=True)
    threading.Event().wait(seconds)
    connection.execute("ROLLBACK")
    connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
