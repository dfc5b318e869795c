"""Promise: what only the workers' log has is told on the terminal, once; what the state has is not told twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.cli.view import worker_log
from lao.cli.view.worker_log import WorkerLog

LINES = """16:00:00 I ingest: done
16:00:01 W commands of models: not contained; lao doctor says why (docs/security.md)
16:00:02 W shop: code task 4 attempt 1: AttemptFailed: nothing written
16:00:02 W code of run 3 waits 1.0 s: no server
16:00:03 E reconcile_forever failed; it begins again in 5.0 s
Traceback (most recent call last):
  File "x.py", line 1, in <module>
lao: the state file is damaged
half a li"""


def test_news_of_the_log(tmp_path: Path) -> None:
    """Warnings and errors but those of phases, and what was said and not logged; a line when it is whole."""
    path = tmp_path / "workers.log"
    log = WorkerLog(path)
    assert log.news() == []
    path.write_text(LINES)
    assert log.news() == [
        "commands of models: not contained; lao doctor says why (docs/security.md)",
        "reconcile_forever failed; it begins again in 5.0 s",
        "lao: the state file is damaged",
    ]
    with path.open("a") as file:
        file.write("ne\n16:00:09 C end\n")
    assert log.news() == ["end"]
    assert log.news() == []


def test_a_log_that_is_begun_anew_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new run's file, and one that had become too large."""
    path = tmp_path / "workers.log"
    log = WorkerLog(path)
    path.write_text("lao: one\nlao: two\n")
    log.news()
    path.write_text("lao: 3\n")
    assert log.news() == ["lao: 3"]
    monkeypatch.setattr(worker_log, "TOO_LARGE", 10)
    with path.open("a") as file:
        file.write("lao: four\n")
    assert log.news() == ["lao: four"]
    assert path.stat().st_size == 0
    with path.open("a") as file:
        file.write("lao: 5\n")
    assert log.news() == ["lao: 5"]
