"""Tests are judges: which files they are, and what of an attempt bends them instead of doing the work. Runs nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

from lao.core.errors import BadInput
from lao.core.python_source import parsed
from lao.core.words import Finding, Severity, TaskSpec
from lao.durable.files import sha256_of, walk_files
from lao.quality.commands import files_of_commands
from lao.quality.judged_tests import weaker
from lao.tools.paths import resolve

_TEST: Final = re.compile(
    r"(?:^|/)(?:(?:tests?|__tests__|specs?)/(?!.*fixtures/).*\.\w+|test_[^/]*\.\w+|[^/]*[_.\-](?:test|tests|spec)\.\w+)$"
)
_RUNNERS: Final = re.compile(
    r"\b(?:pytest|unittest|tox|nox|jest|vitest|mocha|ava|rspec|phpunit|(?:npm|pnpm|yarn|bun|go|cargo|dotnet|mix|deno)"
    r"(?: run)?(?: --?\S+)* (?:t|test|nextest)|node --test|make (?:test|check)|ctest)\b"
)
_HOOKS: Final = frozenset({"conftest.py", "sitecustomize.py", "usercustomize.py"})
_SHADOWS: Final = frozenset({"pytest", "_pytest", "pluggy", "unittest", "sitecustomize", "usercustomize"})
_SETTINGS: Final[Mapping[str, str]] = {
    "pytest.ini": r"(?s).*", ".pytest.ini": r"(?s).*", "tox.ini": r"(?sm)^\[pytest\].*?(?=^\[|\Z)",
    "setup.cfg": r"(?sm)^\[tool:pytest\].*?(?=^\[|\Z)",
    "pyproject.toml": r"(?sm)^\[tool\.(?:pytest|coverage)[^\]]*\].*?(?=^\[|\Z)",
    "package.json": r'(?s)"(?:test|pretest|jest|vitest|mocha)"\s*:\s*(?:"(?:[^"\\]|\\.)*"|\{.*?\})',
    ".mocharc.json": r"(?s).*",
}  # fmt: skip
_NARROWING: Final = re.compile(
    r"addopts|testpaths|python_(?:files|classes|functions)|norecursedirs|collect_ignore|--(?:ignore|deselect|co\b|collect)"
)
_CUT: Final = re.compile(r"\n\[… cut: \d+ of \d+ characters\]\n$")
_LEAVING: Final = frozenset({"os._exit", "sys.exit", "exit", "quit", "os.abort", "os.kill"})
_RUNNING: Final = frozenset({"unittest", "pytest", "builtins"})
_MOST: Final = 200
_MAX_BYTES: Final = 1_000_000


def is_test(path: str) -> bool:
    """Whether ``path`` is a test file by its name or folder."""
    return bool(_TEST.search(path))


def judge_files(root: Path, commands: Iterable[str], task: TaskSpec) -> tuple[str, ...]:
    """Existing files that decide about ``task``: tests that its text or the commands name, those that a bare test
    runner would find, and the test configuration around them. Their texts before the attempt go to ``tampered``."""
    given = tuple(commands)
    named = [path for path in (*task.file_paths, *_paths_in(task)) if is_test(path)]
    named += [path for path in files_of_commands(root, given) if is_test(path) or path not in task.file_paths]
    if any(_RUNNERS.search(command) for command in given):
        named += islice((path for path in walk_files(root) if is_test(path)), _MOST)
    around = (path for path in walk_files(root) if _is_around(path)) if named else ()
    found = dict.fromkeys((*named, *islice(around, _MOST)))
    return tuple(path for path in found if _text(root, path) is not None)


def protected_files(judges: Iterable[str], task: TaskSpec) -> frozenset[str]:
    """Those that the task may not write at all: given tests and their hooks. Settings may have other parts of use."""
    return frozenset(p for p in judges if not _own(p, task) and (is_test(p) or PurePosixPath(p).name in _HOOKS))


def fingerprint(root: Path, files: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each that exists, by path."""
    found = {path: sha256_of(root / path) for path in files}
    return {path: digest for path, digest in found.items() if digest is not None}


