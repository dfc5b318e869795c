"""Promises: manifests say which commands decide where nobody does; what cannot run here is said, never run."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from lao.quality.inference import infer, inferred


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every program is on this machine, except those whose name says that it is not."""
    monkeypatch.setattr(shutil, "which", lambda name: None if "absent" in name else f"/bin/{name}")


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def package(root: Path, scripts: dict[str, str], **more: Any) -> None:
    (root / "package.json").write_text(json.dumps({"scripts": scripts, **more}))


def test_nothing_to_go_by(tmp_path: Path) -> None:
    """An empty folder, and a project without a test, ask for nothing."""
    assert inferred(tmp_path) == ()
    write(tmp_path, pyproject_DOT_toml="[project]\nname = 'x'\n", tests__data_DOT_txt="")
    assert inferred(tmp_path) == ()


def test_python(tmp_path: Path, tools: None) -> None:
    """Tests ask for pytest, a ruff or mypy section for those; the project's own environment runs its tests."""
    write(tmp_path, pyproject_DOT_toml="[tool.ruff]\nline-length = 9\n[tool.mypy]\nstrict = true\nfiles = ['a']\n")
    write(tmp_path, tests__test_a_DOT_py="")
    assert infer(tmp_path) == (
        ("test", f"{sys.executable} -m pytest -q"), ("lint", "ruff check ."), ("check", "mypy"),
    )  # fmt: skip
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    assert infer(tmp_path)[0][1].startswith(sys.executable)
    (tmp_path / ".venv/lib/python3.12/site-packages/pytest").mkdir(parents=True)
    assert infer(tmp_path)[0] == ("test", ".venv/bin/python -m pytest -q")


def test_mypy_needs_its_files(tmp_path: Path, tools: None) -> None:
    """A mypy section that names no files would end with a usage message, so it is left alone."""
    write(tmp_path, pyproject_DOT_toml="[tool.mypy]\nstrict = true\n[tool.other]\nfiles = ['a']\n")
    assert infer(tmp_path) == ()


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        ("package-lock.json", ["npm run --silent build", "npm test --silent"]),
        ("pnpm-lock.yaml", ["pnpm --silent run build", "pnpm --silent run test"]),
        ("yarn.lock", ["yarn run build", "yarn run test"]),
        ("bun.lock", ["bun run --silent build", "bun run --silent test"]),
    ],
)
def test_lock_file_names_the_manager(tmp_path: Path, tools: None, lock: str, expected: list[str]) -> None:
    """The scripts are run by the package manager whose lock file is there; packageManager says it over that."""
    package(tmp_path, {"build": "tsc", "test": "jest"})
    (tmp_path / lock).touch()
    assert [c for _, c in infer(tmp_path)] == expected
    package(tmp_path, {"build": "tsc"}, packageManager="pnpm@9.1.0")
    assert [c for _, c in infer(tmp_path)] == ["pnpm --silent run build"]


@pytest.mark.parametrize(
    "script",
    [
        'echo \\"Error: no test specified\\" && exit 1',
        "jest --watch",
        "vitest --ui",
        "eslint --fix .",
        "",
        "jest --watchAll",
    ],
)
def test_scripts_that_are_no_check(tmp_path: Path, tools: None, script: str) -> None:
    """Watchers, writers and the script of ``npm init`` are passed over."""
    package(tmp_path, {"test": script, "lint": script})
    assert inferred(tmp_path) == ()


def test_what_cannot_run_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing tool, packages that are not installed, a download: shown with the reason, and not run."""
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/npm" if name == "npm" else None)
    package(tmp_path, {"test": "NODE_ENV=test jest --ci"}, devDependencies={"jest": "1"})
    assert [i.line for i in inferred(tmp_path)] == [
        "npm test --silent (package.json): not run, its packages are not installed: npm install"
    ]
    (tmp_path / "node_modules/.bin").mkdir(parents=True)
    assert inferred(tmp_path)[0].unusable == "jest is not installed"
    (tmp_path / "node_modules/.bin/jest").touch()
    assert infer(tmp_path) == (("test", "npm test --silent"),)
    package(tmp_path, {"test": "npm ci && jest"})
    assert "no network" in inferred(tmp_path)[0].unusable
    write(tmp_path, go_DOT_mod="module x", tox_DOT_ini="[tox]\n", Makefile="lint:\n\tcurl x\n")
    assert infer(tmp_path) == ()
    shown = [i.line for i in inferred(tmp_path)]
    assert "go build ./... (go.mod): not run, go is not installed" in shown
    assert "make lint (Makefile): not run, make is not installed" in shown
    assert "tox (tox.ini): not run, it installs packages, and checks have no network" in shown


@pytest.mark.parametrize("text", ["[", "[]", "null", '{"scripts": []}', '{"scripts": {"test": 5}}', "\0"])
def test_broken_package_json(tmp_path: Path, tools: None, text: str) -> None:
    """A manifest of another form asks for nothing; that it does not parse is the verifier's to say."""
    (tmp_path / "package.json").write_text(text)
    assert inferred(tmp_path) == ()


def test_go_rust_swift(tmp_path: Path, tools: None) -> None:
    """Each language's own tool; tests only where there are some."""
    write(tmp_path, go_DOT_mod="module x", Cargo_DOT_toml="", Package_DOT_swift="", src__lib_DOT_rs="fn a() {}")
    assert [c for _, c in infer(tmp_path)] == ["go build ./...", "cargo check", "swift build"]
    write(tmp_path, pkg__a_test_DOT_go="", src__lib_DOT_rs="#[test]\nfn a() {}", _DOT_swiftlint_DOT_yml="")
    (tmp_path / "Tests").mkdir()
    assert [c for _, c in infer(tmp_path)] == [
        "go build ./...", "go test ./...", "cargo check", "cargo test", "swift build", "swift test",
        "swiftlint lint --quiet",
    ]  # fmt: skip


def test_packages_are_not_searched(tmp_path: Path, tools: None) -> None:
    """A test among installed packages is none of the project's."""
    write(tmp_path, go_DOT_mod="module x", vendor__a__a_test_DOT_go="")
    assert [c for _, c in infer(tmp_path)] == ["go build ./..."]


def test_makefile(tmp_path: Path, tools: None) -> None:
    """Targets count for what no language's tool does; ``check`` stands for ``test``; assignments are no targets."""
    write(tmp_path, Makefile="test := x\ncheck: all\n\tpython -m unittest\nlint:\n\truff .\nbuild:\n\tpip install .\n")
    assert infer(tmp_path) == (("lint", "make lint"), ("test", "make check"))
    assert "pip install" in next(i for i in inferred(tmp_path) if i.kind == "build").unusable
    write(tmp_path, test_a_DOT_py="")
    assert [c for k, c in infer(tmp_path) if k == "test"] == [f"{sys.executable} -m pytest -q"]
