"""The analyst: the survey of a workspace in, what a model adds to it out. Surveys nothing itself and writes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from lao.agents.ask import JournaledModel, completion_limit, request
from lao.agents.prompt import load, schema
from lao.config.settings import ModelSettings
from lao.core.chat import Model
from lao.core.errors import AttemptFailed
from lao.core.steps import Steps
from lao.core.words import Json
from lao.llm.structured import complete_json
from lao.llm.tokens import estimate
from lao.workspace.survey.page import fitted, prompt_lines
from lao.workspace.survey.snapshot import Snapshot

_Item = TypeVar("_Item")

MAX_TOKENS: Final = 1_400
MOST_TOKENS: Final = 16_000
"""Of a prompt, however large the context: reading more costs minutes on a small machine and tells a model little."""

LEAST_TOKENS: Final = 500
"""Room for a snapshot below which no model is asked."""

_FACTS: Final = 400
_SLACK: Final = 100
_ITEMS: Final = 6
_SENTENCE: Final = 280
_SUMMARY: Final = 700
_SHARE: Final = 24
_SECTION: Final = 600
_LEAST_SECTION: Final = 60

_FILE_WORD: Final = re.compile(
    r"(?<![\w/.-])(?:[\w.@-]+/)*[\w.@-]+\.(?:py|pyi|[cm]?[jt]sx?|go|rs|java|kts?|swift|c|cc|cpp|h|hpp|rb|php|cs|sh|sql|toml"
    r"|ya?ml|json|md|txt|cfg|ini|xml|gradle|html|css|vue|svelte|proto)(?![\w/-])"
)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_NO_FILES: Final = frozenset({"node.js", "next.js", "vue.js", "express.js", "nuxt.js", "three.js", "d3.js", "asp.net"})
_RUNNERS: Final = frozenset(
    {"npm", "npx", "yarn", "pnpm", "node", "make", "pytest", "python", "python3", "pip", "uv", "poetry", "tox",
    "go", "cargo", "swift", "mvn", "gradle", "gradlew", "docker", "bash", "sh", "ruff", "mypy", "eslint", "tsc",
    "jest", "vitest", "mocha", "bundle", "rake", "composer", "dotnet", "cmake", "ctest", "bun", "deno"}
)  # fmt: skip
_SENTENCES: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")


@dataclass(frozen=True)
class ModelPart:
    """What a model said of a workspace, without what it made up.

    Attributes:
        integration_points, risk_areas: (file, text).
        dropped: statements about files or commands that do not exist.
    """

    summary: str = ""
    integration_points: tuple[tuple[str, str], ...] = ()
    risk_areas: tuple[tuple[str, str], ...] = ()
    conventions: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    dropped: int = 0

    @property
    def empty(self) -> bool:
        return not (self.summary or self.integration_points or self.risk_areas or self.conventions or self.advice)


def snapshot_budget(settings: ModelSettings, utilization: float) -> int:
    """Tokens that a snapshot may have in the analyst's prompt; 0 where it would be too small to tell anything."""
    window = min(int(settings.context_length * utilization), settings.context_length - _answer(settings))
    window = min(window, MOST_TOKENS)
    left = window - estimate(load("analyst")) - estimate(load("analyst_user")) - _FACTS - _SLACK
    return left if left >= LEAST_TOKENS else 0


def analyse(
    document: Mapping[str, Json],
    shown: Snapshot,
    *,
    model: Model,
    settings: ModelSettings,
    steps: Steps,
    exists: Callable[[str], bool],
) -> ModelPart:
    """Ask the model about a surveyed workspace.

    Args:
        document: the survey (``lao.workspace.survey.facts``).
        exists: whether a path is a file or folder of the workspace that may be named.

    Raises:
        AttemptFailed: kinds "bad_json" (also: all that it says is about what does not exist), or the model's.
    """
    facts = fitted(document, _FACTS, estimate)
    messages: list[dict[str, Json]] = [
        {"role": "system", "content": load("analyst")},
        {"role": "user", "content": load("analyst_user", facts=facts, snapshot=shown.text.rstrip())},
    ]
    asked = JournaledModel(model, steps, "analyst", context=settings.context_length)
    value, _ = complete_json(
        asked,
        replace(request(settings, messages), max_tokens=_answer(settings)),
        schema("analyst_schema"),
        supports_schema=settings.supports_json_schema,
        check=_problem,
    )
    part = grounded(read_part(value), document, exists)
    if part.empty:
        raise AttemptFailed(
            f"model {settings.key!r} said nothing of the workspace that holds ({part.dropped} statements dropped)",
            "Try another analyst model, or switch orchestration.analyst_enabled off.",
            kind="bad_json",
        )
    return part


def _answer(settings: ModelSettings) -> int:
    return min(completion_limit(settings), MAX_TOKENS)


def _problem(value: Json) -> str:
    if not isinstance(value, dict):
        return 'the answer must be an object {"summary": ..., "integration_points": [...], ...}'
    if read_part(value).empty:
        return "it says nothing: fill in summary at least."
    return ""


def read_part(value: Json) -> ModelPart:
    """The statements in a decoded answer, each short and on one line; other forms of lists and items are understood."""
    given: dict[str, Any] = value if isinstance(value, dict) else {}
    summary = _line(given.get("summary") or given.get("description") or given.get("overview"), _SUMMARY)
    return ModelPart(
        summary,
        tuple(_about(item) for item in _listed(given, "integration_points")),
        tuple(_about(item) for item in _listed(given, "risk_areas", "risks")),
        tuple(t for item in _listed(given, "conventions") if (t := _about(item)[1])),
        tuple(t for item in _listed(given, "advice", "recommendations") if (t := _about(item)[1])),
    )


