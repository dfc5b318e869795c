"""Promises: tests are judges. Bending them blocks, doing honest work beside them does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.core.words import Finding, TaskSpec
from lao.quality.protection import fingerprint, is_test, judge_files, protected_files, tampered
from lao.quality.verifier import verify_files

TESTS = '''import unittest
from calc import add


class AddTest(unittest.TestCase):
    def test_small(self):
        self.assertEqual(add(1, 2), 3)
        self.assertEqual(add(0, 0), 0)

    def test_negative(self):
        with self.assertRaises(ValueError):
            add(-1, 0)


def test_plain():
    """Adds."""
    assert add(2, 2) == 4
'''
SPEC = TaskSpec("Write add", "Implement `calc.py` so that the tests in `calc_test.py` pass.", ("calc.py",))


def blocks(findings: tuple[Finding, ...]) -> list[str]:
    return [f.kind for f in findings if f.blocks]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        self.assertEqual(add(0, 0), 0)\n", ""),
        ("self.assertEqual(add(0, 0), 0)", "pass"),
        ("assert add(2, 2) == 4", "assert True"),
        ("assert add(2, 2) == 4", "assert add(2, 2) == 4 or True"),
        ("assert add(2, 2) == 4", "assert add(2, 2) == 5"),
        ("assert add(2, 2) == 4", "return\n    assert add(2, 2) == 4"),
        (
            "    assert add(2, 2) == 4",
            "    try:\n        assert add(2, 2) == 4\n    except AssertionError:\n        pass",
        ),
        ("    assert add(2, 2) == 4", "    if False:\n        assert add(2, 2) == 4"),
        ("def test_plain", "def no_test_plain"),
        ("def test_plain", "import pytest\n@pytest.mark.xfail\ndef test_plain"),
        ("    def test_small", "    @unittest.skip('later')\n    def test_small"),
        ("class AddTest", "class NoAdd"),
        ("from calc import add", "def add(a, b): return a + b"),
        ("class AddTest", "add = lambda a, b: 3\n\n\nclass AddTest"),
        ("def test_plain", "import pytest\npytestmark = pytest.mark.skip\n\n\ndef test_plain"),
        ("    assert add(2, 2) == 4\n", "    assert add(2, 2) == 4\n\n\ndef test_plain():\n    assert 4 == 2 + 2\n"),
        ("    def test_small", "    def setUp(self):\n        self.skipTest('no')\n\n    def test_small"),
        ("def test_plain():", "def test_plain(:"),
    ],
)
def test_bent_tests_block(old: str, new: str) -> None:
    """Deleted, skipped, emptied, hollowed or changed tests of others are major findings."""
    assert old in TESTS
    found = tampered({"calc_test.py": TESTS}, {"calc_test.py": TESTS.replace(old, new)})
    assert set(blocks(found)) == {"tests_weakened"}
    assert "calc_test.py" in found[0].message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ('    """Adds."""\n', "    # a comment\n"),
        ("def test_plain", "def test_more():\n    assert add(5, 5) == 10\n\n\ndef test_plain"),
        (
            "    def test_negative",
            "    def test_big(self):\n        self.assertEqual(add(9, 9), 18)\n\n    def test_negative",
        ),
        ("import unittest\n", "import sys\nimport unittest\n"),
    ],
)
def test_what_leaves_tests_as_strict_is_fine(old: str, new: str) -> None:
    """Comments and added tests bend nothing."""
    assert tampered({"calc_test.py": TESTS}, {"calc_test.py": TESTS.replace(old, new, 1)}) == ()


def test_a_deleted_test_file_blocks() -> None:
    """Also when it is the task's own."""
    assert blocks(tampered({"calc_test.py": TESTS}, {})) == ["tests_weakened"]
    assert blocks(tampered({"calc_test.py": TESTS}, {}, own=["calc_test.py"])) == ["tests_weakened"]


def test_own_tests_may_change_and_not_get_weaker() -> None:
    """A task that writes tests may rewrite them; fewer and weaker ones than before block; new ones are free."""
    own = ["calc_test.py"]
    changed = TESTS.replace("== 4", "== 5").replace("test_small", "test_tiny").replace("import add", "import add, sub")
    assert tampered({"calc_test.py": TESTS}, {"calc_test.py": changed}, own=own) == ()
    weaker = TESTS.replace("        self.assertEqual(add(0, 0), 0)\n", "")
    assert blocks(tampered({"calc_test.py": TESTS}, {"calc_test.py": weaker}, own=own)) == ["tests_weakened"]
    assert blocks(tampered({"calc_test.py": TESTS}, {"calc_test.py": "def test_a():\n    assert True\n"}, own=own))
    assert tampered({}, {"calc_test.py": "def test_a():\n    assert True\n"}, own=own) == ()


