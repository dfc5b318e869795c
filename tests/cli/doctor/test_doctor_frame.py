"""The frame of ``lao doctor``: whatever becomes of one group, it is a row, and the others are told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.cli import doctor_cmd
from lao.cli.context import Session
from lao.cli.doctor.frame import examine
from lao.cli.doctor.groups import GROUPS
from lao.cli.doctor.rows import Check, Group, worst
from lao.cli.doctor.scene import Scene
from lao.cli.main import main
from lao.core.errors import LaoError

_RELEASED = threading.Event()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    _RELEASED.clear()
    yield Scene(Session(cwd=tmp_path, env={}))
    _RELEASED.set()


def group(name: str, *, limit_s: float = 30.0, aside: bool = True) -> Group:
    return Group(name, name.title(), f"{__name__}:{name}", {}, limit_s=limit_s, aside=aside)


def well(_scene: Scene) -> list[Check]:
    return [Check("that", "ok", "it is so")]


def broken(_scene: Scene) -> list[Check]:
    raise ZeroDivisionError("by nothing")


def refused(_scene: Scene) -> list[Check]:
    raise LaoError("not now", "wait")


def endless(_scene: Scene) -> list[Check]:
    _RELEASED.wait(60)
    return []


def interrupted(_scene: Scene) -> list[Check]:
    raise KeyboardInterrupt


@pytest.mark.parametrize("aside", [True, False])
def test_a_group_that_breaks_is_a_row_that_fails(scene: Scene, aside: bool) -> None:
    """Also with an error that nobody foresaw; the others are told, in their order."""
    groups = (group("well"), group("broken", aside=aside), group("refused", aside=aside), group("well"))
    found = examine(scene, groups)
    assert [[(row.name, row.level) for row in rows] for _, rows in found] == [
        [("that", "ok")],
        [("examined", "fail")],
        [("examined", "fail")],
        [("that", "ok")],
    ]
    assert found[1][1][0].text == "could not be looked at: ZeroDivisionError: by nothing"
    assert (found[2][1][0].text, found[2][1][0].remedy) == ("not now", "wait")


def test_a_group_that_does_not_end_is_given_up(scene: Scene) -> None:
    """After its own limit, which is not added to the others'."""
    begun = time.monotonic()
    found = examine(scene, (group("endless", limit_s=0.5), group("well")))
    assert [rows[0].level for _, rows in found] == ["fail", "ok"]
    assert found[0][1][0].text == "no result after 0.5 s"
    assert time.monotonic() - begun < 20


def test_ctrl_c_is_no_row(scene: Scene) -> None:
    """It ends the command."""
    with pytest.raises(KeyboardInterrupt):
        examine(scene, (group("interrupted", aside=False),))


def test_the_verdict() -> None:
    """The gravest counts; what was only left out is not called ok."""
    assert worst(["ok", "warn", "skipped"]) == "warn"
    assert worst(["ok", "warn", "fail"]) == "fail"
    assert worst(["ok", "skipped"]) == "ok"
    assert worst(["skipped", "skipped"]) == "skipped"


def test_a_failing_row_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With its id, and beside what is well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor_cmd, "GROUPS", (group("well"), group("broken")))
    assert main(["doctor", "--json"]) == 1
    view = json.loads(capsys.readouterr().out)
    assert (view["ok"], view["verdict"]) == (False, "fail")
    assert [group["checks"][0]["id"] for group in view["groups"]] == ["well.that", "broken.examined"]


def test_ids_are_unique_and_targets_exist() -> None:
    """A row's id is its group's and its name."""
    ids = [f"{group.id}.{name}" for group in GROUPS for name in group.rows]
    assert len(ids) == len(set(ids))
    assert all(what for group in GROUPS for what in group.rows.values())
