"""Promise L5: an idle ``lao run`` hands its terminal to the Pilot, /resume gives it back, and so on."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cli.pilot.test_pilot_in_tmux import ROOT, Session, project, pytestmark, tmux  # noqa: F401

COMMITTER = "GIT_AUTHOR_NAME=T GIT_AUTHOR_EMAIL=t@e.x GIT_COMMITTER_NAME=T GIT_COMMITTER_EMAIL=t@e.x"
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x | test: grep -q x part_1.txt\n"


def test_the_pilot_takes_over_when_nothing_is_left_to_do(project: Path, tmux: Session) -> None:  # noqa: F811
    """Idle: the Pilot, answered by the run's own worker; /resume: the view, which shows the plan that came meanwhile;
    idle again: the Pilot again, in the same conversation; leaving it ends the run and its workers."""
    shell = f"{sys.executable} -m lao run; echo ended with $?"
    tmux.run(
        "new-session", "-d", "-s", "lao", "-x", "110", "-y", "40", "-c", str(project),
        f"PYTHONPATH={ROOT} HOME={project} {COMMITTER} sh -c '{shell}; exec cat'",
    )  # fmt: skip
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