JEST = "test('a', () => {\n  expect(f(1)).toBe(2);\n});\n"
GO = "func TestA(t *testing.T) {\n\tt.Error(1)\n}\n"
RUST = "#[test]\nfn a() {\n    assert_eq!(f(), 1);\n}\n"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.test.js", JEST, JEST.replace("test(", "test.skip(")),
        ("a.test.js", JEST, JEST.replace("toBe(2)", "toBe(3)")),
        ("a.test.js", JEST, "test('a', () => {\n});\n"),
        ("add_test.go", GO, GO.replace("\tt.Error", "\tt.Skip()\n\tt.Error")),
        ("tests/a.rs", RUST, RUST.replace("fn a", "#[ignore]\nfn a")),
    ],
)
def test_other_languages_by_lines(name: str, before: str, after: str) -> None:
    """Skips, lost and changed lines of tests block; added tests do not."""
    assert blocks(tampered({name: before}, {name: after}))
    assert tampered({name: before}, {name: before + "\n// more\n" + before.replace("a'", "b'")}) == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conftest.py", "def pytest_collection_modifyitems(items):\n    items.clear()\n"),
        ("tests/conftest.py", "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef x(monkeypatch):\n    pass\n"),
        ("conftest.py", "import os\nos._exit(0)\n"),
        ("conftest.py", "import calc\ncalc.add = lambda a, b: 3\n"),
        ("conftest.py", "collect_ignore = ['calc_test.py']\n"),
        ("sitecustomize.py", "x = 1\n"),
        ("pytest.py", "def main(): pass\n"),
        ("unittest/__init__.py", "class TestCase: pass\n"),
        ("pytest.ini", "[pytest]\naddopts = --ignore=calc_test.py\n"),
        ("pyproject.toml", "[project]\nname = 'x'\n\n[tool.pytest.ini_options]\npython_files = 'nothing_*.py'\n"),
        ("calc.py", "import sys\nsys.exit(0)\n"),
        ("calc.py", "import os\n\nif True:\n    os._exit(0)\n"),
        ("calc.py", "raise SystemExit\n"),
        ("calc.py", "import atexit, os\natexit.register(os._exit, 0)\n"),
        ("calc.py", "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\n"),
    ],
)
def test_ways_around_the_tests_block(name: str, text: str) -> None:
    """Hooks, shadowing modules, test settings and early exits that come with an attempt are major findings."""
    assert blocks(tampered({"calc_test.py": TESTS}, {"calc_test.py": TESTS, name: text}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conftest.py", "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent))\n"),
        ("conftest.py", ""),
        ("pyproject.toml", "[project]\nname = 'x'\n"),
        ("setup.cfg", "[metadata]\nname = x\n"),
        ("calc.py", "import sys\n\n\ndef main():\n    sys.exit(1)\n\n\nif __name__ == '__main__':\n    sys.exit(0)\n"),
        ("main.py", "import sys\nsys.exit(main())\n"),
        ("calc.py", "class A:\n    def __eq__(self, other):\n        return self.x == other.x\n"),
        ("fixtures.py", "import pytest\n"),
    ],
)
def test_honest_additions_do_not_block(name: str, text: str) -> None:
    """Path set-up, project metadata, scripts and comparisons are ordinary work."""
    assert blocks(tampered({"calc_test.py": TESTS}, {"calc_test.py": TESTS, name: text})) == []


def test_an_equality_that_always_holds_is_noted() -> None:
    """It may be meant; the reviewer sees the note."""
    text = "class A:\n    def __eq__(self, other):\n        return True\n"
    (found,) = tampered({"calc_test.py": TESTS}, {"calc_test.py": TESTS, "calc.py": text})
    assert (found.kind, found.blocks) == ("hollow_eq", False)