def judge_findings(
    root: Path, task: TaskSpec, changed: Iterable[str], judges_before: Mapping[str, str]
) -> tuple[Finding, ...]:
    """What the attempt did to the judges, from the files as they are in ``root`` now.

    Args:
        changed: paths that the attempt changed.
        judges_before: text by path of ``judge_files`` before the attempt; without any there is nothing to bend.
    """
    if not judges_before:
        return ()
    names = dict.fromkeys((*judges_before, *changed))
    after = {path: text for path in names if (text := _text(root, path)) is not None}
    return tampered(judges_before, after, own=[path for path in names if _own(path, task)])


def tampered(before: Mapping[str, str], after: Mapping[str, str], *, own: Collection[str] = ()) -> tuple[Finding, ...]:
    """How tests were bent between two states; major findings, those about suspicious code minor.

    Args:
        before: text by path of the judges.
        after: the same files now, and other files that were changed or added.
        own: paths that the task itself is to write; their tests may change but not get weaker.
    """
    found: list[Finding] = []
    for path, text in before.items():
        if is_test(path):
            found += _of_test(path, text, after.get(path), own=path in own)
        elif path not in own:
            found += _of_surroundings(path, text, after.get(path, ""))
    for path in after.keys() - before.keys() - set(own):
        found += _of_addition(path, after[path], writes_tests=any(is_test(p) for p in own))
    for path in after:
        if path.endswith(".py") and not is_test(path) and after[path] != before.get(path):
            found += _of_code(path, after[path])
    return tuple(sorted(found, key=lambda f: (not f.blocks, f.file)))


def _own(path: str, task: TaskSpec) -> bool:
    return path in task.file_paths or (not task.file_paths and path in f"{task.title}\n{task.description}")


def _paths_in(task: TaskSpec) -> list[str]:
    words = re.findall(r"[\w./-]+\.\w+", f"{task.title}\n{task.description}")
    return [word.removeprefix("./") for word in words if ".." not in word and not word.startswith("/")]


def _is_around(path: str) -> bool:
    name = PurePosixPath(path).name
    return name in _HOOKS or name in _SETTINGS or bool(re.match(r"(?:jest|vitest)\.config\.\w+$", name))


def _text(root: Path, path: str) -> str | None:
    try:
        target = resolve(root, path)
    except BadInput:
        return None
    if not target.is_file() or target.stat().st_size > _MAX_BYTES:
        return None
    return target.read_bytes().decode("utf-8", errors="replace")


def _finding(severity: Severity, path: str, message: str, hint: str, kind: str = "tests_weakened") -> Finding:
    return Finding(severity, kind, f"{path!r}: {message}", path, hint, "judges")


def _of_test(path: str, before: str, after: str | None, *, own: bool) -> Iterator[Finding]:
    hint = "leave the tests as they were given and change the code under test"
    if own:
        hint = "tests that are replaced must demand as much as the earlier ones"
    if after is None:
        yield _finding(Severity.MAJOR, path, "the test file was deleted", hint)
    elif not _CUT.search(before):
        for reason in weaker(before, after, python=path.endswith(".py"), own=own):
            yield _finding(Severity.MAJOR, path, reason, hint)


def _of_surroundings(path: str, before: str, after: str) -> Iterator[Finding]:
    """Test configuration, a hook file or a script that a command runs."""
    name = PurePosixPath(path).name
    if _CUT.search(before) or before == after:
        return
    if name in _SETTINGS and _settings(name, before) == _settings(name, after):
        return
    if name in _HOOKS and after and _essence(before) == _essence(after):
        return
    if name in _SETTINGS or _is_around(path):
        hint = "restore it: the checks count only as they were given"
        yield _finding(Severity.MAJOR, path, "the configuration of the tests was changed", hint, "tests_configured")
    elif not after:
        yield _finding(Severity.MAJOR, path, "a file that the checks run was deleted", "restore it")


