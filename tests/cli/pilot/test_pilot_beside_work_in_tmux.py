"""Promise L2: typed at a real terminal (tmux), a turn goes before a running plan and changes nothing of it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.pilot.test_pilot_in_tmux import Session, pytestmark, tmux  # noqa: F401
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.test_pilot_beside import ONE, QUIET, pilot_says, requests
from tests.durability.test_processes import until

ANSWER = "It goes *well*: part by part."


def worked(factory: Project, log: Path, tmux: Session | None) -> None:  # noqa: F811
    """Work a plan; with a terminal, a question is typed there while the coder generates."""
    (factory.root / "plans" / "parts.md").write_text(plan_text(4, chained=True))
    if tmux is not None:
        tmux.start(factory.root)
    run = factory.start("run", "--single-run", "--plain", log=log)
    try:
        until(lambda: any(entry.get("role") == "coder" for entry in factory.server.log), 120)
        if tmux is not None:
            begun = len(factory.server.log)
            tmux.type("How is it going?")
            text = tmux.until("It goes well: part by part.")
            assert "no worker was running" not in text
            until(lambda: any(entry.get("role") == "pilot" for entry in factory.server.log), 10)
            log_of = factory.server.log[begun:]
            first = next(n for n, entry in enumerate(log_of) if entry.get("role") == "pilot")
            assert len([e for e in log_of[:first] if e.get("role") not in ("pilot", None)]) <= 2, log_of
            assert run.poll() is None, "the plan was over before the answer came"
            tmux.keys("C-d")
            tmux.until("ended with 0")
        assert run.wait(240) == 0
    finally:
        kill_group(run)


def test_a_turn_typed_while_a_plan_runs(tmp_path: Path, tmux: Session) -> None:  # noqa: F811
    """The answer is there while the plan goes on; the plan's files, and what each role was asked, are those of a run
    without anybody at the terminal: no call is made twice, none is left out."""
    results, asked = [], []
    for name, terminal in (("without", None), ("with", tmux)):
        folder = tmp_path / name
        folder.mkdir()
        settings = {"models": ONE, **QUIET}
        responses = pilot_says({"text": ANSWER})
        with project(folder, settings=settings, responses=responses, first_token_s=1.0) as factory:
            worked(factory, tmp_path / f"log-{name}", terminal)
            assert factory.server.stats["most_at_once"] == 1
            asked.append({role: requests(factory, role) for role in ("planner", "coder", "reviewer")})
            results.append({p.name: p.read_text() for p in (factory.root / "parts").glob("part_*.txt")})
    assert len(results[0]) == 4
    assert results[0] == results[1]
    assert asked[0] == asked[1]
