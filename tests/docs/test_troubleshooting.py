"""docs/troubleshooting.md quotes what LAO really says, and names every class of error and only commands that exist."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from lao.cli.commands import COMMANDS
from lao.config.schema import load_schema
from lao.core import errors
from scripts.docs_errors import classes, is_said, said_by

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (`.+?) \| ", re.MULTILINE)


def messages() -> list[str]:
    """What the page quotes: each code in the first cell of a table above the generated part."""
    cells = ROW.findall(TEXT.split("## Every class of error", 1)[0])
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


def test_each_quoted_message_is_in_the_code() -> None:
    """O3: the fixed words of each message stand, in this order, in one text that the code can say."""
    texts = said_by(ROOT)
    assert [message for message in messages() if not is_said(message, texts)] == []
    assert len(messages()) >= 60
    assert len(set(messages())) == len(messages())


def test_words_that_nobody_says_are_found_out() -> None:
    """A message with another word, in another order, of values only, or of a docstring is none."""
    texts = said_by(ROOT)
    assert is_said("no room for model … after … s: …", texts)
    assert not is_said("no room for module … after … s: …", texts)
    assert not is_said("after … no room for model …", texts)
    assert not is_said("… …", texts)
    assert not is_said("Base of all errors that LAO raises on purpose", texts)


def test_each_class_of_error_is_in_the_page() -> None:
    """O3: the table has every class of lao/core/errors.py and those below them, with the exit code of the class."""
    table = {one.name: one for one in classes(ROOT)}
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        assert table[name].exit_code == kind.exit_code, name
        assert f"\n| `{name}` | {kind.exit_code} | " in TEXT, name
        below = {one.__name__ for one in kind.__subclasses__() if not one.__name__.startswith("_")}
        assert below <= table.keys()


def test_each_command_of_a_remedy_exists() -> None:
    """O3: nobody is sent to a command that is not there."""
    named = set(re.findall(r"`lao ([a-z][a-z-]+)", TEXT))
    assert named <= COMMANDS.keys()
    assert {"doctor", "status", "retry-failed", "health", "restore"} <= named


def test_each_key_of_a_remedy_exists() -> None:
    """O3: keys of factory.yaml are spelled as the schema has them; ROLE stands for each of the roles."""
    known = {leaf.key for leaf in load_schema().leaves()} | {"server.kind"}
    sections = {key.split(".")[0] for key in known}
    named = set(re.findall(r"`((?:[a-z_]+)(?:\.(?:ROLE|[a-z_]+))+)(?:: [^`]*)?`", TEXT))
    keys = {key.replace("ROLE", "coder") for key in named if key.split(".")[0] in sections}
    assert keys - known == set()
    assert len(keys) >= 15
