"""What the workspace really has where a Python error says that a name is missing: facts for whoever guessed it.

Weak models invent modules, functions and attributes of a package that they were not shown, and guess again when they
are only told that the guess was wrong. Reads the workspace's Python files; runs nothing.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lao.core.python_source import Function, parsed

MOST_LINES: Final = 5
_MOST_FILES: Final = 400
_MOST_BYTES: Final = 200_000
_MOST_NAMES: Final = 24
_LONGEST: Final = 400
_NOT_OURS: Final = frozenset({".git", ".lao", "node_modules", ".venv", "venv", "__pycache__", "site-packages", ".tox"})
_NO_MODULE: Final = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_NO_IMPORT: Final = re.compile(
    r"ImportError: cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'"
)
_NO_MEMBER: Final = re.compile(r"AttributeError: (?:partially initialized )?module '([\w.]+)' has no attribute '(\w+)'")
_NO_ATTRIBUTE: Final = re.compile(r"AttributeError: (?:type object )?'(\w+)'(?: object)? has no attribute '(\w+)'")
_NO_NAME: Final = re.compile(r"NameError: (?:free variable|name|cannot access free variable) '(\w+)'")
_BAD_CALL: Final = re.compile(r"TypeError: (?:\w+\.)*(\w+)\(\) (?:missing|takes|got)")
_IMPORTED: Final = re.compile(r"^\s*from ([\w.]+) import (\w[\w, ]*)", re.MULTILINE)
_STEM: Final = 3


@dataclass(frozen=True)
class _Known:
    """A top-level function or class, or a method of one.

    Attributes:
        call: the signature for people, such as ``vat_of(cents: int, kind: str = 'other') -> int``; a class's name.
        about: the first line of its docstring, and of its module's.
        has: of a class, its fields and methods.
    """

    module: str
    path: str
    name: str
    call: str
    about: str
    has: tuple[str, ...] = ()


@dataclass
class _Index:
    modules: dict[str, str] = field(default_factory=dict)
    known: list[_Known] = field(default_factory=list)

    def named(self, name: str) -> list[_Known]:
        return [k for k in self.known if k.name == name]

    def of_module(self, module: str) -> list[_Known]:
        return [k for k in self.known if k.module == module]

    def below(self, package: str) -> list[str]:
        """The modules of a package, by their names in it."""
        prefix = f"{package}."
        return sorted({m.removeprefix(prefix).split(".")[0] for m in self.modules if m.startswith(prefix)})


def known_names(
    output: str, root: Path, own: Collection[str] = (), hidden: Callable[[str], bool] = lambda _path: False
) -> str:
    """Lines about the names that ``output`` says are missing, from the Python files below ``root``; "" when there is
    nothing to say. At most ``MOST_LINES`` lines.

    Args:
        own: paths of the task's files: that one of them is not there yet is no riddle.
        hidden: whether the model may not read a path.
    """
    wanted = [(kind, names) for kind, names in _wanted(output) if kind != "module" or not _is_one_of(names[0], own)]
    if not wanted:
        return ""
    index = _index(root, hidden)
    lines = dict.fromkeys(line for kind, names in wanted for line in _LINES[kind](index, output, *names))
    return "\n".join(f"- {_clip(line)}" for line in list(lines)[:MOST_LINES])


def _wanted(output: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each kind of missing name once, in the order of the kinds."""
    forms = {
        "module": _NO_MODULE, "import": _NO_IMPORT, "member": _NO_MEMBER, "attribute": _NO_ATTRIBUTE,
        "name": _NO_NAME, "call": _BAD_CALL,
    }  # fmt: skip
    for kind, form in forms.items():
        for found in dict.fromkeys(match.groups() for match in form.finditer(output)):
            yield kind, found


def _module(index: _Index, output: str, module: str) -> Iterator[str]:
    package, _, last = module.rpartition(".")
    top = module.split(".", maxsplit=1)[0]
    if top not in {m.split(".")[0] for m in index.modules}:
        return  # not of this workspace
    if package and index.below(package):
        yield f"there is no module {module}; {package} has {_listed(index.below(package))}"
    imported = [n.strip() for m, names in _IMPORTED.findall(output) if m == module for n in names.split(",")]
    yield from _perhaps(index, (*imported, last))


def _perhaps(index: _Index, names: Sequence[str]) -> Iterator[str]:
    """Definitions of one of the names, then those whose name or docstring speaks of a word in them."""
    words = [word for name in names for word in name.split("_")]
    exact = [k for name in names for k in index.named(name)]
    alike = [k for k in index.known if any(_alike(word, k) for word in words)]
    for known in list(dict.fromkeys(_place(k) for k in (*exact, *alike)))[:3]:
        yield f"perhaps what is meant: {known}"


