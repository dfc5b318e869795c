"""What a reviewer gives as proof, made into a command that can be run, and whether its result proves anything.

Proofs run on a checkout of the commit under review, never in the live folder. What the built-in denials refuse or what
fails by itself (``false``, a typing error, a missing program) proves nothing, and neither do values that the reviewer
made up: texts and numbers in a proof must be the task's own.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath
from typing import Final

from lao.core.steps import Steps
from lao.core.words import CommandResult
from lao.durable.sandbox.policy import OPEN, Sandbox
from lao.quality.commands import run_checks
from lao.quality.protection import is_test
from lao.tools.permissions.built_in import refusal

MOST: Final = 3
OWN_ERROR: Final = 7
"""Exit status of an expression that is itself at fault."""

_LONGEST: Final = 600
_BUILT_TO_FAIL: Final = re.compile(
    r"(?:^|[;&|(]\s*)(?:false|exit\s+[1-9]\d*|kill|return\s+[1-9])\b|\bassert\s+(?:False|0|not True)\b|\braise\b"
    r"|\b(?:sys\.exit|os\._exit|exit|quit)\("
)
_OWN_FAULT: Final = re.compile(
    r"command not found|: not found$|[Ss]yntax error|can't open file|No such file or directory|No module named"
    r"|^usage: ",
    re.M,
)
_FRAME: Final = re.compile(r'^\s*File "(.+?)", line \d+', re.M)
_MISTAKES: Final = re.compile(
    r"^(?:SyntaxError|IndentationError|NameError|TypeError|AttributeError|ImportError)\b", re.M
)
_SCRIPT: Final = """import importlib, sys, traceback
sys.path[:0] = ["", "src"]
names = {{}}
try:
    for module in {modules!r}:
        loaded = importlib.import_module(module)
        names.update((k, v) for k, v in vars(loaded).items() if not k.startswith("__"))
        names[module.split(".")[0]] = sys.modules[module.split(".")[0]]
except BaseException:
    traceback.print_exc()
    sys.exit({own_error})
try:
    value = eval({expression!r}, names)
except Exception as error:
    traceback.print_exc()
    inner = traceback.extract_tb(error.__traceback__)[-1]
    meant = (inner.line or "").startswith("raise")
    sys.exit({own_error} if inner.filename == "<string>" or meant else 1)
print({expression!r}, "is", repr(value))
if not value and {left!r}:
    print({left!r}, "is", repr(eval({left!r}, names)))
sys.exit(0 if value else 1)
"""


def proof_command(said: str, changed: Collection[str], demands: str) -> str:
    """The shell command for a proof, "" when it can prove nothing about the change.

    Args:
        said: a shell command, or a Python expression that is false or raises when the reviewer is right.
        changed: paths of the change; the proof must have to do with one of them.
        demands: the texts of task and plan.
    """
    text = said.strip().strip("`").removeprefix("$ ").strip()
    if not text or len(text) > _LONGEST or "\n" in text or _BUILT_TO_FAIL.search(text):
        return ""
    modules = [module_of(p) for p in changed if p.endswith(".py") and not is_test(p)]
    expression = text.removeprefix("assert ").strip()
    tree = _expression(expression) if shutil.which(text.split()[0]) is None else None
    if tree is not None:
        return _python(expression, tree, [m for m in modules if m], demands)
    if not any(_mentions(text, path) for path in changed) or not _grounded(text, changed, demands):
        return ""
    return re.sub(r"^python3?(?=\s)", lambda _: shlex.quote(sys.executable), text)


def prove(
    commands: Collection[str],
    folder: Path,
    steps: Steps,
    *,
    marker: str,
    timeout_s: float,
    containment: Sandbox = OPEN,
    stop: Callable[[], bool] | None = None,
) -> tuple[CommandResult, ...]:
    """Run those that are allowed in ``folder``, each as one repeatable step.

    Raises:
        Interrupted: the worker is stopping.
    """
    allowed = [("proof", c) for c in dict.fromkeys(commands) if refusal(c, folder) is None][:MOST]
    return run_checks(allowed, folder, steps, marker=marker, timeout_s=timeout_s, containment=containment, stop=stop)


def reproduced(result: CommandResult) -> bool:
    """Whether the command failed, and not by its own fault or by lack of time."""
    if result.passed or result.timed_out or result.exit_code in (None, 126, 127, OWN_ERROR):
        return False
    frames = _FRAME.findall(result.output)
    own = frames and frames[-1] == "<string>" and _MISTAKES.search(result.output)
    return not own and not _OWN_FAULT.search(result.output)


def _expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _python(expression: str, tree: ast.expr, modules: list[str], demands: str) -> str:
    """An expression without a call says nothing about the code."""
    if not modules or not any(isinstance(n, ast.Call) for n in ast.walk(tree)) or not _values_given(tree, demands):
        return ""
    left = ast.unparse(tree.left) if isinstance(tree, ast.Compare) else ""
    script = _SCRIPT.format(modules=modules, expression=expression, left=left, own_error=OWN_ERROR)
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(script)}"


def _values_given(tree: ast.AST, demands: str) -> bool:
    """Whether texts and numbers in the code are the task's own, not the reviewer's invention."""
    plain = " ".join(demands.split())
    values = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    return all(isinstance(v, bool) or v == "" or occurs(str(v), plain) for v in values)


def occurs(value: str, plain: str) -> bool:
    """Whether a text or number stands by itself in ``plain``, in which blanks are single."""
    return bool(re.search(rf"(?<!\w){re.escape(' '.join(value.split()))}(?!\w)", plain))


def _grounded(command: str, changed: Collection[str], demands: str) -> bool:
    """The same for a shell command: what it looks for is something that the task names."""
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    if "-c" in words[1:-1] and re.match(r"python[\d.]*$", PurePosixPath(words[0]).name):
        try:
            return _values_given(ast.parse(words[words.index("-c") + 1]), demands)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    paths = set(changed) | {PurePosixPath(path).name for path in changed}
    return all(w in paths or w.startswith("-") or occurs(w, demands) for w in words[1:])


def module_of(path: str) -> str:
    """The name under which a Python file is imported from the workspace's top folder or src/; "" when it has none."""
    parts = PurePosixPath(path).with_suffix("").parts
    parts = parts[1:] if parts[:1] == ("src",) else parts
    names = parts[:-1] if parts[-1:] == ("__init__",) else parts
    return ".".join(names) if names and all(n.isidentifier() for n in names) and "__main__" not in names else ""


def _mentions(command: str, path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.name in command or bool(re.search(rf"\b{re.escape(pure.stem)}\b", command))
