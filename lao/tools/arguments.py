"""From what a model wrote to a tool's name and arguments: aliases, unambiguous coercion, precise error texts."""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from lao.core.errors import BadInput
from lao.core.words import Json

_FOR = {
    "file_read": "readfile read cat openfile viewfile view getfile showfile loadfile getfilecontent readfilecontent",
    "file_write": "writefile write createfile filecreate savefile writetofile createnewfile newfile overwritefile "
    "putfile makefile addfile updatefile",
    "file_patch": "editfile edit fileedit patchfile replaceinfile strreplace searchreplace applypatch applydiff patch "
    "modifyfile replace strreplaceeditor updatefile",
    "shell_exec": "bash shell sh runcommand execcommand executecommand run exec terminal execute runshell "
    "runshellcommand runterminalcommand executebash shellcommand runbash command runtests",
    "list_dir": "ls listfiles listdirectory dir listfolder listdirectorycontents",
    "find_relevant_files": "search searchfiles findfiles grep searchcode codebasesearch glob",
    "task_todo_set": "todowrite todoset settodos todo updatetodos",
    "skill_run": "skill useskill runskill openskill loadskill activateskill",
    "skill_list": "listskills skills",
    "memory_append": "remember addmemory appendmemory savememory",
    "memory_read": "readmemory recall",
    "memory_forget": "forget forgetmemory removememory",
    "task_todo_get": "todoread todoget gettodos",
}

_ARGUMENT_FOR = {
    "path": "filename filepath file targetfile pathname filepathname relativepath directory dir folder directorypath "
    "folderpath",
    "content": "contents text code body filecontent filecontents filetext data newcontent",
    "command": "cmd script shellcommand bashcommand commandline",
    "search": "oldstr oldstring old oldtext find original searchtext oldcode",
    "replace": "newstr newstring new newtext replacement replacetext replacewith newcode",
    "query": "q keyword keywords searchquery pattern",
    "todos": "items tasks todolist",
    "start_line": "start startline linestart fromline",
    "end_line": "end endline lineend toline",
    "timeout_s": "timeout timeoutseconds timeouts",
    "limit": "maxresults",
}


def _turned(table: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for ours, others in table.items():
        for other in others.split():
            found[other] = (*found.get(other, ()), ours)
    return MappingProxyType(found)


ALIASES: Final = _turned(_FOR)
"""Folded names that models use for our tools; more than one meaning is decided by the arguments, or not at all."""

ARGUMENT_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {other: ours for ours, others in _ARGUMENT_FOR.items() for other in others.split()}
)
"""Folded names that models use for our arguments; taken only where the tool has ours and it was not given."""


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
    if folded in by_fold:
        return by_fold[folded]
    meant = [n for n in ALIASES.get(folded, ()) if n in names]
    if len(meant) == 1:
        return meant[0]
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

    given = _renamed(parameters.get("properties") or {}, _as_object(tool, parameters, raw))
    arguments: dict[str, Json] = _coerced(parameters, given)
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


def _renamed(properties: Mapping[str, Json], given: dict[str, Json]) -> dict[str, Json]:
    """``given`` under our names, where exactly one of its names can mean ours."""
    meant: dict[str, list[str]] = {}
    for key in given:
        target = ARGUMENT_ALIASES.get(_fold(key), "")
        if key not in properties and target in properties and target not in given:
            meant.setdefault(target, []).append(key)
    ours = {keys[0]: target for target, keys in meant.items() if len(keys) == 1}
    return {ours.get(key, key): value for key, value in given.items()}


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
