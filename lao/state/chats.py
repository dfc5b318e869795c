"""Conversations with the Pilot: chats, their turns, and the events of a turn while it goes on. Runs nothing.

The answer in ``lao_chatturn`` is the truth; events are for whoever looks on, and those of older turns are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import peewee as pw

from lao.core.errors import BadInput, Refused
from lao.core.states import PILOT_PLAN, TURN_OVER, Phase, PlanState, RunState, TurnState
from lao.core.words import Json
from lao.state import runs
from lao.state.chat_tables import ChatRow, ChatTurnRow, TurnEventRow
from lao.state.records import Claim
from lao.state.store import Store
from lao.state.tables import ModelEventRow, PlanRow, RunRow, StepRow
from lao.state.transitions import move_run

WAITING, TEXT, TOOL_CALL, TOOL_RESULT = "waiting", "text", "tool_call", "tool_result"
NOTE, ERROR, DONE, INTERRUPTED = "note", "error", "done", "interrupted"
"""Kinds of events. The last of a turn is DONE, ERROR or INTERRUPTED."""

KEPT_TURNS: Final = 20
"""The newest turns, whose events are kept, and what they started from."""

CONTEXT_STEP: Final = "pilot-context"
"""Label of the step that records what a turn starts from: several kilobytes, of no use once it is over."""

_TITLE: Final = 60
_OVER: Final = [state.value for state in TURN_OVER]


@dataclass(frozen=True)
class Chat:
    """A conversation.

    Attributes:
        title: the beginning of its first question, "" before that.
        project: the folder of the project.
        created_at, updated_at: seconds since the epoch.
        turns: how many questions were asked.
        summary: what stands for its older turns; "" as long as all are shown to the model.
    """

    id: int
    title: str
    project: Path
    created_at: float
    updated_at: float
    turns: int
    summary: str = ""


@dataclass(frozen=True)
class Turn:
    """A question and what came of it.

    Attributes:
        answer: whole when it is done; of a turn that failed or was interrupted what had come until then.
        error: why it failed and what to do, else "".
        run: the run that works on it.
        ended_at: seconds since the epoch, None while it is not over.
        tokens: that its model calls took, prompt and completion.
        tools: one line for each tool call.
    """

    id: int
    chat: int
    seq: int
    question: str
    state: TurnState
    answer: str
    error: str
    run: int | None
    created_at: float
    ended_at: float | None
    tokens: int
    tools: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        return self.state in TURN_OVER


@dataclass(frozen=True)
class TurnEvent:
    """Something to show. ``data`` depends on the kind (docs/architecture.md, "The Pilot")."""

    seq: int
    kind: str
    text: str
    data: Mapping[str, Json] = field(default_factory=dict)


def open_chat(store: Store, project: Path, chat_id: int | None = None) -> Chat:
    """The chat with this id; None: a new one.

    Raises:
        BadInput: there is none with this id.
    """
    with store.write():
        if chat_id is not None:
            return _chat(_row(chat_id))
        now = store.now()
        return _chat(ChatRow.create(project=str(project), created_at=now, updated_at=now))


def chats(store: Store) -> tuple[Chat, ...]:
    """All conversations in which something was asked, the newest first."""
    with store.reading():
        asked = ChatTurnRow.select(ChatTurnRow.chat)
        return tuple(_chat(row) for row in ChatRow.select().where(ChatRow.id.in_(asked)).order_by(_newest()))


def ask(store: Store, chat_id: int, question: str, project: Path) -> Turn:
    """Put a question: a turn and the run that will answer it in the project's folder, which is to be woken.

    Raises:
        BadInput: there is no such chat.
    """
    with store.write():
        chat, now = _row(chat_id), store.now()
        _require_plan(project, now)
        last = ChatTurnRow.select(pw.fn.MAX(ChatTurnRow.seq)).where(ChatTurnRow.chat == chat).scalar() or 0
        row = ChatTurnRow.create(
            chat=chat, seq=last + 1, question=question, state=TurnState.QUEUED.value, created_at=now
        )
        row.run = RunRow.create(
            plan=PILOT_PLAN, phase=Phase.PILOT.value, attempt=row.id, state=RunState.READY.value, created_at=now
        )
        row.save()
        title = chat.title or " ".join(question.split())[:_TITLE]
        ChatRow.update(title=title, updated_at=now).where(ChatRow.id == chat.id).execute()
        _forget_old_events(row.id)
        return _turn(row)


def turn(store: Store, turn_id: int) -> Turn:
    """Raises BadInput when there is none with this id."""
    with store.reading():
        return _turn(_turn_row(turn_id))


def turn_of_run(store: Store, run_id: int) -> Turn | None:
    """The turn that a run works on, None for a run of another phase."""
    with store.reading():
        row = ChatTurnRow.get_or_none(ChatTurnRow.run == run_id)
        return None if row is None else _turn(row)


def turns(store: Store, chat_id: int) -> tuple[Turn, ...]:
    """The turns of a chat that it has not forgotten (``clear``), the oldest first."""
    with store.reading():
        chat = _row(chat_id)
        query = ChatTurnRow.select().where(ChatTurnRow.chat == chat, ChatTurnRow.seq > chat.cleared)
        return tuple(_turn(row) for row in query.order_by(ChatTurnRow.seq))


def history(store: Store, turn_id: int) -> tuple[str, tuple[Turn, ...]]:
    """What came before a turn: (the summary of older ones, the turns over since, the oldest first)."""
    with store.reading():
        row = _turn_row(turn_id)
        chat = row.chat
        since = max(chat.summed, chat.cleared)
        query = ChatTurnRow.select().where(
            ChatTurnRow.chat == chat, ChatTurnRow.seq > since, ChatTurnRow.seq < row.seq, ChatTurnRow.state.in_(_OVER)
        )
        return chat.summary, tuple(_turn(found) for found in query.order_by(ChatTurnRow.seq))


def events(store: Store, turn_id: int, after: int = 0) -> tuple[TurnEvent, ...]:
    """The events of a turn whose number is larger than ``after``, in order."""
    with store.reading():
        query = TurnEventRow.select().where(TurnEventRow.turn == turn_id, TurnEventRow.seq > after)
        return tuple(TurnEvent(e.seq, e.kind, e.text, e.data) for e in query.order_by(TurnEventRow.seq))


def tell(store: Store, turn_id: int, kind: str, text: str, data: Mapping[str, Json] | None = None) -> None:
    """Add an event to a turn that is not over; to one that is, nothing."""
    with store.write():
        if TurnState(_turn_row(turn_id).state) not in TURN_OVER:
            _tell(turn_id, kind, text, data or {}, store.now())


def tell_held(store: Store, held: Claim, turn_id: int, told: Iterable[tuple[str, str, Mapping[str, Json]]]) -> None:
    """Add events (kind, text, data) of the worker that has the turn.

    Raises:
        LostClaim: it has it no more, as when a person interrupts the turn.
    """
    with store.write():
        runs.check_fence(held)
        for kind, text, data in told:
            _tell(turn_id, kind, text, data, store.now())


def begin(store: Store, held: Claim, turn_id: int) -> Turn:
    """The turn is worked on."""
    with store.write():
        runs.check_fence(held)
        ChatTurnRow.update(state=TurnState.RUNNING.value).where(ChatTurnRow.id == turn_id).execute()
        return _turn(_turn_row(turn_id))


def end(
    turn_id: int,
    now: float,
    state: TurnState,
    *,
    answer: str,
    error: str = "",
    tools: Iterable[str] = (),
) -> None:
    """Inside a transaction: the turn is over, and its last event says so."""
    row = _turn_row(turn_id)
    tokens = _tokens(row.run_id)
    ChatTurnRow.update(
        state=state.value, answer=answer, error=error, ended_at=now, tokens=tokens, tools=list(tools)
    ).where(ChatTurnRow.id == turn_id, ChatTurnRow.state.not_in(_OVER)).execute()
    ChatRow.update(updated_at=now).where(ChatRow.id == row.chat_id).execute()
    kind = {TurnState.DONE: DONE, TurnState.FAILED: ERROR}.get(state, INTERRUPTED)
    _tell(turn_id, kind, error, {"tokens": tokens, "answer": answer}, now)


def interrupt(store: Store, turn_id: int) -> int | None:
    """End a turn that is not over, with what has come of its answer. Returns the run that a worker may be at work on,
    None when the turn was over already."""
    with store.write():
        row = _turn_row(turn_id)
        if TurnState(row.state) in TURN_OVER:
            return None
        run = row.run
        if run is not None and run.state in (RunState.READY.value, RunState.RUNNING.value):
            move_run(run, RunState.SKIPPED, owner="", reason="interrupted by a person")
        now = store.now()
        end(row.id, now, TurnState.INTERRUPTED, answer=written(row.id))
        return int(row.run_id) if row.run_id is not None else None


def written(turn_id: int) -> str:
    """Inside a transaction: what has come of the turn's answer."""
    rows = TurnEventRow.select(TurnEventRow.kind, TurnEventRow.text, TurnEventRow.data).where(
        TurnEventRow.turn == turn_id
    )
    pieces: dict[int, str] = {}
    for kind, text, data in rows.order_by(TurnEventRow.seq).tuples():
        call = int(data.get("call", 0))
        if kind == TEXT:
            pieces[call] = pieces.get(call, "") + text
        elif kind == NOTE and data.get("again"):
            pieces.pop(call, None)
    return "\n".join(text.strip() for text in pieces.values() if text.strip())


