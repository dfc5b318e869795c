"""Promises of front matter, listings and traces: what goes in comes out, within bounds, or one clear error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao import __version__
from lao.core.errors import BadInput
from lao.core.words import Finding, Severity, TaskSpec, Verdict
from lao.workspace import front_matter, traces, tree


def test_front_matter_is_cut_off() -> None:
    """Keys come as data, the rest as text, exactly; with or without BOM and CRLF."""
    assert front_matter.split("---\npriority: 5\n---\n# Plan\n") == ({"priority": 5}, "# Plan\n")
    assert front_matter.split("\ufeff---\r\na: [1]\r\n...\r\nx\r\n") == ({"a": [1]}, "x\r\n")
    assert front_matter.split("---\n---\nx") == ({}, "x")


@pytest.mark.parametrize(
    "text", ["", "# Plan\n", "---\nno end\n", "text\n---\na: 1\n---\n", "---\njust text\n---\nmore\n"]
)
def test_text_without_front_matter_stays(text: str) -> None:
    """A rule at the top, or none at all, is the plan's own text."""
    assert front_matter.split(text) == ({}, text)


@pytest.mark.parametrize("matter", ["a: [1", "a: b: c", "- a: 1\n- b: 2", "1: x", "\tx: 1", "d: 2026-13-45"])
def test_broken_front_matter(matter: str) -> None:
    """Broken YAML is the user's to correct; the message names the front matter."""
    with pytest.raises(BadInput, match="front matter"):
        front_matter.split(f"---\n{matter}\n---\nx\n")


def test_line_number_of_the_mistake() -> None:
    """The line is counted in the plan's file."""
    with pytest.raises(BadInput, match="line 3"):
        front_matter.split("---\na: 1\nb: c: d\n---\n")


def test_listing(tmp_path: Path) -> None:
    """Sorted, bounded, without git and dependencies; an empty or missing folder says so."""
    assert tree.listing(tmp_path) == "(empty)"
    assert tree.listing(tmp_path / "none") == "(empty)"
    for name in ("b.py", "a/x.py", ".git/HEAD", "node_modules/y.js"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert tree.listing(tmp_path) == "a/x.py\nb.py"
    assert tree.listing(tmp_path, limit=1) == "a/x.py\n[… 1 more files]"
    assert tree.listing(tmp_path, limit=1, without=("a/x.py",)) == "b.py"


def test_read_text_files(tmp_path: Path) -> None:
    """In the order asked, each once, only text inside the folder, within the budget."""
    root = tmp_path / "w"
    root.mkdir()
    (tmp_path / "secret").write_text("s")
    (root / "a").write_text("1234\n" * 10)
    (root / "b").write_text("bb")
    (root / "bin").write_bytes(b"\0\1")
    (root / "out").symlink_to(tmp_path / "secret")
    asked = ["b", "bin", "../secret", "out", "none", "b", ".git/HEAD", "a\0", "a", str(tmp_path / "secret")]
    assert tree.read_text_files(root, asked, 1_000) == (("b", "bb"), ("a", "1234\n" * 10))
    assert tree.read_text_files(root, ["b", "a"], 2) == (("b", "bb"),)
    long = "line of text\n" * 100
    (root / "long").write_text(long)
    ((_, cut),) = tree.read_text_files(root, ["long", "b"], 200)
    assert len(cut) <= 200
    assert cut.startswith("line of text\n")
    assert "of 1300 characters" in cut


def test_plan_trace() -> None:
    """LAO_PLAN.md: source and version in one comment, then the plan."""
    text = traces.plan_text("# Plan\n\n- x\n\n", "plans/a--b.md")
    assert text == f"<!-- LAO {__version__} · source: plans/a- -b.md -->\n\n# Plan\n\n- x\n"


def test_tasks_trace() -> None:
    """LAO_TASKS.json is the tasks, readable back."""
    spec = TaskSpec("t", "ü", ("a.py",), (), ("true",))
    data = json.loads(traces.tasks_text("p1", [("p1/1", spec)]))
    assert data["plan_id"] == "p1"
    assert data["tasks"][0]["id"] == "p1/1"
    assert TaskSpec.from_json(data["tasks"][0]) == spec


def test_review_trace() -> None:
    """One line a verdict, whatever the summary holds."""
    finding = Finding(Severity.MAJOR, "k", "m")
    line = traces.review_line(1_800_000_000.0, "p/1", Verdict(False, "not\n\ngood ", (finding,)))
    assert line == "2027-01-15T08:00:00Z p/1 REJECTED (1 blocking, 0 other) not good\n"
    assert traces.review_line(0.0, "p/2", Verdict(True)) == "1970-01-01T00:00:00Z p/2 APPROVED\n"


def test_commit_message() -> None:
    """Subject on one line of at most 72 characters; trailers last; nothing breaks the form."""
    text = traces.commit_message("a\nb " + "x" * 80, "", {"K": "v\nw"})
    subject, blank, trailer = text.rstrip().split("\n")
    assert (len(subject), blank, trailer) == (72, "", "K: v w")
    assert traces.commit_message("", "body", {}) == "lao: work\n\nbody\n"
