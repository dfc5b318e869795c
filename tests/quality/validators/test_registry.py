"""Promises: the registry is whole and documented, no validator raises on anything, and a change is judged quickly."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lao.core.words import Finding, Severity
from lao.quality.validators.change import Change, change_of, decoded
from lao.quality.validators.registry import ANALYZERS, KINDS, MOST_OF_ONE, of_validators, validate

SUFFIXES = (".py", ".ts", ".jsx", ".swift", ".go", ".rs", ".json", ".yaml", ".md", ".sh", ".toml", "")
PIECES = (
    b"def f(", b"):\n", b"try:\n", b"except:\n    pass\n", b"import x\n", b"from . import y\n", b"from .. ", b"'''",
    b"`", b"/*", b"*/", b"//", b"{", b"}", b"(", b")", b"[", b"](", b"catch (e) {", b"as any", b"\\", b"\n", b"\t",
    b"-----BEGIN PRIVATE KEY-----\n", b"assert True\n", b"test_a()", b" == 3", b"$schema: ./a.json\n", b"\xff\xfe",
    b"\xed\xa0\x80", b"\r", b"import {a} from './", b"if n == 1:\n  return 2\n", b"../" * 5, b"[a](b.md)", b"class A(",
    b"match x:\n case", b"\x0c", b"lambda", b"global x\n", b"python ../x.py", b"%00", b"(" * 300, b"1e999", b"=1e-",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_no_validator_raises(tmp_path: Path, seed: int) -> None:
    """Arbitrary bytes and broken fragments of every language, before and after, give findings or none."""
    luck = random.Random(seed)
    names = [
        f"{folder}{luck.choice('abct')}{n}{luck.choice(SUFFIXES)}"
        for n, folder in enumerate(("", "pkg/", "tests/test_"))
    ]
    old = {}
    for name in names:
        parts = [luck.choice(PIECES) if luck.random() < 0.8 else luck.randbytes(9) for _ in range(luck.randrange(60))]
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"".join(parts))
        if luck.random() < 0.5:
            old[name] = decoded(b"".join(reversed(parts)).replace(b"\0", b"")) or ""
    (tmp_path / "pkg/__init__.py").write_bytes(luck.randbytes(20) if luck.random() < 0.3 else b"")
    found = validate(change_of(tmp_path, [*names, "gone.py", "../out.py", "\0"], old, claimed=names, plan="x"))
    assert all(isinstance(f, Finding) and f.message and 0 <= f.confidence <= 1 for f in found)


def test_deep_code(tmp_path: Path) -> None:
    """Nesting beyond what a parser takes is passed over."""
    for name, text in {"a.py": "(" * 9_000, "b.py": "x = " + "-" * 50_000 + "1\n", "c.ts": "{" * 50_000}.items():
        (tmp_path / name).write_text(text)
    found = validate(change_of(tmp_path, ["a.py", "b.py", "c.ts"], {}))
    assert {f.analyzer for f in found} <= {"unused_files"}


def test_every_analyzer_once() -> None:
    """Ids are unique, confidences are shares, each has a text and an example, severities are real ones."""
    assert len(KINDS) == len(ANALYZERS)
    for analyzer in ANALYZERS:
        assert analyzer.what
        assert analyzer.example
        assert 0 < analyzer.confidence <= 1
        known = {severity.value for severity in Severity} | {"as said"}
        assert set(analyzer.severities.split(", ")) <= known


def test_findings_say_where_they_come_from(tmp_path: Path) -> None:
    """What a validator finds carries its id, and is told from what others found."""
    (tmp_path / "a.py").write_text("import os\nprint(missing)\ntry:\n    f()\nexcept:\n    pass\n")
    found = validate(change_of(tmp_path, ["a.py"], {}))
    assert {f.analyzer for f in found} == {"undefined_names", "dead_imports", "swallowed_errors", "unused_files"}
    other = Finding(Severity.MAJOR, "command_failed", "no", analyzer="command")
    assert of_validators([*found, other]) == list(found)


def test_many_findings_are_cut(tmp_path: Path) -> None:
    """One validator never floods the record."""
    (tmp_path / "README.md").write_text("\n".join(f"[a](gone{n}.md)" for n in range(500)))
    assert len(validate(change_of(tmp_path, ["README.md"], {}))) == MOST_OF_ONE


def test_nothing_changed_is_nothing_found(tmp_path: Path) -> None:
    """Files that are as they were are nobody's fault."""
    text = "try:\n    missing()\nexcept:\n    pass\n"
    (tmp_path / "a.py").write_text(text)
    assert validate(Change(tmp_path, {"a.py": text}, {"a.py": text}, frozenset({"a.py"}))) == ()
