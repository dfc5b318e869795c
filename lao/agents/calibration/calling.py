"""Probes of tool calls: are tools shown, do calls come as calls, as text or not at all, can two come at once?"""

from __future__ import annotations

from lao.agents.calibration.bench import COMPLETIONS, Bench, cut_while_thinking
from lao.agents.prompt import load, schema
from lao.core.chat import ChatAnswer
from lao.core.errors import AttemptFailed, ConfigError
from lao.core.words import Json
from lao.llm.textcalls import read_calls

_TOKENS = 80
_COUNT_TIMEOUT_S = 10.0
_LEAST_SHOWN = 20
"""Tokens; the two tools of the probe cannot be shown in fewer."""

Tools = tuple[dict[str, Json], ...]


def tools() -> Tools:
    """The tools that the probes offer."""
    return tuple(schema("calibrate_tools")["tools"])


def probe_shown(bench: Bench) -> dict[str, Json]:
    """``tools_shown``, by the server's own count of the prompt with and without tools; no token is generated."""
    request = bench.request(load("calibrate_tools"), 1)
    payload: dict[str, Json] = {"model": request.model, "messages": list(request.messages)}
    counts = []
    for more in ({}, {"tools": list(tools())}):
        try:
            reply = bench.wire.post(f"{COMPLETIONS}/input_tokens", {**payload, **more}, read_timeout_s=_COUNT_TIMEOUT_S)
        except ConfigError:  # an answer that is no JSON: the server does not know this path
            return {}
        count = reply.body.get("input_tokens") if isinstance(reply.body, dict) and not reply.error else None
        if not isinstance(count, int) or isinstance(count, bool) or count <= 0:
            return {}
        counts.append(count)
    return {"tools_shown": counts[1] - counts[0] >= _LEAST_SHOWN}


def probe_stream(bench: Bench) -> dict[str, Json]:
    """``tools_stream``; and ``tools_shown`` False where the server says that there is no tool support."""
    offered = tools()
    try:
        answer = bench.ask(load("calibrate_tools"), _TOKENS, tools=offered)
    except ConfigError:  # plain requests went through: it is the tools that are refused
        return {"tools_stream": "none", "tools_plain": "none", "tools_shown": False}
    return {"tools_stream": manner(answer, offered)}


def probe_plain(bench: Bench) -> dict[str, Json]:
    """``tools_plain``."""
    offered = tools()
    answer = bench.ask_plain(load("calibrate_tools"), _TOKENS, tools=offered, parallel=False)
    return {"tools_plain": manner(answer, offered)}


def probe_parallel(bench: Bench) -> dict[str, Json]:
    """``parallel_calls``."""
    offered = tools()
    answer = bench.ask_plain(load("calibrate_parallel"), 2 * _TOKENS, tools=offered, parallel=True)
    if answer.finish_reason == "length" and len(answer.tool_calls) < 2:
        return {}
    paths = {(c.arguments or {}).get("path") for c in answer.tool_calls if c.name == "file_read"}
    return {"parallel_calls": {"a.txt", "b.txt"} <= paths}


def manner(answer: ChatAnswer, offered: Tools) -> str:
    """How a request for ``file_read`` was answered: "native", "salvage", "none", "" when it was cut while thinking."""
    if not answer.tool_calls and cut_while_thinking(answer):
        return ""
    found = read_calls(answer, offered)
    right = [c for c in found.calls if c.name == "file_read" and isinstance((c.arguments or {}).get("path"), str)]
    if not right:
        return "none"
    return "native" if answer.tool_calls else "salvage"


def meaning_of(error: AttemptFailed) -> dict[str, Json]:
    """A server that chokes on the model's call cannot be used for calls; any other failure tells nothing."""
    return {"tools_stream": "none"} if error.kind == "server_parse" else {}
