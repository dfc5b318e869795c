"""From the news of the state to spans with the GenAI attribute names. Knows no OpenTelemetry library and sends nothing.

Names: https://opentelemetry.io/docs/specs/semconv/gen-ai/ (in development there; ours are those of the 2026 pages). The
ids are hashes of what a span stands for, so that phases of other processes, and of other days, belong to one trace, and
a span that is sent again after a crash is the same span.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from lao.core.states import PHASE_ROLE, PILOT_PLAN, PlanState, RunState
from lao.core.words import Json
from lao.state.news import CallNews, EventNews, Item, PlanNews, RunNews
from lao.state.records import Run

CONTENT_LIMIT: Final = 8_000
"""Characters of one answer, or of the arguments of one call, where content is sent."""

NO_TOOLS: Final = frozenset({"pre_phase"})
"""Names in the audit that are questions to the user's hooks."""

Attribute = str | int | float | bool | list[str]


@dataclass(frozen=True)
class Span:
    """One span. Times in nanoseconds since the epoch; ``parent`` is None for a plan's own span.

    Attributes:
        client: whether it is a request to a server.
        error: what went wrong, "" when nothing did.
    """

    name: str
    trace: int
    id: int
    parent: int | None
    start: int
    end: int
    attributes: dict[str, Attribute] = field(default_factory=dict)
    client: bool = False
    error: str = ""


@dataclass(frozen=True)
class Source:
    """Where the news come from.

    Attributes:
        project: tells the plans of this project from those with the same text in others.
        provider: for ``gen_ai.provider.name``.
        server: the model server's base URL.
        run: looks up a run.
        content: whether content is sent.
        answer: the recorded answer of a model call, by run and label.
    """

    project: str
    provider: str
    server: str
    run: Callable[[int], Run | None]
    content: bool = False
    answer: Callable[[int, str], Json] = lambda _run, _label: None


def trace_id(project: str, plan_id: str) -> int:
    """The trace of a plan: 128 bits, the same in every process."""
    return int.from_bytes(hashlib.sha256(f"lao trace {project} {plan_id}".encode()).digest()[:16], "big")


def span_id(trace: int, what: str) -> int:
    """64 bits of what a span stands for."""
    return int.from_bytes(hashlib.sha256(f"lao span {trace} {what}".encode()).digest()[:8], "big")


def spans_of(source: Source, items: Iterable[Item]) -> list[Span]:
    """The spans of what is over; items without a plan (a model loaded to be calibrated, say) have none."""
    return [span for item in items for span in _of(source, item)]


def _of(source: Source, item: Item) -> Iterator[Span]:
    if isinstance(item, PlanNews):
        yield _plan(source, item)
    elif isinstance(item, RunNews) and item.over:
        yield _phase(source, item)
    elif isinstance(item, (EventNews, CallNews)) and getattr(item, "tool", "") not in NO_TOOLS:
        run_id = item.run_id or (item.data.get("run") if isinstance(item, EventNews) else None)
        run = source.run(int(run_id)) if run_id else None
        if run is not None:
            yield from _model(source, item, run) if isinstance(item, EventNews) else _tool(source, item, run)


def _plan(source: Source, item: PlanNews) -> Span:
    trace = trace_id(source.project, item.id)
    failed = item.state in (PlanState.FAILED, PlanState.NEEDS_HUMAN)
    attributes: dict[str, Attribute] = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": item.name,
        "gen_ai.conversation.id": item.id,
        "lao.plan.id": item.id,
        "lao.state": item.state.value,
        **({"error.type": item.state.value} if failed else {}),
    }
    error = (item.reason or item.state.value) if failed else ""
    return Span(
        f"invoke_workflow {item.name}", trace, span_id(trace, "plan"), None, _ns(item.created_at), _ns(item.at),
        attributes, error=error,
    )  # fmt: skip


