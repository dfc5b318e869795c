"""The floor: one bare prompt, and a second one with the failing tests' output. No harness, no retries."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass

from lao.core.errors import ServerAway
from lao.core.words import Json
from scripts.exercism.exercises import MAX_COMPLETION, Exercise
from scripts.exercism.judge import judge_text
from scripts.exercism.server import Figures, Server

TEMPERATURE = 0.2
OUTPUT_CHARACTERS = 1500
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.S | re.M)


@dataclass(frozen=True)
class Floor:
    """Whether the first prompt solved it, and whether it was solved after the second.

    Attributes:
        two: None when there is no second prompt: hidden tests cannot be shown.
        answers: what the model said.
    """

    one: bool
    two: bool | None
    figures: Figures
    seconds: float
    answers: tuple[str, ...]


def floor(exercise: Exercise, server: Server, *, hidden: bool) -> Floor:
    """Ask and judge.

    Raises:
        ServerAway: the server does not answer, or fails.
    """
    started = time.monotonic()
    server.load()
    messages = [{"role": "user", "content": exercise.text("one_prompt_hidden" if hidden else "one_prompt")}]
    first, figures = _ask(server, messages, Figures())
    verdict = judge_text(exercise, code_of(first))
    if verdict.passed or hidden:
        two = None if hidden else True
        return Floor(verdict.passed, two, figures, time.monotonic() - started, (first,))
    output = verdict.output.strip()[-OUTPUT_CHARACTERS:]
    messages += [
        {"role": "assistant", "content": first},
        {"role": "user", "content": exercise.text("second_prompt", output=output)},
    ]
    second, figures = _ask(server, messages, figures)
    passed = judge_text(exercise, code_of(second)).passed
    return Floor(False, passed, figures, time.monotonic() - started, (first, second))


def code_of(answer: str) -> str:
    """The code: the first Python or untagged block that defines something, else the longest block, else the whole."""
    blocks = [(m[2].lower(), m[3]) for m in _FENCE.finditer(answer)]
    python = [body for tag, body in blocks if tag in ("", "python", "py", "python3")]
    defining = [body for body in python if re.search(r"^\s*(?:def|class|async def)\s", body, re.M)]
    if defining:
        return defining[0]
    return max((body for _, body in blocks), key=len) if blocks else answer


def _ask(server: Server, messages: list[dict[str, str]], before: Figures) -> tuple[str, Figures]:
    body = {"model": server.model, "messages": messages, "temperature": TEMPERATURE, "max_tokens": MAX_COMPLETION}
    response = server.post("/v1/chat/completions", body)
    if response.status_code >= 500:
        raise ServerAway(f"{server.url} answered {response.status_code}: {response.text[:300]}")
    data = _decoded(response.text)
    choices = data.get("choices") or [{}]
    usage = data.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens")
    figures = Figures(
        calls=before.calls + 1,
        prompt=before.prompt + int(usage.get("prompt_tokens") or 0),
        cached=before.cached if cached is None else (before.cached or 0) + int(cached),
        generated=before.generated + int(usage.get("completion_tokens") or 0),
    )
    return str((choices[0].get("message") or {}).get("content") or ""), figures


def _decoded(text: str) -> dict[str, Json]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ServerAway(f"the server's answer is not JSON: {text[:300]!r}") from error
    return data if isinstance(data, dict) else {}
