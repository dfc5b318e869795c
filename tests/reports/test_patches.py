"""I5: the pages of a real run: its diffs are those of its commits, and what is gone is said to be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lao.reports.html import night_page, plan_page
from lao.reports.patches import patches
from lao.reports.read import night_report, plan_report
from tests.reports.test_html import Elements
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401 - fixtures

PLAN = "# Parts\n\n" + "\n".join(
    f"- task: part {n} | file: part_{n}.txt | content: text {n} | test: test -f {there}.txt"
    for n, there in ((1, "part_1"), (2, "never"))
)
ONCE = {"orchestration": {"retry_cap_validation": 1}, "attempts": {"repairs": 0, "candidates": 1, "idle": False}}


def test_the_diffs_of_a_real_run(plant: Callable[..., Plant], tmp_path: Path) -> None:  # noqa: F811
    """The completed task has its commit's diff, the parked one none; without the repository there is the command."""
    factory = plant(**ONCE)
    ident = factory.submit("parts", PLAN)
    factory.turn()
    store = factory.factory.store
    report = plan_report(store, ident)
    done, parked = sorted(report.tasks, key=lambda task: task.id)
    found = patches(report)
    assert set(found) == {done.id}
    assert "+text 1" in found[done.id] and "part_1.txt" in found[done.id]
    page = plan_page(report, found)
    elements = Elements(page)
    assert ("ins", {}) in elements.found
    assert {report.claim.refs[0], f"task:{done.id}", f"task:{parked.id}"} <= elements.refs()
    assert "not solved" in "".join(elements.text)
    assert report.claim.text in "".join(Elements(night_page(night_report(store, 0.0, store.now() + 1))).text)

    assert patches(replace(report, workspace=str(tmp_path / "gone"))) == {}
    gone = replace(report, tasks=tuple(replace(task, commits=("0" * 40,), commit="0" * 40) for task in report.tasks))
    assert patches(gone) == {}
    shutil.rmtree(Path(report.workspace) / ".git")
    assert patches(report) == {}
    assert f"lao diff {done.id}" in plan_page(report, patches(report))
