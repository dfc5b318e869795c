"""The Pilot as a terminal sees it: conversations, questions, their events, interrupting, and a worker to answer them.

Every call is short; the answer is made by a gpu worker (``workflows.pilot_turn``).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

import workflows.phases  # noqa: F401  # registers the tasks that a wake-up names
from lao.agents import pilot_history
from lao.core.errors import BadInput
from lao.core.folders import make_folders
from lao.core.states import PHASE_QUEUE, Phase, Queue
from lao.core.words import Json
from lao.durable.holding import owner_alive
from lao.durable.processes import kill_marked
from lao.durable.threads import Thread
from lao.llm.tokens import estimate
from lao.state import chats as rows
from lao.state import queries, runs
from lao.state.chats import Chat, Turn, TurnEvent
from workflows.factory import Factory
from workflows.supervisor import worker_environment
from workflows.wake import wake_all

MOST_CHARACTERS: Final = 100_000
"""Of one question. What is longer than half of the model's window is cut when it is asked, with a note."""

LOG: Final = "pilot-workers.log"


def open_chat(factory: Factory, chat_id: int | None = None) -> Chat:
    """The conversation with this id; None: a new one.

    Raises:
        BadInput: there is none with this id.
    """
    return rows.open_chat(factory.store, factory.settings.paths.root, chat_id)


def chats(factory: Factory) -> list[Chat]:
    """All conversations in which something was asked, the newest first."""
    return list(rows.chats(factory.store))


def turns(factory: Factory, chat_id: int) -> list[Turn]:
    """What was said in a conversation since it was cleared, the oldest first. Raises BadInput for an unknown one."""
    return list(rows.turns(factory.store, chat_id))


def ask(factory: Factory, chat_id: int, text: str) -> Turn:
    """Put a question at the head of the gpu queue. Its events say at once what it waits for.

    Raises:
        BadInput: no such conversation; the question is empty or too long.
    """
    question = _cleaned(text)
    turn = rows.ask(factory.store, chat_id, question, factory.settings.paths.root)
    told, data = _waits_for(factory)
    rows.tell(factory.store, turn.id, rows.WAITING, told, data)
    wake_all(factory.store, [turn.run] if turn.run is not None else [])
    return turn


def events(factory: Factory, turn_id: int, after: int = 0) -> list[TurnEvent]:
    """The events of a turn whose number is larger than ``after``, in order."""
    return list(rows.events(factory.store, turn_id, after))


def turn(factory: Factory, turn_id: int) -> Turn:
    """Raises BadInput when there is none with this id."""
    return rows.turn(factory.store, turn_id)


def interrupt(factory: Factory, turn_id: int) -> None:
    """End a turn at once: its stream is cut, its commands end, what has come of its answer is kept. Nothing when it is
    over already.

    Raises:
        BadInput: there is none with this id.
    """
    run_id = rows.interrupt(factory.store, turn_id)
    if run_id is not None:
        kill_marked(factory.marker(run_id))


def compact(factory: Factory, chat_id: int) -> str:
    """Shorten what the model is shown of a conversation: a digest of its turns replaces them. Returns what was done, in
    words.

    Raises:
        BadInput: there is no such conversation.
    """
    said = rows.turns(factory.store, chat_id)
    summary, summed = rows.summary_of(factory.store, chat_id)
    over = [turn for turn in said if turn.over and turn.seq > summed]
    if not over:
        return "nothing to shorten"
    shorter = pilot_history.digest(summary, over)
    rows.keep_summary(factory.store, chat_id, shorter, over[-1].seq)
    before = sum(estimate(turn.question) + estimate(turn.answer) for turn in over) + estimate(summary)
    return f"{len(over)} turns shortened, from about {before} tokens to {estimate(shorter)}"


def clear(factory: Factory, chat_id: int) -> None:
    """Let the model forget what was said in a conversation. The record keeps it.

    Raises:
        BadInput: there is no such conversation.
        Refused: a turn of it is not over.
    """
    rows.clear(factory.store, chat_id)


def ensure_worker(factory: Factory, env: Mapping[str, str] | None = None) -> str:
    """Start ``lao run`` beside this process when no gpu worker of the project lives; returns in words what was done.

    The workers go on when the terminal is closed; their log is ``.lao/logs/pilot-workers.log``.

    Args:
        env: added to the environment, as ``Session.worker_env()`` gives it.

    Raises:
        BadInput: the log cannot be written.
    """
    for queue, owner, pid in runs.workers(factory.store):
        if queue == Queue.GPU.value and owner_alive(owner) is not False:
            return f"a worker runs already (process {pid})"
    folder = factory.settings.paths.state_dir / "logs"
    path = folder / LOG
    try:
        make_folders(folder)
        with path.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "lao", "run", "--no-pilot"],
                cwd=factory.settings.paths.root,
                env=worker_environment({**os.environ, **(env or {})}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:
        raise BadInput(
            f"no worker could be started, since {str(path)!r}: {error.strerror}", "start one by hand: lao run"
        ) from error
    Thread(child.wait, name="pilot-workers").start()  # when it ends before this process, nothing of it is left
    return f"no worker was running; started one (process {child.pid}, its log is {path}); 'lao stop' ends it"


def _cleaned(text: str) -> str:
    """The question as it is kept: what no model and no JSON can take is gone.

    Raises:
        BadInput: nothing is left, or it is too long.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadInput(
            f"the question has {len(text):,} characters; at most {MOST_CHARACTERS:,} are taken",
            "save the text as a file in the project and ask about the file",
        )
    kept = text.encode("utf-8", "replace").decode("utf-8")
    kept = "".join(c for c in kept if c in "\n\t" or c.isprintable()).strip()
    if not kept:
        raise BadInput("the question is empty", "write what you want to know or have done")
    return kept


def _waits_for(factory: Factory) -> tuple[str, dict[str, Json]]:
    """What a turn that is asked now waits for, for a person and as data."""
    gpu = {phase.value for phase in Phase if PHASE_QUEUE[phase] is Queue.GPU}
    at_work = [v for v in queries.running_view(factory.store) if v["state"] == "running" and v["phase"] in gpu]
    if not any(q == Queue.GPU.value and owner_alive(o) is not False for q, o, _ in runs.workers(factory.store)):
        return "no worker runs", {"why": "no worker", "runs": []}
    if not at_work:
        return "waits for the worker", {"why": "worker", "runs": []}
    told = ", ".join(f"{v['phase']} of task {v['task']}" if v["task"] else str(v["phase"]) for v in at_work)
    return f"waits for the GPU: {told} first ends its model call", {"why": "gpu", "runs": [v["run"] for v in at_work]}
