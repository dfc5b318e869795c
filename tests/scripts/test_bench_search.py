"""The benchmark of search runs, its labels are sound, and its repository is the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import bench_search
from scripts.search import repository


def test_labels_are_thirty_queries_over_three_packages() -> None:
    """Each query has files of the packages, and is no copy of their names."""
    labels = json.loads(bench_search.LABELS.read_text())
    assert (len(labels["queries"]), len(labels["packages"])) == (30, 3)
    assert len({query for query, _ in labels["queries"]}) == 30
    for query, right in labels["queries"]:
        assert right
        assert all(path.split("/")[0] in labels["folders"] for path in right)
        assert "_" not in query


def test_the_repository_is_the_same_each_time(tmp_path: Path) -> None:
    """Figures of two runs are about the same files."""
    for name in ("one", "two"):
        repository.write(tmp_path / name, 40)
    files = [{p.relative_to(tmp_path / n): p.read_text() for p in (tmp_path / n).rglob("*.*")} for n in ("one", "two")]
    assert files[0] == files[1]
    assert len(files[0]) == 40


def test_the_benchmark_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Costs and recall are printed, with the simulated server's vectors where no embedder is named."""
    labels = json.loads(bench_search.LABELS.read_text())
    for _, right in labels["queries"]:
        for path in right:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(f'"""About {path}."""\n')
    assert bench_search.main(["--files", "40", "--packages", str(tmp_path), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["costs"]["files"] == 40
    assert figures["costs"]["query_ms"] > 0
    assert 0 <= figures["found"]["words"]["recall_at_5"] <= 1
    assert figures["found"]["model"] == "hashes"
    assert bench_search.table(figures).count("recall@5") == 2
