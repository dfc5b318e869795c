"""A planner's answer read with tolerance: tasks, titles, paths and dependencies. Asks no model."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from lao.core.words import Json, TaskSpec

_LISTS = ("tasks", "plan", "steps", "micro_tasks", "microtasks", "subtasks")
_TITLES = ("title", "name", "task", "summary")
_DESCRIPTIONS = ("description", "details", "instructions", "goal", "body", "content")
_FILES = ("file_paths", "files", "file", "paths", "path", "filename", "file_path")
_DEPENDENCIES = ("dependencies", "depends_on", "dependsOn", "deps", "after", "requires")
_COMMANDS = ("commands", "acceptance", "tests", "test", "verify", "command", "test_command", "acceptance_criteria")
_NOTHING = frozenset({"", "none", "na", "null", "nothing"})
_TITLE_CHARS = 120

TICKED_FILE = re.compile(
    r"`([\w./-]+\.(?:py|pyi|js|mjs|ts|tsx|jsx|go|rs|java|kt|c|h|cc|cpp|hpp|cs|rb|php|swift|lua|sh|sql|html|css"
    r"|json|ya?ml|toml|ini|cfg|md|txt|csv))`"
)
"""A file in backticks; ``math.pi`` is none."""


@dataclass(frozen=True)
class Draft:
    """A task as read; ``needs`` are dependencies as the model wrote them."""

    title: str
    description: str
    file_paths: tuple[str, ...]
    needs: tuple[str, ...]
    commands: tuple[str, ...]
    ident: str = ""


def read_drafts(value: Json, plan_text: str) -> list[Draft]:
    """The tasks in a planner's answer: an array, ``{"tasks": [...]}`` or one task; items may miss fields.

    Raises:
        ValueError: the value has no such shape; the message can go back to the model.
    """
    found = _task_list(value)
    if found is None:
        raise ValueError('the JSON has no list of tasks; it must look like {"tasks": [...]}')
    drafts = [d for d in (_draft(item, plan_text) for item in found) if d]
    if found and not drafts:
        raise ValueError("the tasks have no title")
    return drafts


def _task_list(value: Json) -> list[Json] | None:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    for key in _LISTS:
        inner = value.get(key)
        if isinstance(inner, list):
            return inner
        if isinstance(inner, dict) and (nested := _task_list(inner)) is not None:
            return nested
    if _first(value, _TITLES):
        return [value]
    if value and all(isinstance(v, dict) for v in value.values()):
        return [{"title": k, **v} for k, v in value.items()]
    return None


def _draft(item: Json, plan_text: str) -> Draft | None:
    item = {"title": item} if isinstance(item, str) else item
    if not isinstance(item, dict):
        return None
    description = str(_first(item, _DESCRIPTIONS) or "").strip()
    title = " ".join(str(_first(item, _TITLES) or description).split())[:_TITLE_CHARS].strip()
    if not title:
        return None
    paths = [clean_path(p, plan_text) for p in _strings(_first(item, _FILES))]
    files = tuple(dict.fromkeys(p for p in paths if p)) or _only_path(title + "\n" + description)
    return Draft(
        title=title,
        description=description or title,
        file_paths=files,
        needs=tuple(n for n in _strings(_first(item, _DEPENDENCIES)) if fold(n) not in _NOTHING),
        commands=tuple(dict.fromkeys(c.strip() for c in _strings(_first(item, _COMMANDS)) if c.strip())),
        ident=str(item.get("id") or "").strip(),
    )


def _first(item: Mapping[str, Json], keys: Sequence[str]) -> Json:
    return next((item[k] for k in keys if item.get(k)), None)


def _strings(value: Json) -> list[str]:
    if isinstance(value, dict):
        inner = _first(value, (*_COMMANDS, *_FILES, *_TITLES, "id"))
        return _strings(inner)
    if isinstance(value, list):
        return [s for v in value for s in _strings(v)]
    return [] if value is None or isinstance(value, bool) else [str(value).strip()]


def clean_path(path: str, plan_text: str) -> str:
    """A relative POSIX path inside the workspace, or "" for anything else."""
    path = path.strip().strip("`'\"").replace("\\", "/")
    path = re.sub(r"^(?:\./)+", "", path)
    if path.startswith("/") and path.lstrip("/") in plan_text:
        path = path.lstrip("/")  # models write /a.py for the plan's a.py
    parts = PurePosixPath(path).parts
    bad = not parts or path.startswith(("/", "~")) or path.endswith("/") or ":" in path or any(c < " " for c in path)
    if bad or ".." in parts or parts[0] in (".git", ".lao") or "*" in path or len(path) > 200:
        return ""
    return str(PurePosixPath(path))


def _only_path(text: str) -> tuple[str, ...]:
    found = {m.group(0).removeprefix("./") for m in re.finditer(r"(?<![\w/.])[\w./-]*\w\.[a-z]{1,5}\b(?![\w(/])", text)}
    sources = {p for p in found if clean_path(p, text) and PurePosixPath(p).suffix in _SOURCE}
    return tuple(sources) if len(sources) == 1 else ()


_SOURCE = frozenset(
    {".py", ".js", ".ts", ".go", ".rs", ".java", ".rb", ".sh", ".md", ".html", ".css", ".json", ".yaml"}
)


def fold(text: str) -> str:
    """Letters and digits only, lower case."""
    return re.sub(r"[\W_]+", "", text).lower()


def merge(earlier: Sequence[TaskSpec], drafts: Sequence[Draft]) -> list[TaskSpec]:
    """The drafts of one answer as tasks after ``earlier`` ones: titles unique, dependencies by title where known.

    A draft that repeats an earlier task (same title, same files) is dropped. Unknown dependencies stay as written.
    """
    taken = {fold(t.title): t for t in earlier}
    fresh: list[tuple[Draft, str]] = []
    names: dict[str, str] = {}
    for n, draft in enumerate(drafts, 1):
        old = taken.get(fold(draft.title))
        if old is not None and set(old.file_paths) == set(draft.file_paths):
            names.setdefault(fold(draft.title), old.title)
            continue
        title = draft.title
        count = 2
        while fold(title) in taken:
            title, count = f"{draft.title} ({count})", count + 1
        task = TaskSpec(title, draft.description, draft.file_paths, (), draft.commands)
        taken[fold(title)] = task
        fresh.append((draft, title))
        names.setdefault(fold(draft.title), title)
        names.setdefault(f"#{n}", title)
        if draft.ident:
            names.setdefault(fold(draft.ident), title)
    known = {fold(t.title): t.title for t in earlier} | names
    tasks = [replace(taken[fold(title)], dependencies=_needs(draft, title, known)) for draft, title in fresh]
    return _by_file(earlier, tasks)


def _needs(draft: Draft, title: str, known: Mapping[str, str]) -> tuple[str, ...]:
    found = []
    for need in draft.needs:
        number = re.fullmatch(r"(?:(?:task|step|t)?\s*[#_-]?\s*)(\d+)\.?", need.strip(), re.IGNORECASE)
        unnumbered = re.sub(r"^(?:(?:task|step)\s*)?#?\d+\s*[.:)\-]\s*", "", need, flags=re.IGNORECASE)
        target = (
            known.get(fold(need)) or (known.get(f"#{number[1]}") if number else None) or known.get(fold(unnumbered))
        )
        found.append(target or need)
    return tuple(dict.fromkeys(f for f in found if f != title))


def _by_file(earlier: Sequence[TaskSpec], tasks: list[TaskSpec]) -> list[TaskSpec]:
    """Dependencies that name a file (path, bare name or stem) become the one task that makes it."""
    every = (*earlier, *tasks)
    titles = {t.title for t in every}
    done = []
    for task in tasks:
        needs = []
        for need in task.dependencies:
            makers = [] if need in titles else [t.title for t in every if _makes(t, need)]
            needs.append(makers[0] if len(makers) == 1 else need)
        done.append(replace(task, dependencies=tuple(dict.fromkeys(n for n in needs if n != task.title))))
    return done


def _makes(task: TaskSpec, name: str) -> bool:
    return any(name in (p, PurePosixPath(p).name, PurePosixPath(p).stem) for p in task.file_paths)


def without_given_files(tasks: Sequence[TaskSpec], plan_text: str) -> list[TaskSpec]:
    """Drop dependencies that cannot be ones: of a lone task, and on files that the plan names but no task makes."""
    if len(tasks) == 1:
        return [replace(tasks[0], dependencies=())]
    titles = {t.title for t in tasks}

    def given(need: str) -> bool:
        return need not in titles and "." in need and clean_path(need, plan_text) == need and need in plan_text

    return [replace(t, dependencies=tuple(n for n in t.dependencies if not given(n))) for t in tasks]


def without_judges(tasks: Sequence[TaskSpec], judges: Collection[str]) -> list[TaskSpec]:
    """Take given test files out of the tasks' files; a task that was about nothing else is dropped."""
    kept: list[TaskSpec] = []
    dropped: dict[str, tuple[str, ...]] = {}
    for task in tasks:
        files = tuple(p for p in task.file_paths if p not in judges)
        if task.file_paths and not files and len(dropped) < len(tasks) - 1:
            dropped[task.title] = task.dependencies
        else:
            kept.append(replace(task, file_paths=files))
    for title, needs in dropped.items():
        kept = [replace(t, dependencies=_instead(t.dependencies, title, needs)) for t in kept]
    return kept


