"""A plan file's YAML front matter, cut off from its text. Says nothing about what the keys mean."""

from __future__ import annotations

from typing import Any, Final

from lao.core.errors import BadInput

_FENCE: Final = "---"


def split(text: str) -> tuple[dict[str, Any], str]:
    """``(front matter, rest)``; without front matter ``({}, text)``.

    A first line of ``---`` opens it, the next line of ``---`` or ``...`` ends it. A lone ``---`` (a rule) is text.

    Raises:
        BadInput: the YAML is broken or not a mapping.
    """
    import yaml

    plain = text.removeprefix("\ufeff")
    lines = plain.splitlines(keepends=True)
    if not lines or lines[0].rstrip() != _FENCE:
        return {}, plain
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() in {_FENCE, "..."}), None)
    if end is None:
        return {}, plain
    try:
        data = yaml.safe_load("".join(lines[1:end]))
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f", line {mark.line + 2}" if mark is not None else ""
        raise BadInput(
            f"the plan's front matter is not valid YAML{where}: {getattr(exc, 'problem', None) or exc}",
            "correct the lines between the two '---', or remove them",
        ) from exc
    except ValueError as exc:  # an impossible date
        raise BadInput(f"the plan's front matter is not valid YAML: {exc}", "correct or quote that value") from exc
    if data is None:
        return {}, "".join(lines[end + 1 :])
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        if ":" not in "".join(lines[1:end]):
            return {}, plain  # text between two rules
        raise BadInput("the plan's front matter is not a list of 'key: value' lines", "for example 'priority: 5'")
    return data, "".join(lines[end + 1 :])
