"""The memory files: nothing twice, nothing of the user's lost, also by a kill between the fact and its file."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lao.core.errors import BadInput
from lao.core.states import Phase
from lao.durable.journal import Journal
from lao.memory.book import MemoryBook
from lao.memory.facts import FACTS_LIMIT, digest
from lao.memory.section import render, split
from lao.state import facts
from lao.state.facts import LEARNED_LIMIT, Fact
from lao.state.store import Store
from lao.tools.toolbox import Toolbox
from tests.state.pipeline_steps import hand_in, ready_run, take
from tests.tools.conftest import Bench

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def book(store: Store, tmp_path: Path) -> MemoryBook:
    return MemoryBook(store, tmp_path / "LAO_MEMORY.md", tmp_path / "home" / ".lao" / "MEMORY.md")


def shown(book: MemoryBook) -> tuple[str, ...]:
    return split(book.project_file.read_text())[1]


@pytest.mark.parametrize("scope", ["project", "user"])
def test_append_and_forget_change_the_facts_and_nothing_else(book: MemoryBook, scope: str) -> None:
    """H2: a fact is there once in its file; the user's own text stays; what is unknown is not forgotten."""
    file = book.file(scope)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("# Mine\n\nUse tabs.\n")
    assert book.append("- The tests need Python 3.12.", scope)
    assert not book.append("the tests need python 3.12", scope)
    assert book.append("Ports begin at 9000.", scope)
    assert file.read_text().startswith("# Mine\n\nUse tabs.\n")
    assert split(file.read_text())[1] == ("The tests need Python 3.12.", "Ports begin at 9000.")
    assert book.own_text(scope) == "# Mine\n\nUse tabs."
    assert book.forget("NEED python", scope) == ("The tests need Python 3.12.",)
    assert book.forget("tabs", scope) == ()
    assert split(file.read_text())[1] == ("Ports begin at 9000.",)
    with pytest.raises(BadInput, match="many facts"):
        book.forget("a", scope)


@pytest.mark.parametrize("scope", ["project", "user"])
def test_memory_has_an_end(book: MemoryBook, scope: str) -> None:
    """H2: LAO 3.1's memory grew without end; here a full one says so."""
    for n in range(FACTS_LIMIT):
        if scope == "project":
            facts.add(book.store, Fact(digest(f"f {n}"), f"f {n}"))
    if scope == "user":
        book.file(scope).parent.mkdir(parents=True)
        book.file(scope).write_text(render("", [f"f {n}" for n in range(FACTS_LIMIT)]))
    with pytest.raises(BadInput, match="is full"):
        book.append("one more", scope)


def test_learned_facts_replace_older_ones_and_stay_forgotten(store: Store) -> None:
    """H2: a file that is written again has one line; what was forgotten is not learned again; the oldest go."""

    def learn(*given: Fact) -> int:
        with store.write():
            return facts.learn(given, 1.0)

    def wrote(text: str, subject: str = "file:a.py") -> Fact:
        return Fact(digest(text), text, subject, "approved", "p", 1)

    assert learn(wrote("Wrote a.py: f")) == 1
    assert learn(wrote("Wrote a.py: f")) == 0
    assert learn(wrote("Wrote a.py: f, g")) == 1
    assert [f.text for f in facts.known(store)] == ["Wrote a.py: f, g"]
    facts.forget(store, "a.py")
    assert learn(wrote("Wrote a.py: f, g, h"), wrote("Wrote a.py: f, g")) == 0
    assert facts.known(store) == ()
    facts.add(store, Fact(digest("mine"), "mine"))
    assert learn(*(wrote(f"fact {n}", f"file:{n}") for n in range(LEARNED_LIMIT + 20))) == LEARNED_LIMIT + 20
    texts = [f.text for f in facts.known(store)]
    assert "mine" in texts
    assert f"fact {LEARNED_LIMIT + 19}" in texts
    assert "fact 5" not in texts
    assert facts.add(store, Fact(digest("Wrote a.py: f, g"), "Wrote a.py: f, g")), "asked for by a person, it is back"


