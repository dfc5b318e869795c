"""A patch of several places put into one file: what fits is applied, what does not is named. Pure text."""

from __future__ import annotations

from dataclasses import dataclass

from lao.core.diffs import FileDiff, Hunk
from lao.core.elisions import elision
from lao.core.errors import BadInput
from lao.tools.patching import anchored_at, apply_patch


@dataclass(frozen=True)
class Applied:
    """The new text, a note for the model, and whether every place was found."""

    text: str
    note: str
    ok: bool


def apply_hunks(text: str, diff: FileDiff, name: str) -> Applied:
    """All places of ``diff`` that are found in ``text``, each by the ladder of ``apply_patch``.

    Raises:
        BadInput: none of them could be applied.
    """
    done, failed = [], []
    for number, hunk in enumerate(diff.hunks, 1):
        try:
            text, note = _apply(text, hunk, name)
            done.append(f"change {number}: {note}")
        except BadInput as exc:
            failed.append(f"change {number}: {exc}")
    if failed and not done:
        raise BadInput("\n".join(failed).replace("'search'", "its old text"))
    if not failed:
        return Applied(text, "\n".join(done), True)
    told = [
        f"{len(done)} of {len(diff.hunks)} changes were applied to {name}. Do not send these again:",
        *done,
        "These were not applied; send only them again, corrected:",
        *(line.replace("'search'", "its old text") for line in failed),
    ]
    return Applied(text, "\n".join(told), False)


def _apply(text: str, hunk: Hunk, name: str) -> tuple[str, str]:
    if any(line.strip() for line in hunk.search):
        search, replace = "\n".join(hunk.search), "\n".join(hunk.replace)
        return apply_patch(text, search, replace, name, anchors=hunk.anchors, line=hunk.line)
    if left_out := elision("\n".join(hunk.replace), text.splitlines()):
        raise BadInput(f"it leaves code out: {left_out[:80]!r}", "write all lines that shall be there")
    lines = text.splitlines(keepends=True)
    ending = "\r\n" if "\r\n" in text else "\n"
    new = [line + ending for line in hunk.replace]
    if hunk.at_end or not text.strip():
        at = len(lines)
    else:
        at = anchored_at(lines, hunk.anchors) if not hunk.line else 0  # a diff's heading is not the line above
        if not at:
            raise BadInput(
                f"the place of new lines in {name!r} is not certain",
                "put a line before and a line after them as context",
            )
    if lines[at : at + len(new)] == new:
        return text, f"{name} already has these lines (line {at + 1}); nothing changed"
    if at == len(lines) and lines and not lines[-1].endswith("\n"):
        lines[-1] += ending
    return "".join([*lines[:at], *new, *lines[at:]]), f"inserted {len(new)} lines into {name} below line {at}"
