"""Promise: a phase offers the tools that it needs, and a small window gets the smaller set."""

from __future__ import annotations

import pytest

from lao.agents.toolset import LEAST, PLAN_MODE, SETS, SHARE, offered, spec, tokens_of
from lao.core.states import Phase
from lao.tools.registry import all_tools
from lao.tools.toolbox import Toolbox
from tests.tools.conftest import Bench


@pytest.mark.parametrize("window", [2_048, 4_096, 6_000, 8_192, 32_768])
@pytest.mark.parametrize("mode", ["auto", "confirm", "plan_only", "dont_ask"])
def test_the_schemas_fit_their_share(window: int, mode: str) -> None:
    """F1: at most a sixth of the window, reading, writing and patching always; a larger window never gets less."""
    names = offered(Phase.CODE, window, mode)
    assert names[:LEAST] == ("file_read", "file_write", "file_patch")
    least = LEAST + (mode == "plan_only")
    assert len(names) <= least or tokens_of(all_tools()[n] for n in names) * SHARE <= window
    assert set(names) <= set(offered(Phase.CODE, window * 2, mode))
    assert mode != "plan_only" or "exit_plan_mode" in names


def test_plan_mode_is_offered_where_it_means_something() -> None:
    """G2: its schemas take no room in the modes without questions."""
    for mode, there in (
        ("auto", False),
        ("dont_ask", False),
        ("bypass", False),
        ("confirm", True),
        ("plan_only", True),
    ):
        names = offered(Phase.CODE, 32_768, mode)
        assert (set(PLAN_MODE) <= set(names)) is there
        assert set(SETS[Phase.CODE]) <= set(names)


def test_a_small_window_gets_fewer_tools() -> None:
    """F1: 4,096 tokens are too few for all of them, 8,192 are enough."""
    assert offered(Phase.CODE, 4_096) == ("file_read", "file_write", "file_patch")
    assert offered(Phase.CODE, 8_192) == SETS[Phase.CODE]


def test_a_phase_without_tools_offers_none() -> None:
    """A reviewer answers; it calls nothing."""
    assert offered(Phase.REVIEW, 32_768, "confirm") == ()


def test_the_measure_is_of_what_is_sent(tmp_path) -> None:
    """The budget counts the very bytes of the request."""
    box = Toolbox(Bench(tmp_path).context(), SETS[Phase.CODE])
    assert sorted((spec(all_tools()[n]) for n in SETS[Phase.CODE]), key=str) == sorted(box.openai_specs(), key=str)
