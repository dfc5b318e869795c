"""Promise: ``lao status`` says in one line what surrounds commands, and whether it is what was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.cli.main import main
from lao.state import surroundings
from lao.state.store import open_store


def noted(root: Path, backend: str, text: str, *, holds: bool) -> None:
    """As a worker does when it begins."""
    store = open_store(root / ".lao/state.db")
    surroundings.note(store, backend, text, holds=holds)
    store.close()


def test_what_the_last_worker_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing before the first worker; then its line, with the way to the reason where less holds."""
    monkeypatch.chdir(tmp_path)
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sandbox"] is None
    noted(tmp_path, "bubblewrap", "bubblewrap, no network", holds=True)
    assert main(["status"]) == 0
    assert "sandbox: bubblewrap, no network\n" in capsys.readouterr().out
    noted(tmp_path, "none", "NO SANDBOX: commands can read all", holds=False)
    assert main(["status"]) == 0
    assert "sandbox: NO SANDBOX: commands can read all; lao doctor says why\n" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["sandbox"]
    assert (found["backend"], found["holds"]) == ("none", False)


@pytest.mark.parametrize(
    ("given", "level", "text"),
    [
        ("{network: [pypi.org]}", "ok", "commands reach these by HTTP and HTTPS: pypi.org"),
        ("{network: [pypi.org], backend: landlock}", "warn", "a list of hosts needs bubblewrap or unshare"),
        ("{network: [pypi.org], backend: none}", "warn", "open"),
        ("{network: host}", "warn", "machine's network"),
    ],
)
def test_doctor_says_what_a_list_comes_to(
    given: str,
    level: str,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Kept where commands have a network of their own; never silently open, never silently another backend."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "factory.yaml").write_text(f"sandbox: {given}\n")
    main(["doctor", "--json"])
    checks = {c["name"]: c for group in json.loads(capsys.readouterr().out)["groups"] for c in group["checks"]}
    if checks["sandbox"]["text"].startswith("NO SANDBOX") and "backend: none" not in given:
        pytest.skip("no sandbox works here")
    assert checks["network"]["level"] == level
    assert text in checks["network"]["text"]
