"""E7 J2: several tasks are under way at once, each at its own desk; what they do comes together."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.state.tables import FindingRow, TaskRow
from tests.durability.factory_run import Project, project
from tests.workflows.conftest import Plant

Open = Callable[..., Plant]

MEET = """\
import pathlib, sys, time
folder, own, other, wait = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
assert pathlib.Path(f"part_{own}.txt").exists()
(folder / own).touch()
end = time.monotonic() + wait
while not (folder / other).exists():
    assert time.monotonic() < end, "the other one never came"
    time.sleep(0.01)
"""


def meet(folder: Path, factory: Project, wait_s: float) -> list[str]:
    """The states of two tasks whose checks pass only while the checks of the other one run as well."""
    (folder / "meet.py").write_text(MEET)
    (folder / "met").mkdir()
    lines = [
        f"- task: part {n} | file: part_{n}.txt | content: text {n} |"
        f" test: python3 {folder}/meet.py {folder}/met {n} {3 - n} {wait_s}"
        for n in (1, 2)
    ]
    (factory.root / "plans" / "meet.md").write_text("# Meet\n\n" + "\n".join(lines) + "\n")
    factory.lao("run", "--single-run", "--plain")
    return [task["state"] for task in json.loads(factory.lao("status", "--json").stdout)["tasks"]]


def test_checks_of_one_task_run_while_another_is_coded(tmp_path: Path) -> None:
    """E7: two tasks that wait for one another in their checks are both done; one model, one call at a time."""
    with project(tmp_path) as factory:
        assert meet(tmp_path, factory, 60) == ["completed", "completed"]
        log = subprocess.run(
            ["git", "log", "--format=%s", "--name-only", "--grep=coder"],
            cwd=factory.root / "meet",
            capture_output=True,
            text=True,
            check=True,
        )
        assert sorted(line for line in log.stdout.splitlines() if line.endswith(".txt")) == ["part_1.txt", "part_2.txt"]
        assert factory.server.stats["max_large_resident"] == 1
        assert factory.server.stats["most_at_once"] == 1
        assert not list((factory.root / ".lao" / "desks").iterdir())


@pytest.mark.parametrize("setting", [{"orchestration": {"tasks_in_flight": 1}}, {"git": {"enabled": False}}])
def test_one_after_the_other_when_asked_or_without_git(tmp_path: Path, setting: dict[str, object]) -> None:
    """The same plan cannot be done then: the first task's checks wait in vain."""
    with project(tmp_path, settings={"attempts": {"wall_s": 5, "idle": False, "split": False}, **setting}) as factory:
        assert meet(tmp_path, factory, 0.3)[0] == "needs_human"


def test_as_many_are_coded_at_once_as_there_are_slots(tmp_path: Path) -> None:
    """E7: gpu.parallel, as far as the server says that it can."""
    settings: dict[str, object] = {"gpu": {"parallel": 3}, "orchestration": {"tasks_in_flight": 2}}
    with project(tmp_path, settings=settings, first_token_s=0.5, parallel=2) as factory:
        lines = [f"- task: part {n} | file: part_{n}.txt | content: text {n}" for n in range(4)]
        (factory.root / "plans" / "parts.md").write_text("# Parts\n\n" + "\n".join(lines) + "\n")
        assert factory.lao("run", "--single-run", "--plain").returncode == 0
        assert factory.server.stats["most_at_once"] == 2
        assert factory.server.stats["most_waiting"] == 0
        assert factory.server.stats["max_large_resident"] == 1


def test_a_conflict_costs_no_attempt(plant: Open, tmp_path: Path) -> None:
    """The folder has another part.txt by the time that the first attempt lands: the task is done again upon that."""
    folder = tmp_path / "clash"
    script = tmp_path / "clash.py"
    script.write_text(
        "import pathlib\n"
        "assert pathlib.Path('part.txt').exists()\n"
        f"there = pathlib.Path({str(folder / 'part.txt')!r})\n"
        "there.exists() or there.write_text('somebody else was quicker')\n"
    )
    factory = plant()
    factory.submit("clash", f"# Clash\n\n- task: part | file: part.txt | content: mine | test: python3 {script}\n")
    factory.turn()
    (task,) = factory.tasks()
    assert (task["state"], task["attempts"]) == ("completed", 2)
    assert (folder / "part.txt").read_text().strip() == "mine"
    assert factory.plans()[0]["state"] == "completed"
    with factory.factory.store.reading():
        said = [row.finding["message"] for row in FindingRow.select() if row.finding["kind"] == "merge_conflict"]
        assert said == ["another task changed the same lines of part.txt"]
        assert TaskRow.get().coder_failures == TaskRow.get().verify_failures == 0
