"""The watch for endless repetition, in streams and in calls; and the learned size of tokens."""

from __future__ import annotations

import random

import pytest

from lao.core.chat import ChatAnswer, ChatRequest, Usage
from lao.llm.failures import Failure
from lao.llm.faults import ContextOverflow
from lao.llm.guards import Guard
from lao.llm.loops import CallLoops, Loop
from lao.llm.sizes import Sizes
from lao.llm.tokens import TokenScale

PARAGRAPH = "".join(chr(97 + n * n * 7 % 26) + (" " if n % 6 == 0 else "") for n in range(500))


def _watch(text: str, size: int = 5, *, prose: bool = False) -> Failure | None:
    guard = Guard(prose)
    return next((f for at in range(0, len(text), size) if (f := guard.feed(text[at : at + size]))), None)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("{" + "\n  " * 200, Failure.WHITESPACE_RUNAWAY),
        ("a" + " " * 400, Failure.WHITESPACE_RUNAWAY),
        ("begin " + "0, " * 2000, Failure.TOKEN_LOOP),
        ("begin " + "<|im_end|>\n<|im_start|>\n" * 300, Failure.TOKEN_LOOP),
        ("begin " + PARAGRAPH * 14, Failure.TOKEN_LOOP),
    ],
)
def test_repetition_is_noticed(text: str, failure: Failure) -> None:
    """White space, a short piece and a whole paragraph over and over, however the text is cut into tokens."""
    assert {_watch(text, size) for size in (1, 3, 700)} == {failure}


def test_thinking_in_circles_is_noticed_in_thinking_only() -> None:
    """The same few sentences in any order are a loop of thought; in an answer they may be data."""
    rng = random.Random(1)
    said = ["Wait, let me check the tests again.", "So the function must return a list.", "But what about zero?"]
    text = " ".join(rng.choice(said) for _ in range(400))
    assert _watch(text, prose=True) is Failure.TOKEN_LOOP
    assert _watch(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"| {n} | {n * n} | yes |" for n in range(900)),
        "\n".join(f"    assert roman({n}) == 'X'" for n in range(500)),
        "\n".join(", ".join("0" * 30) for _ in range(28)),
        "def f():\n" + "\n\n\n".join(f"    x{n} = {n}" for n in range(200)) + "\n" * 40,
        "=" * 200 + "\n" + "-" * 400,
        PARAGRAPH * 3,
    ],
)
def test_tables_lists_and_data_are_let_through(text: str) -> None:
    """Similar lines, a page of zeros, rules and a text quoted three times are no loop."""
    assert _watch(text) is None


A, B, C = ({"path": p} for p in "abc")


def _loops(*wanted: tuple[str, dict[str, str]]) -> list[Loop | None]:
    loops = CallLoops()
    return [loops.take(name, arguments) for name, arguments in wanted]


def test_the_same_call_is_told_at_three_and_over_at_four() -> None:
    """Identical calls in a row, the order of arguments apart."""
    found = _loops(*[("read", A)] * 4)
    assert found[:2] == [None, None]
    assert found[2:] == [Loop(Failure.LOOP_SAME, 3, over=False), Loop(Failure.LOOP_SAME, 4, over=True)]


def test_alternating_calls_are_told_and_then_over() -> None:
    """A, B, A, B is told, a third round is the end; so with three calls. A change in between begins anew."""
    two = _loops(*[("read", A), ("read", B)] * 3)
    assert [bool(f) for f in two] == [False, False, False, True, True, True]
    assert [f.over for f in two if f] == [False, False, True]
    three = _loops(*[("read", A), ("read", B), ("run", C)] * 3)
    assert [f.failure for f in three if f] == [Failure.LOOP_ALTERNATING] * 4
    assert three[-1] is not None
    assert three[-1].over
    edits = [("write", {"path": "a", "content": str(n)}) for n in range(4)]
    assert not any(_loops(*[call for edit in edits for call in (edit, ("run", C))]))


def test_a_growing_argument_is_a_loop() -> None:
    """The same piece appended again and again; a file that grows by different pieces is work."""
    growing = _loops(*[("write", {"path": "a", "content": "x" + "pad" * n}) for n in range(5)])
    assert [f.failure for f in growing if f] == [Failure.LOOP_GROWING] * 2
    assert growing[-1] is not None
    assert growing[-1].over
    whole = "one two three four five"
    assert not any(_loops(*[("write", {"path": "a", "content": whole[: n * n]}) for n in range(1, 5)]))


def test_the_scale_follows_the_servers_counts() -> None:
    """The estimate's limit shrinks for a model with more tokens; jumping counts teach nothing."""
    scale = TokenScale()
    assert (scale.ratio, scale.allowed(1000)) == (1.0, 1000)
    scale.observe(1000, 1250)
    assert scale.allowed(1000) == 800
    dense = TokenScale()
    dense.observe(1000, 800)
    assert 1000 < dense.allowed(1000) < 1250
    scale.observe(2000, 90)
    assert not scale.known
    assert scale.ratio == 1.0
    short = TokenScale()
    short.observe(20, 60)
    assert not short.known


def test_a_server_that_counts_otherwise_is_believed_after_the_second_alarm() -> None:
    """Two alarms in a row mean that the counts leave something out: no third attempt is lost to them."""
    sizes = Sizes()
    request = ChatRequest("m", ({"role": "user", "content": "x" * 40_000},), 100)
    answer = ChatAnswer("hi", usage=Usage(prompt=2000, completion=1))
    with pytest.raises(ContextOverflow):
        sizes.check(request, answer, "url")
    sizes.check(request, answer, "url")
    sizes.check(request, answer, "url")
