"""Promises: an error that a change catches and drops is noted; what is meant, said or was there before is not."""

from __future__ import annotations

import pytest

from lao.core.words import Severity
from tests.quality.validators.conftest import Said

ID = "swallowed_errors"

DROPPED = {
    "bare.py": "try:\n    load()\nexcept:\n    pass\n",
    "broad.py": "def f():\n    try:\n        load()\n    except Exception:\n        ...\n",
    "loop.py": "for x in xs:\n    try:\n        x()\n    except (ValueError, Exception):\n        continue\n",
    "a.js": "try { load(); } catch (e) {}\n",
    "b.ts": "load().catch(() => {});\n",
    "c.tsx": "try {\n  load();\n} catch {\n}\n",
    "d.swift": "do { try load() } catch { }\n",
    "e.go": "err := load()\n_ = err\n",
    "f.go": "if err != nil {\n}\n",
    "g.rs": "match load() { Ok(x) => x, Err(_) => {} }\n",
}

LOOK_ALIKES = {
    "named.py": "try:\n    import json5\nexcept ImportError:\n    pass\n",
    "reason.py": "try:\n    load()\nexcept Exception:  # the cache is only a hint\n    pass\n",
    "logged.py": "try:\n    load()\nexcept Exception:\n    log.exception('load')\n",
    "raised.py": "try:\n    load()\nexcept Exception:\n    raise\n",
    "text.py": "TEXT = '''\ntry:\n    x\nexcept:\n    pass\n'''\n",
    "suppress.py": "with contextlib.suppress(FileNotFoundError):\n    remove()\n",
    "a.js": "try { load(); } catch (e) { /* not there: first start */ }\n",
    "b.ts": "const s = 'catch (e) {}';\n",
    "c.ts": "load().catch((e) => { report(e); });\n",
    "d.swift": "do { try load() } catch { print(error) }\n",
    "e.go": "_ = writer.Close()\nvalue, _ := m[key]\n",
    "g.rs": "match x { Ok(x) => x, Err(e) => return Err(e) }\n",
    "tests/test_a.py": "def test_a():\n    try:\n        f()\n    except Exception:\n        pass\n",
}


@pytest.mark.parametrize("path", DROPPED)
def test_dropped(said: Said, path: str) -> None:
    """Caught and dropped: one note with the line."""
    found = said(ID, {path: DROPPED[path]})
    assert [(f.severity, f.file) for f in found] == [(Severity.MINOR, path)]
    assert "line" in found[0].message


@pytest.mark.parametrize("path", LOOK_ALIKES)
def test_look_alikes(said: Said, path: str) -> None:
    """One named class, a comment with the reason, a log line, the insides of texts, tests."""
    assert said(ID, {path: LOOK_ALIKES[path]}) == []


def test_older_ones_are_nobody_s(said: Said) -> None:
    """What was there before, or only moved to another file, is not the change's; one more is."""
    old = DROPPED["bare.py"]
    assert said(ID, {"bare.py": f"X = 1\n{old}"}, before={"bare.py": old}) == []
    assert said(ID, {"new.py": old}, before={"bare.py": old}) == []
    assert len(said(ID, {"bare.py": old + old}, before={"bare.py": old})) == 1
