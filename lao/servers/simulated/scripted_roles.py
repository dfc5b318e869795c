"""What the simulated model answers when no rule of the scenario matches: planner, coder and reviewer by the book.

The planner turns the plan's own lines into tasks, the coder writes the files that its task names, the reviewer
approves. Nothing here thinks; the same request always gets the same answer.
"""

from __future__ import annotations

import json
import keyword
import re
from pathlib import PurePosixPath

from lao.core.words import Json
from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import Answer, SimCall

_TASK_LINE = re.compile(r"^\s*[-*] task: *(.+)$", re.M)
_FIELD_START = re.compile(r"\s+\|\s+(?=(?:files?|content|after|test)\s*:)", re.I)
_HEADING = re.compile(r"^##\s+(.+?)\s*#*$", re.M)
_BULLET = re.compile(r"^(?:[-*+]|\d+[.)])\s+(.+)$", re.M)
_NO_TASK = re.compile(r"^(test|tests|check|verify|acceptance|files?|note|depends)\b[^:]*:|^-?\s*https?://", re.I)
_PATH = re.compile(r"`((?:[\w-][\w.-]*/)*[\w-][\w.-]*\.[A-Za-z]\w{0,4})`")
_CONTENT = re.compile(r"^content: (.*)$", re.M)
BREAK = " ⏎ "
"""Stands for a line break in a content, which is one line of the plan."""
_FRAMED = re.compile(r"^# The plan\b.*\n((?:.*\n)*?)# End of the plan$", re.M)
_SHOWN_TASKS = re.compile(r'^\{"tasks": ', re.M)
_FILES = re.compile(r"^Files of this task:\s*\n((?:\s*- .+\n?)+)", re.M)
_ONE_FILE = re.compile(r"^Write the complete file `([^`\n]+)`", re.M)
_SHOWN_FILE = re.compile(r"^--- (\S+)$", re.M)
_TEXT_WORDS = re.compile(r"\b(text|notes?|letter|poem|document)\b", re.I)


def answer(request: SimRequest) -> Answer:
    """The answer of the request's role."""
    if request.role == "planner":
        return Answer(json.dumps({"tasks": _plan(request)}, ensure_ascii=False, indent=1))
    if request.role == "coder":
        return _code(request)
    if request.role == "reviewer":
        verdict = "APPROVED" if '"APPROVED"' in json.dumps(request.schema) else "approved"
        summary = "The simulated reviewer approves everything."
        return Answer(json.dumps({"verdict": verdict, "findings": [], "summary": summary}))
    if request.role == "analyst":
        return Answer(json.dumps(_survey(request)))
    if request.role == "author":
        return Answer("NO TEST")
    return Answer("This is the simulated server; no rule of its scenario matches this request.")


def _survey(request: SimRequest) -> dict[str, Json]:
    """A survey that names the first file whose beginning is shown."""
    shown = _SHOWN_FILE.search(request.last_user_text)
    points = [{"file": shown[1], "text": "Its beginning is shown."}] if shown else []
    return {
        "summary": "The simulated analyst has read the workspace.",
        "integration_points": points,
        "risk_areas": [],
        "conventions": ["Names are short."],
        "advice": [],
    }


def _plan(request: SimRequest) -> list[Json]:
    """The tasks in the form of the request's schema; a list of tasks that is shown for correction comes back as it is.

    In a corrective round the plan is in the first user message.
    """
    text = request.user_texts[0] if request.user_texts else ""
    framed = _FRAMED.search(text)
    shown = None if framed else _SHOWN_TASKS.search(text)
    if shown:
        return _decoded_tasks(text[shown.start() :])
    allowed = _item_properties(request.schema)
    tasks = plan_tasks(framed[1] if framed else text)
    for task in tasks:
        task["commands"] = task["acceptance"]["commands"]
    wanted = allowed or {"title", "description", "file_paths", "dependencies", "acceptance"}
    return [{name: value for name, value in task.items() if name in wanted} for task in tasks]


def _item_properties(schema: Json) -> set[str]:
    """The names that a task may have by the schema; empty when it does not tell."""
    for key in ("properties", "tasks", "items", "properties"):
        schema = schema.get(key) if isinstance(schema, dict) else None
    return set(schema) if isinstance(schema, dict) else set()


def _decoded_tasks(text: str) -> list[Json]:
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return []
    tasks = value.get("tasks")
    return tasks if isinstance(tasks, list) else []


