"""The bench of a coding attempt: checks on a copy of exactly what is there, a checkpoint and the way back to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lao.agents.ladder import REPEATED, Checked
from lao.core.steps import DirectSteps, StepKind
from lao.core.words import CommandResult, Finding, Json
from lao.durable.files import FileWrite
from lao.quality.commands import run_checks
from lao.quality.evidence import code_signature, digest
from lao.quality.gating import gating_of
from lao.quality.known_names import known_names
from lao.quality.placeholders import PlaceholderLimits
from lao.quality.stubs import Stubs
from lao.quality.validators.change import change_of
from lao.quality.verifier import verify_files
from lao.state import ledger, pipeline, plans
from lao.workspace.tree import read_text_files
from workflows import mutants
from workflows.checks import commands_of
from workflows.place import Place
from workflows.work import Work

FILES_CHARACTERS = 40_000
"""Of a candidate's files that are kept for a repair."""


@dataclass(frozen=True)
class Given:
    """What the attempt found and has to respect: text of the given tests by path, ``quality.stubs.Stubs``."""

    judges: dict[str, str]
    stubs: Stubs

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Given:
        return cls(dict(data.get("judges") or {}), dict(data.get("stubs") or {}))


class TaskBench:
    """``lao.agents.attempts.Bench`` for one claimed run of the code phase."""

    def __init__(self, work: Work, place: Place, given: Given) -> None:
        self._work, self._place, self._given = work, place, given
        self.candidate: str | None = place.base
        self.accepted: dict[str, Json] = {}
        self.found_before: tuple[CommandResult, ...] = ()
        self._took_s: float | None = None

    def before(self) -> Checked:
        """How the checks stand before anything is changed; kept as evidence of the moment "before"."""
        if not self._commands(self._place.root):
            return Checked(True)
        candidate: dict[str, Json] = {"commit": self._place.base, "tree": self._place.tree, "changed": []}
        found = self._work.steps.run(StepKind.REPEATABLE, "checks:before", lambda: self._judge(candidate, every=True))
        self.found_before = tuple(CommandResult.from_json(item) for item in found["results"])
        return Checked.from_json(found["checked"])

    def check(self, label: str, seen: Collection[str] = ()) -> Checked:
        """See ``Bench.check``. The results of the last call are kept for the verification (``accepted``)."""
        candidate = self._work.steps.run(StepKind.READ, f"candidate:{label}", self._candidate)
        self.candidate = candidate["commit"]
        files = tuple((path, text) for path, text in candidate["files"])
        if candidate["code"] in seen:
            return Checked(False, 0.0, _SAME_CODE, _SAME_CODE, REPEATED, candidate["code"], 0.0, ())
        found = self._work.steps.run(StepKind.REPEATABLE, f"checks:{label}", lambda: self._judge(candidate))
        self.accepted = {"tree": candidate["tree"], "evidence": found["results"], "findings": found["findings"]}
        return Checked.from_json({**found["checked"], "code": candidate["code"], "files": files})

    def restore(self, label: str) -> None:
        """See ``Bench.restore``."""
        self._work.steps.run(StepKind.REPEATABLE, label, self._place.restore)

    def place(self, label: str, files: tuple[tuple[str, str], ...]) -> None:
        """See ``Bench.place``."""
        for number, (path, text) in enumerate(files):
            self._work.steps.effect(f"place:{label}-{number}", FileWrite(self._place.root, path, text))

    def _candidate(self) -> dict[str, Json]:
        """What the folder holds now: a commit of it, what differs from the checkpoint, its text."""
        commit = tree = None
        if self._place.repository is not None:
            commit, tree = self._place.repository.checkpoint()
        changed = self._place.changed(commit)
        own = tuple(dict.fromkeys((*changed, *self._work.the_task.spec.file_paths)))
        files = read_text_files(self._place.root, own, FILES_CHARACTERS)
        return {
            "commit": commit,
            "tree": tree,
            "changed": list(changed),
            "files": [list(item) for item in files],
            "code": code_signature(dict(files)),
        }

    def _judge(self, candidate: dict[str, Json], *, every: bool = False) -> dict[str, Json]:
        repository = self._place.repository
        if not self._commands(self._place.root):  # nothing runs, so no copy is needed
            return self._judged_in(self._place.root, candidate, every)
        self._work.off_gpu(self._took_s, back=True)
        clock = self._work.factory.clock
        started = clock.monotonic()
        try:
            if repository is None:
                return self._judged_in(self._place.root, candidate, every)
            with repository.snapshot(candidate["commit"]) as folder:
                return self._judged_in(folder, candidate, every)
        finally:
            self._took_s = clock.monotonic() - started

    def _commands(self, folder: Path) -> tuple[tuple[str, str], ...]:
        return commands_of(self._work, self._work.the_task.spec, folder)

    def _judged_in(self, folder: Path, candidate: dict[str, Json], every: bool) -> dict[str, Json]:
        """``every``: the commands alone, and their results also when they fail."""
        work, limits = self._work, self._work.factory.settings.orchestration
        changed = tuple(candidate["changed"])
        mechanical: tuple[Finding, ...] = ()
        if not every:
            before = self._place.texts_before(changed)
            mechanical = mechanical_findings(work, folder, changed, self._given, before)
        stop = gating_of(limits).blocking(mechanical)
        results: tuple[CommandResult, ...] = ()
        if not any(f.kind in _POINTLESS for f in stop):
            results = run_checks(
                self._commands(folder),
                cwd=folder,
                steps=DirectSteps(),
                marker=work.marker,
                containment=work.factory.containment,
                timeout_s=limits.validation_timeout_s,
                stop=lambda: work.stopping,
            )
        checked = _conclusion(work, folder, stop, results, changed)
        kept = results if checked.passed or every else ()
        return {
            "checked": checked.to_json(),
            "results": [r.to_json() for r in kept],
            "findings": [f.to_json() for f in mechanical],
        }


