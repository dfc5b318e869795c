"""Promises: a name that nothing defines is found without running anything; odd but sound Python is left alone."""

from __future__ import annotations

import pytest

from lao.core.words import Severity
from tests.quality.validators.conftest import Said

UNDEFINED = {
    "typo": "def total(values):\n    result = sum(values)\n    return reslt\n",
    "no import": "def load(path):\n    return json.loads(path.read_text())\n",
    "module": "LIMIT = DEFAULT_LIMIT * 2\n",
    "class": "class A:\n    size = SIZE\n",
    "nested": "def f():\n    def g():\n        return [helper(x) for x in range(3)]\n    return g\n",
    "decorator": "@cached\ndef f():\n    return 1\n",
    "self of a class": "class A:\n    limit = 3\n    def f(self):\n        return limit\n",
}

SOUND = {
    "later": "def f():\n    return later()\n\n\ndef later():\n    return 1\n",
    "global": "def init():\n    global state\n    state = 1\n\n\ndef f():\n    return state\n",
    "conditional": "if __name__ == '__main__':\n    x = 1\n    print(x, __file__)\n",
    "try": "try:\n    import tomllib\nexcept ImportError:\n    tomllib = None\nprint(tomllib)\n",
    "star": "from os.path import *\nprint(join('a'))\n",
    "NameError": "try:\n    unicode\nexcept NameError:\n    unicode = str\n",
    "globals": "globals().update(a=1)\nprint(a)\n",
    "global enum": "@enum.global_enum\nclass Month(enum.IntEnum):\n    JANUARY = 1\n\n\nprint(JANUARY)\n",
    "global import": "def f():\n    global codec\n    import json as codec\n\n\ndef g():\n    return codec\n",
    "a function named top": "def top(which):\n    return which\n",
    "exec": "exec('a = 1')\nprint(a)\n",
    "comprehension": "x = [i for i in range(3) if (j := i)]\nprint(j)\n",
    "except": "try:\n    f = 1\nexcept OSError as error:\n    print(error)\n",
    "class scope": "class A:\n    n = 1\n    m = n + 1\n    def f(self):\n        return __class__, self.n\n",
    "future annotations": "from __future__ import annotations\n\n\ndef f(x: Later) -> Other:\n    return x\n",
    "match": (
        "def f(v):\n    match v:\n        case {'a': a, **b}:\n            return a, b\n"
        "        case [c, *d]:\n            return c, d\n"
    ),
    "del": "x = 1\ndel x\nx = 2\nprint(x)\n",
    "lambda": "f = lambda a, *b, c=1, **d: (a, b, c, d)\n",
    "newer builtin": "raise ExceptionGroup('x', [ValueError()])\n",
    "gettext": "print(_('hello'))\n",
    "text": "print('undefined_thing')\n",
    "no python": "def f(:\n",
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_undefined(said: Said, name: str) -> None:
    """Major: the line raises NameError when it is reached."""
    found = said("undefined_names", {"a.py": UNDEFINED[name]})
    assert [f.severity for f in found] == [Severity.MAJOR]


@pytest.mark.parametrize("name", SOUND)
def test_sound(said: Said, name: str) -> None:
    """Names that come later, from outside, or at run time."""
    assert said("undefined_names", {"a.py": SOUND[name]}) == []


def test_undefined_before(said: Said) -> None:
    """A name that was missing already is not the change's; a new one is told alone."""
    old = UNDEFINED["typo"]
    assert said("undefined_names", {"a.py": f"{old}\nX = 1\n"}, before={"a.py": old}) == []
    found = said("undefined_names", {"a.py": f"{old}\nX = missing\n"}, before={"a.py": old})
    assert "'missing'" in found[0].message
    assert "reslt" not in found[0].message


DEAD = {
    "a.py": "import os\nimport sys\nprint(sys.path)\n",
    "b.py": "from typing import Any, Final\nX: Final = 1\n",
    "c.py": "import numpy as np\n\nX = 1\n",
    "d.ts": "import { used, unused } from './x';\nused();\n",
    "e.js": "import lodash from 'lodash';\nexport const a = 1;\n",
}
ALIVE = {
    "a.py": "import os\nprint(os.sep)\n",
    "b.py": "import readline  # for its side effect\n",
    "pkg/__init__.py": "from .a import b\n",
    "c.py": "from a import b\n__all__ = ['b']\n",
    "d.py": "try:\n    import tomllib\nexcept ImportError:\n    pass\n",
    "e.py": "from __future__ import annotations\n",
    "f.py": "import xml.etree.ElementTree\n",
    "g.py": "from typing import List\n\n\ndef f(x: 'List'):\n    return x\n",
    "h.ts": "import type { A } from './a';\nexport const x: A = 1;\n",
    "i.js": "import './polyfill';\n",
    "j.tsx": "import React from 'react';\nexport const A = () => <p/>;\n",
    "k.ts": "import * as path from 'path';\npath.join('a');\n",
}


@pytest.mark.parametrize("path", DEAD)
def test_dead_imports(said: Said, path: str) -> None:
    """An import whose name occurs nowhere else is noted."""
    assert [f.severity for f in said("dead_imports", {path: DEAD[path]})] == [Severity.MINOR]


@pytest.mark.parametrize("path", ALIVE)
def test_imports_that_are_needed(said: Said, path: str) -> None:
    """Used, offered on, meant for their effect, guarded."""
    assert said("dead_imports", {path: ALIVE[path]}) == []