def _listed(given: Mapping[str, Any], *names: str) -> list[Any]:
    value: Any = next((given[n] for n in names if given.get(n)), [])
    if isinstance(value, dict):
        value = [{"file": k, "text": v} for k, v in value.items()]
    return (value if isinstance(value, list) else [value])[: 2 * _ITEMS]


def _about(item: Any) -> tuple[str, str]:
    if not isinstance(item, dict):
        return "", _line(item, _SENTENCE)
    file = next((item[k] for k in ("file", "path", "area", "location") if isinstance(item.get(k), str)), "")
    told = ("text", "why", "what", "reason", "description", "risk", "sentence", "advice", "convention", "name")
    return _line(file, _SENTENCE).strip("`").removeprefix("./"), _line(
        next((item[k] for k in told if item.get(k)), ""), _SENTENCE
    )


def _line(value: object, limit: int) -> str:
    text = " ".join(str(value).split()) if isinstance(value, str) else ""
    return "" if text.startswith("<") and text.endswith(">") else text[:limit]


def grounded(part: ModelPart, document: Mapping[str, Json], exists: Callable[[str], bool]) -> ModelPart:
    """The part without statements that name files or commands which the workspace does not have."""
    truth = _Truth(document, exists)
    sentences = _SENTENCES.split(part.summary) if part.summary else []
    summary = [s for s in sentences if truth.holds(s)]
    points = [p for p in part.integration_points if truth.holds_about(*p)]
    risks = [p for p in part.risk_areas if truth.holds_about(*p)]
    conventions = [t for t in part.conventions if truth.holds(t)]
    advice = [t for t in part.advice if truth.holds(t)]
    kept = len(summary) + len(points) + len(risks) + len(conventions) + len(advice)
    said = len(part.integration_points) + len(part.risk_areas) + len(part.conventions) + len(part.advice)
    return ModelPart(
        " ".join(summary),
        _first(points),
        _first(risks),
        _first(conventions),
        _first(advice),
        dropped=len(sentences) + said - kept,
    )


def _first(items: Iterable[_Item]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys(items))[:_ITEMS]


class _Truth:
    """What a statement may name."""

    def __init__(self, document: Mapping[str, Json], exists: Callable[[str], bool]) -> None:
        self._exists = exists
        self._paths = [f["path"] for f in document["file_inventory"]["listed"]]
        build = document["build_system"]
        scripts = [(m["kind"], name) for m in build["manifests"] for name in m["scripts"]]
        self._commands = [c["command"] for c in build["commands"]] + list(document["test_layout"]["frameworks"])
        self._commands += [f"make {name}" for kind, name in scripts if kind == "make"]
        tools = ("npm run", "npm", "yarn", "yarn run", "pnpm", "pnpm run", "composer", "composer run")
        self._commands += [f"{tool} {n}" for kind, n in scripts if kind in ("npm", "composer") for tool in tools]

    def holds_about(self, file: str, text: str) -> bool:
        return bool(text) and (not file or self._is_there(file)) and self.holds(text)

    def holds(self, text: str) -> bool:
        """Whether all files and commands that the text names are there."""
        spans = _CODE.findall(text)
        if any(not self._runs(span) for span in spans):
            return False
        return all(self._is_there(word) or word.lower() in _NO_FILES for word in _FILE_WORD.findall(text))

    def _is_there(self, path: str) -> bool:
        path = path.removeprefix("./").rstrip("/")
        if not path or path.startswith("/") or ".." in path.split("/"):
            return False
        return self._exists(path) or any(p == path or p.endswith(f"/{path}") for p in self._paths)

    def _runs(self, span: str) -> bool:
        """False for a command that the workspace does not know."""
        words = span.removeprefix("./").split()
        if len(words) < 2 or words[0] not in _RUNNERS:
            return True
        told = " ".join(words)
        return any(c == told or c.endswith(told) or told.startswith(f"{c} ") for c in self._commands)


def with_part(document: Mapping[str, Json], part: ModelPart, told: Mapping[str, Json]) -> dict[str, Json]:
    """The survey with what the model added; ``told``: ``report_meta.model_part``."""

    def said(pairs: tuple[tuple[str, str], ...]) -> list[Json]:
        return [{"file": file, "text": text, "by": "model"} for file, text in pairs]

    return {
        **document,
        "report_meta": {**document["report_meta"], "model_part": dict(told)},
        "summary": " ".join(t for t in (document["summary"], part.summary) if t),
        "integration_points": [*document["integration_points"], *said(part.integration_points)],
        "risk_areas": [*document["risk_areas"], *said(part.risk_areas)],
        "conventions": list(part.conventions),
        "advice": list(part.advice),
    }


def survey_section(document: Mapping[str, Json] | None, context_length: int) -> str:
    """The survey for the prompt of planner or reviewer, bounded by their context; "" without a survey or room."""
    limit = min(context_length // _SHARE, _SECTION) - estimate(load("survey"))
    if document is None or limit < _LEAST_SECTION or not any(prompt_lines(document)):
        return ""
    lines = fitted(document, limit, estimate)
    return load("survey", lines=lines) if lines else ""
