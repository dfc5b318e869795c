"""What a model is shown: tier by tier, never above the budget, and nothing that it must not see."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.llm.tokens import estimate
from lao.workspace.survey.facts import survey
from lao.workspace.survey.snapshot import Snapshot, snapshot
from tests.workspace.survey.test_facts import SHOP, lay_out

TITLES = [
    "# Folders and files",
    "# Manifests",
    "# Public names",
    "# Files that the plan names",
    "# Beginnings of files",
]


def shown(root: Path, budget: int, plan: str = "see shop/till.py", **more: object) -> Snapshot:
    document = survey(root, plan)
    assert document is not None
    return snapshot(root, document, budget, estimate, **more)  # type: ignore[arg-type]


def test_all_tiers_in_their_order(tmp_path: Path) -> None:
    """D1: tree, manifests, public names, the files that the plan names, excerpts."""
    found = shown(lay_out(tmp_path, SHOP), 4_000)
    places = [found.text.index(title) for title in TITLES]
    assert places == sorted(places)
    assert found.left_out == ()
    assert "shop/money.py: Money" in found.text
    assert "--- shop/till.py\nfrom shop.money import Money" in found.text
    assert found.text.count("--- shop/till.py") == 1


@pytest.mark.parametrize("wide", ["x", "é", "漢"])
def test_never_above_the_budget(tmp_path: Path, wide: str) -> None:
    """D1: whatever the budget and the letters, the text keeps to it, and says what it leaves out."""
    files = {
        **SHOP,
        "shop/till.py": f"# {wide * 200}\n" * 300,
        **{f"p/m{n}.py": f"def f{n}(): pass\n" for n in range(80)},
    }
    lay_out(tmp_path, files)
    for budget in [*range(0, 400, 13), 700, 1_500, 4_000]:
        found = shown(tmp_path, budget)
        assert found.tokens == (estimate(found.text) if found.text else 0) <= budget
        assert found.left_out
    assert "more lines]" in shown(tmp_path, 1_500).text


def test_what_one_tier_leaves_goes_to_the_next(tmp_path: Path) -> None:
    """D1: without manifests and names there is more room for the file that the plan names."""
    lay_out(tmp_path, {"notes.sql": "SELECT 1;\n" * 150})
    assert "more lines]" not in shown(tmp_path, 900, "notes.sql").text


def test_named_files_share_their_room(tmp_path: Path) -> None:
    """D1: one long file does not push the other ones that the plan names out of sight."""
    lay_out(tmp_path, {"a.py": "x = 1\n" * 3000, "b.py": "Y = 2\n", "c.py": "Z = 3\n"})
    text = shown(tmp_path, 1_500, "a.py b.py c.py").text
    assert text.index("--- a.py") < text.index("--- b.py\nY = 2") < text.index("--- c.py\nZ = 3")


def test_secrets_and_denied_files_are_not_opened(tmp_path: Path) -> None:
    """G5: no content of files with passwords in them, of denied ones, or of what a link leads to."""
    outside = tmp_path / "outside.py"
    outside.write_text("OUTSIDE = 'hunter1'\n")
    root = lay_out(tmp_path / "w", {**SHOP, ".env": "KEY=hunter2\n", "keys/k.py": "KEY = 'hunter3'\n"})
    (root / "link.py").symlink_to(outside)
    found = shown(root, 8_000, ".env keys/k.py link.py", hidden=lambda path: path.startswith("keys/"))
    assert "hunter" not in found.text
    document = survey(root, ".env keys/k.py link.py", hidden=lambda path: path.startswith("keys/"))
    assert document is not None
    assert "keys" not in str(document)


def test_a_file_that_went_since_is_passed_over(tmp_path: Path) -> None:
    """D1: what was there at the survey and is gone now breaks nothing."""
    document = survey(lay_out(tmp_path, SHOP), "shop/till.py")
    assert document is not None
    (tmp_path / "shop" / "till.py").unlink()
    assert "--- shop/till.py" not in snapshot(tmp_path, document, 4_000, estimate).text
