"""lao report, report check and report migrate: what they print, their exit codes, bad input as one message."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.cli.main import main
from lao.cli.moments import moment
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.clock import SystemClock
from lao.core.errors import BadInput
from lao.core.words import Finding, Severity
from lao.reports import quality
from lao.state.store import Store, open_store
from lao.state.tables import FindingRow, RunRow
from tests.reports import history


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The project's own state, with the system's clock, as the command opens it."""
    opened = open_store(tmp_path / ".lao" / "state.db", SystemClock())
    yield opened
    opened.close()


class Terminal:
    """Commands and what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        given = main(["report", *arguments])
        shown = self._capsys.readouterr()
        assert given == code, shown.out + shown.err
        assert "Traceback" not in shown.err
        return shown.out + shown.err


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


def test_the_night_and_the_plan_in_short(report: Terminal, store: Store, tmp_path: Path) -> None:
    """Without a plan the night; with one what failed, the requirements, the tasks, and what to do next."""
    plan = history.morning(store, tmp_path / "w")
    night = report()
    assert "1 plan: 1 for a person" in night and "no version passed its checks" in night
    shown = report(plan[:6])
    for words in ("! a (", "failed ABC-2: two <works>", "proved R1", "lao replay", "make all: exit code 2"):
        assert words in shown, words
    assert report("a", "--json") == report("show", plan, "--json")


def test_other_shapes(report: Terminal, store: Store, tmp_path: Path) -> None:
    """JSON that fits its schema, Markdown, and pages whose path is printed."""
    plan = history.morning(store, tmp_path / "w")
    assert not quality.problems(json.loads(report("a", "--json")))
    assert json.loads(report("--json", "--since", "2h"))["plans"][0]["id"] == plan
    assert report("a", "--markdown").startswith("<!-- LAO quality report 3.0.0")
    assert "## a: needs\\_human" in report("--markdown").replace("needs_human", "needs\\_human")
    for arguments in (("a", "--html"), ("--html",)):
        page = Path(report(*arguments).strip())
        assert page.read_text().startswith("<!doctype html>") or "<html" in page.read_text()[:200]
        assert "all resolve" in report("check", "--file", str(page))


def test_the_checker_at_the_command_line(report: Terminal, store: Store, tmp_path: Path) -> None:
    """0: all resolves; 42: something is not so, with file and line; 1: a report is missing."""
    plan = history.morning(store, tmp_path / "w")
    missing = json.loads(report("check", "--json", code=1))
    assert not missing["ok"] and "there is no report" in missing["problems"][0]["problem"]
    report(plan)
    assert report("check", plan).count("all resolve") == 4
    place = tmp_path / "w" / "LAO_QUALITY.md"
    place.write_text(place.read_text().replace("1 of 2 tasks", "2 of 2 tasks"))
    told = report("check", code=42)
    assert f"{place}: line 5: the state does not say this" in told
    assert json.loads(report("check", "--file", str(place), "--json", code=42))["problems"][0]["place"] == "line 5"
    report("check", "--file", "nowhere.json", code=1)
    (tmp_path / "quality_report.json").write_text("{")
    assert "is damaged: line 1" in report("check", "--file", "quality_report.json", code=42)


def test_migrating_a_report_of_3_1(report: Terminal, tmp_path: Path) -> None:
    """The old one is kept, the new one fits the schema and says that it rests on no rows; twice changes nothing."""
    place = tmp_path / "quality_report.json"
    old = {"report_meta": {"schema_version": "2.0.0"}, "plan_id": "x", "task_counts": {"total": 3}, "deliverables": []}
    place.write_text(json.dumps(old))
    assert "is of version 3.0.0 now" in report("migrate")
    lifted = json.loads(place.read_text())
    assert lifted["task_counts"] == {"total": 3} and lifted["report"] is None and not quality.problems(lifted)
    assert lifted["report_meta"]["migrated_from"] == "2.0.0"
    assert json.loads((tmp_path / "quality_report.2.0.0.json").read_text()) == old
    before = place.read_bytes()
    assert "already" in report("migrate", "--file", str(place))
    assert place.read_bytes() == before
    open_store(tmp_path / ".lao" / "state.db", SystemClock()).close()
    assert "rest on no row" in report("check", "--file", str(place))


@pytest.mark.parametrize("version", ["1.0.0", "3.1.0", "9"])
def test_migrating_what_is_unknown_is_refused(report: Terminal, tmp_path: Path, version: str) -> None:
    """A version that this LAO does not know is left as it is."""
    place = tmp_path / "quality_report.json"
    place.write_text(json.dumps({"report_meta": {"schema_version": version}}))
    before = place.read_bytes()
    assert f"version {version!r}" in report("migrate", "--file", str(place), code=42)
    assert place.read_bytes() == before and len(list(tmp_path.glob("quality*"))) == 1


def test_migrating_a_report_of_another_shape_is_refused(report: Terminal, tmp_path: Path) -> None:
    """One whose keys hold something else than those of 3.1 is not made to fit."""
    place = tmp_path / "quality_report.json"
    place.write_text(json.dumps({"report_meta": {"schema_version": "2.0.0"}, "task_counts": "many"}))
    assert "cannot be migrated: $.task_counts" in report("migrate", code=42)


def test_bad_input_is_one_message(report: Terminal, store: Store, tmp_path: Path) -> None:
    """An unknown plan (with the nearest name), two shapes, a time with a plan, no moment."""
    plan = history.morning(store, tmp_path / "w")
    assert "no plan 'zzzz'" in report("zzzz", code=42)
    assert f"did you mean '{plan}'" in report(plan[:-1] + "z", code=42)
    report("a", "--json", "--html", code=2)
    report("a", "--since", "2h", code=2)
    report("check", "a", "--file", "x", code=2)
    assert "is no moment" in report("--since", "yesterday-ish", code=42)
    assert "not in the past" in report("--since", "2999-01-01", code=42)


def test_a_project_without_a_state(report: Terminal, tmp_path: Path) -> None:
    """Looking creates nothing."""
    assert "no plans yet" in report()
    assert json.loads(report("--json"))["plans"] == []
    assert "there is no plan yet" in report("a", code=42)
    assert "no state here" in report("check", code=42)
    assert not (tmp_path / ".lao").exists()


def test_nothing_was_worked_on(report: Terminal, store: Store) -> None:
    """A state without a plan has a night without one, and no report to check."""
    assert "nothing was worked on since" in report()
    assert "no report to check" in report("check")
    assert store.path.exists()


def test_a_half_planned_plan_and_one_whose_folder_is_gone(report: Terminal, store: Store, tmp_path: Path) -> None:
    """A plan that is not over is told as far as it is, writes nothing and has nothing to check."""
    over = history.morning(store, tmp_path / "w")
    plan = history.begun(store, tmp_path / "x", text="# Half\n")
    assert "not over (active)" in report(plan)
    assert not (tmp_path / ".lao" / "reports").exists()
    assert "is not over" in report("check", plan, code=42)
    shutil.rmtree(tmp_path / "w")
    assert "needs a person" in report(over)
    assert report("check", over).count("all resolve") == 2, "the copies beside the state"


def test_5000_findings_are_counted_and_listed_in_part(report: Terminal, store: Store, tmp_path: Path) -> None:
    """The page says how many there are and how to see the rest; --all has every one."""
    plan = history.morning(store, tmp_path / "w")
    run = RunRow.select().where(RunRow.phase == "close").get()
    finding = Finding(Severity.MINOR, "k", "m", "f").to_json()
    with store.write():
        rows = [{"plan": plan, "task": None, "run": run.id, "finding": finding, "at": 1.0} for _ in range(5000)]
        for start in range(0, len(rows), 500):
            FindingRow.insert_many(rows[start : start + 500]).execute()
    shown = report(plan)
    assert "10 of 5002 findings looked at" in shown and len(shown.splitlines()) < 40
    document = json.loads(report(plan, "--json"))
    assert (document["quality"]["findings_total"], document["quality"]["findings_listed"]) == (5002, 200)
    assert len(json.loads(report(plan, "--json", "--all"))["report"]["findings"]) == 5002
    page = tmp_path / "w" / "LAO_QUALITY.md"
    assert "20 of 5002 are listed" in page.read_text()
    assert "all resolve" in report("check", "--file", str(page))


@pytest.mark.parametrize(
    ("text", "ago"), [("8h", 8 * 3600), ("2d", 2 * 86400), ("90min", 5400), ("1.5h", 5400), ("30 s", 30)]
)
def test_ages_are_moments(text: str, ago: float) -> None:
    """An age counts from now."""
    assert moment(text, 1_800_000_000.0) == 1_800_000_000.0 - ago


def test_times_and_dates_are_moments() -> None:
    """A time is the last time that it was so late; a date with an offset is that moment."""
    now = 1_800_000_000.0
    assert 0 <= now - moment("23:59", now) < 86400 and 0 <= now - moment("00:00", now) < 86400
    assert moment("2026-11-23T22:30:00+00:00", now) == moment("2026-11-23T22:30:00Z", now) == 1_795_473_000.0
    for wrong in ("25:00", "", "-3h", "never", "99999999999d"):
        with pytest.raises(BadInput):
            moment(wrong, now)