def _import(index: _Index, _output: str, name: str, module: str) -> Iterator[str]:
    own = index.of_module(module)
    if own:
        yield f"{own[0].path} has no {name}; it has {_listed([k.call for k in own])}"
    elif index.below(module):
        yield f"{module} has no {name}; its modules are {_listed(index.below(module))}"
        yield from _perhaps(index, (name,))
        return
    yield from (f"{name} is here: {_place(k)}" for k in index.named(name) if k.module != module)


def _member(index: _Index, output: str, module: str, name: str) -> Iterator[str]:
    yield from _import(index, output, name, module)


def _attribute(index: _Index, _output: str, owner: str, name: str) -> Iterator[str]:
    for known in index.named(owner):
        if known.has:
            yield f"{owner} ({known.path}) has no {name}; it has {_listed(known.has)}"


def _name(index: _Index, _output: str, name: str) -> Iterator[str]:
    yield from (f"{name} is not imported; it is here: {_place(k)}" for k in index.named(name))


def _call(index: _Index, _output: str, name: str) -> Iterator[str]:
    if name == "__init__":
        return
    yield from (f"{k.path} defines {k.call}" for k in index.named(name))


_LINES: Final[Mapping[str, Callable[..., Iterator[str]]]] = {
    "module": _module, "import": _import, "member": _member, "attribute": _attribute, "name": _name, "call": _call,
}  # fmt: skip


def _place(known: _Known) -> str:
    about = f": {known.about}" if known.about else ""
    return f"from {known.module} import {known.name}, which is {known.call}{about}"


def _alike(word: str, known: _Known) -> bool:
    """Whether a definition's name or its docstrings speak of the word; short words must be whole ones."""
    stem = word.strip("_").lower()
    if len(stem) < _STEM:
        return False
    words = re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", f"{known.name} {known.about}").lower())
    return any(w == stem or (len(stem) > _STEM and w.startswith(stem)) for w in words)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown or "nothing"


def _clip(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _is_one_of(module: str, paths: Collection[str]) -> bool:
    bare = module.replace(".", "/")
    return any(path.removeprefix("src/") in (f"{bare}.py", f"{bare}/__init__.py") for path in paths)


def _index(root: Path, hidden: Callable[[str], bool]) -> _Index:
    index = _Index()
    for path in _files(root):
        if hidden(path):
            continue
        module = ".".join(path.removesuffix(".py").removesuffix("/__init__").split("/")).removeprefix("src.")
        index.modules[module] = path
        tree = _tree(root / path)
        if tree is not None:
            index.known += _definitions(tree, module, path)
    return index


def _tree(path: Path) -> ast.Module | None:
    try:
        return parsed(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:  # gone meanwhile, or not to be read: then nothing is known of it
        return None


def _files(root: Path) -> list[str]:
    """The Python files below, the nearest first, by their paths from ``root``; no links."""
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NOT_OURS and not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.endswith(".py") and not path.is_symlink() and path.stat().st_size <= _MOST_BYTES:
                found.append(path.relative_to(root).as_posix())
        if len(found) >= _MOST_FILES:
            break
    return sorted(found[:_MOST_FILES], key=lambda path: (path.count("/"), path))


def _definitions(tree: ast.Module, module: str, path: str) -> Iterator[_Known]:
    of_module = _first_line(ast.get_docstring(tree))
    for node in tree.body:
        if isinstance(node, Function):
            about = _first_line(ast.get_docstring(node)) or of_module
            yield _Known(module, path, node.name, _signature(node), about)
        elif isinstance(node, ast.ClassDef):
            about = _first_line(ast.get_docstring(node)) or of_module
            yield _Known(module, path, node.name, f"class {node.name}", about, tuple(_members(node)))


def _members(node: ast.ClassDef) -> Iterator[str]:
    yielded = set()
    for inner in node.body:
        if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
            names = [inner.target.id]
        elif isinstance(inner, ast.Assign):
            names = [t.id for t in inner.targets if isinstance(t, ast.Name)]
        elif isinstance(inner, Function) and inner.name == "__init__":
            names = [a.attr for a in ast.walk(inner) if _is_own(a)]  # type: ignore[attr-defined]
        elif isinstance(inner, Function) and not inner.name.startswith("_"):
            names = [_signature(inner, method=True)]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_") and name not in yielded)
        yielded |= set(names)


def _is_own(node: ast.AST) -> bool:
    """``self.x`` that is assigned to."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def _signature(node: Function, *, method: bool = False) -> str:
    arguments = ast.unparse(node.args)
    if method:
        arguments = re.sub(r"^(?:self|cls)(?:, )?", "", arguments)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return f"{node.name}({arguments}){returns}"


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0].strip()