@pytest.mark.parametrize("damage", [b"\xff\xfe\x00", b"a\0b", b"x" * 300_000])
def test_a_file_that_is_no_text_is_named_and_left_alone(book: MemoryBook, damage: bytes) -> None:
    """H2: a binary or huge file is not overwritten; the fact is in the state all the same."""
    book.project_file.write_bytes(damage)
    with pytest.raises(BadInput, match=r"LAO_MEMORY\.md"):
        book.append("Use tabs.", "project")
    assert book.project_file.read_bytes() == damage
    book.project_file.unlink()
    book.sync()
    assert shown(book) == ("Use tabs.",)


def test_links_are_followed_and_not_replaced(book: MemoryBook, tmp_path: Path) -> None:
    """H2: a memory file that is a link into somebody's dotfiles stays one; a loop of links gives way."""
    (tmp_path / "dotfiles").mkdir()
    book.user_file.parent.mkdir(parents=True)
    book.user_file.symlink_to(tmp_path / "dotfiles" / "MEMORY.md")
    book.append("Use tabs.", "user")
    assert book.user_file.is_symlink()
    assert "Use tabs." in (tmp_path / "dotfiles" / "MEMORY.md").read_text()
    book.project_file.symlink_to(book.project_file)
    book.append("Use tabs.", "project")
    assert shown(book) == ("Use tabs.",)


KILLED = """
import os, pathlib, signal, sys
from lao.memory.book import MemoryBook
from lao.state.store import open_store
store = open_store(pathlib.Path(sys.argv[1]))
def killed(*_): os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.replace = killed  # the moment between the fact in the state and its file
book = MemoryBook(store, pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), "model")
book.append("Ports begin at 9000.", "project")
"""


def test_a_kill_between_fact_and_file(book: MemoryBook, tmp_path: Path) -> None:
    """P2 K1: killed after the state has the fact and before the file shows it: it is shown next time, once."""
    book.project_file.write_text("# Mine\n")
    arguments = [str(book.store.path), str(book.project_file), str(book.user_file)]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert book.project_file.read_text() == "# Mine\n"
    assert book.sync()
    assert shown(book) == ("Ports begin at 9000.",)
    assert not book.append("Ports begin at 9000.", "project"), "the resumed step finds it there"
    assert shown(book) == ("Ports begin at 9000.",)
    assert not book.sync()


def test_the_tools_are_keyed_steps(book: MemoryBook, store: Store, tmp_path: Path) -> None:
    """P2 F2: append and forget through dispatcher and journal; replayed, they change nothing and say the same."""
    bench = Bench(tmp_path)
    hand_in(store)
    claim = take(store, ready_run(Phase.INGEST))
    names = ("memory_append", "memory_forget", "memory_read")

    def attempt() -> list[str]:
        box, steps = Toolbox(bench.context(memory=book), names), Journal(store, claim)
        made = [
            ("memory_append", {"fact": "Ports begin at 9000."}),
            ("remember", {"fact": "Use tabs.", "scope": "user"}),
            ("memory_append", {"fact": "password: hunter22"}),
            ("memory_forget", {"fact_substring": "ports"}),
            ("memory_forget", {"fact_substring": "ports"}),
            ("memory_read", {}),
        ]
        return [box.call(name, arguments, steps, f"step-{n}").text for n, (name, arguments) in enumerate(made)]

    first = attempt()
    assert first[0] == "remembered (project): Ports begin at 9000."
    assert "seems to hold a secret" in first[2]
    assert first[3] == "forgotten (project): Ports begin at 9000."
    assert "no project fact contains" in first[4]
    assert first[5] == "# project\n(nothing yet)\n\n# user\n- Use tabs."
    audits = len(bench.audits)
    assert attempt() == first
    assert len(bench.audits) == audits
    assert book.facts("user") == ("Use tabs.",)
    without = Toolbox(bench.context(), names)
    assert not without.call("memory_read", {}, Journal(store, claim), "other").ok
