"""A glance at a state: what it counts, that it leaves no trace, and what it says of files that cannot be trusted."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from lao.core.errors import BadInput, LaoError, Refused, StateDamaged, Transient
from lao.state import approvals, chats, pauses, runs
from lao.state.glance import Glance, glance
from lao.state.store import Store, open_store
from lao.state.tables import ApprovalRow, MetaRow, PlanRow, RejectionRow, RunRow, TaskRow


def plan(name: str, state: str, supersedes: str | None = None) -> str:
    PlanRow.create(
        id=name, name=name, file=f"{name}.md", text="", state=state, workspace=name, supersedes=supersedes,
        created_at=PlanRow.select().count(), updated_at=0,
    )  # fmt: skip
    return name


def task(of: str, title: str, state: str) -> int:
    return int(TaskRow.create(plan=of, seq=1, title=title, description="", state=state, updated_at=0).id)


def run(of: str, state: str, number: int) -> int:
    return int(RunRow.create(plan=of, phase="code", attempt=number, state=state, created_at=0).id)


def test_it_counts_what_a_person_wants_to_know(store: Store) -> None:
    """L3: plans by state, what failed and was not replaced, what is parked, questions, work that waits."""
    with store.write():
        for name, state in (("done", "completed"), ("bad", "failed"), ("worse", "failed"), ("work", "active")):
            plan(name, state)
        plan("worse2", "completed", supersedes="worse")
        plan("stuck", "needs_human")
        plan("unplanned", "needs_human")
        plan("given-up", "cancelled")
        parked = task("stuck", "part 1", "needs_human")
        task("stuck", "part 2", "completed")
        task("given-up", "part 3", "needs_human")
        running, _, over = run("work", "running", 1), run("work", "ready", 2), run("work", "done", 3)
        run("done", "ready", 1)
        RejectionRow.create(file="x.md", digest="", reason="no", at=0)
    for of in (running, running, over):
        label = f"l{ApprovalRow.select().count()}"
        approvals.ask(store, of, label, "shell_exec", {}, reason="", remember=())
    approvals.answer(store, 1, approvals.YES)
    runs.register_worker(store, "gpu", "boot:1:2.0:host", 1)
    found = glance(store.path)
    assert found == Glance(
        plans={"completed": 2, "failed": 2, "active": 1, "needs_human": 2, "cancelled": 1},
        failed=("bad",),
        parked_plans=("unplanned",),
        parked=(("stuck", parked, "part 1"),),
        questions=1,
        waiting=2,
        workers=(("gpu", "boot:1:2.0:host", 1),),
        rejected=1,
        paused=False,
    )
    pauses.pause(store, "work")
    assert (glance(store.path).waiting, glance(store.path).paused) == (0, False)
    pauses.resume(store, None)
    pauses.pause(store, None)
    assert (glance(store.path).waiting, glance(store.path).paused) == (0, True)


def test_the_plan_of_the_pilots_turns_is_nobodys(store: Store) -> None:
    """A question to the Pilot is no plan and no work that waits."""
    folder = store.path.parent
    chats.ask(store, chats.open_chat(store, folder).id, "How is it going?", folder)
    found = glance(store.path)
    assert (found.plans, found.waiting) == ({}, 0)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_it_leaves_no_trace(tmp_path: Path) -> None:
    """L3: no byte of a project's folder changes and no file comes up, after a clean end or a kill."""
    folder = tmp_path / "p" / ".lao"
    with_log = tmp_path / "q" / ".lao"
    store = open_store(folder / "state.db")
    with store.write():
        plan("a", "active")
    with_log.mkdir(parents=True)
    for part in ("", "-wal"):
        shutil.copy(folder / f"state.db{part}", with_log / f"state.db{part}")
    store.close()
    assert list(files(folder)) == ["state.db"]
    before = files(folder)
    assert glance(folder / "state.db").plans == {"active": 1}
    assert files(folder) == before
    before = files(with_log)
    assert glance(with_log / "state.db").plans == {"active": 1}
    after = files(with_log)
    assert {name: data for name, data in after.items() if not name.endswith("-shm")} == before


