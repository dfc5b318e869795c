"""M2, L3: ``lao dashboard --all``: every project of the list is a row, whatever became of it, and none is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lao.cli.main import main
from lao.config.load import load
from lao.projects.registry import Registry
from lao.state import pauses, plans
from lao.state.store import Store, open_store
from tests.cli.test_cli_projects import home  # noqa: F401 - an autouse fixture

Capture = pytest.CaptureFixture[str]


def seen(capsys: Capture) -> dict[str, dict[str, Any]]:
    assert main(["dashboard", "--all", "--json"]) == 0
    return {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["projects"]}


def state_of(folder: Path) -> Store:
    (folder / ".lao").mkdir()
    return open_store(load(cwd=folder, env={}).paths.database)


def files(folder: Path) -> dict[Path, bytes]:
    """Every file but the stamp by which a configuration that was right once is known."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "config.ok")
    return {path: path.read_bytes() for path in found}


def test_each_project_is_a_row(capsys: Capture, home: Path) -> None:  # noqa: F811
    """What is paused, gone, damaged, wrongly configured or in order is told, with the command; nothing is written."""
    code = home / "code"
    registry = Registry()
    for name in ("shop", "blog", "deep/er/api", "new", "lost"):
        (code / name).mkdir(parents=True, exist_ok=True)
        registry.add(code / name)
    (code / "lost").rmdir()
    (code / "deep/er/api/.lao").mkdir()
    (code / "deep/er/api/.lao/state.db").write_bytes(b"garbage" * 999)
    (code / "new/factory.yaml").write_text("gti: {}\n")
    store = state_of(code / "blog")
    pauses.pause(store, None)
    plans.reject(store, code / "blog/plans/x.md", "0", "no plan")
    store.close()
    before = files(code)
    found = seen(capsys)
    assert {name: entry["state"] for name, entry in found.items()} == {
        "shop": "idle", "blog": "paused", "api": "unreadable", "new": "idle", "lost": "gone",
    }  # fmt: skip
    needs = {name: [need["hint"] for need in entry["needs"]] for name, entry in found.items()}
    assert needs == {
        "shop": [], "blog": ["lao status"], "api": ["lao doctor"], "new": ["lao config show"],
        "lost": ["lao projects remove --gone"],
    }  # fmt: skip
    assert main(["dashboard", "--all"]) == 0
    rows = {row.split()[1]: row for row in capsys.readouterr().out.splitlines()}
    assert len(rows) == 5
    assert "gone" in rows["lost"] and "lao projects remove --gone" in rows["lost"]
    assert rows["shop"].split() == ["○", "shop", "idle", "~/code/shop"]
    assert files(code) == before


def test_no_project_and_wrong_usage(capsys: Capture) -> None:
    """An empty list says how to fill it; what would write, or serve one project, is a usage error."""
    assert main(["dashboard", "--all"]) == 0
    streams = capsys.readouterr()
    assert (streams.out, "lao projects scan" in streams.err) == ("", True)
    for other in ("--write", "--serve"):
        assert main(["dashboard", "--all", other]) == 2
