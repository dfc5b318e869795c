"""T11: a state file that a kill left is damaged in one of many ways, and opened: python -m tests.durability.damages

Each time LAO either refuses it with a message that says what to do, and changes nothing, or opens it with all that was
acknowledged. SQLite has no checksums of its pages: a changed letter in a row is noticed by nobody and counted apart, as
``unnoticed``; everything that LAO reads must still end in an answer or a message.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from lao.core.errors import LaoError
from lao.state import backups, plans, queries
from lao.state.store import open_store

PLANS, LATER = 30, 6
WRITER = """
import os, signal, sys
from pathlib import Path
from lao.state.store import open_store
from tests.state.pipeline_steps import hand_in, planned, spec
store = open_store(Path(sys.argv[1]))
planned(store, spec("one"), spec("two", "one"))
for number in range(int(sys.argv[2])):
    hand_in(store, f"# Plan {number}\\n" + "word " * 200, f"/plans/{number}.md")
store.mark()
if sys.argv[4] == "folded":
    store.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
for number in range(int(sys.argv[3])):
    hand_in(store, f"# Later {number}\\n", f"/plans/later{number}.md")
store.mark()
os.kill(os.getpid(), signal.SIGKILL)
"""

Harm = Callable[[Path, random.Random], None]


def wal(state: Path) -> Path:
    return Path(f"{state}-wal")


def shm(state: Path) -> Path:
    return Path(f"{state}-shm")


def flip(path: Path, dice: random.Random, most: int = 8) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(dice.randint(1, most)):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def tear(path: Path, dice: random.Random) -> None:
    """Garbage, or zeros, in some whole blocks, as a broken disk leaves them."""
    data = bytearray(path.read_bytes())
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(0, len(data), 512)
        size = min(512 * dice.randint(1, 8), len(data) - at)
        data[at : at + size] = os.urandom(size) if dice.random() < 0.5 else bytes(size)
    path.write_bytes(data)


def cut(path: Path, dice: random.Random) -> None:
    os.truncate(path, dice.randrange(path.stat().st_size))


def drop(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def schema(state: Path, number: str) -> None:
    with closing(sqlite3.connect(state)) as db, db:
        db.execute("UPDATE lao_meta SET value = ? WHERE key = 'schema'", (number,))


def other_program(state: Path) -> None:
    drop(state, wal(state), shm(state))
    with closing(sqlite3.connect(state)) as db, db:
        db.execute("CREATE TABLE theirs (x)")


def older_copy(state: Path) -> None:
    """The file as it was at its last folding, without its log, in the place of both."""
    drop(wal(state), shm(state))


HARMS: dict[str, Harm] = {
    "flipped bytes": lambda state, dice: flip(state, dice),
    "torn blocks": lambda state, dice: tear(state, dice),
    "cut file": lambda state, dice: cut(state, dice),
    "empty file": lambda state, _dice: os.truncate(state, 0),
    "no file": lambda state, _dice: drop(state),
    "flipped log": lambda state, dice: flip(wal(state), dice),
    "torn log": lambda state, dice: tear(wal(state), dice),
    "cut log": lambda state, dice: cut(wal(state), dice),
    "no log": lambda state, _dice: drop(wal(state)),
    "no index": lambda state, _dice: drop(shm(state)),
    "garbled index": lambda state, dice: tear(shm(state), dice),
    "no log nor index": lambda state, _dice: older_copy(state),
    "newer schema": lambda state, dice: schema(state, str(dice.randint(50, 5_000))),
    "schema that is none": lambda state, _dice: schema(state, "five"),
    "another program's file": lambda state, _dice: other_program(state),
    "a text": lambda state, _dice: drop(wal(state), shm(state), state) or state.write_text("not a database " * 99),
    "garbled witness": lambda state, dice: backups.mark_file(state).write_bytes(dice.randbytes(6)),
}

UNNOTICED = frozenset({"flipped bytes", "torn blocks"})
"""What may change a row's text and no more; anything else is recovered whole or refused."""


def base(folder: Path, kind: str) -> Path:
    """A state as a killed writer left it: all of it in the log, or most of it ``folded`` into the file."""
    state = folder / kind / "state.db"
    state.parent.mkdir(parents=True)
    command = [sys.executable, "-c", WRITER, str(state), str(PLANS), str(LATER), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != -signal.SIGKILL:
        raise RuntimeError(done.stderr)
    return state


def contents(state: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in state.parent.glob("state.db*") if not p.name.endswith("-shm")}


def dump(state: Path) -> str:
    with closing(sqlite3.connect(state)) as db:
        return "\n".join(line for line in db.iterdump() if "'mark'" not in line)


def look(state: Path) -> None:
    """All that ``lao status`` and a worker read. Raises LaoError."""
    store = open_store(state, whole=True)
    try:
        for view in (queries.plans_view, queries.tasks_view, queries.running_view, queries.counts):
            view(store)
        for plan in plans.all_plans(store):
            plans.tasks_of(store, plan.id)
    finally:
        store.close()


def judge(state: Path, name: str, whole: str, before: dict[str, bytes]) -> tuple[str, str]:
    """(what came of it, what is wrong with that or "")."""
    try:
        look(state)
    except LaoError as error:
        wrong = "" if error.hint and error.exit_code in (1, 42) else f"no way out is told: {error!r}"
        now = contents(state)
        touched = [part for part, data in before.items() if data and now.get(part) != data]
        return "refused", wrong or (f"{touched} changed by a refusal: {error}" if touched else "")
    except Exception as error:  # noqa: BLE001  # whatever would be a traceback
        return "broken", f"{type(error).__name__}: {error}"
    if dump(state) == whole:
        return "recovered", ""
    return "unnoticed", "" if name in UNNOTICED else "it was opened, and is not what was acknowledged"


def sweep(folder: Path, count: int, seed: int) -> dict[str, object]:
    """Damage and open ``count`` states; the figures."""
    dice = random.Random(seed)
    bases = {kind: base(folder, kind) for kind in ("log", "folded")}
    wholes = {}
    for kind, state in bases.items():
        copy = folder / f"whole-{kind}"
        shutil.copytree(state.parent, copy)
        wholes[kind] = dump(copy / "state.db")
    outcomes, violations = Counter[str](), []
    for number in range(count):
        name = list(HARMS)[number % len(HARMS)]
        kind = dice.choice(("log", "folded"))
        place = folder / "damaged"
        shutil.copytree(bases[kind].parent, place)
        state = place / "state.db"
        HARMS[name](state, dice)
        outcome, wrong = judge(state, name, wholes[kind], contents(state))
        outcomes[f"{name}: {outcome}"] += 1
        outcomes[outcome] += 1
        if wrong:
            violations.append(f"{number} ({kind}, {name}): {outcome}: {wrong}")
        shutil.rmtree(place)
    return {"seed": seed, "damages": count, "outcomes": dict(sorted(outcomes.items())), "violations": violations}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = sweep(Path(folder), options.count, options.seed)
    print(json.dumps({**figures, "seconds": round(time.monotonic() - started, 1)}, indent=2))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
