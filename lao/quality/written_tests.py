"""Whether a test that a model has written may decide about a task: by its text, and by how it fails before the work.

Nothing here asks a model. A test that is accepted here has proved nothing yet: it must notice wrong versions of the
code (``lao.quality.mutation``) before a task counts as proved by it.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import re
import shlex
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from lao.core.python_source import Function, parsed
from lao.core.words import CommandResult, TaskSpec
from lao.quality.judged_tests import strictness
from lao.quality.proofs import module_of, occurs
from lao.quality.protection import is_test

_WRONG: Final = re.compile(
    r"^E?\s*(?:SyntaxError|IndentationError|NameError|fixture '\w+' not found)|no tests ran|NO TESTS RAN|Ran 0 tests",
    re.M,
)
_NAMED: Final = re.compile(
    r"No module named '([\w.]+)'|cannot import name '\w+' from '([\w.]+)'|module '([\w.]+)' has no attribute"
)
_MISSED: Final = re.compile(r"\bAssertionError\b|^E\s+assert\b|\bDID NOT RAISE\b|\bFailed\b", re.M)


def modules_of(task: TaskSpec) -> tuple[str, ...]:
    """The Python modules that the task writes, as they are imported; empty when a test cannot be written for it."""
    names = [module_of(path) for path in task.file_paths if path.endswith(".py") and not is_test(path)]
    return tuple(name for name in names if name)


def place_for(task: TaskSpec, taken: Collection[str]) -> str:
    """A name for the test file in the workspace's top folder that is not taken."""
    stem = re.sub(r"\W+", "_", modules_of(task)[0].rpartition(".")[2])
    names = (f"test_accept_{stem}{f'_{n}' if n > 1 else ''}.py" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def command_for(path: str) -> str:
    """The command that runs this test file, by pytest where that is installed."""
    runner = "pytest -q" if importlib.util.find_spec("pytest") is not None else "unittest"
    return f"{shlex.quote(sys.executable)} -m {runner} {path}"


def fault_of(text: str, task: TaskSpec, demands: str) -> str:
    """Why this text can be no test of the task, "" when it can; one sentence that can go back to the model.

    Args:
        demands: the texts of task and plan. Values that they do not name are the model's invention: a test that
            demands them would send right work back all night.
    """
    tree, strict = parsed(text), strictness(text, python=True)
    if tree is None or strict is None:
        return "the file is no Python: it does not parse"
    if not strict.assertions:
        return "it has no test function with an assertion"
    if strict.skips or strict.hollow:
        return "it skips a test, or has an assertion that always holds"
    if not set(modules_of(task)) & set(_imported(tree)):
        return f"it does not import {' or '.join(modules_of(task))}"
    if unknown := sorted(_unbound(tree)):
        return f"the name {unknown[0]!r} is not defined in it"
    plain = " ".join(demands.split())
    invented = next((v for v in _values(tree) if not _given(v, plain)), None)
    if invented is not None:
        return f"the value {invented!r} is not in the task: use only values that the task or the plan names"
    return ""


def fails_rightly(result: CommandResult, task: TaskSpec) -> str:
    """Why the result on the untouched tree does not speak for the test, "" when it does."""
    if result.passed:
        return "it passes before anything is written, so it tests nothing"
    if result.timed_out or result.exit_code in (None, 126, 127):
        return "it could not be run to its end"
    if _WRONG.search(result.output):
        return "it fails by its own fault, not for want of the work"
    modules = modules_of(task)
    named = [next(part for part in found if part) for found in _NAMED.findall(result.output)]
    strange = [name for name in named if not any(m == name or m.startswith(f"{name}.") for m in modules)]
    if strange:
        return f"it needs {strange[0]!r}, which the task does not write"
    return "" if named or _MISSED.search(result.output) else "it fails for another reason than a missing behaviour"


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _unbound(tree: ast.Module) -> set[str]:
    """Names that are used and bound nowhere in the file."""
    bound = {*dir(builtins), "__file__", "__name__"}
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, Function | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return used - bound


def _values(tree: ast.Module) -> Iterator[object]:
    """Texts and numbers in the tests' code, without docstrings and messages of assertions."""
    for function in (node for node in ast.walk(tree) if isinstance(node, Function)):
        for statement in function.body:
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                yield from _constants(statement)


def _constants(node: ast.AST) -> Iterator[object]:
    if isinstance(node, ast.Constant):
        yield node.value
        return
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.Assert):
        children = [node.test]
    for child in children:
        yield from _constants(child)


def _given(value: object, plain: str) -> bool:
    return value is None or isinstance(value, bool) or value in ("", b"") or occurs(str(value), plain)
