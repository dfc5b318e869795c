"""T16: the projects that a kill left behind under every released version are worked on to their end by this one.

Two of the histories, and one as that of another version; with ``LAO_LAB`` all of them.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lao import __version__
from tests.durability.factory_run import Project, project
from tests.durability.histories.kept import HERE, ROOT, archives, history_of, lay_out, rows
from tests.durability.invariants import check

pytestmark = pytest.mark.durability

LAB = bool(os.environ.get("LAO_LAB"))
ALL = archives()
AFTER = ALL if LAB else [ALL[7], ALL[12]]
OTHER = [(archive, ("3.9.9", "4.99.0")[n % 2]) for n, archive in enumerate(ALL)] if LAB else [(ALL[10], "3.9.9")]


def name_of(given: Path | str) -> str:
    return str(given.relative_to(HERE)).removesuffix(".tar.xz") if isinstance(given, Path) else given


def go_on(factory: Project, archive: Path, version: str | None = None) -> list[str]:
    """Lay the history out, work on it to the end; what is violated then."""
    again = lay_out(archive, factory.root, version=version)
    tasks = history_of(archive).tasks
    done = factory.lao("run", "--single-run", "--plain", timeout=600)
    if done.returncode:
        return [f"exit code {done.returncode}: {done.stdout}{done.stderr}"]
    if "Traceback" in done.stdout + done.stderr:
        return [done.stdout + done.stderr]
    calls = 1 + 3 * tasks + again
    print(f"{name_of(archive)} as {version or 'it is'}: {again} answers asked for again")
    return check(factory, plan="parts", tasks=tasks, per_plan=tasks, kills=1, expected_calls=calls)


def test_every_release_has_its_histories() -> None:
    """T16: this version's are there, of many moments, and say nothing of the machine that made them."""
    mine = archives(__version__)
    assert len(mine) >= 5
    assert sum(archive.stat().st_size for archive in ALL) < 1_000_000
    assert len({history_of(archive).at_work for archive in mine}) >= 4


@pytest.mark.parametrize("archive", AFTER, ids=name_of)
def test_a_history_is_worked_on_to_its_end(tmp_path: Path, archive: Path) -> None:
    """T16: nothing lost, nothing twice, with the code of today."""
    with project(tmp_path) as factory:
        assert go_on(factory, archive) == []


@pytest.mark.parametrize(("archive", "version"), OTHER, ids=name_of)
def test_a_phase_of_another_version_is_made_again(tmp_path: Path, archive: Path, version: str) -> None:
    """T16: older or newer, no step of another version is taken for one of this; no attempt is counted for it, and
    what has begun to land or to be committed happens once."""
    with project(tmp_path) as factory:
        assert go_on(factory, archive, version) == []
        state = factory.root / ".lao" / "state.db"
        assert rows(state, "SELECT count(*) FROM lao_run WHERE state NOT IN ('done', 'skipped')") == [(0,)]


def test_a_state_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """T16: a downgrade is one message that says what to do, from every command, and changes nothing."""
    with project(tmp_path) as factory:
        lay_out(ALL[0], factory.root)
        state = factory.root / ".lao" / "state.db"
        with closing(sqlite3.connect(state)) as db, db:
            db.execute("UPDATE lao_meta SET value = '99' WHERE key = 'schema'")
        before = state.read_bytes()
        for command in (("run", "--single-run", "--plain"), ("status",), ("submit", "plans/parts.md")):
            done = factory.lao(*command)
            assert done.returncode == 1, done.stdout
            assert "has schema 99" in done.stderr
            assert "upgrade LAO" in done.stderr
            assert "Traceback" not in done.stderr
        assert state.read_bytes() == before


def test_archives_hold_nothing_of_a_machine(tmp_path: Path) -> None:
    """T16: paths are those of ``/project``."""
    import tarfile

    with tarfile.open(ALL[0]) as tar:
        member = tar.extractfile("project/.lao/state.db")
        assert member is not None
        (tmp_path / "state.db").write_bytes(member.read())
    found = rows(tmp_path / "state.db", "SELECT workspace, file FROM lao_plan")
    assert found == [(f"{ROOT}/parts", f"{ROOT}/plans/parts.md")]
