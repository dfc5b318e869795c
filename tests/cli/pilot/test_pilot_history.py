"""What is typed into the Pilot is kept for its owner, and an unwritable place stops nothing."""

from __future__ import annotations

import stat
from pathlib import Path

from lao.cli.pilot import following
from lao.cli.pilot.history import FILE_NAME, LARGEST, KeptHistory


def test_entries_come_back_in_the_next_session(tmp_path: Path) -> None:
    """L1: entries of many lines survive, the newest first, and the file is its owner's only (0600)."""
    path = tmp_path / ".lao" / FILE_NAME
    said: list[str] = []
    history = KeptHistory(path, said.append)
    for entry in ("one", "two\nlines\n", "# not a comment", "+plus", "\ud800 broken"):
        history.store_string(entry)
    assert list(KeptHistory(path, said.append).load_history_strings()) == [
        "? broken", "+plus", "# not a comment", "two\nlines\n", "one",
    ]  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert said == []


def test_a_large_history_is_cut_to_its_newest_half(tmp_path: Path) -> None:
    """L1: the file does not grow for ever, and the cut falls between entries."""
    path = tmp_path / FILE_NAME
    history = KeptHistory(path, lambda _text: None)
    entries = [f"{n} " + "x" * 1000 for n in range(LARGEST // 1000 + 20)]
    for entry in entries:
        history.store_string(entry)
    kept = list(KeptHistory(path, lambda _text: None).load_history_strings())
    assert kept == entries[::-1][: len(kept)]
    assert len(entries) // 3 < len(kept) < len(entries) * 2 // 3
    assert path.stat().st_size < LARGEST


def test_a_place_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    """L1: a read-only home costs the history and one line, never the input."""
    (tmp_path / "file").write_text("")
    said: list[str] = []
    history = KeptHistory(tmp_path / "file" / FILE_NAME, said.append)
    history.store_string("a")
    history.store_string("b")
    assert len(said) == 1
    assert "not kept" in said[0]
    folder = tmp_path / "folder"
    folder.mkdir()
    assert list(KeptHistory(folder, said.append).load_history_strings()) == []
    assert len(said) == 2


def test_only_a_dead_terminal_leaves_its_turn_to_the_next(tmp_path: Path) -> None:
    """L1: the note of a terminal that lives, and one that is torn, are left alone."""
    following.note(tmp_path, 3, 7)
    assert following.left(tmp_path) is None
    path = tmp_path / following.FOLDER / "chat-3.json"
    path.write_text(path.read_text().replace('"owner": "', '"owner": "another-boot-'))
    (path.with_name("chat-4.json")).write_text("{torn")
    assert following.left(tmp_path) == (3, 7)
    following.forget(tmp_path, 3)
    following.forget(tmp_path, 3)
    assert following.left(tmp_path) is None
