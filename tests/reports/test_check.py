"""The checker resolves every reference, counts every figure again, and finds what was changed by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lao.core.errors import BadInput
from lao.core.states import PlanState
from lao.reports import files, quality
from lao.reports.check import Checked, Missing, check_file
from lao.reports.html import night_page, plan_page
from lao.reports.markdown import night_markdown, refs_in
from lao.reports.measures import Ledger
from lao.reports.model import Claim
from lao.reports.read import night_report, plan_report
from lao.reports.refs import long, short
from lao.state.store import Store
from lao.state.tables import RunRow, TaskRow, ValidationRow
from tests.reports import history


@pytest.fixture
def made(store: Store, tmp_path: Path) -> files.Published:
    """The files of a plan's report."""
    plan = history.morning(store, tmp_path / "w")
    return files.publish(plan_report(store, plan), tmp_path / ".lao")


def the(made: files.Published, name: str) -> Path:
    return made.folder / name


def told(checked: Checked) -> str:
    return "\n".join(f"{where}: {what}" for where, what in checked.problems)


def test_a_report_as_it_was_made_is_right(store: Store, made: files.Published) -> None:
    """100 % of the statements of both files resolve."""
    for place in made.files:
        checked = check_file(store, place)
        assert not checked.problems, told(checked)
        assert checked.statements > 12 and checked.references > checked.statements


def test_every_line_of_markdown_that_states_something_names_its_rows(made: files.Published) -> None:
    """No list entry and no row of a table is without references."""
    text = the(made, "LAO_QUALITY.md").read_text()
    marked = {number for number, _ in refs_in(text)}
    for number, line in enumerate(text.split("\n"), 1):
        heading = re.match(r"\| (Requirement|Look) \||\|---", line)
        if line.startswith(("- ", "  - ", "1. ", "| ", "Reason")) and not heading:
            assert number in marked, line


def _claimed(document: dict[str, Any]) -> dict[str, Any]:
    return document["report"]["claim"]


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *above, last = path.split(".")
        place: Any = document
        for step in above:
            place = place[int(step)] if step.isdigit() else place[step]
        place[int(last) if last.isdigit() else last] = value

    return change