def summary_of(store: Store, chat_id: int) -> tuple[str, int]:
    """(The summary of a chat's older turns, up to which number they are in it). Raises BadInput for an unknown chat."""
    with store.reading():
        chat = _row(chat_id)
        return chat.summary, max(chat.summed, chat.cleared)


def keep_summary(store: Store, chat_id: int, summary: str, summed: int) -> None:
    """From now on ``summary`` stands for the turns of the chat up to the number ``summed``."""
    with store.write():
        ChatRow.update(summary=summary, summed=summed).where(ChatRow.id == chat_id).execute()


def clear(store: Store, chat_id: int) -> None:
    """Forget what was said in the chat so far; its turns stay in the record.

    Raises:
        BadInput: there is no such chat.
        Refused: a turn of it is not over.
    """
    with store.write():
        chat = _row(chat_id)
        last = ChatTurnRow.select().where(ChatTurnRow.chat == chat).order_by(ChatTurnRow.seq.desc()).first()
        if last is not None and TurnState(last.state) not in TURN_OVER:
            raise Refused(f"turn {last.id} of chat {chat_id} is not over", "wait for it, or interrupt it")
        seq = last.seq if last is not None else 0
        ChatRow.update(summary="", summed=0, cleared=seq).where(ChatRow.id == chat_id).execute()


