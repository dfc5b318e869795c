"""Every analyzer that findings name: its id, kind, confidence, one example; and the run of the validators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lao.core.words import Finding
from lao.quality.validators import (
    file_references,
    hollow_code,
    local_schemas,
    python_imports,
    secrets,
    swallowed,
    type_smells,
    unknown_names,
    unused_files,
    weakened_tests,
)
from lao.quality.validators.change import Change

EVIDENCE: Final = "evidence"
"""The kind of what proves that a task is not done, or that its proof counts for nothing."""

MOST_OF_ONE: Final = 20
"""Findings of one validator about one change; more say nothing new."""


@dataclass(frozen=True)
class Analyzer:
    """One source of findings.

    Attributes:
        id: what ``Finding.analyzer`` says, and ``block_min_confidence_by_analyzer_id`` names.
        kind: a group of them, which ``block_min_confidence_by_analyzer_kind`` names.
        confidence: of its findings, unless one says otherwise.
        severities: those that its findings may have.
        what: what it looks for, for the documentation.
        example: one thing that it finds.
        look: the validator; None for what other parts of LAO find.
    """

    id: str
    kind: str
    confidence: float
    severities: str
    what: str
    example: str
    look: Callable[[Change], Iterable[Finding]] | None = None


ANALYZERS: Final[tuple[Analyzer, ...]] = (
    Analyzer(
        "command", EVIDENCE, 1.0, "major", "a command that decides failed", "`pytest -q` ended with exit status 1"
    ),
    Analyzer("checks", EVIDENCE, 1.0, "major", "no round of an attempt passed its checks", "3 rounds, none passes"),
    Analyzer(
        "judges",
        EVIDENCE,
        1.0,
        "major, minor",
        "given tests and their settings were bent",
        "a test got `@pytest.mark.skip`",
    ),
    Analyzer(
        "changes",
        EVIDENCE,
        1.0,
        "major, info",
        "an attempt changed nothing",
        "no file was changed, and nothing was there",
    ),
    Analyzer("reviewer", "review", 1.0, "as said", "what the reviewer found", "the rounding is the wrong way"),
    Analyzer("critics", "review", 1.0, "info", "how the critics of a quorum voted", "2 of 3 votes approve"),
    Analyzer("spec_doctor", "plan", 1.0, "info", "a gap in the plan's text", "nothing in it can be checked"),
    Analyzer("plan_integrator", "plan", 1.0, "minor", "a demand of the plan that is not shown", "R3 has no command"),
    Analyzer(
        "mutation", "tests", 1.0, "minor", "a written test that notices no wrong code", "`test_a.py` proves nothing"
    ),
    Analyzer("python_parse", "syntax", 1.0, "major", "Python that does not parse", "`def f(:`"),
    Analyzer("json_parse", "syntax", 1.0, "major", "JSON that does not parse", '`{"a": }`'),
    Analyzer("yaml_parse", "syntax", 1.0, "major", "YAML that does not parse", "`a: [1`"),
    Analyzer("toml_parse", "syntax", 1.0, "major", "TOML that does not parse", "`a = `"),
    Analyzer("conflict_markers", "syntax", 1.0, "major", "merge markers left in", "`<<<<<<< HEAD`"),
    Analyzer(
        "placeholders",
        "unfinished",
        0.9,
        "major, minor",
        "text left out, stubs, many TODO comments",
        "`# ... rest of the code`",
    ),
    Analyzer(
        "stubs",
        "unfinished",
        0.9,
        "major",
        "a function that was to be filled in is gone",
        "`parse` became `parse_line`",
    ),
    Analyzer(
        hollow_code.ID,
        "unfinished",
        hollow_code.CONFIDENCE,
        "major, minor",
        "a function that promises a value and holds nothing",
        '`def total(xs) -> int: """Sum."""`',
        hollow_code.look,
    ),
    Analyzer(
        hollow_code.CANNED_ID,
        "unfinished",
        hollow_code.CANNED_CONFIDENCE,
        "minor",
        "a function that knows only the cases of its tests",
        "`if n == 3: return 'Fizz'` and so on",
        hollow_code.look_canned,
    ),
    Analyzer(
        "todo_ledger",
        "unfinished",
        1.0,
        "minor",
        "an item of the coder's own list is open",
        "the to-do item 'tests' is not completed",
    ),
    Analyzer("expected_files", "scope", 1.0, "major", "a file of the task is not there", "`src/a.py` does not exist"),
    Analyzer("path_guard", "scope", 1.0, "major", "a path that leads out of the workspace", "`../x.py`"),
    Analyzer("size", "scope", 1.0, "major, info", "an empty file, one too big to look into", "`a.py` is empty"),
    Analyzer(
        unused_files.ID,
        "scope",
        unused_files.CONFIDENCE,
        "info",
        "a new file that nothing speaks of",
        "`helpers.py` is new",
        unused_files.look,
    ),
    Analyzer(
        secrets.ID,
        "security",
        secrets.CONFIDENCE,
        "critical, minor",
        "keys and tokens by their issuers' forms; guessed ones are notes",
        "a line that holds what looks like an AWS key",
        secrets.look,
    ),
    Analyzer(
        weakened_tests.ID,
        "tests",
        weakened_tests.CONFIDENCE,
        "major, minor",
        "tests that no judge guards deleted, weakened, made hollow",
        "`def test_a(): assert True`",
        weakened_tests.look,
    ),
    Analyzer(
        python_imports.ID,
        "references",
        python_imports.CONFIDENCE,
        "major, minor",
        "imports of own modules and names that are not there",
        "`from .store import lod`",
        python_imports.look,
    ),
    Analyzer(
        file_references.ID,
        "references",
        file_references.CONFIDENCE,
        "major, minor",
        "relative imports of JavaScript and TypeScript without a file",
        "`import x from './missing'`",
        file_references.look,
    ),
    Analyzer(
        file_references.LINKS_ID,
        "references",
        file_references.LINKS_CONFIDENCE,
        "minor",
        "relative links in Markdown without a file",
        "a link to `docs/gide.md`",
        file_references.look_links,
    ),
    Analyzer(
        file_references.RUN_ID,
        "references",
        file_references.RUN_CONFIDENCE,
        "minor",
        "scripts that are run and are not there",
        "`bash scripts/biuld.sh`",
        file_references.look_run,
    ),
    Analyzer(
        unknown_names.ID,
        "names",
        unknown_names.CONFIDENCE,
        "major",
        "Python names that nothing defines",
        "`retrun_value` is used",
        unknown_names.look,
    ),
    Analyzer(
        unknown_names.IMPORTS_ID,
        "names",
        unknown_names.IMPORTS_CONFIDENCE,
        "minor",
        "imports that nothing uses (Python, JavaScript, TypeScript)",
        "`import os`",
        unknown_names.look_imports,
    ),
    Analyzer(
        local_schemas.ID,
        "types",
        local_schemas.CONFIDENCE,
        "major",
        "JSON and YAML that disagree with the local schema they name",
        '`"port": "80"` where a number is asked',
        local_schemas.look,
    ),
    Analyzer(
        type_smells.ID,
        "types",
        type_smells.CONFIDENCE,
        "minor",
        "types given up: `any`, `@ts-ignore`, Any-only signatures, `as!`",
        "`(x: any)`",
        type_smells.look,
    ),
    Analyzer(
        swallowed.ID,
        "errors",
        swallowed.CONFIDENCE,
        "minor",
        "errors caught and dropped (Python, JavaScript, TypeScript, Swift, Go, Rust)",
        "`except Exception: pass`",
        swallowed.look,
    ),
    Analyzer("hooks", "other", 1.0, "info", "what a hook said", "a hook's message"),
    Analyzer("landing", "other", 1.0, "minor", "an attempt that could not land", "another task changed the same lines"),
    Analyzer("inference", "other", 1.0, "info", "commands that manifests ask for", "inferred: npm test (package.json)"),
)

KINDS: Final[Mapping[str, str]] = MappingProxyType({analyzer.id: analyzer.kind for analyzer in ANALYZERS})


_VALIDATORS: Final = frozenset(analyzer.id for analyzer in ANALYZERS if analyzer.look is not None)


def of_validators(findings: Iterable[Finding]) -> list[Finding]:
    """Those that a validator made."""
    return [finding for finding in findings if finding.analyzer in _VALIDATORS]


def validate(change: Change) -> tuple[Finding, ...]:
    """What all validators say of a change, in the order of the registry."""
    found: list[Finding] = []
    for analyzer in ANALYZERS:
        if analyzer.look is not None:
            found += list(analyzer.look(change))[:MOST_OF_ONE]
    return tuple(found)
