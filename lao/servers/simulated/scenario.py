"""A scenario of the simulated server as frozen records, and its loading from YAML or JSON. Runs nothing."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from lao.core.errors import BadInput
from lao.core.words import Json

CHAT_PATH = "/v1/chat/completions"
LARGE_BYTES = 1_000_000_000
Texts: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class SimModel:
    """A downloaded model."""

    key: str
    size_bytes: int = 4_000_000_000
    type: str = "llm"
    max_context_length: int = 131_072
    load_seconds: float | None = None
    kv_bytes_per_token: int = 0

    @property
    def large(self) -> bool:
        return self.type == "llm" and self.size_bytes > LARGE_BYTES


@dataclass(frozen=True)
class Match:
    """Which requests a rule is for; None and () match all. See scenario.schema.json."""

    path: str = CHAT_PATH
    model: str | None = None
    role: str | None = None
    contains: Texts = ()
    contains_any: Texts = ()
    anywhere: bool = False
    schema: bool | None = None
    tools: bool | None = None
    nth: int | None = None


@dataclass(frozen=True)
class SimCall:
    """A tool call of an answer; ``arguments`` is sent as it is."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Answer:
    """What the model says. An empty ``finish_reason`` means the right one."""

    text: str = ""
    tool_calls: tuple[SimCall, ...] = ()
    reasoning: str = ""
    finish_reason: str = ""


@dataclass(frozen=True)
class Fault:
    """What goes wrong. ``body`` is sent as it is, or as JSON."""

    kind: str
    status: int = 500
    body: Json = None
    after: int = 0
    name: str = "another-model"


@dataclass(frozen=True)
class Rule:
    """First match wins. Without an answer the scripted roles answer, and the fault acts on that."""

    match: Match = field(default_factory=Match)
    answer: Answer | None = None
    fault: Fault | None = None
    times: int | None = None


@dataclass(frozen=True)
class FaultRate:
    """A class of faults (see the package ``faults``) and how often it strikes.

    Attributes:
        form: one of the class's wire forms by its number; None leaves it to chance.
        contains: only requests in whose messages this occurs.
        times: no more often than this; None has no limit.
    """

    code: str
    probability: float = 1.0
    role: str | None = None
    contains: str | None = None
    form: int | None = None
    times: int | None = None

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> FaultRate:
        """The rate of a scenario's entry, whose key for the code is ``class``."""
        return cls(code=data["class"], **{k: v for k, v in data.items() if k != "class"})

    def to_json(self) -> dict[str, Json]:
        given = {k: v for k, v in asdict(self).items() if k != "code" and v is not None}
        return {"class": self.code, **given}


DEFAULT_MODELS = (
    SimModel("sim-planner", 9_000_000_000),
    SimModel("sim-coder", 9_000_000_000),
    SimModel("sim-reviewer", 9_000_000_000),
    SimModel("qwen_qwen3.5-35b-a3b", 21_513_639_040),
    SimModel("qwen/qwen3-coder-30b", 17_190_972_664),
    SimModel("deepseek-r1-distill-qwen-32b", 18_500_000_000),
    SimModel("qwen2.5-7b-instruct", 4_500_000_000),
    SimModel("text-embedding-nomic-embed-text-v1.5", 84_106_624, "embedding", 2048),
)


@dataclass(frozen=True)
class Scenario:
    """Everything that the simulated server is told. Times in seconds, memory in bytes. See scenario.schema.json."""

    models: tuple[SimModel, ...] = DEFAULT_MODELS
    vram_total_bytes: int = 25_769_803_776
    load_seconds: float = 0.0
    release_delay: float = 0.0
    release_seconds: float = 0.0
    early_seconds: float = 0.0
    tokens_per_second: float = 0.0
    first_token_s: float = 0.0
    parallel: int = 4
    tell_cache: bool = True
    api: str = "lmstudio"
    api_token: str = ""
    context_cap: int | None = None
    jit: bool = True
    jit_context_length: int = 4096
    load_endpoint: bool = True
    overflow: str = "error"
    small_context: int = 4096
    responses: tuple[Rule, ...] = ()
    faults: tuple[FaultRate, ...] = ()
    fault_seed: int = 0


def load_scenario(path: Path) -> Scenario:
    """The scenario of a YAML or JSON file.

    Raises:
        BadInput: unreadable, neither YAML nor JSON, or not as the schema says.
    """
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read scenario {str(path)!r}: {error.strerror}", "check the path") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        text = " ".join(str(error).split())
        raise BadInput(f"scenario {str(path)!r} is neither YAML nor JSON: {text}") from error
    return parse_scenario(data if data is not None else {}, source=str(path))


def parse_scenario(data: Json, source: str = "scenario") -> Scenario:
    """The scenario of a decoded document.

    Raises:
        BadInput: with the place and the problem.
    """
    _validate(data, source)
    fields = {k: v for k, v in data.items() if k not in ("models", "responses", "faults")}
    if "models" in data:
        fields["models"] = tuple(SimModel(**m) for m in data["models"])
        keys = [m.key for m in fields["models"]]
        twice = next((k for k in keys if keys.count(k) > 1), None)
        if twice is not None:
            raise BadInput(f"{source}: model {twice!r} is listed twice", "give each model a key of its own")
    fields["responses"] = tuple(_rule(r) for r in data.get("responses", ()))
    fields["faults"] = tuple(FaultRate.from_json(f) for f in data.get("faults", ()))
    return Scenario(**fields)


def _validate(data: Json, source: str) -> None:
    import jsonschema

    schema = json.loads(resources.files(__package__).joinpath("scenario.schema.json").read_text("utf-8"))
    error: Any = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(data))
    if error is None:
        return
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".") or "top level"
    raise BadInput(f"{source}: {where}: {error.message}", _nearest_hint(error) or "see scenario.schema.json")


def _nearest_hint(error: Any) -> str:
    """The nearest known key when an unknown one was the problem."""
    if error.validator != "additionalProperties":
        return ""
    known = list(error.schema.get("properties", {}))
    unknown = [k for k in error.instance if k not in known]
    near = [n for k in unknown for n in difflib.get_close_matches(str(k), known, n=1)]
    return f"did you mean {', '.join(repr(n) for n in near)}?" if near else f"known keys: {', '.join(known)}"


def _rule(data: dict[str, Json]) -> Rule:
    match = dict(data.get("match", {}))
    for name in ("contains", "contains_any"):
        if name in match:
            match[name] = (match[name],) if isinstance(match[name], str) else tuple(match[name])
    answer = _answer(data["answer"]) if "answer" in data else None
    fault = Fault(**data["fault"]) if "fault" in data else None
    return Rule(Match(**match), answer, fault, data.get("times"))


def _answer(data: dict[str, Json]) -> Answer:
    text = json.dumps(data["json"], ensure_ascii=False) if "json" in data else data.get("text", "")
    calls = tuple(SimCall(c["name"], _arguments(c.get("arguments", {}))) for c in data.get("tool_calls", ()))
    return Answer(text * data.get("repeat", 1), calls, data.get("reasoning", ""), data.get("finish_reason", ""))


def _arguments(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
