"""The escape corpus: attempts as data, run through the real tools in a world with secrets, judged by what came of them.

``python -m tests.security.corpus --backend bubblewrap [--only ID] [--publish]`` prints what succeeded; ``--publish``
writes the figures of this backend into docs/security.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from lao.config.settings import PermissionSettings
from lao.core.errors import LaoError
from lao.core.steps import DirectSteps
from lao.durable.containment import Containment, works
from lao.durable.sandbox.policy import Limits, Sandbox
from lao.tools.context import ToolContext, ToolResult
from lao.tools.permissions.policy import Policy
from lao.tools.toolbox import Toolbox
from lao.workspace.git_calls import Git
from tests.security.world import World, end, left_tokens, survivors, world

LIMITS: Final = Limits(memory_mb=256, file_mb=64, processes=200, tmp_mb=128)
TOOLS: Final = (
    "file_read", "file_write", "file_patch", "list_dir", "shell_exec", "find_relevant_files", "task_todo_set",
)  # fmt: skip
PAGE: Final = Path(__file__).resolve().parents[2] / "docs/security.md"
FIGURES: Final = Path(__file__).with_name("figures.json")
MARKS: Final = ("<!-- corpus -->\n", "<!-- /corpus -->")
_TIME_S: Final = 20.0
_GRACE_S: Final = 5.0
_OUTPUT: Final = 20_000
_RACES: Final = 150


@dataclass(frozen=True)
class Attempt:
    """One try to get out.

    Attributes:
        how: of the data: ``sh`` (a command; with ``then`` another one after it), or ``call`` and ``with`` (a tool),
            with ``make``, ``file``, ``read`` or ``race`` before or beside it; ``hosts``: commands have a list of hosts.
        proof: what is expected to show its success. All proofs are looked at in every attempt.
    """

    id: str
    kind: str
    proof: str
    how: Mapping[str, Any]


def attempts() -> tuple[Attempt, ...]:
    """The whole corpus, in the order of the files."""
    files = sorted(Path(__file__).with_name("attempts").glob("*.yaml"))
    entries = [entry for file in files for entry in yaml.safe_load(file.read_text(encoding="utf-8"))]
    return tuple(Attempt(entry.pop("id"), entry.pop("class"), entry.pop("proof"), entry) for entry in entries)


class Todos:
    def get(self) -> list[dict[str, Any]]:
        return []

    def set(self, items: list[dict[str, Any]]) -> None:
        self.items = items


class Prison:
    """Runs attempts in one world with one backend."""

    def __init__(self, made: World, backend: Containment) -> None:
        self.world = made
        hosts, resolve = made.site.hosts(made.words["port"]), made.site.resolve
        self.sandbox = self.closed = Sandbox(backend, limits=LIMITS)
        self.listed = Sandbox(backend, limits=LIMITS, hosts=hosts, resolve=resolve)

    def run(self, attempt: Attempt) -> str:
        """Makes everything new, tries it, and says by what it succeeded; "" when it was stopped."""
        self.world.fresh()
        self.sandbox = self.listed if attempt.how.get("hosts") else self.closed
        before, began = self.world.outside_state(), time.monotonic()
        result = self._try(attempt)
        took = time.monotonic() - began
        threading.Event().wait(attempt.how.get("wait", 0))
        return self._judged(attempt, result, took, before)

    def _judged(self, attempt: Attempt, result: ToolResult, took: float, before: dict[str, Any]) -> str:
        it, left = self.world, survivors(self.world.words["sleep"])
        end(left)
        assert it.victim is not None
        stopped = Path(f"/proc/{it.victim.pid}/stat").read_text().rpartition(")")[2].split()[0] in "TZ"
        found = {
            "canary": it.canary in result.text or it.stolen(),
            "word": "ESCAPED" in result.text.replace("echo ESCAPED", ""),
            "refused": attempt.proof == "refused" and result.ok,
            "outside": it.outside_state() != before,
            "reached": it.reached() or bool(it.site.looked_up),
            "alive": bool(left),
            "killed": stopped or it.victim.poll() is not None,
            "token": bool(left_tokens(it.words["token"])),
            "rights": bool(it.gained()),
            "output": len(result.text) > (_OUTPUT + 1_000) * (_RACES if "race" in attempt.how else 1),
            "seconds": took > attempt.how.get("limit", _TIME_S) + _GRACE_S,
        }
        return ", ".join(name for name, true in found.items() if true)

    def _try(self, attempt: Attempt) -> ToolResult:
        how = attempt.how
        if "sh" in how:
            result = self._command(how["sh"], how.get("limit", _TIME_S))
            if "then" in how:
                result = self._command(how["then"], _TIME_S)
            if how.get("lao"):
                self._let_lao_work()
            return result
        if "make" in how:
            self._command(how["make"], _TIME_S)
        for name, text in how.get("file", {}).items():
            self._call("file_write", {"path": name, "content": self._filled(text)})
        if "read" in how:
            self._call("file_read", {"path": how["read"]})
        if "todo" in how:
            self._call("task_todo_set", {"items": [{"id": "1", "content": how["todo"], "status": "pending"}]})
        arguments = {k: self._filled(v) if isinstance(v, str) else v for k, v in how["with"].items()}
        if "race" in how:
            return self._raced(how["race"]["swap"], how["call"], arguments)
        return self._call(how["call"], arguments)

    def _raced(self, swap: str, tool: str, arguments: dict[str, Any]) -> ToolResult:
        with _swapping(self.world, swap):
            told = [self._call(tool, arguments).text for _ in range(_RACES)]
        return ToolResult("\n".join(told))

    def _command(self, line: str, limit: float) -> ToolResult:
        """By shell_exec, with every permission: what holds is the sandbox alone."""
        return self._call("shell_exec", {"command": self._filled(line), "timeout_s": limit}, free=True)

    def _call(self, tool: str, arguments: dict[str, Any], *, free: bool = False) -> ToolResult:
        tree = self.world.tree
        context = ToolContext(
            root=tree, marker=f"corpus/{self.world.words['token']}/", todos=Todos(), audit=lambda line: None,
            command_timeout_s=60.0, containment=self.sandbox, result_limit=_OUTPUT,
        )  # fmt: skip
        policy = Policy(PermissionSettings("bypass" if free else "auto"), tree)
        return Toolbox(context, TOOLS, policy).call(tool, arguments, DirectSteps(), "attempt")

    def _let_lao_work(self) -> None:
        """What LAO itself does with a desk after a command."""
        git = Git(self.world.tree)
        for arguments in (("status", "--porcelain"), ("diff", "HEAD"), ("add", "-A"), ("log", "-1", "-p")):
            with contextlib.suppress(LaoError):
                git.call(*arguments)

    def _filled(self, text: str) -> str:
        for name, value in self.world.words.items():
            text = text.replace(f"@{name}@", value)
        return text


@contextmanager
def _swapping(it: World, what: str) -> Iterator[None]:
    """Beside the block: a folder of the desk is now itself, now a link to the outside (or the file in it is)."""
    over = threading.Event()
    folder = it.tree / "swap"
    folder.mkdir()
    for name in ("name.txt", "secret.txt"):
        (folder / name).write_text("plain\n")
    place = folder if what == "folder" else folder / "name.txt"
    target = it.outside if what == "folder" else it.outside / "secret.txt"
    aside, link = it.tree / "aside", it.tree / "link"
    link.symlink_to(target)

    def swap() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):  # the tool may have made a folder in between
                place.rename(aside)
                link.rename(place)
                place.rename(link)
                aside.rename(place)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run_all(backend: Containment, only: str = "", told: float = 0) -> dict[str, tuple[Attempt, str]]:
    """Each attempt's id, with what it succeeded by.

    Args:
        only: part of the ids that are tried.
        told: attempts that take longer, in seconds, are printed; 0 for none.
    """
    with tempfile.TemporaryDirectory(prefix="lao-corpus-", dir="/tmp") as folder, world(Path(folder) / "w") as made:
        prison = Prison(made, backend)
        found = {}
        for attempt in (a for a in attempts() if only in a.id):
            began = time.monotonic()
            found[attempt.id] = (attempt, prison.run(attempt))
            if told and time.monotonic() - began > told:
                print(f"{attempt.id}: {time.monotonic() - began:.1f} s", file=sys.stderr)
        return found


def published(backend: Containment, found: Mapping[str, tuple[Attempt, str]]) -> None:
    """The figures of this backend into the file beside, and the table of all into the page."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    tried, stopped = Counter(a.kind for a, _ in found.values()), Counter(a.kind for a, by in found.values() if not by)
    figures[backend.value] = {
        "classes": {kind: [stopped[kind], tried[kind]] for kind in tried},
        "open": sorted(a.id for a, by in found.values() if by),
    }
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    head, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0], 1)
    PAGE.write_text(head + MARKS[0] + table(figures) + MARKS[1] + rest.split(MARKS[1], 1)[1], encoding="utf-8")


