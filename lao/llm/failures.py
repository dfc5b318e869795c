"""The named classes of what models and servers do wrong, each with its retry. Detects nothing and retries nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from lao.core.words import Event


class Failure(str, Enum):
    """One class of fault; the value is ``AttemptFailed.kind`` and the ``class`` of a ``model.fault`` event."""

    # what a model wrote
    TEXT_CALL = "text_call"
    CALL_IN_REASONING = "call_in_reasoning"
    BAD_ARGUMENTS = "bad_arguments"
    TRUNCATED_ARGUMENTS = "truncated_arguments"
    UNKNOWN_TOOL = "unknown_tool"
    REPAIRED_CALL = "repaired_call"
    WRONG_TYPES = "wrong_types"
    INVENTED_RESULT = "invented_result"
    NO_ACTION = "no_action"
    EMPTY_ANSWER = "empty_answer"
    REASONING_ONLY = "reasoning_only"
    TRUNCATED = "truncated"
    LOOP_SAME = "loop_same"
    LOOP_ALTERNATING = "loop_alternating"
    LOOP_GROWING = "loop_growing"
    TOKEN_LOOP = "token_loop"  # noqa: S105 - a name, no password
    WHITESPACE_RUNAWAY = "whitespace_runaway"
    SCHEMA_IGNORED = "schema_ignored"
    BAD_JSON = "bad_json"
    # what a server refused of a request
    SERVER_PARSE = "server_parse"
    GRAMMAR_REFUSED = "grammar_refused"
    FORMAT_REFUSED = "format_refused"
    TOOLS_REFUSED = "tools_refused"
    TEMPLATE_ERROR = "template_error"
    SYSTEM_ROLE_REFUSED = "system_role_refused"
    ALTERNATION_REFUSED = "alternation_refused"
    CONTEXT_OVERFLOW = "context_overflow"
    SILENT_TRUNCATION = "silent_truncation"
    # what happened to a server
    WRONG_MODEL = "wrong_model"
    STREAM_ERROR = "stream_error"
    STREAM_CUT = "stream_cut"
    SILENCE = "silence"
    SERVER_AWAY = "server_away"
    LOADING = "loading"
    BUSY = "busy"
    MODEL_CRASHED = "model_crashed"
    OUT_OF_MEMORY = "out_of_memory"
    NOT_COMPATIBLE = "not_compatible"
    UNKNOWN_MODEL = "unknown_model"
    UNAUTHORISED = "unauthorised"
    REQUEST_REFUSED = "request_refused"
    # how an attempt of an agent ended
    NO_EDIT = "no_edit"
    TURN_LIMIT = "turn_limit"
    NO_TASKS = "no_tasks"
    BAD_PLAN = "bad_plan"
    BAD_VERDICT = "bad_verdict"
    CHECKS_FAILED = "checks_failed"
    HEAD_MOVED = "head_moved"
    DESK_GONE = "desk_gone"
    MERGE_CONFLICT = "merge_conflict"
    NO_TIME = "no_time"
    DISK_FILLED = "disk_filled"
    PLAIN = "plain"
    CALIBRATION = "calibration"
    ATTEMPT = "attempt"


class Change(str, Enum):
    """What is different in the next try.

    NONE      there is no other try.
    WAIT      nothing but the time: back off first.
    SAMPLE    temperature and seed.
    ADAPT     the form of the request, remembered for the model (``lao.llm.adapt``).
    MESSAGE   the model is told what was wrong.
    SHORTER   a smaller prompt.
    RUNG      another way to ask for the work (``lao.agents.turn_ladder``).
    """

    NONE = "none"
    WAIT = "wait"
    SAMPLE = "sample"
    ADAPT = "adapt"
    MESSAGE = "message"
    SHORTER = "shorter"
    RUNG = "rung"


@dataclass(frozen=True)
class Policy:
    """What is done about a class.

    Attributes:
        change: what is different in the next try.
        tries: further tries before the class ends the call, the turn or the attempt; None: as configured
            (``llm_retry_attempts``) or as long as the change finds something new.
        counts: whether it uses up one of the task's attempts in the end.
    """

    change: Change
    tries: int | None
    counts: bool


_WAIT = Policy(Change.WAIT, None, counts=False)
_ADAPT = Policy(Change.ADAPT, None, counts=True)
_MESSAGE = Policy(Change.MESSAGE, 1, counts=True)
_SAMPLE = Policy(Change.SAMPLE, 1, counts=True)
_READ = Policy(Change.NONE, 0, counts=False)
_END = Policy(Change.NONE, 0, counts=True)
_REFUSED = Policy(Change.NONE, 0, counts=False)

POLICIES: Final[Mapping[Failure, Policy]] = MappingProxyType(
    {
        **dict.fromkeys(Failure, _END),
        # understood all the same: only counted
        **dict.fromkeys((Failure.TEXT_CALL, Failure.CALL_IN_REASONING, Failure.REPAIRED_CALL), _READ),
        Failure.INVENTED_RESULT: _READ,
        **dict.fromkeys((Failure.BAD_ARGUMENTS, Failure.TRUNCATED_ARGUMENTS, Failure.UNKNOWN_TOOL), _MESSAGE),
        **dict.fromkeys((Failure.WRONG_TYPES, Failure.NO_ACTION, Failure.EMPTY_ANSWER), _MESSAGE),
        **dict.fromkeys((Failure.REASONING_ONLY, Failure.TRUNCATED, Failure.SCHEMA_IGNORED), _MESSAGE),
        **dict.fromkeys(
            (Failure.BAD_JSON, Failure.LOOP_SAME, Failure.LOOP_ALTERNATING, Failure.LOOP_GROWING), _MESSAGE
        ),
        **dict.fromkeys((Failure.TOKEN_LOOP, Failure.WHITESPACE_RUNAWAY, Failure.SERVER_PARSE), _SAMPLE),
        **dict.fromkeys((Failure.GRAMMAR_REFUSED, Failure.FORMAT_REFUSED, Failure.TEMPLATE_ERROR), _ADAPT),
        **dict.fromkeys((Failure.SYSTEM_ROLE_REFUSED, Failure.ALTERNATION_REFUSED), _ADAPT),
        Failure.TOOLS_REFUSED: Policy(Change.RUNG, 1, counts=True),
        **dict.fromkeys((Failure.CONTEXT_OVERFLOW, Failure.SILENT_TRUNCATION), Policy(Change.SHORTER, 1, counts=True)),
        **dict.fromkeys((Failure.STREAM_ERROR, Failure.STREAM_CUT, Failure.SILENCE, Failure.SERVER_AWAY), _WAIT),
        **dict.fromkeys((Failure.LOADING, Failure.BUSY, Failure.MODEL_CRASHED, Failure.OUT_OF_MEMORY), _WAIT),
        **dict.fromkeys((Failure.NOT_COMPATIBLE, Failure.UNKNOWN_MODEL, Failure.UNAUTHORISED), _REFUSED),
        **dict.fromkeys((Failure.REQUEST_REFUSED, Failure.NO_TIME, Failure.PLAIN, Failure.HEAD_MOVED), _REFUSED),
        **dict.fromkeys((Failure.CALIBRATION, Failure.DESK_GONE, Failure.MERGE_CONFLICT), _REFUSED),
    }
)


def named(kind: str) -> Failure:
    """The class of that name; ``ATTEMPT`` for a name that is none."""
    try:
        return Failure(kind)
    except ValueError:
        return Failure.ATTEMPT


def fault_event(failure: Failure, text: str, model: str) -> Event:
    """The event that is counted per class and model."""
    return Event("model.fault", text, {"class": failure.value, "model": model})
