"""Pilot (gpu): one turn of a conversation with a person, at the highest priority; belongs to no plan of theirs.

Every model call and tool call is a step of the run's journal. The running phases give up the GPU at their next model
call and take it again when the turn is over (``workflows.slots``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from lao.agents.ask import prompt_limit
from lao.agents.pilot import NARRATIVE, PilotBrief, PilotTurn
from lao.agents.pilot_history import Shown, shown
from lao.agents.pilot_kinds import framed, is_guided
from lao.agents.toolset import fitting
from lao.core.chat import ChatAnswer, ChatRequest, Model
from lao.core.errors import ForeignModel, OutOfMemory, ServerAway, Terminal
from lao.core.states import Role, TurnState
from lao.core.steps import StepKind
from lao.core.words import Event, Json
from lao.llm.tokens import CHARS_PER_TOKEN
from lao.state import chats
from lao.state.chats import Turn
from lao.state.recovery import SELECTIVE_CRASH
from lao.tools.context import ToolContext
from lao.tools.permissions.policy import Policy
from lao.tools.pilot.catalogue import wanted_by
from lao.tools.registry import all_tools
from lao.tools.toolbox import Toolbox
from workflows import guidance, pilot_hands, pilot_record
from workflows.approvals import PersonAsker
from workflows.calibrate import first_token_limit_s
from workflows.held import Watch
from workflows.hooking import has_tool_hooks, tool_hooks
from workflows.search import searcher_of
from workflows.seats import SeatedModel
from workflows.turn_voice import TurnVoice
from workflows.turns import AGAIN
from workflows.work import Outcome, Work

CRASHES: Final = 2
"""Of its worker, without a step in between: then the turn fails instead of ending the next worker too."""

_LOOK_S: Final = 0.2
RESULT_CHARACTERS: Final = 16_000
_HISTORY_SHARE: Final = 4
_RECORD_SHARE: Final = 5
_ASKED_MODES: Final = {"auto": "confirm"}
"""In a conversation a person is there to be asked."""


def body(work: Work) -> Outcome:
    """Answer the turn's question; the answer and the end of the run are one transaction."""
    store, run = work.factory.store, work.claim.run.id
    turn = chats.turn_of_run(store, run)
    if turn is None:
        raise Terminal(f"run {run!r} belongs to no turn", "ask again")
    if chats.strikes(store, run) >= CRASHES * SELECTIVE_CRASH:
        raise Terminal(f"the worker died {CRASHES} times in the middle of this turn", "ask again, in other words")
    chats.begin(store, work.claim, turn.id)
    voice = TurnVoice(work.factory, work.claim, turn.id)
    start = work.steps.run(StepKind.READ, chats.CONTEXT_STEP, lambda: _context(work, turn))
    pairs = tuple((asked, answered) for asked, answered in start["pairs"])
    earlier = Shown(start["digest"], pairs)
    brief = PilotBrief(
        framed(turn.question), start["record"], earlier, start["memory"], start["failures"], start["style"]
    )
    with _model(work, voice) as model:
        try:
            reply = PilotTurn(
                brief,
                model=model,
                settings=work.model_settings(Role.PILOT),
                steps=work.steps,
                toolbox=_toolbox(work, start),
                voice=voice,
                start_rung=work.profile.start_rung if work.profile else "",
            ).run()
        except (ServerAway, OutOfMemory, ForeignModel) as error:  # a person waits: said at once, and asked again
            raise Terminal(error.message, error.hint or AGAIN) from error

    def apply(now: float) -> list[int]:
        chats.end(turn.id, now, TurnState.DONE, answer=reply.text, tools=reply.tools)
        return []

    return Outcome(apply, result={"turn": turn.id, "tools": len(reply.tools)}, text=f"turn {turn.id} answered")