def _tell(turn_id: int, kind: str, text: str, data: Mapping[str, Json], now: float) -> None:
    last = TurnEventRow.select(pw.fn.MAX(TurnEventRow.seq)).where(TurnEventRow.turn == turn_id).scalar() or 0
    TurnEventRow.create(turn=turn_id, seq=last + 1, kind=kind, text=text, data=dict(data), at=now)


def _tokens(run_id: int | None) -> int:
    """Of all model calls of a run."""
    total = pw.fn.SUM(ModelEventRow.prompt_tokens + ModelEventRow.completion_tokens)
    return int(
        ModelEventRow.select(total).where(ModelEventRow.run == run_id, ModelEventRow.kind == "call").scalar() or 0
    )


def strikes(store: Store, run_id: int) -> int:
    """How badly the run has crashed its worker without progress (``lao.state.recovery``)."""
    with store.reading():
        return int(RunRow.get_by_id(run_id).strikes)


def _forget_old_events(turn_id: int) -> None:
    """Drop the events of all but the newest turns that are over, and what those turns started from."""
    old = (ChatTurnRow.id <= turn_id - KEPT_TURNS, ChatTurnRow.state.in_(_OVER))
    TurnEventRow.delete().where(TurnEventRow.turn.in_(ChatTurnRow.select(ChatTurnRow.id).where(*old))).execute()
    runs_of = ChatTurnRow.select(ChatTurnRow.run).where(*old, ChatTurnRow.run.is_null(False))
    StepRow.delete().where(StepRow.run.in_(runs_of), StepRow.label == CONTEXT_STEP).execute()


def _require_plan(project: Path, now: float) -> None:
    """Inside a transaction: make the plan that the runs of turns belong to, where there is none yet; a project may have
    been moved since."""
    PlanRow.update(workspace=str(project)).where(PlanRow.id == PILOT_PLAN, PlanRow.workspace != str(project)).execute()
    if PlanRow.get_or_none(PlanRow.id == PILOT_PLAN) is None:
        PlanRow.create(
            id=PILOT_PLAN,
            name="pilot",
            file="",
            text="",
            options={},
            state=PlanState.ACTIVE.value,
            workspace=str(project),
            created_at=now,
            updated_at=now,
        )


def _newest() -> Any:
    return ChatRow.updated_at.desc()


def _row(chat_id: int) -> Any:
    row = ChatRow.get_or_none(ChatRow.id == chat_id)
    if row is None:
        raise BadInput(f"there is no conversation {chat_id!r}", "/sessions lists them")
    return row


def _turn_row(turn_id: int) -> Any:
    row = ChatTurnRow.get_or_none(ChatTurnRow.id == turn_id)
    if row is None:
        raise BadInput(f"there is no turn {turn_id!r}", "/sessions lists the conversations")
    return row


def _chat(row: Any) -> Chat:
    number = ChatTurnRow.select().where(ChatTurnRow.chat == row.id).count()
    return Chat(row.id, row.title, Path(row.project), row.created_at, row.updated_at, number, row.summary)


def _turn(row: Any) -> Turn:
    return Turn(
        id=row.id,
        chat=row.chat_id,
        seq=row.seq,
        question=row.question,
        state=TurnState(row.state),
        answer=row.answer,
        error=row.error,
        run=row.run_id,
        created_at=row.created_at,
        ended_at=row.ended_at,
        tokens=row.tokens,
        tools=tuple(row.tools or ()),
    )
