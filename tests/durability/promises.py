"""What LAO promises whatever happens to it, and the experiments that try to break it: docs/guarantees.md."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

PROMISES: Final = MappingProxyType(
    {
        "P1": "What LAO has acknowledged (a plan, an answer, a verdict, an end) survives any kill and any power cut.",
        "P2": "No task, commit, attempt or verdict happens or counts twice.",
        "P3": "A crash costs at most the model calls in flight; finished ones are taken from the journal.",
        "P4": "Each commit of LAO is whole and there once; your branches, index and uncommitted work stay as they are.",
        "P5": "Work that has not passed its checks is never seen in a plan's folder.",
        "P6": "Two workers never do the same work; one that was taken for dead writes nothing when it wakes.",
        "P7": "What is not a task's fault (server away, disk full, a conflict) uses none of its attempts.",
        "P8": "No process of a dead worker goes on working.",
        "P9": "A phase that crashes its worker again and again is set aside, alone, and stalls nothing.",
        "P10": "LAO never runs on a state file that is damaged or of another version: it recovers or says what to do.",
        "P11": "What a kill left under a released version is worked on to its end by every later one; no step of "
        "another version is taken for one of this.",
        "P12": "Setting the clock lengthens no pause beyond its longest, takes no run from its worker and loses none.",
    }
)


@dataclass(frozen=True)
class Experiment:
    """A command that injects faults and counts violations.

    Attributes:
        name: unique; what ``--only`` takes.
        what: the faults, in a line.
        promises: those that it tries to break.
        command: by slice ("ci", "nightly", "release"); a slice that is missing takes the next smaller one. It prints
            a JSON object with ``violations`` (a list) and the number of faults under ``count``, or is pytest.
        count: the key of the number of faults in that object; "" for pytest, whose tests are counted.
    """

    name: str
    what: str
    promises: tuple[str, ...]
    command: dict[str, tuple[str, ...]]
    count: str = ""

    def arguments(self, slice_: str) -> list[str]:
        """The command line of a slice."""
        order = ("release", "nightly", "ci")
        smaller = (*order[order.index(slice_) :], *reversed(order))
        return [sys.executable, "-m", *next(self.command[s] for s in smaller if s in self.command)]


def sweep(*extra: str) -> dict[str, tuple[str, ...]]:
    """Kill sweeps of growing size."""
    return {
        name: ("tests.durability.kill_sweep", "--kills", str(kills), *extra)
        for name, kills in (("ci", 150), ("nightly", 2500), ("release", 10000))
    }


def calls(module: str, *extra: str, ci: int, nightly: int) -> dict[str, tuple[str, ...]]:
    """Sweeps over one of so many points, over every one in a release."""
    return {
        name: (f"tests.durability.{module}", "--every", str(every), *extra)
        for name, every in (("ci", ci), ("nightly", nightly), ("release", 1))
    }


EXPERIMENTS: Final = (
    Experiment(
        "kills",
        "kill -9 of everything at random moments of ten independent tasks, four under way at once",
        ("P1", "P2", "P3", "P4", "P5", "P8"),
        sweep(),
        "kills",
    ),
    Experiment(
        "kills-chained",
        "the same with tasks that build on one another before they are reviewed",
        ("P1", "P2", "P3", "P4"),
        sweep("--early"),
        "kills",
    ),
    Experiment(
        "crash-points",
        "a worker kills itself at every named crash point, at the first and the fifth pass",
        ("P1", "P2", "P3", "P4"),
        {"ci": ("pytest", "-q", "tests/durability/test_crash_points.py")},
    ),
    Experiment(
        "calls",
        "kill -9 of the worker at every system call that writes, in every phase of a plan",
        ("P1", "P2", "P3", "P4", "P5"),
        calls("call_sweep", ci=101, nightly=5),
        "struck",
    ),
    Experiment(
        "calls-failing",
        "an I/O error for every fsync, fdatasync and read of the worker; once",
        ("P1", "P2", "P4", "P7"),
        calls("call_sweep", "--errors", ci=101, nightly=5),
        "struck",
    ),
    Experiment(
        "calls-failing-on",
        "the same for all such calls of the ten seconds that follow, too",
        ("P1", "P2", "P4", "P7"),
        calls("call_sweep", "--errors", "--lasting", ci=101, nightly=5),
        "struck",
    ),
    Experiment(
        "syncs-failing",
        "an I/O error for each single sync of 'lao submit', from the first of a new project",
        ("P1",),
        {"ci": ("pytest", "-q", "tests/durability/test_failed_syncs.py")},
    ),
    Experiment(
        "git-calls",
        "kill -9 of a single git process at every system call that writes; the worker lives on",
        ("P2", "P4", "P7"),
        calls("git_sweep", ci=101, nightly=5),
        "struck",
    ),
    Experiment(
        "git-calls-all",
        "the same, and the worker is killed with its git",
        ("P1", "P2", "P4"),
        calls("git_sweep", "--all", ci=101, nightly=5),
        "struck",
    ),
    Experiment(
        "git-calls-failing",
        "an I/O error for every sync of a git process",
        ("P2", "P4", "P7"),
        calls("git_sweep", "--errors", ci=31, nightly=3),
        "struck",
    ),
    Experiment(
        "git-locks",
        "lock files of a dead git in the plan's repository before each phase",
        ("P4", "P7"),
        {"ci": ("tests.durability.git_sweep", "--locks")},
        "struck",
    ),
    Experiment(
        "whole",
        "kill -9 while a plan's commands run on the whole",
        ("P1", "P8"),
        {"ci": ("pytest", "-q", "tests/durability/test_whole_killed.py")},
    ),
    Experiment(
        "orphans",
        "the worker alone is killed while its commands have children",
        ("P8",),
        {"ci": ("pytest", "-q", "tests/durability/test_processes.py", "tests/durable/test_containment.py")},
    ),
    Experiment(
        "hands",
        "somebody unloads the model by hand every 0.7 s while phases are under way",
        ("P7",),
        {"ci": ("pytest", "-q", "tests/durability/test_hands_on_the_server.py")},
    ),
    Experiment(
        "power-cuts-state",
        "a simulated power cut of the state file: what was not synced is missing, torn or there",
        ("P1", "P10"),
        {
            name: ("tests.durability.power_cut", "--state", str(cuts), "--factory", "0")
            for name, cuts in (("ci", 300), ("nightly", 5000))
        },
        "lossy",
    ),
    Experiment(
        "power-cuts-factory",
        "the same of a whole run, with git objects, branches, plan folders; some are worked on to the end",
        ("P1", "P2", "P4", "P5"),
        {
            name: ("tests.durability.power_cut", "--state", "0", "--factory", str(cuts), "--resume", str(resumed))
            for name, cuts, resumed in (("ci", 40, 4), ("nightly", 500, 50))
        },
        "lossy",
    ),
    Experiment(
        "damage",
        "state files with flipped bytes, cut or missing write-ahead logs, of other versions and programs",
        ("P10",),
        {"ci": ("pytest", "-q", "tests/durability/test_damage.py", "tests/state/test_guard.py")},
    ),
    Experiment(
        "damage-many",
        "seventeen kinds of damage at random places of a state that a kill left; each refused, or recovered whole",
        ("P1", "P10"),
        {
            name: ("tests.durability.damages", "--count", str(count))
            for name, count in (("ci", 34), ("nightly", 200), ("release", 2000))
        },
        "damages",
    ),
    Experiment(
        "messages",
        "messages that are torn, altered, renamed or of another version; a queue's file full of garbage",
        ("P1", "P2"),
        {"ci": ("pytest", "-q", "tests/durability/test_messages.py")},
    ),
    Experiment(
        "resumed",
        "kill -9 in the middle of a phase: its calls are counted at the server, and the seconds to the next one",
        ("P3",),
        {"ci": ("pytest", "-q", "tests/durability/test_resumed.py")},
    ),
    Experiment(
        "clock",
        "jumps of the clock by seconds to ten years while phases wait, work and sleep, by a clock that tests turn",
        ("P6", "P12"),
        {"ci": ("pytest", "-q", "tests/durability/test_clock.py")},
    ),
    Experiment(
        "clock-processes",
        "the same by the wall clock of real workers whose model server is away, every third between kill and start",
        ("P1", "P2", "P12"),
        {name: ("tests.durability.clock_jumps", "--jumps", str(jumps)) for name, jumps in (("ci", 3), ("nightly", 24))},
        "jumps",
    ),
    Experiment(
        "limits",
        "the system refuses the workers memory, open files, processes or larger files for three seconds at a time",
        ("P1", "P2", "P7"),
        {
            name: ("tests.durability.limits", "--squeezes", str(squeezes))
            for name, squeezes in (("ci", 4), ("nightly", 40))
        },
        "squeezes",
    ),
    Experiment(
        "histories",
        "projects that a kill left under each released version, also as those of an older and a newer one",
        ("P1", "P2", "P4", "P11"),
        {"ci": ("pytest", "-q", "tests/durability/test_histories.py", "tests/workflows/test_takeover.py")},
    ),
    Experiment(
        "disk-full",
        "no space for the state, a desk, a commit",
        ("P1", "P7"),
        {"ci": ("pytest", "-q", "tests/durability/test_disk_full.py")},
    ),
    Experiment(
        "locks",
        "another program holds the state or the queue locked for a second, for ten, at night for a minute",
        ("P1", "P7"),
        {
            "ci": ("tests.durability.locks", "--holds", "20"),
            "nightly": ("tests.durability.locks", "--holds", "200", "--long"),
        },
        "held",
    ),
    Experiment(
        "starts",
        "two to four workers of a project start at the same instant",
        ("P6",),
        {name: ("tests.durability.starts", "--races", races) for name, races in (("ci", "6"), ("nightly", "100"))},
        "started",
    ),
    Experiment(
        "zombies",
        "a worker is stopped at every named crash point, and wakes when others have done its work",
        ("P2", "P4", "P6"),
        {"ci": ("pytest", "-q", "tests/durability/test_zombies.py")},
    ),
    Experiment(
        "server-faults",
        "the model server refuses, fails, hangs, breaks off, loses its model and talks nonsense",
        ("P2", "P7"),
        {
            name: ("tests.durability.server_faults", "--faults", faults)
            for name, faults in (("ci", "50"), ("nightly", "500"), ("release", "2000"))
        },
        "struck",
    ),
    Experiment(
        "soak",
        "a fault of any kind every few seconds, for hours; memory, open files and logs are watched (docs/soak.md)",
        ("P1", "P2", "P4", "P6", "P7", "P8"),
        {
            name: ("tests.durability.soak", "--minutes", minutes, "--every", every)
            for name, minutes, every in (("ci", "2", "4"), ("nightly", "30", "5"), ("release", "480", "30"))
        },
        "injected",
    ),
    Experiment(
        "disk-levels",
        "a disk that fills up at random moments to random levels for four seconds",
        ("P1", "P2", "P4", "P7"),
        {
            name: ("tests.durability.fill_sweep", "--levels", str(levels))
            for name, levels in (("ci", 4), ("nightly", 50))
        },
        "said",
    ),
    Experiment(
        "state-model",
        "any history of claims, ends, crashes, rejections and commands, against a model in memory",
        ("P2", "P6", "P7", "P9"),
        {"ci": ("pytest", "-q", "tests/durability/test_state_model.py")},
    ),
    Experiment(
        "planted-bugs",
        "ten bugs planted in copies of LAO; a violation is one that no test finds",
        ("P1", "P2", "P4", "P6", "P8", "P9"),
        {"nightly": ("scripts.planted_bugs", "--json")},
        "planted",
    ),
    Experiment(
        "claims",
        "stale workers, dead owners, crashes in a row, landings and lines killed half-way, on the real SQLite and git",
        ("P2", "P4", "P5", "P6", "P9"),
        {
            "ci": (
                "pytest",
                "-q",
                "tests/state",
                "tests/durable",
                "tests/workspace/test_desks.py",
                "tests/workspace/test_lines.py",
                "tests/workspace/test_commits.py",
            )
        },
    ),
)
