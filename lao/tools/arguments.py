"""From what a model wrote to a tool's name and arguments: aliases, unambiguous coercion, precise error texts."""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Final

from lao.core.errors import BadInput
from lao.core.words import Json

ALIASES: Final[Mapping[str, str]] = {
    "readfile": "file_read", "read": "file_read", "cat": "file_read", "openfile": "file_read", "viewfile": "file_read",
    "view": "file_read", "writefile": "file_write", "write": "file_write", "createfile": "file_write",
    "filecreate": "file_write", "savefile": "file_write", "editfile": "file_patch", "edit": "file_patch",
    "fileedit": "file_patch", "patchfile": "file_patch", "replaceinfile": "file_patch", "strreplace": "file_patch",
    "searchreplace": "file_patch", "bash": "shell_exec", "shell": "shell_exec", "sh": "shell_exec",
    "runcommand": "shell_exec", "execcommand": "shell_exec", "executecommand": "shell_exec", "run": "shell_exec",
    "exec": "shell_exec", "terminal": "shell_exec", "ls": "list_dir", "listfiles": "list_dir",
    "listdirectory": "list_dir", "dir": "list_dir", "search": "find_relevant_files",
    "searchfiles": "find_relevant_files", "findfiles": "find_relevant_files", "grep": "find_relevant_files",
    "todowrite": "task_todo_set", "todoset": "task_todo_set", "settodos": "task_todo_set",
    "todoread": "task_todo_get", "todoget": "task_todo_get", "gettodos": "task_todo_get",
}  # fmt: skip


def resolve_name(name: str, known: Iterable[str]) -> str:
    """The known tool that is meant: exact, then without case and underscores, then by alias.

    Raises:
        BadInput: no such tool; the text lists the real ones.
    """
    names = list(known)
    if name in names:
        return name
    folded = _fold(name)
    by_fold = {_fold(n): n for n in names}
    found = by_fold.get(folded) or ALIASES.get(folded)
    if found in names and found is not None:
        return found
    near = difflib.get_close_matches(folded, by_fold, n=1, cutoff=0.75)
    hint = f"did you mean {by_fold[near[0]]!r}? " if near else ""
    raise BadInput(f"there is no tool {name[:80]!r}", f"{hint}the tools are: {', '.join(names)}")


def _fold(name: str) -> str:
    return "".join(c for c in name.rsplit(".", 1)[-1].casefold() if c.isalnum())


def fit(tool: str, parameters: Mapping[str, Json], raw: Json) -> dict[str, Json]:
    """The arguments as the schema wants them.

    Args:
        raw: an object, or the text of one, or None or "" for none.

    Raises:
        BadInput: what is wrong, the right form, an example.
    """
    from jsonschema.exceptions import best_match
    from jsonschema.validators import Draft202012Validator

    arguments: dict[str, Json] = _coerced(parameters, _as_object(tool, parameters, raw))
    error = best_match(Draft202012Validator(dict(parameters)).iter_errors(arguments))
    if error is not None:
        place = ".".join(str(p) for p in error.absolute_path)
        where = f" at {place!r}" if place else ""
        message = error.message if len(error.message) <= 300 else error.message[:300] + "…"
        raise BadInput(f"wrong arguments for {tool}{where}: {message}", example(tool, parameters))
    return arguments


def example(tool: str, parameters: Mapping[str, Json]) -> str:
    """One line that shows a right call."""
    required = ", ".join(parameters.get("required", ())) or "none"
    shown = (parameters.get("examples") or [{}])[0]
    return f"required: {required}; right form: {tool} {json.dumps(shown, ensure_ascii=False)}"


def _as_object(tool: str, parameters: Mapping[str, Json], raw: Json) -> dict[str, Json]:
    value = raw
    for _ in range(2):  # some models encode the object twice
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value)
            except ValueError as exc:
                raise BadInput(
                    f"the arguments of {tool} are not a JSON object ({exc})", example(tool, parameters)
                ) from exc
    if value is None or value == "" or (isinstance(value, str) and not value.strip()):
        return {}
    if not isinstance(value, Mapping):
        raise BadInput(f"the arguments of {tool} must be a JSON object", example(tool, parameters))
    return copy.deepcopy(dict(value))


def _coerced(schema: Mapping[str, Json], value: Json) -> Json:
    """``value`` with what has only one reading put right: "5" → 5, "true" → true, a JSON text where JSON is wanted."""
    kind = schema.get("type")
    if isinstance(value, str) and kind not in (None, "string"):
        value = _from_text(str(kind), value)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind == "object" and isinstance(value, dict):
        known = schema.get("properties", {})
        optional = set(known) - set(schema.get("required", ()))
        # null for an optional argument means "not given"
        kept = {k: v for k, v in value.items() if not (v is None and k in optional)}
        return {k: _coerced(known[k], v) if k in known else v for k, v in kept.items()}
    if kind == "array" and isinstance(value, list):
        return [_coerced(schema.get("items", {}), v) for v in value]
    return value


def _from_text(kind: str, text: str) -> Json:
    plain = text.strip()
    if kind == "boolean":
        return {"true": True, "false": False}.get(plain.casefold(), text)
    try:
        value = json.loads(plain)
    except ValueError:
        return text
    wanted = {"integer": (int, float), "number": (int, float), "array": (list,), "object": (dict,)}.get(kind, ())
    return value if isinstance(value, wanted) and not isinstance(value, bool) else text
