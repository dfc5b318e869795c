"""The survey of whole workspaces without a model: true, bounded, and as its schema says."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from lao.llm.structured import schema_problem
from lao.llm.tokens import estimate
from lao.workspace.survey.facts import Checked, named_files, reuse_key, survey
from lao.workspace.survey.page import fitted, is_own_report, page, report_text

SHOP = {
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["httpx", "peewee"]\n',
    "README.md": "# Shop\n",
    "shop/__init__.py": "",
    "shop/__main__.py": "from shop.till import pay\n\npay(1)\n",
    "shop/till.py": "from shop.money import Money\n\n\ndef pay(amount: int) -> Money:\n    return Money(amount)\n",
    "shop/money.py": "class Money:\n    def __init__(self, amount):\n        self.amount = amount\n\n\n"
    "def _inner():\n    pass\n",
    "tests/test_till.py": "from shop.till import pay\nfrom shop.money import Money\n\n\n"
    "def test_pay():\n    assert pay(1)\n",
    ".github/workflows/ci.yml": "on: push\n",
}


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def valid(document: object) -> str:
    schema = json.loads(resources.files("lao.workspace.survey").joinpath("report.schema.json").read_text())
    return schema_problem(json.loads(json.dumps(document)), schema)


def test_a_python_project(tmp_path: Path) -> None:
    """D1: files, manifests, commands, tests, imports, public names, entry points, joints and risks of a small shop."""
    checks = (Checked("test", "pytest -q", passed=False), Checked("lint", "ruff check", passed=True))
    found = survey(
        lay_out(tmp_path, SHOP), "Change `shop/till.py`; see money.py.", commands=checks, dirty=["README.md"]
    )
    assert found is not None
    assert valid(found) == ""
    assert found["summary"] == "8 files: python (5 files, 21 lines); built with python; 1 test file (pytest)."
    assert found["file_inventory"]["named_by_plan"] == ["shop/till.py", "shop/money.py"]
    assert ["shop/till.py", "shop/money.py"] in found["dependency_graph"]["edges"]
    assert found["dependency_graph"]["most_used"][0] == {"path": "shop/money.py", "by": 2}
    assert found["dependency_graph"]["packages"] == ["httpx", "peewee"]
    assert found["build_system"]["commands"][0] == {"kind": "test", "command": "pytest -q", "passed_before": False}
    assert found["build_system"]["entry_points"] == ["shop/__main__.py"]
    assert found["test_layout"] == {"files": 1, "folders": ["tests"], "frameworks": ["pytest"]}
    assert found["public_symbols"] == [
        {"path": "shop/money.py", "names": ["Money"], "left_out": 0},
        {"path": "shop/till.py", "names": ["pay(amount)"], "left_out": 0},
    ]
    assert [p["text"] for p in found["integration_points"]] == [
        "HTTP client: httpx", "database: peewee", "continuous integration",
    ]  # fmt: skip
    assert [(r["file"], r["text"]) for r in found["risk_areas"]] == [
        ("", "`pytest -q` failed before anything was changed"),
        ("README.md", "changed by the user and not committed"),
    ]


def test_nothing_there_is_no_survey(tmp_path: Path) -> None:
    """D1: an empty workspace, or one with LAO's own files only, is not surveyed."""
    assert survey(tmp_path, "plan") is None
    lay_out(tmp_path, {"LAO_PLAN.md": "x"})
    assert survey(tmp_path, "plan", without=("LAO_PLAN.md",)) is None


def test_the_page_and_the_lines(tmp_path: Path) -> None:
    """D1: ANALYST.md says the same in words, and the lines for a prompt keep to their budget, whatever it is."""
    found = survey(lay_out(tmp_path, SHOP), "", commands=[Checked("test", "pytest -q", passed=True)])
    assert found is not None
    text = page(found)
    assert text.startswith("<!-- LAO ")
    for word in (
        "| python | 5 | 21 |",
        "`pytest -q` (test, passed before)",
        "`shop/money.py` (by 2)",
        "no model was asked",
    ):
        assert word in text
    assert is_own_report(report_text(found))
    assert not is_own_report('{"report_meta": 1}')
    assert not is_own_report("{broken")
    for limit in range(0, 400, 7):
        assert estimate(fitted(found, limit, estimate)) <= limit
    assert "pytest -q" in fitted(found, 200, estimate)


def test_big_untested_code_is_a_risk(tmp_path: Path) -> None:
    """D1: a file of a thousand lines and code without tests are said."""
    found = survey(lay_out(tmp_path, {"all.py": "x = 1\n" * 1000, "package.json": "{"}), "")
    assert found is not None
    assert {r["file"] for r in found["risk_areas"]} == {"", "all.py", "package.json"}


def test_a_large_workspace_has_a_bounded_report(tmp_path: Path) -> None:
    """D1: a thousand files with many names each still make a report of less than 200 kB."""
    body = "".join(f"def name_{n}(first, second):\n    return {n}\n" for n in range(60))
    found = survey(lay_out(tmp_path, {f"pkg{n % 40}/module_{n}.py": body for n in range(1000)}), "")
    assert found is not None
    assert valid(found) == ""
    assert found["file_inventory"]["left_out"] == 700
    assert len(report_text(found)) < 200_000


def test_which_files_a_plan_names() -> None:
    """D1: by path or by a name that only one file has; in the plan's order; never what is not there."""
    paths = {"a/x.py", "b/x.py", "b/only.ts", "Makefile"}
    text = "Change ./a/x.py, x.py and (only.ts). Then `Makefile`; not a/none.py or /etc/passwd."
    assert named_files(text, paths) == ("a/x.py", "b/only.ts", "Makefile")


def test_the_key_of_a_survey() -> None:
    """D1: the same files and named files have the same key; without a tree there is none."""
    assert reuse_key("t", ["b", "a"]) == reuse_key("t", ["a", "b"])
    assert len({reuse_key("t", []), reuse_key("t", ["a"]), reuse_key("u", [])}) == 3
    assert reuse_key("", ["a"]) == ""
