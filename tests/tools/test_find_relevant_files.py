"""Promises of find_relevant_files: what matches comes first, with and without a repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.tools.conftest import Bench


def test_find_relevant_files(bench: Bench) -> None:
    """Names and identifiers count, the best file comes first with its best line; ignored files are not looked at."""
    files = {
        "src/config_loader.py": "def loadConfig(path):\n    return parse(path)\n",
        "src/other.py": "# something else\nx = 1\n",
        "docs/config.md": "About config.\n",
        "build/config.py": "config config config\n",
        ".gitignore": "build/\n",
        "blob.bin": "config\0config",
    }
    for name, text in files.items():
        (bench.root / name).parent.mkdir(exist_ok=True)
        (bench.root / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=bench.root, check=True)
    lines = bench.call("find_relevant_files", {"query": "load config"}).text.splitlines()
    assert lines == ["src/config_loader.py:1: def loadConfig(path):", "docs/config.md:1: About config."]
    assert len(bench.call("find_relevant_files", {"query": "config", "limit": 1}).text.splitlines()) == 1
    assert "no file has" in bench.call("find_relevant_files", {"query": "zebra"}).text
    assert "no file has" in bench.call("find_relevant_files", {"query": "?"}).text


def test_find_relevant_files_without_a_repository(bench: Bench, tmp_path: Path) -> None:
    """Without git the folder is walked; links that lead out are not read."""
    (tmp_path / "secret.txt").write_text("zebra")
    (bench.root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (bench.root / "a.txt").write_text("zebra crossing")
    assert bench.call("find_relevant_files", {"query": "zebra"}).text == "a.txt:1: zebra crossing"
