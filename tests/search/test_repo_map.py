"""Promises of the repository map: what the task leans on comes first, and the budget is kept."""

from __future__ import annotations

import json

import pytest

from lao.llm.tokens import estimate
from lao.search import grammars
from lao.search.repo_map import Focus, pagerank, repo_map
from lao.search.tags import Tags, language_of, tags_of
from tests.search.conftest import Desk

SHOP = {
    "shop/money.py": "class Money:\n    def add_up(self):\n        pass\n\ndef round_price(x):\n    return x\n",
    "shop/cart.py": "from shop.money import Money, round_price\n\ndef sum_cart():\n    return round_price(Money())\n",
    "shop/mail.py": "def send_letter(\n    address,\n    body=None,\n):\n    return address\n",
    "shop/orders.py": """
from shop.cart import sum_cart
from shop.mail import send_letter
from shop.money import Money

def place_order():
    send_letter(sum_cart(), Money())
""",
    "tests/test_shop.py": """
from shop.money import Money

def helper_for_tests():
    return Money()

def test_it():
    helper_for_tests()
""",
    "notes.md": "# Money\n",
}
ANYTHING = Focus()


def shown(desk: Desk, budget: int = 1000, focus: Focus = ANYTHING) -> str:
    return repo_map(desk.index, desk.root, budget, estimate, focus)


def test_what_is_used_most_comes_first(desk: Desk) -> None:
    """C2: with little room the map shows what the most files lean on, and no test's helpers."""
    desk.write(SHOP)
    small = shown(desk, 16)
    assert small == "shop/money.py:\n  class Money:\n  def round_price(x):"
    whole = shown(desk)
    assert "  def send_letter(address, body=None):" in whole.splitlines()
    assert whole.index("shop/cart.py:") < whole.index("shop/mail.py:") < whole.index("shop/money.py:")


def test_the_map_is_for_the_task(desk: Desk) -> None:
    """C2: the task's files and the names in its text decide what is shown first; files shown anyway are left out."""
    desk.write(SHOP)
    about_mail = shown(desk, 16, Focus(text="The letter of send_letter has no date."))
    assert "send_letter" in about_mail
    of_cart = shown(desk, 30, Focus(files=("shop/cart.py",), without={"shop/cart.py"}))
    assert "shop/money.py:" in of_cart
    assert "shop/cart.py:" not in of_cart


def test_the_map_begins_where_the_tasks_words_are(desk: Desk) -> None:
    """A file that nothing leans on and whose names nobody says comes first when its text is about the task."""
    desk.write(
        SHOP | {"shop/rates.py": '"""Value-added tax."""\n\ndef vat_of(cents):\n    """The tax on an amount."""\n'}
    )
    words = Focus(files=("shop/gross.py",), text="Write the amount and its value-added tax together.")
    assert shown(desk, 16, words).startswith("shop/rates.py:\n  def vat_of(cents):")
    assert "vat_of" not in shown(desk, 16, Focus(files=("shop/gross.py",)))


@pytest.mark.parametrize("budget", [0, 1, 5, 12, 20, 35, 60, 200])
def test_the_budget_is_kept(desk: Desk, budget: int) -> None:
    """C2: never more tokens than allowed; nothing where nothing fits."""
    desk.write(SHOP)
    text = shown(desk, budget)
    assert estimate(text) <= budget
    assert bool(text) == (budget >= 12)


def test_the_same_workspace_gives_the_same_map(desk: Desk) -> None:
    """E7: the prompt's bytes do not change while the workspace does not."""
    desk.write(SHOP)
    focus = Focus(("shop/orders.py",), "Place orders twice")
    first = shown(desk, 40, focus)
    desk.index.forget()
    assert shown(desk, 40, focus) == first != ""


def test_without_definitions_there_is_no_map(desk: Desk) -> None:
    """An empty workspace, and one of prose, have none."""
    assert shown(desk) == ""
    desk.write({"a.md": "# Title\n", "data.json": "{}"})
    assert shown(desk) == ""


def test_pagerank_is_a_distribution() -> None:
    """The ranks sum to 1; what is pointed at more has more; a reader begins where the task is."""
    edges = {"a": {("c", "x"): 2.0}, "b": {("c", "y"): 1.0, ("a", "z"): 1.0}, "c": {}}
    ranks = pagerank(["a", "b", "c"], edges, {})
    assert sum(ranks.values()) == pytest.approx(1.0)
    assert ranks["c"] > ranks["a"] > ranks["b"]
    assert pagerank(["a", "b", "c"], edges, {"b": 1.0})["b"] > ranks["b"]
    assert pagerank([], {}, {}) == {}


def test_python_tags() -> None:
    """Functions, classes, methods and constants are definitions; local variables refer to nothing."""
    text = """from m import other
LIMIT = 3
class A(Base):
    def run(self, found):
        name = found
        return other(name).go()
"""
    tags = tags_of("python", text)
    assert [(d.name, d.line) for d in tags.definitions] == [("LIMIT", 2), ("A", 3), ("run", 4)]
    assert tags.references == {"Base": 1, "go": 1, "other": 2}
    assert Tags.from_text(tags.to_text()) == tags


@pytest.mark.parametrize(
    ("path", "text", "defined"),
    [
        ("a.py", "def broken(:\n  pass\nclass Half:\n", ["broken", "Half"]),
        ("a.ts", "export interface Shape { }\nexport const area = (s) => 1\nexport async function go() {}\n", None),
        ("a.go", "package m\nfunc (s *T) Run() {\n}\ntype T struct {\n}\n", ["Run", "T"]),
        ("a.rb", "class A\n  def self.run\n  end\nend\n", ["A", "run"]),
        ("a.rs", "pub fn go() {\n}\npub struct S;\n", ["go", "S"]),
        ("a.java", "public class A {\n}\n", ["A"]),
        ("a.c", "static int add_all(int x)\n{\n}\n", ["add_all"]),
        ("a.sh", "run_it() {\n}\n", ["run_it"]),
    ],
)
def test_other_languages(path: str, text: str, defined: list[str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no parser reads a language, patterns find its definitions: the extra is a gain, not a need."""
    wanted = defined or ["Shape", "area", "go"]
    monkeypatch.setattr(grammars, "_PACKAGES", {})
    _forget_grammars()
    try:
        assert [d.name for d in tags_of(language_of(path), text).definitions] == wanted
    finally:
        _forget_grammars()


def _forget_grammars() -> None:
    grammars.has.cache_clear()
    grammars._load.cache_clear()


@pytest.mark.parametrize("language", ["javascript", "typescript", "tsx", "go", "rust", "java", "c", "cpp"])
def test_grammars_where_they_are_installed(language: str) -> None:
    """The extra's grammars load with their queries and find definitions and references; the extra dev has them."""
    assert grammars.has(language), "pip install '.[dev]' brings the extra 'grammars'"
    texts = {
        "go": "package m\nfunc Run() { other() }\n",
        "rust": "fn run() { other(); }\n",
        "java": "class A { int run() { return other(); } }\n",
        "c": "int run(int x) { return other(x); }\n",
        "cpp": "int run(int x) { return other(x); }\n",
    }
    tags = tags_of(language, texts.get(language, "function run(x) { return other(x) }\n"))
    assert "run" in [d.name.lower() for d in tags.definitions]
    assert "other" in tags.references


def test_tags_are_plain_json() -> None:
    """What the index keeps can be read by anyone."""
    assert json.loads(tags_of("python", "def a(): pass\n").to_text()) == [[["a", 1, "def a(): pass"]], {}]
