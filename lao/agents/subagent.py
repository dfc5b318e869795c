"""The tool agent_run: a short conversation of the same model with tools that only read; its report is the result.

It has a context of its own, no tool that changes anything, and cannot call itself. Each of its model and tool calls is
a step of the run that asked, so that it is resumed inside, and its tokens count to the attempt.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from lao.agents import prompt
from lao.agents.ask import JournaledModel, prompt_limit, request
from lao.agents.toolbox import Outcome, Toolbox
from lao.agents.turn_ladder import ALL_ALIASES
from lao.config.settings import ModelSettings
from lao.core.chat import ChatAnswer, Model
from lao.core.errors import AttemptFailed, BadInput
from lao.core.steps import StepKind, Steps
from lao.core.tool_names import HELPER
from lao.core.words import Json
from lao.llm.clean import clean
from lao.llm.conversation import Conversation
from lao.llm.loops import CallLoops
from lao.llm.textcalls import read_calls
from lao.llm.tokens import clip, estimate
from lao.tools.arguments import fit
from lao.tools.context import ToolAudit, ToolResult, failure
from lao.tools.gate import Gate

NAME: Final = HELPER
TOOLS: Final = ("file_read", "find_relevant_files", "list_dir")
"""What it may use; none of them changes anything or runs a command."""

MAX_ROUNDS: Final = 6
WINDOW: Final = 12_000
"""Most tokens of its conversation; a smaller window is used by half."""

REPORT: Final = 800
"""Most tokens of its report; never more than an eighth of the window."""

_ANSWER: Final = 2_048
_LEAST_RESULT: Final = 300
_WORDS_A_TOKEN: Final = 0.6


class WithSubagent:
    """A toolbox with agent_run beside its own tools.

    Args:
        inner: the tools of whoever asks.
        reader: the tools that the helper may use: exactly ``TOOLS``.
        settings: of the model that asks; the helper is the same.
        audit: called once for each call of agent_run that was made or refused; not on replay.
        gate: judges the calls of agent_run, as it does those of ``inner``.
    """

    def __init__(
        self,
        inner: Toolbox,
        reader: Toolbox,
        *,
        model: Model,
        settings: ModelSettings,
        audit: Callable[[ToolAudit], None],
        gate: Gate,
    ) -> None:
        if set(reader.names) - set(TOOLS):
            raise ValueError(f"the helper may only read, and was given {reader.names}")
        self._inner, self._reader, self._model = inner, reader, model
        self._settings = replace(settings, max_completion=min(settings.max_completion, _ANSWER))
        self._audit, self._gate = audit, gate

    @property
    def names(self) -> tuple[str, ...]:
        """Alphabetical."""
        return tuple(sorted((*self._inner.names, NAME)))

    def begin(self, whole: Iterable[str] = (), partly: Iterable[str] = ()) -> None:
        """See ``Toolbox.begin``; what the helper reads counts for nobody else."""
        self._inner.begin(whole, partly)

    def schema(self, name: str) -> dict[str, Json]:
        """See ``Toolbox.schema``."""
        return parameters() if name == NAME else self._inner.schema(name)

    def openai_specs(self) -> tuple[dict[str, Json], ...]:
        """The same bytes every time."""
        return tuple(sorted((*self._inner.openai_specs(), spec()), key=lambda s: str(s["function"]["name"])))

    def call(self, name: str, arguments: dict[str, Json], steps: Steps, label: str) -> Outcome:
        """Run a tool; agent_run is a conversation of its own.

        Raises:
            Transient, Terminal: what the model raises; a failed answer of the helper is a failed call.
        """
        if name != NAME:
            return self._inner.call(name, arguments, steps, label)
        started = time.monotonic()
        try:
            wanted = fit(NAME, parameters(), arguments)
            wanted, refused = self._gate.judge(NAME, parameters(), wanted, steps, label)
            if refused is not None:
                raise BadInput(f"not allowed: {refused}")  # refused like a call that makes no sense
        except BadInput as error:
            return self._done(steps, label, arguments, failure(str(error)), granted=False, seconds=0.0)
        try:
            result = ToolResult(self._report(wanted, steps, label))
        except AttemptFailed as error:
            result = failure(f"the helper failed: {error.message}")
        seconds = time.monotonic() - started
        done = self._done(steps, label, wanted, result, granted=True, seconds=seconds)
        added = self._gate.told(NAME, wanted, done, steps, label)
        return replace(done, text=f"{done.text}\n{added}") if added else done

    def _done(
        self, steps: Steps, label: str, arguments: Json, result: ToolResult, *, granted: bool, seconds: float
    ) -> ToolResult:
        """Record the result, with its line in the audit."""

        def tell() -> Json:
            shown = dict(arguments) if isinstance(arguments, dict) else {"raw": arguments}
            reason = "" if result.ok else result.text[:500]
            self._audit(ToolAudit(NAME, shown, granted, reason, result.ok, round(seconds, 3)))
            return result.to_json()

        return ToolResult.from_json(steps.run(StepKind.READ, f"{label}:report", tell))

    def _report(self, wanted: dict[str, Json], steps: Steps, label: str) -> str:
        rounds = max(1, min(int(wanted.get("max_rounds", MAX_ROUNDS)), MAX_ROUNDS))
        allowed = tuple(wanted.get("allowed_tools") or TOOLS)
        tools = tuple(s for s in self._reader.openai_specs() if s["function"]["name"] in allowed)
        model = JournaledModel(self._model, steps, label, context=self._settings.context_length)
        most = min(REPORT, self._settings.context_length // 8)
        words = str(int(most * _WORDS_A_TOKEN))
        talk = Conversation(prompt.load("subagent", rounds=str(rounds), words=words))
        talk.user(str(wanted["goal"]))
        helper = _Helper(self._reader, steps, label, min(WINDOW, prompt_limit(self._settings) // 2))
        for left in reversed(range(rounds)):
            if not left:
                talk.user(prompt.load("subagent_end"))
            offered = tools if left else ()  # weak models go on calling, so the last answer has nothing to call
            if not talk.fit(helper.limit, offered):
                raise AttemptFailed(f"its conversation does not fit {helper.limit} tokens", kind="context_overflow")
            answer = model.complete(request(self._settings, talk.messages, tools=offered))
            if not (left and helper.run_calls(talk, answer, offered)):
                return clip(clean(answer.text) or "The helper found nothing to report.", most)
        raise AssertionError("the last round returns")


class _Helper:
    """The calls of one helper."""

    def __init__(self, reader: Toolbox, steps: Steps, label: str, limit: int) -> None:
        self._reader, self._steps, self._label, self.limit = reader, steps, label, limit
        self._loops = CallLoops()
        self._count = 0

    def run_calls(self, talk: Conversation, answer: ChatAnswer, offered: tuple[dict[str, Json], ...]) -> bool:
        """Make the calls of an answer and append their results; False when it has none or goes round in circles."""
        found = read_calls(answer, offered, ALL_ALIASES)
        if not found.calls:
            return False
        names = {str(s["function"]["name"]) for s in offered}
        ids = talk.calls("" if found.salvaged else found.text, found.calls)
        for id_, call in zip(ids, found.calls, strict=True):
            loop = self._loops.take(call.name, call.arguments, call.raw)
            self._count += 1
            if loop is not None:
                text = prompt.load("coder_tools_repeat", count=str(loop.count))
            elif call.arguments is None:
                text = f"Error: the arguments of {call.name} were not a complete JSON object and nothing was done."
            elif call.name not in names:
                text = f"Error: there is no tool {call.name[:80]!r}; the tools are: {', '.join(sorted(names))}"
            else:
                label = f"{self._label}:{call.name}-{self._count}"
                text = self._reader.call(call.name, call.arguments, self._steps, label).text
            talk.result(id_, clip(text, max(_LEAST_RESULT, self.limit // 4)))
        return True


@functools.cache
def parameters() -> dict[str, Json]:
    """JSON Schema of the arguments of agent_run."""
    return prompt.schema(NAME)


def spec() -> dict[str, Json]:
    """agent_run in OpenAI form."""
    shown = {name: value for name, value in parameters().items() if name != "examples"}
    function = {"name": NAME, "description": prompt.load(NAME), "parameters": shown}
    return {"type": "function", "function": function}


def cost() -> int:
    """Estimated tokens that offering agent_run adds to every prompt."""
    return estimate(json.dumps(spec()))
