"""Which pictures there are: what is typed where, and what is in the window when each is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scripts.shots.places import Place, at_work, newcomer, quiet
from scripts.shots.terminal import PROMPT


@dataclass(frozen=True)
class Step:
    """What a person does, and what they see then.

    Attributes:
        until: a regular expression that is in the window afterwards.
        type: a line that is typed and sent first; None: none. ``{PORT}`` and the like are the place's.
        press: keys that are pressed first, by tmux's names.
        take: the name of the picture that is taken at the end; "": none.
        size: columns and rows from now on.
        light: the picture has the colours of a light terminal.
    """

    until: str
    type: str | None = None
    press: tuple[str, ...] = ()
    take: str = ""
    size: tuple[int, int] | None = None
    light: bool = False


@dataclass(frozen=True)
class Story:
    """One command of ``lao`` in one place, and its steps. ``size``: columns and rows at the beginning."""

    lao: str
    place: Place
    steps: tuple[Step, ...]
    size: tuple[int, int] = (100, 26)
    env: str = ""

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of its pictures."""
        return tuple(step.take for step in self.steps if step.take)


_AT_WORK: Final = r"left\n(.*\n)*.*tok/s"
_READY: Final = r"idle.* queue"

FIRST_START: Final = Story("", newcomer, (
    Step(r"choice \[Enter: init\]"),
    Step(r"Which \[1\]", "init --port {PORT}"),
    Step(r"Model \[2\]", ""),
    Step(r"Another model", ""),
    Step(r"Command \(Enter", ""),
    Step(r"Write plans", "", take="wizard"),
    Step(r"choice \[Enter: run\]", "", size=(90, 29), take="home"),
    Step(r"overview\]\s*:\s*$", "health", size=(90, 11), take="health"),
    Step(r"Change \[8\]", "configure-models", size=(90, 22)),
    Step(r"Model \[", "2", take="configure-models"),
), (84, 25))  # fmt: skip

RUN: Final = Story("run --single-run", at_work, (
    Step(rf"proved(.*\n)*.*{_AT_WORK}", take="run"),
    Step(r"left\n(.*\n)*. working.*\n*$", take="run-narrow", size=(48, 14)),
    Step(PROMPT, take="run-end", size=(110, 40)),
))  # fmt: skip

RUN_ASCII: Final = Story(
    "run --single-run", at_work, (Step(_AT_WORK, take="run-ascii"),), env="LAO_ASCII=1 LAO_COLOR=never"
)

PILOT: Final = Story("run", quiet, (
    Step(r"PLAN.*parked(.*\n)*.*or /help(.*\n)*.*idle", take="hand-over", size=(100, 30)),
    Step(r"answers", "what failed, and why?"),
    Step(r"No model can mend(.*\n)*.*answers", take="pilot"),
    Step(r"proved\.\n(.*\n)*.*idle", take="pilot-light", light=True),
    Step(r"DONE", "/done", take="done"),
    Step(r"/lock", "/help", take="help", size=(100, 50)),
    Step(r"blog(.*\n)*.*idle", "/project list", take="projects", size=(100, 12)),
    Step(r"answers", "how does it work?"),
    Step(r"is read once(.*\n)*.*answers", size=(100, 20)),
    Step(r"interrupted; what had come is kept", press=("C-c",), take="interrupt"),
), (100, 30))  # fmt: skip

BESIDE: Final = Story("pilot", at_work, (
    Step(r"or /help(.*\n)*.*idle"),
    Step(r"asked twice(.*\n)*.*code of task", "how does it work?", take="pilot-beside"),
), (100, 22))  # fmt: skip

DOCTOR: Final = Story("doctor", at_work, (Step(PROMPT, take="doctor"),), (110, 76))

STORIES: Final = (FIRST_START, RUN, RUN_ASCII, PILOT, BESIDE, DOCTOR)