def plan_tasks(text: str) -> list[dict[str, Json]]:
    """The tasks of a plan's text.

    Lines ``- task: TITLE | file: PATH | content: TEXT | after: TITLE2 | test: COMMAND`` win; else every second-level
    heading is a task, else every list item, else the first line.
    """
    lines = [m[1] for m in _TASK_LINE.finditer(text)]
    if lines:
        return [_task_of_line(line) for line in lines]
    headings = list(_HEADING.finditer(text))
    ends = [h.start() for h in headings[1:]] + [len(text)]
    sections = [(h[1], text[h.end() : end].strip()) for h, end in zip(headings, ends, strict=False)]
    if not sections:
        sections = [(m[1], "") for m in _BULLET.finditer(text) if not _NO_TASK.match(m[1])]
    if not sections:
        first = next((line.lstrip("# ").strip() for line in text.splitlines() if line.strip("# \t")), "")
        sections = [(first, "")] if first else []
    return [_task_of_section(title, body) for title, body in dict(sections).items()]


def _task_of_line(line: str) -> dict[str, Json]:
    """A field ends where `` | `` and the name of another field begin, so a content may hold bars and colons."""
    title, *rest = _FIELD_START.split(line.strip())
    fields = {name.strip().lower(): value for name, _, value in (part.partition(":") for part in rest)}
    names = fields.get("file", fields.get("files", ""))
    paths = [p.strip() for p in names.split(",") if p.strip()] or [_slug_path(title)]
    description = f"{title}\nWrite {', '.join(paths)}."
    if "content" in fields:
        description += f"\ncontent: {fields['content'].strip()}"
    after = [t.strip() for t in fields.get("after", "").split(",") if t.strip()]
    test = fields.get("test", "").strip().strip("`")
    return _task(title, description, paths, after, [test] if test else [])


def _task_of_section(title: str, body: str) -> dict[str, Json]:
    title = title.strip().strip("*`: ")
    prose = "\n".join(line for line in body.splitlines() if not _NO_TASK.match(line.strip(" -*")))
    paths = list(dict.fromkeys(_PATH.findall(f"{title}\n{prose}"))) or [_slug_path(title)]
    return _task(title, f"{title}\n{body}".strip(), paths, [], [])


def _task(title: str, description: str, paths: list[str], after: list[str], commands: list[str]) -> dict[str, Json]:
    return {
        "title": title,
        "description": description,
        "file_paths": paths,
        "dependencies": after,
        "acceptance": {"commands": commands},
    }


def _slug_path(title: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:40].strip("_") or "task"
    if slug[0].isdigit():
        slug = f"task_{slug}"
    return f"{slug}.txt" if _TEXT_WORDS.search(title) else f"{slug}.py"


def _code(request: SimRequest) -> Answer:
    """Write the task's files: through the tool when it is offered, else as text."""
    brief = next((t for t in request.user_texts if _FILES.search(t)), request.last_user_text)
    block = _FILES.search(brief)
    paths = re.findall(r"^\s*- +`?([^`\n]+?)`?\s*$", block[1], re.M) if block else _ONE_FILE.findall(brief)
    given = _CONTENT.search(brief)
    files = [(path, f"{given[1]}\n".replace(BREAK, "\n") if given else file_text(path)) for path in paths]
    if "file_write" not in request.tools:
        return Answer("\n\n".join(_as_text(path, content) for path, content in files) or "There is nothing to write.")
    written = {str(a.get("path")) for name, a in request.calls_made if name == "file_write"}
    calls = tuple(
        SimCall("file_write", json.dumps({"path": path, "content": content}, ensure_ascii=False))
        for path, content in files
        if path not in written
    )
    if not calls:
        return Answer(f"Wrote {', '.join(paths)}." if paths else "There is nothing to write.")
    return Answer(tool_calls=calls[:1] if request.one_call_only else calls)


def _as_text(path: str, content: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", content)), default=0))
    info = "python" if path.endswith(".py") else ""
    return f"FILE: {path}\n{fence}{info}\n{content}{fence}"


def file_text(path: str) -> str:
    """A small valid file of the kind that the name says."""
    stem = PurePosixPath(path).stem
    name = re.sub(r"\W+", "_", stem).strip("_") or "module"
    name = f"_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".py":
        body = f'    """Hold."""\n    assert "{name}"\n' if name.startswith("test_") else _function_body(name)
        result = "None" if name.startswith("test_") else "str"
        return f'"""Written by the simulated server."""\n\n\ndef {name}() -> {result}:\n{body}'
    forms = {
        ".json": f'{{"name": {json.dumps(stem)}}}\n',
        ".yaml": f"name: {json.dumps(stem)}\n",
        ".yml": f"name: {json.dumps(stem)}\n",
        ".toml": f"name = {json.dumps(stem)}\n",
        ".md": f"# {stem}\n\nWritten by the simulated server.\n",
    }
    return forms.get(suffix, f"{stem}: written by the simulated server\n")


def _function_body(name: str) -> str:
    return f'    """Give the name of this function."""\n    return "{name}"\n'