def mend_paths(tasks: Sequence[TaskSpec], plan_text: str, existing: Collection[str]) -> list[TaskSpec]:
    """``src/a.py`` becomes ``a.py`` when neither the plan nor the workspace has the first, and only one of them has the
    second: small planners put files into folders that nobody named, and the work then lands beside the real file."""
    named = {*existing, *(clean_path(name, plan_text) for name in TICKED_FILE.findall(plan_text))}

    def real(path: str) -> str:
        if path in existing or re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w/-])", plan_text):
            return path
        same = [name for name in named if PurePosixPath(name).name == PurePosixPath(path).name]
        return same[0] if len(same) == 1 else path

    return [replace(t, file_paths=tuple(dict.fromkeys(map(real, t.file_paths)))) for t in tasks]


def whole_plan(tasks: Sequence[TaskSpec], plan_text: str, not_files: Collection[str]) -> list[TaskSpec]:
    """When no task says which file it writes but the plan does, the plan is one task: a weak planner has then only
    listed things to read and to know. Otherwise the tasks as they are."""
    if any(t.file_paths or t.commands for t in tasks):
        return list(tasks)
    ticked = [clean_path(name, plan_text) for name in TICKED_FILE.findall(plan_text)]
    files = tuple(dict.fromkeys(name for name in ticked if name and name not in not_files))
    if not files:
        return list(tasks)
    heading = re.search(r"^#+\s+(.+?)\s*#*$", plan_text, re.MULTILINE)
    words = "\n".join(f"{t.title}: {t.description}" for t in tasks)
    return [TaskSpec(heading[1] if heading else f"Write {files[0]}", f"Do what the plan says.\n{words}", files)]


