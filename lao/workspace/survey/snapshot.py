"""What a model is shown of a workspace: tiers from the tree down to excerpts, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.words import Json
from lao.search.listing import content_of
from lao.workspace.survey.inventory import PROSE, is_secret
from lao.workspace.survey.shape import is_test

SHARES: Final = (
    ("Folders and files", 0.2),
    ("Manifests", 0.15),
    ("Public names", 0.2),
    ("Files that the plan names", 0.25),
)
"""Of the budget, for each tier; what one leaves goes to those after it, and all that is left to the excerpts."""

EXCERPT_LINES: Final = 40
EXCERPTS: Final = 40
_NOTE: Final = 24
"""Tokens kept in each tier for the line that says what was left out."""

_LEAST: Final = 30


@dataclass(frozen=True)
class Snapshot:
    """Attributes:
    text: for the prompt.
    tokens: of it.
    left_out: what did not fit, a line for each tier.
    """

    text: str
    tokens: int
    left_out: tuple[str, ...]


def snapshot(
    root: Path,
    document: Mapping[str, Json],
    budget: int,
    count: Callable[[str], int],
    *,
    hidden: Callable[[str], bool] = lambda _path: False,
) -> Snapshot:
    """A workspace in at most ``budget`` tokens.

    Args:
        document: its survey (``lao.workspace.survey.facts``).
        count: tokens of a text; of two texts together no more than of both apart.
        hidden: files whose content is not shown, beside those whose name tells of secrets.
    """

    def texts(paths: Iterable[str], lines: int | None) -> Iterator[str]:
        for path in paths:
            if not hidden(path) and not is_secret(path) and (text := _read(root, path, lines)):
                yield f"--- {path}\n{text}"

    named = list(document["file_inventory"]["named_by_plan"])
    sheet = _Sheet(budget, count)
    tiers = (
        list(_tree(document)),
        [_manifest(m) for m in document["build_system"]["manifests"]],
        [_names(s) for s in document["public_symbols"]],
        list(texts(named, None)),
    )
    for (title, share), items in zip(SHARES, tiers, strict=True):
        sheet.tier(title, items, int(budget * share), whole=title != SHARES[3][0])
    sheet.tier("Beginnings of files", list(texts(_chosen(document, named), EXCERPT_LINES)), budget, whole=True)
    return sheet.done()


class _Sheet:
    def __init__(self, budget: int, count: Callable[[str], int]) -> None:
        self._budget, self._count = budget, count
        self._parts: list[str] = []
        self._left, self._carried = budget, 0
        self._missing: list[str] = []

    def tier(self, title: str, items: list[str], share: int, *, whole: bool) -> None:
        """Add the items in order as far as they fit.

        Args:
            share: tokens for this tier, beside what those before have left.
            whole: an item is shown as it is or not at all; else each is cut to an equal part of what there is.
        """
        limit = min(self._left, share + self._carried)
        head = f"# {title}\n"
        room = limit - self._count(head) - _NOTE
        shown: list[str] = []
        used = cut = 0
        for number, item in enumerate(items):
            text = item if whole else self._cut(item, (room - used) // (len(items) - number))
            cost = self._count(f"{text}\n")
            if not text or used + cost > room:
                break
            shown.append(text)
            used, cut = used + cost, cut + (text != item)
        missing = len(items) - len(shown)
        if missing:
            self._missing.append(f"{title}: {missing} of {len(items)}")
        if cut:
            self._missing.append(f"{title}: the ends of {cut}")
        if not shown:
            self._carried = max(0, limit)
            return
        note = [f"[… {missing} more are not shown]"] if missing else []
        part = head + "\n".join((*shown, *note)) + "\n"
        spent = self._count(part)
        self._parts.append(part)
        self._left -= spent
        self._carried = max(0, limit - spent)

    def done(self) -> Snapshot:
        """All tiers together. The last ones fall where a tokenizer counts otherwise than by parts."""
        while self._parts and self._count("\n".join(self._parts)) > self._budget:
            self._missing.append(self._parts.pop().partition("\n")[0].removeprefix("# "))
        text = "\n".join(self._parts)
        return Snapshot(text, self._count(text) if text else 0, tuple(self._missing))

    def _cut(self, text: str, limit: int) -> str:
        """The beginning of a text within ``limit`` tokens, at a line, with a line that says so; "" where that is
        nothing."""
        if self._count(f"{text}\n") <= limit:
            return text
        if limit < _LEAST:
            return ""
        lines = text.splitlines()
        kept, used = 0, self._count(f"[… {len(lines)} more lines]\n")
        for line in lines:
            used += self._count(f"{line}\n")
            if used > limit:
                break
            kept += 1
        return "\n".join((*lines[:kept], f"[… {len(lines) - kept} more lines]")) if kept > 1 else ""


def _tree(document: Mapping[str, Json]) -> Iterator[str]:
    inventory = document["file_inventory"]
    for folder in inventory["folders"]:
        yield f"{'.' if folder['path'] == '.' else folder['path']}/: {folder['files']} files"
    for file in inventory["listed"]:
        told = file["note"] or (f"{file['lines']} lines" if file["lines"] is not None else "")
        yield f"{file['path']}" + (f" ({told})" if told else "")
    if inventory["left_out"]:
        yield f"[… {inventory['left_out']} more files are not listed]"


def _manifest(manifest: Mapping[str, Json]) -> str:
    lines = [f"{manifest['path']} ({manifest['kind']}) {manifest['name']}".rstrip()]
    if manifest["dependencies"]:
        lines.append(f"  needs {', '.join(manifest['dependencies'])}")
    lines += [f"  script {name}: {command}".rstrip(": ") for name, command in manifest["scripts"].items()]
    return "\n".join(lines)


def _names(symbols: Mapping[str, Json]) -> str:
    more = f" … {symbols['left_out']} more" if symbols["left_out"] else ""
    return f"{symbols['path']}: {', '.join(symbols['names'])}{more}"


def _chosen(document: Mapping[str, Json], named: list[str]) -> list[str]:
    """The files that tell most: the README, then what others use, then sources from the top down, at last tests."""
    files = document["file_inventory"]["listed"]
    used = {entry["path"]: entry["by"] for entry in document["dependency_graph"]["most_used"]}
    code = [f["path"] for f in files if not f["note"] and f["language"] not in PROSE and f["path"] not in named]
    code.sort(key=lambda p: (is_test(p), -used.get(p, 0), p.count("/"), p))
    readme = [f["path"] for f in files if f["path"].lower() in ("readme.md", "readme.rst", "readme.txt", "readme")]
    return [*(p for p in readme if p not in named), *code][:EXCERPTS]


def _read(root: Path, path: str, lines: int | None) -> str:
    raw, note = content_of(root, path)
    if note:
        return ""
    text = raw.decode("utf-8", "replace").strip("\n")
    return "\n".join(line[:240] for line in text.splitlines()[:lines])
