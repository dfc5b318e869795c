"""Which files of a workspace a file uses, and a file's signatures. Reads text only; runs and imports nothing."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from lao.core.python_source import parsed

_DEPTH: Final = 2
_MAX_READ: Final = 60
_MAX_BYTES: Final = 200_000
_PROTECTED: Final = frozenset({".git", ".lao", "node_modules", ".venv", "venv", "__pycache__"})
_SOURCE_ROOTS: Final = ("", "src", "lib")
_SCRIPTS: Final = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts")
_PYTHON_IMPORT: Final = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+([\w, \t]+)|import[ \t]+([\w., \t]+))", re.M
)
_SCRIPT_IMPORT: Final = re.compile(
    r"""(?:\bfrom\s*|\bimport\s*|\brequire\(\s*|\bimport\(\s*)(['"])(?P<path>\.{1,2}/[^'"\n]+|\.{1,2})\1"""
)
_GO_IMPORTS: Final = re.compile(r"^import\s+(?:\((?P<many>[^)]*)\)|(?:\w+\s+)?\"(?P<one>[^\"]+)\")", re.M)
_GO_MODULE: Final = re.compile(r"^module\s+(\S+)", re.M)
_NAMED: Final = re.compile(r"\b(?:function\*?|class|interface|type|enum|const|let|var|func(?:\s*\([^)]*\))?)\s+(\w+)")
_SIGNATURE: Final = {
    "script": re.compile(
        r"^(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:async\s+)?(?:abstract\s+)?"
        r"(?:function\b|class\b|interface\b|type\s+\w|enum\b|const\s+\w+\s*(?::[^=]+)?=\s*(?:async\s*)?(?:\(|function\b|\w+\s*=>))"
        r"|^(?:module\.)?exports\b|^export\s*[{*]"
        r"|^[ \t]+(?:(?:public|private|protected|static|async|get|set|readonly)\s+)*"
        r"(?!(?:if|for|while|switch|catch|return)\b)[\w$#]+\s*\([^;{}]*\)\s*(?::[^;{}]+)?\{"
    ),
    "go": re.compile(r"^(?:package|func|type|var|const)\b"),
    "python": re.compile(r"^[ \t]*(?:(?:class|def|async def)\b|@)"),
}


def related_files(root: Path, paths: Iterable[str], limit: int) -> tuple[str, ...]:
    """Files inside ``root`` that ``paths`` import, then what those import; nearest first, at most ``limit``.

    Python, JavaScript, TypeScript and Go; what cannot be read or resolved inside the workspace is passed over.
    ``paths`` themselves are not in the result.
    """
    real = Path(os.path.realpath(root))
    given = [p.removeprefix("./") for p in paths]
    found: dict[str, None] = {}
    layer, read = list(dict.fromkeys(given)), 0
    for _ in range(_DEPTH):
        following: list[str] = []
        for path in layer:
            if read >= _MAX_READ or len(found) >= limit:
                break
            read += 1
            for used in used_by(real, path):
                if used not in given and used not in found:
                    found[used] = None
                    following.append(used)
        layer = following
    return tuple(found)[: max(limit, 0)]


def outline(path: str, text: str) -> str:
    """The signatures in a file, each with the first line of its docstring; "" when the language is not known."""
    suffix = PurePosixPath(path).suffix
    if suffix in (".py", ".pyi"):
        tree = parsed(text)
        if tree is not None:
            return "\n".join(_python_outline(tree.body, ""))
        return _matching(text, _SIGNATURE["python"])
    if suffix in _SCRIPTS:
        return _matching(text, _SIGNATURE["script"])
    return _matching(text, _SIGNATURE["go"]) if suffix == ".go" else ""


def _matching(text: str, pattern: re.Pattern[str]) -> str:
    return "\n".join(
        line.rstrip().removesuffix("{").rstrip()[:200] for line in text.splitlines() if pattern.match(line)
    )


def _python_outline(body: list[ast.stmt], indent: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from (f"{indent}@{ast.unparse(d)}" for d in node.decorator_list)
            yield f"{indent}{_head(node)}"
            inner = indent + "    "
            if doc := ast.get_docstring(node):
                yield f'{inner}"""{doc.splitlines()[0].strip()}"""'
            if isinstance(node, ast.ClassDef):
                yield from _python_outline(node.body, inner)
            else:
                yield f"{inner}..."
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield indent + ast.unparse(node).split("\n")[0][:120]


def _head(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(b) for b in (*node.bases, *node.keywords))
        return f"class {node.name}({bases}):" if bases else f"class {node.name}:"
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{word} {node.name}({ast.unparse(node.args)}){result}:"


def used_by(root: Path, path: str) -> Iterator[str]:
    """Files inside the resolved ``root`` that one file imports; some may come twice."""
    suffix = PurePosixPath(path).suffix
    text = _read(root, path) if suffix in (".py", ".pyi", ".go", *_SCRIPTS) else None
    if text is None:
        return
    if suffix in _SCRIPTS:
        yield from _script_files(root, path, text)
    elif suffix == ".go":
        yield from _go_files(root, path, text)
    else:
        yield from _python_files(root, path, text)


def _python_files(root: Path, path: str, text: str) -> Iterator[str]:
    """``from a import b`` means module a.b where there is one, else module a."""
    folder = PurePosixPath(path).parent
    for level, module, names in _python_imports(text):
        parts = [p for p in module.split(".") if p]
        if level:
            above = [folder, *folder.parents]
            bases = [above[level - 1]] if level <= len(above) else []
        else:  # a script sees its own folder; a package the folders above it
            bases = list(dict.fromkeys((*(PurePosixPath(r) for r in _SOURCE_ROOTS), folder, *folder.parents)))
        for base in bases:
            inner = [f for name in names if (f := _module(root, base, [*parts, name]))]
            own = _module(root, base, parts) if parts and (len(inner) < len(names) or not names) else ""
            if inner or own:
                yield from ([own] if own else [])
                yield from inner
                break


def _module(root: Path, base: PurePosixPath, parts: list[str]) -> str:
    target = base.joinpath(*parts)
    return _first(root, [f"{target}.py", f"{target}/__init__.py", f"{target}.pyi"])


def _python_imports(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """(dots, module, names) of each import statement."""
    tree = parsed(text)
    if tree is None:
        for match in _PYTHON_IMPORT.finditer(text):
            if match[3]:
                yield from ((0, part.split()[0], []) for part in match[3].split(",") if part.split())
            else:
                names = [part.split()[0] for part in match[2].split(",") if part.split()]
                yield len(match[1]) - len(match[1].lstrip(".")), match[1].lstrip("."), names
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names if alias.name != "*"]


def _script_files(root: Path, path: str, text: str) -> Iterator[str]:
    for match in _SCRIPT_IMPORT.finditer(text):
        target = os.path.normpath(PurePosixPath(path).parent / match["path"]).replace(os.sep, "/")
        stem = target.removesuffix(".js")  # TypeScript names the file that will be compiled
        names = [target, *(stem + s for s in _SCRIPTS), *(f"{target}/index{s}" for s in _SCRIPTS), f"{target}.json"]
        if found := _first(root, names):
            yield found


def _go_files(root: Path, path: str, text: str) -> Iterator[str]:
    """The other files of its package, then those of the module's packages that it imports."""
    yield from (f for f in _go_package(root, str(PurePosixPath(path).parent)) if f != path)
    module = _GO_MODULE.search(_read(root, "go.mod") or "")
    for match in _GO_IMPORTS.finditer(text) if module else ():
        for name in [match["one"]] if match["one"] else re.findall(r'"([^"]+)"', match["many"] or ""):
            if module and (name == module[1] or name.startswith(module[1] + "/")):
                yield from _go_package(root, name[len(module[1]) :].strip("/") or ".")


def _go_package(root: Path, folder: str) -> list[str]:
    try:
        names = sorted(p.name for p in (root / folder).iterdir() if p.suffix == ".go")
    except OSError:
        return []
    paths = [str(PurePosixPath(folder) / n) for n in names if not n.endswith("_test.go")]
    return [p for p in paths if _first(root, [p])]


def _first(root: Path, names: Iterable[str]) -> str:
    """The first of ``names`` that is a file inside ``root``."""
    for name in names:
        if "\0" in name or name.startswith("..") or _PROTECTED.intersection(name.split("/")):
            continue
        try:
            if (root / name).is_file() and Path(os.path.realpath(root / name)).is_relative_to(root):
                return str(PurePosixPath(name))
        except OSError:
            continue
    return ""


def _read(root: Path, path: str) -> str | None:
    if not _first(root, [path]):
        return None
    try:
        if (root / path).stat().st_size > _MAX_BYTES:
            return None
        return (root / path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def public_names(path: str, text: str) -> tuple[str, ...]:
    """The names that a file offers at its top level, functions with their parameters (Python); () when unknown."""
    if PurePosixPath(path).suffix in (".py", ".pyi"):
        tree = parsed(text)
        nodes = tree.body if tree is not None else []
        return tuple(
            n.name if isinstance(n, ast.ClassDef) else f"{n.name}({', '.join(a.arg for a in n.args.args)})"
            for n in nodes
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not n.name.startswith("_")
        )
    found = (_NAMED.search(line) for line in outline(path, text).splitlines() if line[:1].strip())
    return tuple(dict.fromkeys(m[1] for m in found if m and not m[1].startswith("_")))
