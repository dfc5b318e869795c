"""New source files that no other file speaks of. Only told, never held against a change: another task may use them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import Final

from lao.core.words import Finding, Severity
from lao.durable.files import walk_files
from lao.quality.protection import is_test
from lao.quality.validators.change import Change, text_in
from lao.quality.validators.masking import SCRIPTS

ID: Final = "unused_files"
CONFIDENCE: Final = 0.5
_SOURCES: Final = frozenset({".py", ".go", ".rs", ".swift", *SCRIPTS})
_ENTRANCES: Final = re.compile(
    r"(?:^|/)(?:__init__|__main__|main|index|setup|conftest|manage|app|cli|noxfile|mod|lib|build|[^/]*\.config|[^/]*\.d)$"
    r"|(?:^|/)(?:scripts?|bin|cmd|examples?|benchmarks?|migrations?|plugins?|pages|routes)/"
)
_MAIN: Final = re.compile(r"__name__\s*==|^#!|\bfunc main\(|\bfn main\(|@main\b", re.M)
_MOST: Final = 3_000


def look(change: Change) -> Iterator[Finding]:
    """Information for each new file whose name occurs in no other text of the folder and not in the plan."""
    wanted = {path: PurePosixPath(path).stem for path in change.new if _could_be(path, change.after[path])}
    wanted = {path: stem for path, stem in wanted.items() if not re.search(rf"\b{re.escape(stem)}\b", change.plan)}
    if not wanted:
        return
    pattern = re.compile(rf"\b(?:{'|'.join(re.escape(stem) for stem in set(wanted.values()))})\b")
    for other in islice(walk_files(change.root), _MOST):
        text = text_in(change.root, other) or ""
        said = set(pattern.findall(text)) if text else set()
        wanted = {path: stem for path, stem in wanted.items() if path == other or stem not in said}
        if not wanted:
            return
    for path in wanted:
        message = f"{path!r} is new, and no other file speaks of it"
        yield Finding(Severity.INFO, "unused_file", message, path, "use it or leave it out", ID, CONFIDENCE)


def _could_be(path: str, text: str) -> bool:
    """A source that others have to use: no test, nothing that is run or found by its place."""
    pure = PurePosixPath(path)
    if pure.suffix.lower() not in _SOURCES or is_test(path) or _ENTRANCES.search(str(pure.with_suffix(""))):
        return False
    return pure.suffix not in (".go", ".swift") and not _MAIN.search(text)