def test_it_binds_no_table(store: Store, tmp_path: Path) -> None:
    """L3: the project that is open stays the one that is written to."""
    other = open_store(tmp_path / "other" / "state.db")
    other.close()
    store.db.bind([MetaRow, PlanRow])
    glance(tmp_path / "other" / "state.db")
    with store.write():
        plan("mine", "active")
    assert glance(store.path).plans == {"active": 1}
    assert glance(tmp_path / "other" / "state.db").plans == {}


def test_no_state_is_nothing(tmp_path: Path) -> None:
    """L3: a project that was never run has nothing, and gets no state by being looked at."""
    assert glance(tmp_path / ".lao" / "state.db") == Glance()
    assert not (tmp_path / ".lao").exists()


def test_an_older_state_without_questions_is_read(store: Store) -> None:
    """L3: a state of an older schema is read as far as it goes, and not migrated."""
    with store.write():
        plan("a", "active")
        store.db.execute_sql("DROP TABLE lao_approval")
        MetaRow.update(value="6").where(MetaRow.key == "schema").execute()
    store.close()
    found = glance(store.path)
    assert (found.plans, found.questions) == ({"active": 1}, 0)
    with sqlite3.connect(store.path) as db:
        assert db.execute("SELECT value FROM lao_meta WHERE key = 'schema'").fetchone() == ("6",)
    db.close()


def test_files_that_cannot_be_trusted_are_told(tmp_path: Path) -> None:
    """L3: garbage, a lost state, another program's, a newer one: each is said as the state's own rules say it."""
    path = tmp_path / "state.db"
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(StateDamaged):
        glance(path)
    path.unlink()
    path.with_name("state.db-mark").write_text("7")
    with pytest.raises(StateDamaged, match="missing"):
        glance(path)
    path.with_name("state.db-mark").unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE songs (x)")
    db.close()
    with pytest.raises(BadInput, match="songs"):
        glance(path)
    path.unlink()
    open_store(path).close()
    path.with_name("state.db-mark").write_text("7")
    with pytest.raises(StateDamaged, match="older than"):
        glance(path)
    path.with_name("state.db-mark").unlink()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE lao_meta SET value = '999' WHERE key = 'schema'")
    db.close()
    with pytest.raises(Refused):
        glance(path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE lao_meta SET value = 'x' WHERE key = 'schema'")
    db.close()
    with pytest.raises(StateDamaged, match="does not write"):
        glance(path)


def test_flipped_bytes_are_an_error_and_no_crash(tmp_path: Path, store: Store) -> None:
    """L3: whatever byte of the file is changed, the answer is a glance or an error of ours."""
    with store.write():
        for number in range(20):
            plan(f"p{number}", "failed")
    store.close()
    good = store.path.read_bytes()
    damaged = tmp_path / "damaged.db"
    told = 0
    for at in range(0, len(good), 1999):
        damaged.write_bytes(good[:at] + bytes(b ^ 0xFF for b in good[at : at + 64]) + good[at + 64 :])
        try:
            glance(damaged)
        except LaoError:
            told += 1
    assert told > 3


def test_a_locked_state_is_transient(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: a state that somebody keeps for himself is said to be locked, after a short wait."""
    import lao.state.glance as module

    monkeypatch.setattr(module, "BUSY_S", 0.05)
    with store.write():
        plan("a", "active")
    locker = sqlite3.connect(store.path, isolation_level=None)
    locker.execute("PRAGMA locking_mode = exclusive")
    store.close()
    locker.execute("BEGIN EXCLUSIVE")
    locker.execute("UPDATE lao_plan SET state = 'failed'")
    locker.execute("COMMIT")
    with pytest.raises(Transient, match="locked"):
        glance(store.path)
    locker.close()
    assert glance(store.path).plans == {"failed": 1}


def test_a_state_that_changes_all_the_time_is_transient(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: what was read while somebody wrote into the file itself is not believed."""
    import lao.state.glance as module

    store.close()
    real = module._read

    def written_meanwhile(path: Path, *, alone: bool) -> Glance:
        found = real(path, alone=alone)
        data = path.read_bytes()
        path.write_bytes(data + b"\0" * 4096)
        return found

    monkeypatch.setattr(module, "_read", written_meanwhile)
    with pytest.raises(Transient):
        glance(store.path)