def _settings(name: str, text: str) -> list[str]:
    return [" ".join(part.split()) for part in re.findall(_SETTINGS[name], text) if part.strip()]


def _of_addition(path: str, text: str, *, writes_tests: bool) -> Iterator[Finding]:
    """A new file that tests or their runner pick up by its name alone."""
    name = PurePosixPath(path).name
    top = PurePosixPath(path).parts[0].removesuffix(".py")
    hint = "remove it; the checks must pass without it"
    if (top in _SHADOWS and path.endswith(".py")) or name in _HOOKS - {"conftest.py"}:
        yield _finding(Severity.MAJOR, path, "it takes the place of a module that runs the tests", hint, "tests_hooked")
    elif name == "conftest.py" and _interferes(text):
        yield _finding(Severity.MAJOR, path, "it interferes with how the given tests run", hint, "tests_hooked")
    elif name == "conftest.py" and text.strip() and not writes_tests:
        yield _finding(
            Severity.MINOR, path, "a conftest.py was added that the task does not ask for", "", "tests_hooked"
        )
    elif name in _SETTINGS and any(_NARROWING.search(part) for part in _settings(name, text)):
        yield _finding(Severity.MAJOR, path, "it changes which tests run", hint, "tests_configured")


def _interferes(text: str) -> bool:
    """Hooks of pytest, fixtures that apply by themselves, patched attributes, ways out."""
    tree = parsed(text)
    if tree is None:
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("pytest_") or any("autouse" in ast.unparse(d) for d in node.decorator_list):
                return True
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (*_LEAVING, "setattr"):
            return True
        elif isinstance(node, ast.Assign):
            names = [ast.unparse(target) for target in node.targets]
            if any(n.startswith("collect_ignore") or ("." in n and n != "sys.path") or "[" in n for n in names):
                return True
    return False


def _of_code(path: str, text: str) -> Iterator[Finding]:
    """Ways out of a test run in the code under test."""
    tree = parsed(text)
    if tree is None:
        return  # the parser's own finding says so
    hint = "a module that is imported by tests must not end the process or touch the test runner"
    for statement in _at_import(tree.body):
        if _leaves(statement):
            yield _finding(Severity.MAJOR, path, "it ends the process when it is imported", hint, "early_exit")
        elif isinstance(statement, ast.Assign) and any(_root(t) in _RUNNING for t in statement.targets):
            yield _finding(Severity.MAJOR, path, "it patches the test runner or the builtins", hint, "tests_hooked")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("__eq__", "__ne__") and _constant(node):
            message = f"{node.name} always gives the same answer (line {node.lineno})"
            yield _finding(Severity.MINOR, path, message, "compare the values", "hollow_eq")


def _at_import(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that an import runs; what is under ``if __name__ == "__main__"`` is not among them."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            yield from _at_import(node.orelse)
        elif isinstance(node, ast.If | ast.With | ast.Try | ast.For | ast.While):
            yield from _at_import([*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])])
            yield from _at_import([s for handler in getattr(node, "handlers", []) for s in handler.body])


def _leaves(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        return node.exc is not None and ast.unparse(node.exc).startswith("SystemExit")
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    called = ast.unparse(node.value.func)
    # sys.exit(main()) at the end is how scripts without a guard are written; a script is not what tests import
    ending = not node.value.args or isinstance(node.value.args[0], ast.Constant)
    registered = called == "atexit.register" and "exit" in ast.unparse(node.value.args[0] if node.value.args else node)
    return called in ("os._exit", "os.abort") or (called in _LEAVING and ending) or registered


def _root(target: ast.expr) -> str:
    node: ast.expr = target
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) and node is not target else ""


def _constant(function: ast.FunctionDef) -> bool:
    last = function.body[-1]
    return len(function.body) <= 2 and isinstance(last, ast.Return) and isinstance(last.value, ast.Constant)


def _essence(text: str) -> str:
    tree = parsed(text)
    return ast.dump(tree) if tree is not None else text