def _context(work: Work, turn: Turn) -> dict[str, Json]:
    """What the turn starts from, recorded so that a resumed one is asked the same."""
    factory, settings = work.factory, work.model_settings(Role.PILOT)
    limit = prompt_limit(settings)
    summary, earlier = chats.history(factory.store, turn.id)
    before = shown(summary, earlier, limit // _HISTORY_SHARE)
    used = [line.split(" ")[0] for line in (earlier[-1].tools if earlier else ())]
    known = {tool.name: tool for tool in (*all_tools().values(), *pilot_hands.tools(factory))}
    wanted = [] if is_guided(turn.question) else [known[name] for name in wanted_by(turn.question, used)]
    return {
        "record": pilot_record.record(factory, limit // _RECORD_SHARE),
        "failures": pilot_record.failures(factory) if pilot_record.has_failures(factory) else "",
        "digest": before.digest,
        "pairs": [list(pair) for pair in before.pairs],
        "memory": guidance.memory_text(work, Role.PILOT).text,
        "tools": [tool.name for tool in fitting(wanted, settings.context_length)],
        "hooks": has_tool_hooks(factory),
        "style": NARRATIVE if is_guided(turn.question) else factory.settings.output_style,
    }


def _toolbox(work: Work, start: dict[str, Json]) -> Toolbox:
    """What this turn is offered, of LAO's tools and of the Pilot's own; who acts asks the person first."""
    factory, offered = work.factory, set(start["tools"])
    permissions = factory.settings.permissions
    root = factory.settings.paths.root
    mode = _ASKED_MODES.get(permissions.mode, permissions.mode)
    box = Toolbox(
        _tool_context(work),
        [name for name in all_tools() if name in offered],
        Policy(replace(permissions, mode=mode), root),
        more=[tool for tool in pilot_hands.tools(factory) if tool.name in offered],
        asker=PersonAsker(work),
        hooks=tool_hooks(work, root, hooked=start["hooks"]),
    )
    box.begin()
    return box


def _tool_context(work: Work) -> ToolContext:
    window = work.model_settings(Role.PILOT).context_length
    return ToolContext(
        root=work.factory.settings.paths.root,
        marker=work.marker,
        containment=work.factory.containment,
        todos=_NoTodos(),
        audit=work.audit,
        command_timeout_s=work.factory.settings.orchestration.validation_timeout_s,
        stop=_over(work),
        before_command=lambda: work.off_gpu(back=True),
        result_limit=min(RESULT_CHARACTERS, int(window * CHARS_PER_TOKEN / 4)),
        search=searcher_of(work.factory),
    )


class _NoTodos:
    """A turn has no to-do list."""

    def get(self) -> list[dict[str, Json]]:
        return []

    def set(self, items: list[dict[str, Json]]) -> None:
        """Keeps nothing."""


def _over(work: Work) -> Callable[[], bool]:
    """Whether the worker stops or a person has interrupted the turn; asked for every piece of an answer."""
    watch = Watch(work.factory.store, work.claim, _LOOK_S)
    return lambda: work.stopping or watch.over()


@dataclass(frozen=True)
class _HeardModel:
    """A ``Model`` whose answers the person reads while they come."""

    inner: Model
    work: Work
    voice: TurnVoice

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """See ``lao.core.chat.Model``. Raises LostClaim when the turn was interrupted."""
        self.voice.asked()
        return self.inner.complete(request)

    def report(self, event: Event) -> None:
        """See ``lao.llm.client.OpenAIModel``."""
        self.work.factory.report(event)


@contextmanager
def _model(work: Work, voice: TurnVoice) -> Iterator[Model]:
    """A chat client for this turn; its stream is cut when a person interrupts. It tries nothing twice: the person is
    told instead."""
    assert work.seat is not None, "a phase with a model"
    factory = work.factory
    limit = None
    if work.profile is not None:
        limit = first_token_limit_s(factory.settings, work.model_settings(Role.PILOT), work.profile)
    chat = factory.open_chat(
        first_token_timeout_s=limit,
        retry_attempts=1,
        stopping=_over(work),
        heard=voice.heard,
    )
    try:
        yield _HeardModel(SeatedModel(chat, work.seat), work, voice)
    finally:
        chat.close()
