"""Every class of faults of the catalogue through the whole pipeline: the work is right, or it fails by its name."""

from __future__ import annotations

import pytest

from lao.servers.simulated import FaultRate
from lao.servers.simulated.faults import CLASSES
from tests.conformance.fault_run import COMPANIONS, FaultPlan, FaultResult, run_plan, scratch

TOOLS_ONLY = frozenset(
    f"F{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 21, 22, 23, 24, 25, 26, 27, 32, 37, 38, 44, 48)
)
WITHOUT_OCCASION = frozenset({"F23", "F27", "F35", "F37", "F38", "F58"})
"""What LAO never gives a server the occasion for: bad arguments in the history, ids of a length that strict templates
refuse, neighbours of one role, tools that crash a template, a content of null, two requests at once."""

HOPELESS = {"F53": "Unexpected endpoint"}
"""Classes that no retry can help against, with the words that say so."""

NAMES: dict[str, set[str]] = {
    "F1": {"text_call"},
    "F2": {"text_call"},
    "F3": {"text_call"},
    "F4": {"text_call"},
    "F5": {"call_in_reasoning"},
    "F9": {"server_parse"},
    "F12": {"tools_refused", "no_action"},
    "F13": {"schema_ignored", "bad_json"},
    "F15": {"format_refused", "grammar_refused"},
    "F16": {"schema_ignored", "bad_json"},
    "F17": {"grammar_refused"},
    "F18": {"whitespace_runaway"},
    "F19": {"truncated", "bad_json", "schema_ignored"},
    "F22": {"truncated_arguments"},
    "F24": {"unknown_tool"},
    "F25": {"wrong_types"},
    "F28": {"silent_truncation"},
    "F29": {"context_overflow"},
    "F30": {"context_overflow"},
    "F31": {"context_overflow", "empty_answer"},
    "F36": {"system_role_refused"},
    "F42": {"reasoning_only"},
    "F45": {"token_loop"},
    "F50": {"loading"},
    "F52": {"wrong_model"},
    "F54": {"model_crashed"},
    "F55": {"stream_error", "stream_cut"},
    "F57": {"whitespace_runaway"},
    "F60": {"busy"},
}
"""The names under which LAO itself counts a class; one of them must have been counted."""

CASES = [
    (code, protocol)
    for code in CLASSES
    for protocol in (("tools",) if code in TOOLS_ONLY else ("tools", "text"))
    if code not in HOPELESS and CLASSES[code].place == "chat"
]


def rates(code: str) -> list[FaultRate]:
    """Each form once, in a task of its own; the planner meets the class as well where it can."""
    forms = range(len(CLASSES[code].forms))
    found = [FaultRate(code, contains=f"- part_{n + 1}.py", form=n, times=1) for n in forms]
    if code in COMPANIONS:
        return [FaultRate(code), FaultRate(COMPANIONS[code], contains="- part_1.py", times=1)]
    return found if code in TOOLS_ONLY else [*found, FaultRate(code, role="planner", times=1)]


def run(code: str, protocol: str, wanted: list[FaultRate]) -> FaultResult:
    plan = FaultPlan.of(code, max(2, len(CLASSES[code].forms)), protocol)
    with scratch() as folder:
        return run_plan(folder, plan, wanted, git={"enabled": False})


@pytest.mark.parametrize(("code", "protocol"), CASES)
def test_work_goes_on_and_is_right(code: str, protocol: str) -> None:
    """Every wire form of a class, once in a task: all tasks are completed with right contents, at most twice the calls,
    and LAO counts the class by its name."""
    found = run(code, protocol, rates(code))
    assert found.reasons == ()
    assert (found.completed, found.right, found.false_done) == (found.tasks, found.tasks, 0)
    undisturbed = 1 + found.tasks * (4 if code in ("F6", "F7") else 3 if protocol == "tools" else 2)
    assert found.calls <= 2 * undisturbed + 1
    # One form may have no occasion under this protocol, or be avoided after another one has taught LAO better.
    assert found.struck == 0 if code in WITHOUT_OCCASION else found.struck >= max(1, len(CLASSES[code].forms) - 1)
    if found.struck and code in NAMES:
        assert NAMES[code] & set(found.named), f"counted: {found.named}"


@pytest.mark.parametrize("code", HOPELESS)
def test_what_cannot_be_mended_fails_by_its_name(code: str) -> None:
    """The plan ends, not completed, and the reason says what the server did; nothing is claimed to be done."""
    found = run(code, "tools", [FaultRate(code)])
    assert found.plan_state in ("failed", "needs_human")
    assert found.false_done == 0
    assert any(HOPELESS[code] in reason for reason in found.reasons)
    assert found.calls <= 3


def test_an_unknown_endpoint_passes_once_the_server_has_answered() -> None:
    """F53 in the middle of a run is no wrong address: it is waited out, and no attempt is used."""
    found = run("F53", "tools", [FaultRate("F53", contains="- part_2.py", times=1)])
    assert found.struck == 1
    assert found.plan_state == "completed"
    assert found.false_done == 0


@pytest.mark.parametrize("code", [c for c, found in CLASSES.items() if found.place != "chat"])
def test_models_come_and_go_as_they_should(code: str) -> None:
    """A class that strikes a load, an unload or the resident model costs loads, and no attempt and no model call."""
    found = run(code, "tools", [FaultRate(code, times=2)])
    assert found.reasons == ()
    assert (found.right, found.false_done, found.calls) == (found.tasks, 0, 7)
    assert found.struck > 0


def test_counting_is_of_this_plan_only() -> None:
    """Without a fault nothing is counted, so that the names above mean something."""
    found = run("F1", "tools", [])
    assert (found.named, found.kinds, found.calls) == ({}, {}, 7)
