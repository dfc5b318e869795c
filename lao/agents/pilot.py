"""The Pilot: one turn of a conversation, from a question to an answer, through tools where they are needed.

It works as the coder does: calls are mended or salvaged, a model that makes none is asked in another way, the same call
is not made three times. It ends after three failed calls in a row, or with the fifteenth answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from lao.agents import turn_ladder
from lao.agents.ask import JournaledModel, prompt_limit, request
from lao.agents.pilot_history import Shown
from lao.agents.pilot_limits import Looks, asks_for_plan, from_record, has_check, plan_in, usable, with_evidence
from lao.agents.prompt import load
from lao.agents.toolbox import Toolbox
from lao.config.settings import ModelSettings
from lao.core.chat import ChatAnswer, Model, ToolCall
from lao.core.errors import AttemptFailed
from lao.core.steps import OutcomeUnknown, Steps
from lao.core.words import Json
from lao.llm.clean import clean
from lao.llm.compaction import RESULT
from lao.llm.conversation import Conversation
from lao.llm.failures import Failure
from lao.llm.loops import CallLoops
from lao.llm.textcalls import Calls, read_calls
from lao.llm.tokens import clip, estimate

MAX_ROUNDS: Final = 15
ERRORS: Final = 3
_STRIKES: Final = 2
_LEAST_RESULT: Final = 300
_SHARE_OF_RECORD, _SHARE_OF_QUESTION, _SHARE_OF_HISTORY = 4, 2, 4
_KEPT: Final = 6

NARRATIVE: Final = "narrative"
PLAN_TOOL: Final = "create_plan"
_SILENT: Final = frozenset({"turn_limit", "empty_answer", "bad_arguments"})
"""Kinds of failure after which the record speaks, since the model does not."""

_UNKNOWN_OUTCOME = "interrupted, outcome unknown: look before you repeat it"


class Voice(Protocol):
    """Whoever shows the turn to the person."""

    def round(self, number: int) -> None:
        """The model is asked for the ``number``-th time."""
        ...

    def calls(self, number: int, name: str, arguments: Mapping[str, Json]) -> None:
        """A tool is about to be called."""
        ...

    def result(self, number: int, name: str, text: str, *, ok: bool) -> None:
        """What it gave."""
        ...

    def says(self, text: str) -> None:
        """What the last answer says to the person."""
        ...

    def note(self, number: int, text: str) -> None:
        """Something that is not the model's."""
        ...


@dataclass(frozen=True)
class PilotBrief:
    """What a turn starts from.

    Attributes:
        record: the state of the factory in words, out of the record.
        memory: what is known about the project, "" when nothing is.
        failures: what of the record is about failures, "" when nothing has failed.
        style: ``narrative``, ``terse`` or ``json``: how answers are worded.
    """

    question: str
    record: str
    history: Shown
    memory: str = ""
    failures: str = ""
    style: str = NARRATIVE


@dataclass(frozen=True)
class Reply:
    """What came of a turn. ``tools``: a line for each call; ``asks``: it stopped because a person must say how to go
    on."""

    text: str
    tools: tuple[str, ...] = ()
    asks: bool = False


