"""Promise L5: an idle ``lao run`` hands its terminal to the Pilot, /resume gives it back, and so on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.pilot.test_pilot_in_tmux import ROOT, Session, project, pytestmark, tmux  # noqa: F401

COMMITTER = "GIT_AUTHOR_NAME=T GIT_AUTHOR_EMAIL=t@e.x GIT_COMMITTER_NAME=T GIT_COMMITTER_EMAIL=t@e.x"
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x | test: grep -q x part_1.txt\n"


def run_in(tmux: Session, folder: Path, home: Path) -> None:  # noqa: F811
    shell = f"{sys.executable} -m lao run; echo ended with $?"
    tmux.run(
        "new-session", "-d", "-s", "lao", "-x", "110", "-y", "40", "-c", str(folder),
        f"PYTHONPATH={ROOT} HOME={home} {COMMITTER} sh -c '{shell}; exec cat'",
    )  # fmt: skip


def test_the_pilot_takes_over_when_nothing_is_left_to_do(project: Path, tmux: Session) -> None:  # noqa: F811
    """Idle: the Pilot, answered by the run's own worker; /resume: the view, which shows the plan that came meanwhile;
    idle again: the Pilot again, in the same conversation; leaving it ends the run and its workers."""
    run_in(tmux, project, project)
    tmux.until("or /help")
    tmux.type("How is it going?")
    assert "no worker was running" not in tmux.until("All is well.")
    tmux.type("/pause")
    tmux.until("PAUSED: everything")
    (project / "plans" / "parts.md").write_text(PLAN)
    tmux.type("/resume")
    tmux.until("part 1 proved, commit ")
    tmux.wait(lambda: tmux.screen().count("or /help") >= 2)
    tmux.type("/plans")
    tmux.until("1 of 1")
    tmux.keys("C-d")
    text = tmux.until("ended with ")
    assert "Traceback" not in text
    assert "PLAN   pilot" not in text, "the plan that turns belong to is nobody's"
    assert "ended with 0" in text


def test_another_project_is_visited_from_a_run_and_left_again(
    project: Path,  # noqa: F811
    tmux: Session,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """L3 L5: beside `lao run` a path leads, once confirmed, to a Pilot in that project, whose commands are about it; a
    path leads back, so does Ctrl-D; the run has worked on meanwhile, and ends with its own Pilot."""
    other = tmp_path_factory.mktemp("other")
    (other / "factory.yaml").write_text((project / "factory.yaml").read_text())
    (other / "plans").mkdir()

    def greetings() -> int:
        return " ".join(tmux.screen().split()).count("ask, or /help")

    run_in(tmux, project, project)
    tmux.until("or /help")
    tmux.type(str(other))
    tmux.until("'lao run' works on here, and you come back by leaving? y(es) or n(o)")
    tmux.type("n")
    tmux.type(str(other))
    tmux.type("yes")
    tmux.until(f"ask, or /help; Ctrl-D goes back to {project.name}")
    tmux.type("/project")
    tmux.until(f"project {other}")
    (project / "plans" / "parts.md").write_text(PLAN)  # taken in by the run that waits
    tmux.type(str(project))
    tmux.until(f"go back to {project.name} in")
    tmux.type("y")
    tmux.wait(lambda: greetings() == 3)
    tmux.wait((project / "parts").is_dir)
    tmux.type("/done")
    tmux.until("completed, DONE")
    tmux.type(f"/project use {other}")
    tmux.wait(lambda: greetings() == 4)
    tmux.keys("C-d")
    tmux.wait(lambda: greetings() == 5)
    tmux.keys("C-d")
    text = tmux.until("ended with ")
    assert greetings() == 5, text
    assert "ended with 0" in text
    assert "Traceback" not in text
    assert not (other / ".lao" / "logs").exists(), "a path was asked of a model"