LIES = {
    "a number": (_set("task_counts.completed", 2), "$.task_counts.completed: says '2'; the state says '1'"),
    "a sentence": (_set("report.claim.text", "done: 2 of 2"), "$.report.claim.text: says 'done: 2 of 2'"),
    "a figure": (_set("report.claim.figures.1", ["tasks.completed", 2]), "tasks.completed is said to be 2"),
    "a row": (_set("report.tasks.0.claim.refs.0", "task:999"), "task:999 is not in the state"),
    "a commit": (_set("report.claim.refs.0", "commit:x/abc"), "of a plan that is not in the state"),
    "a requirement": (_set("report.requirements.1.status", "proved"), "says 'proved'; the state says 'failed'"),
    "a state": (_set("report.state", "completed"), "$.report.state: says 'completed'"),
    "an exit code": (_set("report.commands.1.exit_code", 0), "$.report.commands[1].exit_code"),
    "a finding less": (lambda d: d["report"]["findings"].pop(), "$.report.findings: has 1 entries"),
    "a word that is none": (_set("report.requirements.0.status", "fine"), "$.report.requirements[0].status"),
    "a key less": (lambda d: d.pop("quality"), "'quality' is a required property"),
    "a true for a 1": (_set("task_counts.total", True), "$.task_counts.total"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_in_the_json_is_found(store: Store, made: files.Published, lie: str) -> None:
    """Whatever is changed by hand is named with its place."""
    change, expected = LIES[lie]
    place = the(made, quality.FILE)
    document = json.loads(place.read_text())
    change(document)
    place.write_text(json.dumps(document))
    assert expected in told(check_file(store, place))


@pytest.mark.parametrize(
    ("was", "lie", "expected"),
    [
        ("1 of 2 tasks", "2 of 2 tasks", "line 5: the state does not say this"),
        ("**failed**", "**proved**", "the state does not say this"),
        ("refs: task:1", "refs: task:77", "task:77 is not in the state"),
        ("exit code 2", "exit code 0", "the state does not say this"),
        ("- energy: not measured", "- energy: 3 J", "the state does not say this"),
    ],
)
def test_a_lie_in_the_markdown_is_found(store: Store, made: files.Published, was: str, lie: str, expected: str) -> None:
    """A number, a status, a reference: the line is named."""
    place = the(made, "LAO_QUALITY.md")
    text = place.read_text()
    assert was in text
    place.write_text(text.replace(was, lie, 1))
    assert expected in told(check_file(store, place))


def test_what_was_left_out_of_the_markdown_is_found(store: Store, made: files.Published) -> None:
    """A failure that somebody deletes from the page is told to be missing."""
    place = the(made, "LAO_QUALITY.md")
    lines = [line for line in place.read_text().split("\n") if "no version passed" not in line]
    place.write_text("\n".join(lines))
    assert "the state also says" in told(check_file(store, place))


def test_output_of_a_command_cannot_name_rows(made: files.Published) -> None:
    """What a command prints is no statement, whatever it looks like."""
    assert all("99999" not in refs for _, refs in refs_in(the(made, "LAO_QUALITY.md").read_text()))


def test_pages_are_checked_by_their_marked_elements(store: Store, made: files.Published, tmp_path: Path) -> None:
    """A page that was made from the state is right; a changed number or reference in it is found."""
    plan = made.folder.name
    place = tmp_path / "page.html"
    place.write_text(plan_page(plan_report(store, plan)))
    assert not check_file(store, place).problems
    place.write_text(place.read_text().replace("1 of 2 tasks completed", "2 of 2 tasks completed"))
    assert "the state does not say this" in told(check_file(store, place))
    place.write_text(plan_page(plan_report(store, plan)).replace('data-refs="finding:1', 'data-refs="finding:88'))
    assert "finding:88 is not in the state" in told(check_file(store, place))
    night = tmp_path / "night.html"
    night.write_text(night_page(night_report(store, 0, store.now())))
    assert not check_file(store, night).problems
    night.write_text("<p>nothing here</p>")
    with pytest.raises(BadInput, match="no statement with references"):
        check_file(store, night)


def test_the_markdown_of_a_night_is_checked_too(store: Store, made: files.Published, tmp_path: Path) -> None:
    """Its first line says which night it is of."""
    place = tmp_path / "night.md"
    place.write_text(night_markdown(night_report(store, 0.5, store.now())))
    assert not check_file(store, place).problems
    place.write_text(place.read_text().replace("1 of 2 tasks", "2 of 2 tasks"))
    assert check_file(store, place).problems


def test_rows_that_change_are_found_by_an_old_report(store: Store, made: files.Published) -> None:
    """The other way round: a report that was right is not, once its rows say something else."""
    with store.write():
        ValidationRow.update(exit_code=1).where(ValidationRow.moment == "close").execute()
        TaskRow.update(state="failed").where(TaskRow.title == "one").execute()
    problems = told(check_file(store, the(made, quality.FILE)))
    assert "commands.passed is said to be 1; its rows say 0.0" in problems
    assert "tasks.completed is said to be 1; its rows say 0.0" in problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "is damaged: line 1, column 2"),
        ("[]", "is not an object"),
        ('{"report_meta": {}}', "report_meta.schema_version is missing"),
        ('{"report_meta": {"schema_version": "2.0.0"}}', "LAO 3.1"),
        ('{"report_meta": {"schema_version": "9.0.0"}}', "version '9.0.0'; this LAO knows 2.0.0 and 3.0.0"),
        ("[" * 100_000, "is damaged"),
    ],
)
def test_a_file_that_is_no_report_is_one_message(store: Store, tmp_path: Path, text: str, expected: str) -> None:
    """A damaged, foreign, old or newer file is refused with what to do."""
    place = tmp_path / "quality_report.json"
    place.write_text(text)
    with pytest.raises(BadInput) as caught:
        check_file(store, place)
    assert expected in caught.value.message and caught.value.hint


def test_a_report_that_is_not_there_is_missing(store: Store, tmp_path: Path) -> None:
    """No file: exit code 1; a folder or bytes that are no text: 42."""
    with pytest.raises(Missing) as caught:
        check_file(store, tmp_path / "no.json")
    assert caught.value.exit_code == 1
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.json").mkdir()
    for name in ("bytes.md", "folder.json"):
        with pytest.raises(BadInput, match="cannot be read"):
            check_file(store, tmp_path / name)


def test_a_statement_without_rows_is_wrong(store: Store) -> None:
    """Nothing may be said that rests on nothing; figures of unknown kinds do not count."""
    book = Ledger(store, ())
    assert book.wrong(Claim("all is well", ())) == ["it names no row"]
    assert book.wrong(Claim("7 apples", (), (("apples", 7),)))[1:] == ["apples is said to be 7; its rows say nothing"]


def test_references_survive_being_shortened() -> None:
    """Ranges are read back as they were; what is no range stays a word."""
    refs = ["task:3", "task:4", "task:5", "task:7", "plan:abc", "requirement:abc/R%201", "step:1/2", "run:9"]
    assert short(refs) == "task:3..5 task:7 plan:abc requirement:abc/R%201 step:1/2 run:9"
    assert list(long(short(refs))) == refs
    with pytest.raises(BadInput, match="no range"):
        list(long("task:9..1"))


def test_the_crashes_are_counted_again(store: Store, made: files.Published) -> None:
    """A figure that sums over rows is summed again."""
    with store.write():
        RunRow.update(crashes=0).where(RunRow.crashes > 0).execute()
    assert "crashes is said to be 2; its rows say 0.0" in told(check_file(store, the(made, quality.FILE)))
    assert PlanState.NEEDS_HUMAN.value in the(made, quality.FILE).read_text()