def test_settings_that_were_there() -> None:
    """A changed test section blocks, other sections of the same file are free, the task's own file is its own."""
    before = {
        "calc_test.py": TESTS,
        "pyproject.toml": "[project]\nname = 'x'\n\n[tool.pytest.ini_options]\naddopts = '-q'\n",
    }
    other = before["pyproject.toml"].replace("'x'", "'y'")
    assert tampered(before, {**before, "pyproject.toml": other}) == ()
    bent = before["pyproject.toml"].replace("-q", "-k nothing")
    assert blocks(tampered(before, {**before, "pyproject.toml": bent})) == ["tests_configured"]
    assert tampered(before, {**before, "pyproject.toml": bent}, own=["pyproject.toml"]) == ()
    scripts = {"a.test.js": "test('a')", "package.json": '{"scripts": {"test": "jest"}, "dependencies": {}}'}
    more = scripts["package.json"].replace("{}", '{"x": "1"}')
    assert tampered(scripts, {**scripts, "package.json": more}) == ()
    assert blocks(tampered(scripts, {**scripts, "package.json": more.replace("jest", "true")})) == ["tests_configured"]


def test_which_files_are_judges(tmp_path: Path) -> None:
    """Tests that the task or its commands name, those of a bare runner, and the configuration around them."""
    names = ["calc.py", "calc_test.py", "tests/test_b.py", "tests/conftest.py", "pytest.ini", "check.sh", "other.txt"]
    write(tmp_path, dict.fromkeys(names, "x = 1\n"))
    write(tmp_path, {".venv/lib/test_c.py": ""})
    assert set(judge_files(tmp_path, ["python -m pytest -q"], SPEC)) == {
        "calc_test.py", "tests/test_b.py", "tests/conftest.py", "pytest.ini",
    }  # fmt: skip
    assert set(judge_files(tmp_path, ["sh check.sh"], TaskSpec("t", "d", ("calc.py",)))) >= {"check.sh"}
    assert "calc_test.py" in judge_files(tmp_path, [], SPEC)
    assert judge_files(tmp_path, ["python calc.py"], TaskSpec("t", "d", ("calc.py",))) == ()
    assert judge_files(tmp_path, ["cat nothing.txt"], TaskSpec("t", "d")) == ()


def test_which_files_a_task_may_not_write(tmp_path: Path) -> None:
    """Given tests and their hooks, but not what the task is to write, and not settings with other uses."""
    judges = ("calc_test.py", "conftest.py", "pyproject.toml")
    assert protected_files(judges, SPEC) == {"calc_test.py", "conftest.py"}
    assert protected_files(judges, TaskSpec("t", "d", ("calc_test.py",))) == {"conftest.py"}


def test_fingerprint(tmp_path: Path) -> None:
    """Equal for equal bytes; what is not there is left out."""
    write(tmp_path, {"a.py": "x", "b.py": "x", "c.py": "y"})
    found = fingerprint(tmp_path, ["a.py", "b.py", "c.py", "d.py"])
    assert set(found) == {"a.py", "b.py", "c.py"}
    assert found["a.py"] == found["b.py"] != found["c.py"]


def test_the_verifier_finds_bent_tests_in_the_folder(tmp_path: Path) -> None:
    """``verify_files`` compares with the texts before the attempt; without them, or when nothing was bent, it is
    silent, and a link in place of a test is no test."""
    write(tmp_path, {"calc.py": "def add(a, b):\n    return a + b\n", "calc_test.py": TESTS})
    judges = {"calc_test.py": TESTS}
    assert verify_files(tmp_path, SPEC, ("calc.py",), judges_before=judges) == ()
    write(
        tmp_path,
        {
            "calc_test.py": TESTS.replace("assert add(2, 2) == 4", "assert True"),
            "conftest.py": "import os\nos._exit(0)\n",
        },
    )
    assert verify_files(tmp_path, SPEC, ("calc.py", "calc_test.py")) == ()
    found = verify_files(tmp_path, SPEC, ("calc.py", "conftest.py"), judges_before=judges)
    assert [f.kind for f in found if f.blocks] == ["tests_weakened", "tests_weakened", "tests_hooked", "early_exit"]
    (tmp_path / "calc_test.py").unlink()
    (tmp_path / "calc_test.py").symlink_to("/dev/null")
    found = verify_files(tmp_path, SPEC, ("calc.py",), judges_before=judges)
    assert [f.message for f in found] == ["'calc_test.py': the test file was deleted"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("calc_test.py", True), ("test_calc.py", True), ("tests/helpers.py", True), ("src/a.spec.ts", True),
        ("__tests__/a.js", True), ("add_test.go", True), ("calc.py", False), ("contest.py", False),
        ("latest.py", False), ("testing.py", False), ("src/attest/a.py", False),
    ],
)  # fmt: skip
def test_names_of_tests(path: str, expected: bool) -> None:
    """By name or folder, and not by letters in the middle of a word."""
    assert is_test(path) is expected