_SAME_CODE = "this is the same code that failed before"
_POINTLESS = frozenset({"syntax", "missing_file", "empty_file", "outside_workspace"})
"""Findings with which the commands would only say the same at greater length."""


def mechanical_findings(
    work: Work, folder: Path, changed: tuple[str, ...], given: Given, before: Mapping[str, str] | None
) -> tuple[Finding, ...]:
    """What can be said without running anything; nothing when the verifier is switched off.

    Args:
        before: text by path of the changed files before the attempt; None when that is not known any more.
    """
    told = work.factory.settings.orchestration
    if not told.verifier_enabled:
        return ()
    limits = PlaceholderLimits(told.placeholder_max_markers_per_kloc, told.placeholder_max_ratio)
    todos = ledger.open_todos(work.factory.store, work.the_task.id)
    spec = work.the_task.spec
    change = None
    if before is not None:
        change = change_of(folder, changed, before, claimed=spec.file_paths, plan=_asked_for(work))
    found = verify_files(
        folder,
        spec,
        changed,
        open_todos=todos,
        limits=limits,
        judges_before=given.judges,
        stubs_before=given.stubs,
        change=change,
    )
    return (*mutants.edited(work, changed), *found)


def _asked_for(work: Work) -> str:
    """The plan in its words and in its tasks' words: what other tasks are still to make may be spoken of already."""
    specs = [task.spec for task in plans.tasks_of(work.factory.store, work.plan.id)]
    parts = ["\n".join((spec.title, spec.description, *spec.file_paths)) for spec in specs]
    return "\n".join((work.plan.text, *parts))


def decides(work: Work, command: str) -> bool:
    """Whether a failing command stands against this task. A command of the whole plan that has never passed yet may go
    on failing while other tasks of the plan are open; it is decided at the last task and once more at the close."""
    if command in work.the_task.spec.commands or pipeline.open_tasks(work.plan.id) <= 1:
        return True
    return ledger.passed_before(work.factory.store, work.plan.id, command)


def _conclusion(
    work: Work, folder: Path, stop: list[Finding], results: tuple[CommandResult, ...], changed: tuple[str, ...]
) -> Checked:
    failed = [r for r in results if not r.passed and decides(work, r.command)]
    seconds = sum(r.seconds for r in results)
    if not stop and not failed:
        return Checked(True, 1.0, seconds=seconds)
    own = tuple(dict.fromkeys((*work.the_task.spec.file_paths, *changed)))
    parts = [f.feedback for f in stop]
    evidence = [digest(result, files=own) for result in failed]
    parts += [f"`{result.command}` failed:\n{item.text}" for result, item in zip(failed, evidence, strict=True)]
    known = known_names("\n".join(result.output for result in failed), folder, own, work.hidden(folder))
    parts += [f"What there really is:\n{known}"] if known else []
    focus = stop[0].message if stop else (evidence[0].tests[0] if evidence[0].tests else evidence[0].text[:200])
    scores = [item.score for item in evidence]
    passed = len(results) - len(failed)
    score = 0.0 if stop else (passed + sum(scores)) / max(1, len(results))
    failure = "|".join([*(f.kind + f.message for f in stop), *(item.signature for item in evidence)])
    return Checked(False, score, "\n\n".join(parts), focus, failure, seconds=seconds)
