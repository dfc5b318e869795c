"""Promises: imports, links and scripts that lead nowhere are found; what is coming, made or installed is left alone."""

from __future__ import annotations

import pytest

from lao.core.words import Severity
from tests.quality.validators.conftest import Said

PACKAGE = {
    "app/__init__.py": "from .store import load\n",
    "app/store.py": "def load():\n    global cache\n    cache = 1\n\n\nLIMIT = 3\n",
    "app/sub/__init__.py": "",
    "app/lazy.py": "def __getattr__(name):\n    return name\n",
    "src/lib/__init__.py": "",
    "src/lib/core.py": "X = 1\n",
}
BROKEN = {
    "app/a.py": "from .stoer import load\n",
    "app/b.py": "from .store import lod\n",
    "app/c.py": "import app.missing\n",
    "app/d.py": "from app.store import LIMITS\n",
    "app/sub/e.py": "from ..stores import load\n",
    "main.py": "from lib.core import Y\n",
    "app/f.py": "def f():\n    from .absent import g\n    return g\n",
}
WHOLE = {
    "app/a.py": "from .store import LIMIT, cache, load\n",
    "app/b.py": "from . import sub, store, lazy\n",
    "app/c.py": "from .lazy import anything\n",
    "app/d.py": "try:\n    from .speedups import fast\nexcept ImportError:\n    fast = None\n",
    "app/e.py": "from ._version import version\n",
    "app/g.py": "from numpy import anything\nimport requests.adapters\n",
    "app/h.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .later import T\n",
    "main.py": "from lib.core import X\nfrom lib import core\n",
    "scripts/run.py": "from .helper import x\n",
    "app/i.py": "from .store import *\n",
}


@pytest.mark.parametrize("path", BROKEN)
def test_imports_that_fail(said: Said, path: str) -> None:
    """Major: the import raises, whoever runs it."""
    found = said("python_imports", {path: BROKEN[path]}, others=PACKAGE)
    assert [f.severity for f in found] == [Severity.MAJOR], found


@pytest.mark.parametrize("path", WHOLE)
def test_imports_that_work(said: Said, path: str) -> None:
    """Names bound in any way, modules made at run time, guarded imports, installed packages, plain scripts."""
    assert said("python_imports", {path: WHOLE[path]}, others=PACKAGE) == []


def test_what_the_plan_still_brings(said: Said) -> None:
    """A module that the plan speaks of may be another task's to write; what failed before is not the change's."""
    found = said("python_imports", {"app/a.py": "from .billing import total\n"}, others=PACKAGE, plan="app/billing.py")
    assert [f.severity for f in found] == [Severity.MINOR]
    old = BROKEN["app/a.py"]
    assert said("python_imports", {"app/a.py": f"X = 1\n{old}"}, before={"app/a.py": old}, others=PACKAGE) == []


WEB = {"src/util.ts": "export const a = 1;\n", "src/ui/index.tsx": "", "src/data.json": "{}", "src/x.css": ""}
SCRIPTS_BROKEN = {
    "src/a.ts": "import { a } from './utils';\n",
    "src/b.js": "const a = require('../missing');\n",
    "src/c.tsx": "import React from 'react';\nimport Page, {\n  b,\n} from './ui/page';\n",
    "src/d.mjs": "export * from './gone.mjs';\n",
}
SCRIPTS_WHOLE = {
    "src/a.ts": "import { a } from './util';\nimport ui from './ui';\nimport d from './data.json';\n",
    "src/b.ts": "import { a } from './util.js';\n",
    "src/c.ts": "import './x.css';\nimport icon from './x.css?url';\n",
    "src/d.ts": "import x from 'left-pad';\nimport y from '@/anything';\n",
    "src/e.ts": "// import { a } from './utils';\nconst s = `\nimport x from './nope';\n`;\n",
    "src/f.js": "/*\nimport x from './nope';\n*/\n",
}


@pytest.mark.parametrize("path", SCRIPTS_BROKEN)
def test_script_imports_that_fail(said: Said, path: str) -> None:
    """A relative path without a file, whatever suffix or index may stand for it."""
    assert [f.severity for f in said("script_imports", {path: SCRIPTS_BROKEN[path]}, others=WEB)] == [Severity.MAJOR]


@pytest.mark.parametrize("path", SCRIPTS_WHOLE)
def test_script_imports_that_work(said: Said, path: str) -> None:
    """Suffixes left out or of the compiled file, index files, packages, aliases, comments and texts."""
    assert said("script_imports", {path: SCRIPTS_WHOLE[path]}, others=WEB) == []


def test_scripts_that_a_build_makes(said: Said) -> None:
    """What lies in a build's folder may come with the build."""
    found = said("script_imports", {"bin/a.js": "require('../dist/index.js');\n"})
    assert [f.severity for f in found] == [Severity.MINOR]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See [the guide](docs/gide.md).", 1),
        ("![screen](assets/none.png)\n[a](./x/y.md#part)", 2),
        ('[titled](docs/gone.md "Gone")', 1),
        ("[guide](docs/guide.md#top) [web](https://example.org/a.md) [mail](mailto:a@b.c) [here](#part)", 0),
        ("```md\n[a](gone.md)\n```\n`[b](gone.md)`\n<!-- [c](gone.md) -->", 0),
        ("[file](docs/guide%20two.md) [folder](docs) [root](/absolute.md)", 0),
        ("array[0](call.me) is no link: \\[a](gone.md)", 1),
        ("[template]({{ url }}.md) [var](${base}.md)", 0),
    ],
)
def test_links(said: Said, text: str, expected: int) -> None:
    """Relative links to files, not addresses, anchors, code or templates."""
    found = said("links", {"README.md": text}, others={"docs/guide.md": "", "docs/guide two.md": ""})
    assert len(found) == expected
    assert all(f.severity is Severity.MINOR for f in found)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("run.sh", "set -e\npython tools/none.py --all\n", 1),
        ("Makefile", "test:\n\tbash ci/none.sh\n", 1),
        ("package.json", '{"scripts": {"test": "node scripts/none.js"}}', 1),
        ("run.sh", "python tools/real.py\n./tools/real.py\n", 0),
        ("run.sh", "cd elsewhere\npython none.py\n", 0),
        ("run.sh", "# python none.py\necho python none.py\n", 0),
        ("package.json", '{"scripts": {"start": "node dist/index.js", "x": "node -e 1"}}', 0),
        ("notes.txt", "python none.py\n", 0),
    ],
)
def test_scripts_that_are_run(said: Said, path: str, text: str, expected: int) -> None:
    """A path behind an interpreter, where it is known from which folder it is run."""
    assert len(said("run_paths", {path: text}, others={"tools/real.py": ""})) == expected


def test_unused_files(said: Said) -> None:
    """A new module that nothing names is told, never held against it; entrances, tests and planned ones are not."""
    found = said("unused_files", {"app/helpers.py": "X = 1\n"}, others={"app/main.py": "import os\n"})
    assert [f.severity for f in found] == [Severity.INFO]
    for path, text, plan in (
        ("app/helpers.py", "X = 1\n", "write helpers"), ("tests/test_x.py", "", ""), ("scripts/once.py", "", ""),
        ("tool.py", "if __name__ == '__main__':\n    pass\n", ""), ("app/__init__.py", "", ""), ("a.txt", "", ""),
    ):  # fmt: skip
        assert said("unused_files", {path: text}, plan=plan) == []
    assert said("unused_files", {"app/deep.py": "X = 1\n"}, others={"app/main.py": "from app import deep\n"}) == []
