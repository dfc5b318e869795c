"""What is told to a model that has guessed a name of the workspace's own code."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.quality.known_names import MOST_LINES, known_names

MONEY = '''"""Amounts are whole cents."""

LIMIT = 5


def as_money(cents: int, sign: str = "CHF") -> str:
    """An amount for people."""


def _own(x):
    """Private."""
'''
PEOPLE = '''from dataclasses import dataclass


@dataclass
class Customer:
    """Somebody who buys."""

    first: str
    number: int = 0

    def mark(self) -> str:
        """For labels."""


class Desk:
    def __init__(self):
        self.height = 3
        self._hidden = 1
        self.width, self.depth = 1, 2
'''


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A package of two modules, one of them below ``src`` as well."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "money.py").write_text(MONEY)
    (tmp_path / "shop" / "people.py").write_text(PEOPLE)
    (tmp_path / "shop" / "broken.py").write_text("def (:\n")
    return tmp_path


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        (
            "  from shop.cash import as_money\nModuleNotFoundError: No module named 'shop.cash'",
            [
                "there is no module shop.cash; shop has broken, money, people",
                "perhaps what is meant: from shop.money import as_money, which is "
                "as_money(cents: int, sign: str='CHF') -> str: An amount for people.",
            ],
        ),
        (
            "ImportError: cannot import name 'money' from 'shop.money' (/x/shop/money.py)",
            ["shop/money.py has no money; it has as_money(cents: int, sign: str='CHF') -> str, _own(x)"],
        ),
        (
            "ImportError: cannot import name 'Desk' from 'shop.money' (/x/shop/money.py)",
            [
                "shop/money.py has no Desk; it has as_money(cents: int, sign: str='CHF') -> str, _own(x)",
                "Desk is here: from shop.people import Desk, which is class Desk",
            ],
        ),
        (
            "AttributeError: 'Customer' object has no attribute 'name'",
            ["Customer (shop/people.py) has no name; it has first, number, mark() -> str"],
        ),
        (
            "AttributeError: 'Desk' object has no attribute 'size'",
            ["Desk (shop/people.py) has no size; it has height, width, depth"],
        ),
        (
            "AttributeError: module 'shop.people' has no attribute 'Client'",
            ["shop/people.py has no Client; it has class Customer, class Desk"],
        ),
        (
            "ImportError: cannot import name 'format_money' from 'shop' (/x/shop/__init__.py)",
            [
                "shop has no format_money; its modules are broken, money, people",
                "perhaps what is meant: from shop.money import as_money, which is "
                "as_money(cents: int, sign: str='CHF') -> str: An amount for people.",
            ],
        ),
        (
            "NameError: name 'Desk' is not defined. Did you mean: 'desk'?",
            ["Desk is not imported; it is here: from shop.people import Desk, which is class Desk"],
        ),
        (
            "TypeError: as_money() got an unexpected keyword argument 'unit'",
            ["shop/money.py defines as_money(cents: int, sign: str='CHF') -> str"],
        ),
    ],
    ids=["module", "import", "elsewhere", "attribute", "of self", "member", "package", "name", "call"],
)
def test_a_wrong_guess_is_answered_with_what_there_is(shop: Path, output: str, lines: list[str]) -> None:
    """Python's own errors about missing names, each with the facts of the workspace."""
    assert known_names(output, shop).split("\n") == [f"- {line}" for line in lines]


@pytest.mark.parametrize(
    "output",
    [
        "ModuleNotFoundError: No module named 'requests'",
        "ModuleNotFoundError: No module named 'shop.receipt'",
        "AttributeError: 'NoneType' object has no attribute 'first'",
        "NameError: name 'math' is not defined",
        "TypeError: unsupported operand type(s) for +: 'int' and 'str'",
        "AssertionError: 3 != 4",
    ],
    ids=["not ours", "the task's own", "builtin", "standard library", "no call", "no name"],
)
def test_where_the_workspace_knows_nothing_nothing_is_said(shop: Path, output: str) -> None:
    """A library that is not installed, a file that the task is to write, an error that is not about a name."""
    assert known_names(output, shop, own=("shop/receipt.py",)) == ""


def test_what_may_not_be_read_is_not_told(shop: Path) -> None:
    """A denied path stays unknown, its names as well."""
    output = "NameError: name 'Desk' is not defined"
    assert "Desk" in known_names(output, shop)
    assert known_names(output, shop, hidden=lambda path: path == "shop/people.py") == ""


def test_it_is_short_whatever_the_output(shop: Path) -> None:
    """Many errors of a long output give a few lines of bounded length."""
    (shop / "shop" / "wide.py").write_text("".join(f"def name_{n}(): ...\n" for n in range(300)))
    wide = "AttributeError: module 'shop.wide' has no attribute 'x'\n"
    names = "".join(f"NameError: name 'name_{n}' is not defined\n" for n in range(50))
    lines = known_names(wide + names, shop).split("\n")
    assert len(lines) == MOST_LINES
    assert all(len(line) < 420 for line in lines)


def test_links_out_of_the_workspace_are_not_followed(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a link shows is no part of the workspace."""
    outside = tmp_path_factory.mktemp("outside") / "far.py"
    outside.write_text("class Faraway: ...\n")
    (shop / "shop" / "near.py").symlink_to(outside)
    assert known_names("NameError: name 'Faraway' is not defined", shop) == ""
