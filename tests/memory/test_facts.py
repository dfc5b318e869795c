"""Learned facts: one line, no secret, once however they are spelled; and the section that LAO keeps in a file."""

from __future__ import annotations

import pytest

from lao.core.errors import BadInput
from lao.memory.facts import LENGTH_LIMIT, checked, digest, learned, secret_in
from lao.memory.section import BEGIN, END, own_text, render, split
from lao.workspace.symbols import public_names


@pytest.mark.parametrize(
    "text",
    [
        "key AKIAIOSFODNN7EXAMPLE",
        "use ghp_abcdefghijklmnopqrstuvwxyz0123",
        "OPENAI_API_KEY=sk-proj-abcdefghijklmnop1234",
        "password: hunter22",
        "the password is hunter2!",
        "DB is at postgres://me:secret1@db/x",
        "-----BEGIN RSA PRIVATE KEY-----",
        "xoxb-123456789012-abcdef",
        "token = eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghij",
        "Authorization: Bearer abcdef123456",
        "client_secret=9f8e7d6c5b",
    ],
)
def test_secrets_are_refused(text: str) -> None:
    """H2: memory is read by every model: what looks like a secret does not get in."""
    assert secret_in(text)
    with pytest.raises(BadInput, match="seems to hold"):
        checked(text)


@pytest.mark.parametrize(
    "text",
    [
        "Passwords are hashed with scrypt in auth/hash.py.",
        "The token bucket holds ten tokens.",
        "The API key is read from the environment variable SHOP_KEY.",
        "Wrote shop/token.py: tokenize(text), Token",
        "In shop/ `python3 -m pytest -q` passes",
        "See https://example.org:8080/docs for the format.",
    ],
)
def test_words_about_secrets_are_no_secrets(text: str) -> None:
    """H2: a fact may say where a secret is kept and what code is about."""
    assert checked(text) == text


def test_a_fact_is_one_bounded_line() -> None:
    """H2: dashes, line breaks and control characters go; what is empty, too long or holds a mark is refused."""
    assert checked("- The\n tests\tneed \x07 tabs ") == "The tests need tabs"
    for bad in ("", " \n", "x" * (LENGTH_LIMIT + 1), "a <!-- b", f"x {END}"):
        with pytest.raises(BadInput):
            checked(bad)


def test_the_same_fact_in_other_words_of_the_same_letters() -> None:
    """H2: case, blanks, quotes and the last full stop make no second fact."""
    assert digest("Use `tabs`.") == digest("use  Tabs")
    assert digest("Use tabs") != digest("Use spaces")


def test_what_an_approved_task_teaches() -> None:
    """H2: files with their public names and passing commands, without asking a model."""
    code = "import os\n\nLIMIT = 3\n\ndef total(items, tax=0):\n    pass\n\nclass Basket:\n    pass\n"
    code += "\n\ndef _hidden():\n    pass\n"
    names = public_names("basket.py", code)
    assert names == ("total(items, tax)", "Basket")
    assert public_names("a.ts", "export function go(a: number) {\n}\nclass Box {\n}\n") == ("go", "Box")
    assert public_names("a.go", "func (b *Box) Sum() int {\n}\n") == ("Sum",)
    assert public_names("a.txt", "hello") == ()
    facts = learned(
        "shop", [("basket.py", names)], ["pytest -q", "pytest -q", "python - <<E\nx\nE"], plan="shop", task=3
    )
    assert [f.text for f in facts] == ["Wrote shop/basket.py: total(items, tax), Basket", "In shop/ `pytest -q` passes"]
    assert facts[0].subject == "file:shop/basket.py"
    assert (facts[0].plan, facts[0].task, facts[0].origin) == ("shop", 3, "approved")
    assert learned("shop", [], ["curl -H 'Authorization: Bearer abcdef123456'"]) == ()


def test_the_section_keeps_what_the_user_wrote() -> None:
    """H2: only what is between the marks is replaced, wherever the user moved it."""
    mine = "# Ours\n\nUse tabs.\n"
    once = render(mine, ["one", "two"])
    assert once.startswith(mine)
    assert split(once)[1] == ("one", "two")
    assert own_text(once) == "# Ours\n\nUse tabs."
    edited = once.replace("Use tabs.", "Use spaces.") + "\nMore below.\n"
    again = render(edited, ["three"])
    assert "Use spaces." in again
    assert again.endswith("\nMore below.\n")
    assert split(again)[1] == ("three",)
    assert render(again, ["three"]) == again
    assert render("", ["x"]).count(BEGIN) == 1
    assert render("mine\n", []) == "mine\n"


@pytest.mark.parametrize(
    "broken", [f"a\n{BEGIN}\n- x\nb\n", f"a\n{END}\nb\n", f"{END}\na\nb\n{BEGIN}\n", f"{BEGIN}\n{BEGIN}\na\nb\n{END}"]
)
def test_broken_marks_cost_no_line(broken: str) -> None:
    """H2: half a pair of marks is replaced by a whole one; no line of the user's is lost."""
    mended = render(broken, ["new"])
    assert split(mended)[1] == ("new",)
    assert {"a", "b"} <= set(mended.splitlines())
    assert mended.count(END) == 1
