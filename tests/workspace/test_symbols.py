"""Promise: the files that a file uses are found inside the workspace only, nearest first; signatures are short."""

from __future__ import annotations

from pathlib import Path

from lao.workspace.symbols import outline, related_files


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_python_imports_two_deep(tmp_path: Path) -> None:
    """Absolute, relative, package, submodule and source-root imports; what those import; not what is a step further."""
    root = put(
        tmp_path,
        {
            "app/main.py": "import json\nfrom . import store\nfrom .models.user import User\nimport tools.text as t\n",
            "app/__init__.py": "",
            "app/store.py": "from app.db import connect\n",
            "app/db.py": "import deep\n",
            "app/models/user.py": "",
            "src/tools/text.py": "",
            "deep.py": "",
        },
    )
    assert related_files(root, ["app/main.py"], 10) == (
        "app/store.py", "app/models/user.py", "src/tools/text.py", "app/db.py",
    )  # fmt: skip


def test_a_test_leads_to_its_module(tmp_path: Path) -> None:
    """A test beside or below the module; the given files are not named again; the limit holds."""
    root = put(
        tmp_path,
        {"tests/test_a.py": "from a import f\nimport b\nimport c", "a.py": "import b", "b.py": "", "c.py": ""},
    )
    assert related_files(root, ["./tests/test_a.py"], 10) == ("a.py", "b.py", "c.py")
    assert related_files(root, ["tests/test_a.py", "a.py"], 10) == ("b.py", "c.py")
    assert related_files(root, ["tests/test_a.py"], 2) == ("a.py", "b.py")
    assert related_files(root, ["tests/test_a.py"], 0) == ()


def test_a_file_that_does_not_parse(tmp_path: Path) -> None:
    """Broken Python is read line by line."""
    root = put(tmp_path, {"x.py": "from a import f, g\nimport b, c\ndef (:\n", "a.py": "", "b.py": "", "c.py": ""})
    assert related_files(root, ["x.py"], 10) == ("a.py", "b.py", "c.py")


def test_scripts(tmp_path: Path) -> None:
    """import, export from, require and import(); extensions, index files, and .js that means .ts."""
    root = put(
        tmp_path,
        {
            "src/app.ts": "import {a} from './a'\nexport * from '../lib/b.js'\nconst c = require(\"./c\")\n"
            "import x from 'x'\nconst d = await import('./d.js')\n",
            "src/a.tsx": "",
            "lib/b.ts": "",
            "src/c/index.js": "import '../e'",
            "src/d.js": "",
            "src/e.mjs": "",
        },
    )
    found = related_files(root, ["src/app.ts"], 10)
    assert found == ("src/a.tsx", "lib/b.ts", "src/c/index.js", "src/d.js", "src/e.mjs")


def test_go_packages(tmp_path: Path) -> None:
    """The files of the same package, and the packages of the module that are imported; no tests."""
    root = put(
        tmp_path,
        {
            "go.mod": "module example.com/m\n\ngo 1.22\n",
            "main.go": 'package main\n\nimport (\n\t"fmt"\n\tu "example.com/m/util"\n)\n',
            "more.go": "package main\n",
            "util/u.go": "package util\n",
            "util/u_test.go": "package util\n",
        },
    )
    assert related_files(root, ["main.go"], 10) == ("more.go", "util/u.go")


def test_nothing_outside_is_looked_at(tmp_path: Path) -> None:
    """Neither ``..`` nor a link leads out; missing, binary and unknown files are passed over."""
    root = put(tmp_path / "w", {"a.py": "from .. import out\nimport link\n", "b.js": "import '../../out'\n"})
    put(tmp_path, {"out.py": "", "out.js": ""})
    (root / "link.py").symlink_to(tmp_path / "out.py")
    (root / "c.py").write_bytes(b"\xff\0import a\n")
    assert related_files(root, ["a.py", "b.js", "c.py", "gone.py", "../out.py", "x.rs"], 10) == ()


def test_python_outline() -> None:
    """Classes, signatures, decorators, fields, first docstring lines; no bodies."""
    text = (
        "import os\nLIMIT = 3\n\n@dataclass(frozen=True)\nclass A(B, metaclass=M):\n"
        '    """An A.\n\n    More.\n    """\n\n'
        "    x: int = 0\n\n    @property\n    def f(self, n: int = 1, *rest: str) -> str:\n        return str(n)\n\n"
        "async def g():\n    '''Go.'''\n    secret = 1\n"
    )
    assert outline("a.py", text).splitlines() == [
        "LIMIT = 3", "@dataclass(frozen=True)", "class A(B, metaclass=M):", '    """An A."""', "    x: int = 0",
        "    @property", "    def f(self, n: int=1, *rest: str) -> str:", "        ...", "async def g():",
        '    """Go."""', "    ...",
    ]  # fmt: skip
    assert outline("a.py", "class A:\n    def f(self):\n  x = (\n") == "class A:\n    def f(self):"


def test_other_outlines() -> None:
    """JavaScript, TypeScript and Go by their lines; other languages have none."""
    script = (
        "import x from 'x'\nexport class A extends B {\n  async run(n) {\n    if (n) {\n      go()\n    }\n  }\n}\n"
        "export const f = (a) => {\n  return a\n}\nfunction g() {}\ninterface I {\n"
    )
    assert outline("a.ts", script).splitlines() == [
        "export class A extends B", "  async run(n)", "export const f = (a) =>", "function g() {}", "interface I",
    ]  # fmt: skip
    assert outline("a.go", "package a\n\nfunc F(x int) int {\n\treturn x\n}\n") == "package a\nfunc F(x int) int"
    assert outline("a.rs", "fn main() {}\n") == ""