def table(figures: Mapping[str, Any]) -> str:
    """Rows of stopped attempts by class, one column a backend."""
    names = [how.value for how in Containment if how.value in figures]
    kinds = list(dict.fromkeys(a.kind for a in attempts()))
    rows = [f"| Class | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for kind in kinds:
        cells = [figures[name]["classes"].get(kind, [0, 0]) for name in names]
        rows.append(f"| {kind} | {' | '.join(f'{a} of {b}' for a, b in cells)} |")
    sums = [[sum(c[n] for c in figures[name]["classes"].values()) for n in (0, 1)] for name in names]
    rows.append(f"| **all** | {' | '.join(f'**{a} of {b}**' for a, b in sums)} |")
    return "\n".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=[how.value for how in Containment], required=True)
    parser.add_argument("--only", default="", help="part of an id")
    parser.add_argument("--slow", type=float, default=0, help="print attempts that take longer, in seconds")
    parser.add_argument("--publish", action="store_true")
    given = parser.parse_args()
    backend = Containment(given.backend)
    if not works(backend):
        print(f"{backend.value} does not work here", file=sys.stderr)
        return 2
    found = run_all(backend, given.only, given.slow)
    for attempt, by in found.values():
        if by:
            print(f"{attempt.kind:12} {attempt.id}: {by}")
    print(f"{backend.value}: {sum(not by for _, by in found.values())} of {len(found)} stopped")
    if given.publish:
        published(backend, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
