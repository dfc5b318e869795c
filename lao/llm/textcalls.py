"""Tool calls, whichever way the model wrote them: native ones mended, textual ones salvaged. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lao.core.chat import ChatAnswer, ToolCall
from lao.core.words import Json
from lao.llm.clean import clean, strip_special, thinking
from lao.llm.dialects import find_calls
from lao.llm.failures import Failure
from lao.llm.notations import Written
from lao.llm.offered import Aliases, Offered, decode_arguments

__all__ = ["Aliases", "Calls", "decode_arguments", "read_calls"]


@dataclass(frozen=True)
class Calls:
    """What a turn asks for.

    Attributes:
        calls: calls in order; one whose ``arguments`` is None must not be run.
        text: the prose around them.
        salvaged: they were found in the text.
        faults: the named classes of what was found wrong, each once.
    """

    calls: tuple[ToolCall, ...]
    text: str
    salvaged: bool = False
    faults: tuple[Failure, ...] = ()


def read_calls(answer: ChatAnswer, tools: Sequence[Mapping[str, Json]], aliases: Aliases | None = None) -> Calls:
    """The tool calls of ``answer``: the native ones, else those that its text ends with, else those in the reasoning.

    Text counts as a call only as the last thing of the answer. Names and arguments are mended where one reading is
    possible; what is cut off is reported with ``arguments`` None.
    """
    offered = Offered(tools, aliases)
    truncated = answer.finish_reason == "length"
    if answer.tool_calls:
        return _native(answer, offered, truncated)
    text = clean(answer.text)
    hidden = not text
    source = text or strip_special(thinking(answer.text) or answer.reasoning).strip()
    found = find_calls(source, offered.knows)
    faults = [Failure.INVENTED_RESULT] if found.invented else []
    whole = found.start == 0
    calls: list[ToolCall] = []
    for written in found.calls:
        call = _salvaged(written, offered, whole, truncated, faults)
        if call is None:
            calls.clear()  # what stands behind plain data or documentation is not asked for in order
        else:
            calls.append(call)
    if not calls:
        return Calls((), text)
    faults.insert(0, Failure.CALL_IN_REASONING if hidden else Failure.TEXT_CALL)
    return Calls(tuple(calls), "" if hidden else source[: found.start].strip(), True, _once(faults))


def _native(answer: ChatAnswer, offered: Offered, truncated: bool) -> Calls:
    faults: list[Failure] = []
    calls = []
    for n, call in enumerate(answer.tool_calls):
        arguments = call.arguments
        if truncated and n == len(answer.tool_calls) - 1:
            arguments = None  # also when it is valid JSON: some servers close the brackets of what was cut
        if arguments is None:
            faults.append(Failure.TRUNCATED_ARGUMENTS if truncated else Failure.BAD_ARGUMENTS)
        calls.append(_mended(replace(call, arguments=arguments), offered, faults))
    return Calls(tuple(calls), clean(answer.text), False, _once(faults))


def _mended(call: ToolCall, offered: Offered, faults: list[Failure]) -> ToolCall:
    """The call under our names; what is wrong with it all the same is added to ``faults``."""
    name = offered.name(call.name, call.arguments)
    if not name:
        faults.append(Failure.UNKNOWN_TOOL)
        return call
    if call.arguments is None:
        return replace(call, name=name)
    arguments = offered.fitted(name, call.arguments)
    if name != call.name or arguments != call.arguments:
        faults.append(Failure.REPAIRED_CALL)
    if offered.problem(name, arguments):
        faults.append(Failure.WRONG_TYPES)
    return replace(call, name=name, arguments=arguments)


def _salvaged(
    written: Written, offered: Offered, whole: bool, truncated: bool, faults: list[Failure]
) -> ToolCall | None:
    """The call, or None when it may be something else: data with a name, an example, another tool's."""
    given = decode_arguments(written.arguments) if isinstance(written.arguments, str) else written.arguments
    arguments = given if isinstance(given, dict) else None
    sure = written.form == "tagged"
    call = ToolCall("", written.name, arguments, "" if written.arguments is None else str(written.arguments))
    noted: list[Failure] = []
    mended = _mended(call, offered, noted)
    if Failure.UNKNOWN_TOOL in noted and not sure:
        return None
    if written.loose and (Failure.WRONG_TYPES in noted or not (arguments or sure)):
        return None
    if Failure.WRONG_TYPES in noted and not (sure or whole):
        return None
    if arguments is None:
        noted.append(Failure.TRUNCATED_ARGUMENTS if truncated else Failure.BAD_ARGUMENTS)
    faults += noted
    return mended


def _once(faults: Sequence[Failure]) -> tuple[Failure, ...]:
    return tuple(dict.fromkeys(faults))