_READING = re.compile(r"(?:read|understand|study|learn|review|familiari[sz]e|get familiar)\b", re.IGNORECASE)


def reading_writes_nothing(tasks: Sequence[TaskSpec], plan_text: str, existing: Collection[str]) -> list[TaskSpec]:
    """Take the invented files out of tasks that only read ("Understand datetime" writing ``docs/datetime``): such a
    title that is not the plan's own, with files that neither the plan nor the workspace has."""
    told = fold(plan_text)

    def invented(task: TaskSpec) -> bool:
        own = fold(task.title) in told or task.commands
        return not own and not any(path in existing or path in plan_text for path in task.file_paths)

    return [replace(t, file_paths=()) if _READING.match(t.title) and invented(t) else t for t in tasks]


def fold_fileless(tasks: Sequence[TaskSpec]) -> list[TaskSpec]:
    """Tasks that neither write a file nor have a command ("read the specification") are no work of their own: their
    words go into the next task that does something. A plan of nothing but such tasks stays as it is."""
    if not any(t.file_paths for t in tasks):
        return list(tasks)
    kept: list[TaskSpec] = []
    folded: list[TaskSpec] = []
    waiting: list[str] = []
    for task in tasks:
        if task.file_paths or task.commands:
            words = "\n".join([task.description, *waiting])
            kept.append(replace(task, description=words))
            waiting = []
        else:
            folded.append(task)
            waiting.append(f"{task.title}: {task.description}")
    if waiting:
        kept[-1] = replace(kept[-1], description="\n".join([kept[-1].description, *waiting]))
    for gone in folded * len(folded):  # one of them may need another one
        kept = [replace(t, dependencies=_instead(t.dependencies, gone.title, gone.dependencies)) for t in kept]
    return [replace(t, dependencies=tuple(n for n in t.dependencies if n != t.title)) for t in kept]