@dataclass
class PilotTurn:
    """One turn on its way.

    Args:
        toolbox: exactly the tools that are offered.
        start_rung: one of ``lao.core.profile.RUNGS``; "" when nothing is known of the model, then calls are tried.
    """

    brief: PilotBrief
    model: Model
    settings: ModelSettings
    steps: Steps
    toolbox: Toolbox
    voice: Voice
    start_rung: str = "native"
    rung: str = "native"
    rounds: int = 0
    made: int = 0
    errors: int = 0
    strikes: int = 0
    loops_over: bool = False
    loops: CallLoops = field(default_factory=CallLoops)
    looks: Looks = field(default_factory=Looks)
    done: list[str] = field(default_factory=list)

    def run(self) -> Reply:
        """Ask, run what is called, until an answer is for the person.

        Raises:
            AttemptFailed: no usable answer came, or what the model raises.
            Transient, Terminal, Interrupted: what the model and the tools raise.
        """
        self._model = JournaledModel(self.model, self.steps, "pilot", context=self.settings.context_length)
        self.limit = prompt_limit(self.settings)
        self.tools = self.toolbox.openai_specs()
        self.rung = self._first_rung()
        if self.rung == "native":
            self.looks = Looks(MAX_ROUNDS, patience=2)
        proved = self.start_rung == "native" and self.rung == "native"
        if not proved and PLAN_TOOL in self.toolbox.names and asks_for_plan(self.brief.question):
            reply = self._plan()
            if reply is not None:
                return reply
        self.talk = self._conversation()
        try:
            return self._answer()
        except AttemptFailed as error:
            if error.kind not in _SILENT:
                raise
            return self._reply(from_record(self.brief.record))

    def _answer(self) -> Reply:
        while self.rounds < MAX_ROUNDS:
            self.rounds += 1
            self.voice.round(self.rounds)
            try:
                answer = self._ask()
            except AttemptFailed as error:
                if error.kind not in turn_ladder.REFUSED or not self._down():
                    raise
                continue
            if (reply := self._take(answer)) is not None:
                return reply
        raise AttemptFailed(f"no answer after {MAX_ROUNDS} rounds", "ask for less at once", kind="turn_limit")

    def _plan(self) -> Reply | None:
        """A plan from a model that is not known to make native calls: it writes Markdown, which it can, and LAO files
        it. None when nothing came that could be one."""
        self.talk = Conversation(load("pilot_plan"))
        self.talk.user(clip(self.brief.question, self.limit // _SHARE_OF_QUESTION))
        title = text = ""
        for _ in range(2):
            self.rounds += 1
            self.voice.round(self.rounds)
            answer = self._model.complete(request(self.settings, self.talk.messages))
            found = self._called(answer) or plan_in(clean(answer.text), self.brief.question)
            title, text = found if found[1] else (title, text)
            if not text or has_check(text):
                break
            self.talk.assistant(clean(answer.text))
            self.talk.user(load("pilot_plan_check"))
        if not text:
            return None
        told, _ = self._call(ToolCall(f"plan-{self.rounds}", PLAN_TOOL, {"title": title, "content": text}))
        missing = "" if has_check(text) else " It names no command that tests the work: nothing of it can be proved."
        return self._reply(f"{text}\n\n{told}{missing}")

    def _called(self, answer: ChatAnswer) -> tuple[str, str] | None:
        """Title and text of a plan that came as a call all the same."""
        for call in read_calls(answer, self.tools, turn_ladder.ALL_ALIASES).calls:
            if call.name == PLAN_TOOL and call.arguments and str(call.arguments.get("content") or "").strip():
                return str(call.arguments.get("title") or self.brief.question[:60]), str(call.arguments["content"])
        return None

    # -- asking

    def _first_rung(self) -> str:
        if not self.tools or not self.settings.supports_tools:
            return "text"
        forced = self.start_rung == "schema" and self.settings.supports_json_schema
        return "schema" if forced else "text" if self.start_rung == "text" else "native"

    def _conversation(self) -> Conversation:
        brief, limit = self.brief, self.limit
        system = load("pilot")
        if brief.style != NARRATIVE:
            system += f"\n{load(f'pilot_{brief.style}')}"
        if brief.memory:
            system += f"\n\n{brief.memory}"
        talk = Conversation(system)
        if brief.history.digest:
            talk.user(f"What we spoke about earlier:\n{brief.history.digest}")
            talk.assistant("I remember.")
        for asked, answered in brief.history.pairs:
            talk.user(asked)
            talk.assistant(answered)
        question = clip(brief.question, limit // _SHARE_OF_QUESTION)
        if question != brief.question:
            self.voice.note(0, f"the question is longer than the model's window allows; its middle was left out "
                            f"({estimate(brief.question)} tokens, {limit // _SHARE_OF_QUESTION} fit)")  # fmt: skip
        record = clip(brief.record, limit // _SHARE_OF_RECORD)
        talk.user(load("pilot_question", record=record, question=question))
        if self.rung != "native" and self.tools:
            talk.user(self._explained())
        if not talk.fit(limit, self._sent_tools()):
            raise AttemptFailed(
                f"the question and the tools do not fit {limit} tokens",
                "raise models.pilot.context_length, or ask with less text",
                kind="context_overflow",
            )
        return talk

    def _explained(self) -> str:
        lines = "\n".join(turn_ladder.line_of(t["function"]) for t in self.tools)
        text = load("pilot_action", tools=lines)
        return f"{text}\n{load('pilot_forced')}" if self.rung == "schema" else text

    def _sent_tools(self) -> tuple[dict[str, Json], ...]:
        return self.tools if self.rung == "native" and not self._last else ()

    @property
    def _last(self) -> bool:
        return self.rounds >= MAX_ROUNDS or self.looks.enough

    def _ask(self) -> ChatAnswer:
        if self._last:
            self.talk.user(load("pilot_end"))
        tools = self._sent_tools()
        forced = self.rung == "schema" and not self._last
        schema = turn_ladder.action_schema(self.tools) if forced else None
        limit = self._model.scale.allowed(self.limit)
        if self.talk.size(tools) > limit:
            self.talk.compact(_KEPT)
            self.talk.fit(limit, tools)
        return self._model.complete(request(self.settings, self.talk.messages, tools=tools, schema=schema))

    def _down(self) -> bool:
        """Go on with the next way of asking; False when there is none."""
        self.strikes = 0
        if self.rung == "native" and self.settings.supports_json_schema:
            self.rung = "schema"
        elif self.rung != "text":
            self.rung = "text"
        else:
            return False
        self.talk.user(self._explained())
        return True

    # -- taking an answer

    def _take(self, answer: ChatAnswer) -> Reply | None:
        offered = turn_ladder.with_finish(self.tools) if self.rung == "schema" else self.tools
        found = Calls((), clean(answer.text)) if self._last else read_calls(answer, offered, turn_ladder.ALL_ALIASES)
        for failure in found.faults:
            names = ", ".join(call.name for call in found.calls)
            self._model.fault(failure, f"model {self.settings.key!r}: {names}"[:200])
        if not found.calls:
            return self._said(answer)
        if (finish := next((c for c in found.calls if c.name == turn_ladder.FINISH), None)) is not None:
            text = str((finish.arguments or {}).get("summary") or "").strip()
            if text:
                return self._reply(self._worded(text))
            self._struck(answer)
            return None
        return self._run(answer, found)

    def _said(self, answer: ChatAnswer) -> Reply | None:
        text = clean(answer.text).strip()
        if not text:
            self._struck(answer)
            return None
        if not usable(text):
            return self._reply(from_record(self.brief.record))
        if answer.finish_reason == "length":
            self.voice.note(self.made + 1000, "the answer was cut off at the model's token limit")
        return self._reply(self._worded(text))

    def _worded(self, text: str) -> str:
        """An answer with its evidence; JSON stays the one document that it is."""
        brief = self.brief
        return text if brief.style == "json" else with_evidence(text, brief.question, brief.failures)

    def _reply(self, text: str, *, asks: bool = False) -> Reply:
        self.voice.says(text)
        return Reply(text, tuple(self.done), asks)

    def _struck(self, answer: ChatAnswer) -> None:
        """An empty answer: say so; after two in a row ask in another way."""
        self.strikes += 1
        self.talk.assistant(clean(answer.text))
        self.talk.user(load("pilot_empty"))
        if self.strikes >= _STRIKES and not self._down():
            said = f"the answers of model {self.settings.key!r} were empty"
            raise AttemptFailed(said, "ask in other words", kind="empty_answer")

    def _run(self, answer: ChatAnswer, found: Calls) -> Reply | None:
        """Make the calls; a reply when that must not go on."""
        native = self.rung == "native" and not found.salvaged
        if native and found.text:
            self.voice.says(found.text)
        ids = self.talk.calls(found.text, found.calls) if native else []
        if not native:
            self.voice.says("")  # what was shown of it was a call
            self.talk.assistant(clean(answer.text))
        used = False
        for n, call in enumerate(found.calls):
            text, ran = self._call(call)
            used = used or ran
            text = clip(text, max(_LEAST_RESULT, self.limit // 4))
            if native:
                self.talk.result(ids[n], text)
            else:
                self.talk.user(f"{RESULT}{call.name}:\n{text}")
            if self.errors >= ERRORS or self.loops_over:
                return self._reply(self._stopped(call, text), asks=True)
        self.strikes = 0 if used else self.strikes + 1
        if self.strikes >= _STRIKES and not self._down():
            said = f"model {self.settings.key!r} gives no call that could be run"
            raise AttemptFailed(said, "ask in other words", kind="bad_arguments")
        return None

    def _call(self, call: ToolCall) -> tuple[str, bool]:
        """One call: what the model is told, whether it was run (or need not be)."""
        loop = self.loops.take(call.name, call.arguments, call.raw)
        if loop is not None:
            self._model.fault(loop.failure, f"model {self.settings.key!r}: {call.name} {loop.count} times in a row")
            self.loops_over = loop.over
            if loop.failure is Failure.LOOP_SAME:
                return load("coder_tools_repeat", count=str(loop.count)), True
        if call.arguments is None:
            return load("pilot_broken", problem=f"the arguments of {call.name} were no complete JSON object"), False
        if self.looks.again(call.name, call.arguments):
            return load("pilot_seen"), True
        self.made += 1
        self.voice.calls(self.made, call.name, call.arguments)
        try:
            outcome = self.toolbox.call(call.name, call.arguments, self.steps, f"tool:{call.name}-{self.made}")
            text, ok = outcome.text, outcome.ok
        except OutcomeUnknown:
            text, ok = _UNKNOWN_OUTCOME, False
        self.voice.result(self.made, call.name, text, ok=ok)
        self.errors = 0 if ok else self.errors + 1
        self.done.append(_line(call, ok=ok))
        return text, True

    def _stopped(self, call: ToolCall, text: str) -> str:
        first = text.strip().splitlines()[0][:300] if text.strip() else "no output"
        why = "I made the same call again and again" if self.loops_over else f"{self.errors} tool calls in a row failed"
        return f"I stopped: {why}. The last one was {call.name}: {first}\nHow shall I go on?"


def _line(call: ToolCall, *, ok: bool) -> str:
    values: Sequence[str] = [v for v in (call.arguments or {}).values() if isinstance(v, str)]
    shown = " ".join(" ".join(values[:1]).split())[:60]
    return f"{call.name}{f' {shown}' if shown else ''}{'' if ok else ' (failed)'}"