def _phase(source: Source, item: RunNews) -> Span:
    run = item.run
    trace, own = _place(source, run)
    role = PHASE_ROLE.get(run.phase)
    attributes: dict[str, Attribute] = {
        **_common(run),
        "lao.attempt": run.attempt,
        "lao.claims": run.epoch,
        "lao.state": run.state.value,
    }
    if role is not None:
        attributes |= {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": role.value}
    failed = run.state is RunState.FAILED
    if failed:
        attributes["error.type"] = "failed"
    name = f"invoke_agent {role.value}" if role else f"phase {run.phase.value}"
    start = min(item.started_at or item.at, item.at)
    parent = span_id(trace, "plan") if run.plan_id != PILOT_PLAN else None
    return Span(
        name, trace, own, parent, _ns(start), _ns(item.at), attributes,
        error=(item.reason or "failed") if failed else "",
    )  # fmt: skip


def _model(source: Source, item: EventNews, run: Run) -> Iterator[Span]:
    trace, parent = _place(source, run)
    event = str(item.data.get("event", ""))
    what, name = {
        "call": ("chat", f"chat {item.model}"),
        "embeddings": ("embeddings", f"embeddings {item.model}"),
        "load": ("", f"load {item.model}"),
        "unload": ("", f"unload {item.model}"),
        "gate": ("", "gate wait"),
    }.get(item.kind, ("", ""))
    if not name or (item.kind == "gate" and (event == "gate.wait" or not item.seconds)):
        return
    attributes: dict[str, Attribute] = {**_common(run), "gen_ai.request.model": item.model}
    if what:
        attributes |= {"gen_ai.operation.name": what, "gen_ai.provider.name": source.provider, **_usage(source, item)}
    else:
        attributes |= {"lao.event": event, "lao.role": item.role}
    if failed := str(item.data.get("failed") or ""):
        attributes["error.type"] = failed
    if source.content and item.kind == "call":
        attributes |= _content(source.answer(run.id, str(item.data.get("label", ""))))
    own = span_id(trace, f"event {item.id}")
    start = _ns(item.at - item.seconds)
    yield Span(name, trace, own, parent, start, _ns(item.at), attributes, client=bool(what), error=failed)


def _usage(source: Source, item: EventNews) -> dict[str, Attribute]:
    """Where the request went, what it asked for and what came back; what is not known is left out."""
    asked, where = item.data.get("asked") or {}, urlsplit(source.server)
    told: dict[str, Json] = {
        "server.address": where.hostname,
        "server.port": where.port,
        "gen_ai.request.max_tokens": asked.get("max_tokens"),
        "gen_ai.request.temperature": asked.get("temperature"),
        "gen_ai.request.top_p": asked.get("top_p"),
        "gen_ai.request.seed": asked.get("seed"),
        "gen_ai.response.model": item.data.get("response_model") or None,
        "gen_ai.response.finish_reasons": [item.data["finish_reason"]] if item.data.get("finish_reason") else None,
        "gen_ai.usage.input_tokens": item.prompt_tokens,
        "gen_ai.usage.output_tokens": item.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": item.cached_tokens,
        "gen_ai.server.time_to_first_token": item.data.get("first_token_s") or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _content(answer: Json) -> dict[str, Attribute]:
    if not isinstance(answer, dict) or "text" not in answer:
        return {}
    parts: list[dict[str, Json]] = [{"type": "text", "content": str(answer["text"])[:CONTENT_LIMIT]}]
    for call in answer.get("tool_calls") or ():
        arguments = json.dumps(call.get("arguments"), default=str)[:CONTENT_LIMIT]
        parts.append({"type": "tool_call", "name": call.get("name"), "arguments": arguments})
    message = {"role": "assistant", "parts": parts, "finish_reason": answer.get("finish_reason") or "stop"}
    return {"gen_ai.output.messages": json.dumps([message], ensure_ascii=False)}


def _tool(source: Source, item: CallNews, run: Run) -> Iterator[Span]:
    trace, parent = _place(source, run)
    attributes: dict[str, Attribute] = {
        **_common(run),
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": item.tool,
        "gen_ai.tool.type": "extension" if item.tool.startswith("mcp__") else "function",
        "gen_ai.tool.call.id": f"call_{run.id}_{item.id}",
        "lao.granted": item.granted,
    }
    failed = "" if item.ok else ("refused" if not item.granted else "tool_failed")
    if failed:
        attributes["error.type"] = failed
    if source.content:
        text = json.dumps(item.arguments, ensure_ascii=False, default=str)
        attributes["gen_ai.tool.call.arguments"] = text[:CONTENT_LIMIT]
    error = (item.reason if source.content else failed) if failed else ""
    own = span_id(trace, f"call {item.id}")
    start = _ns(item.at - item.seconds)
    yield Span(f"execute_tool {item.tool}", trace, own, parent, start, _ns(item.at), attributes, error=error)


def _place(source: Source, run: Run) -> tuple[int, int]:
    """The trace of a run's plan, and the id of the run's own span."""
    trace = trace_id(source.project, run.plan_id)
    return trace, span_id(trace, f"run {run.id}")


def _common(run: Run) -> dict[str, Attribute]:
    task: dict[str, Attribute] = {"lao.task.id": run.task_id} if run.task_id is not None else {}
    return {
        "gen_ai.conversation.id": run.plan_id,
        "lao.plan.id": run.plan_id,
        "lao.run.id": run.id,
        "lao.phase": run.phase.value,
        **task,
    }


def _ns(seconds: float) -> int:
    return max(0, int(seconds * 1e9))