def one_of_a_file(tasks: Sequence[TaskSpec], plan_text: str) -> list[TaskSpec]:
    """Tasks about one and the same file that the plan names less often than that are steps of one piece of work, which
    a weak planner took apart: they become one task."""
    result = list(tasks)
    for path in dict.fromkeys(t.file_paths[0] for t in tasks if len(t.file_paths) == 1):
        same = [t for t in result if t.file_paths == (path,)]
        named = len(re.findall(rf"(?<![\w/.-]){re.escape(path)}(?![\w/-])", plan_text))
        if len(same) < 2 or named >= len(same):
            continue
        titles = {t.title for t in same}
        needs = dict.fromkeys(n for t in same for n in t.dependencies if n not in titles)
        words = "\n".join([same[0].description, *(f"{t.title}: {t.description}" for t in same[1:])])
        commands = tuple(dict.fromkeys(c for t in same for c in t.commands))
        whole = replace(same[0], description=words, dependencies=tuple(needs), commands=commands)
        result = [whole if t is same[0] else t for t in result if t is same[0] or t.title not in titles]
        result = [
            replace(t, dependencies=tuple(dict.fromkeys(whole.title if n in titles else n for n in t.dependencies)))
            for t in result
        ]
    return result


def _instead(dependencies: Sequence[str], title: str, needs: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for d in dependencies for n in (needs if d == title else (d,))))


def dependency_problem(tasks: Sequence[TaskSpec]) -> str:
    """What is wrong with the dependencies, naming the tasks; "" when they can be ordered."""
    titles = {t.title for t in tasks}
    for task in tasks:
        for need in task.dependencies:
            if need not in titles:
                return f"The task {task.title!r} depends on {need!r}, but no task has that title."
    left = {t.title: set(t.dependencies) for t in tasks}
    while ready := [title for title, needs in left.items() if not needs & left.keys()]:
        for title in ready:
            del left[title]
    if left:
        return f"These tasks depend on each other in a circle: {', '.join(map(repr, left))}."
    return ""


def in_order(tasks: Sequence[TaskSpec]) -> list[TaskSpec]:
    """Tasks in dependency order, otherwise as given. The dependencies must be sound."""
    done: list[TaskSpec] = []
    waiting = list(tasks)
    while waiting:
        titles = {t.title for t in done}
        following = next(t for t in waiting if titles.issuperset(t.dependencies))
        waiting.remove(following)
        done.append(following)
    return done
