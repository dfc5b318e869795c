"""lao permissions, approvals, approve and deny: output, JSON and exit codes; questions on a terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lao.cli.main import main
from lao.cli.questions import Questions, shown
from lao.config.load import load
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.clock import SystemClock
from lao.core.states import Phase
from lao.state import approvals
from lao.state.approvals import Approval
from lao.state.store import open_store
from tests.state.pipeline_steps import planned, ready_run, spec, take
from workflows.factory import Factory

FILE = """permissions:
  mode: confirm
  allow: ["Bash(npm test *)"]
  deny:
    - {rule: "Bash(npm publish*)", justification: by hand}
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "factory.yaml").write_text(FILE)


def asked(tmp_path: Path, *commands: str) -> list[Approval]:
    """Open questions of a run at work."""
    store = open_store(tmp_path / ".lao" / "state.db", SystemClock())
    planned(store, spec("one"))
    run = take(store, ready_run(Phase.CODE)).run.id
    found = [
        approvals.ask(
            store,
            run,
            f"tool:{n}",
            "shell_exec",
            {"command": c},
            reason="no rule",
            remember=(f"Bash({c})",) * (c != "x"),
        )
        for n, c in enumerate(commands)
    ]
    store.close()
    return found


def out(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> str:
    assert main(list(argv)) == code
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    return told.out + told.err


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("Bash(git push --force)", 1, "denied by built-in: 'git push' changes the repository"),
        ("Bash(npm test -- -x)", 0, "allowed by rule allow Bash(npm test *) (factory.yaml:3)"),
        ("Bash(ls && npm publish)", 1, "denied by rule deny Bash(npm publish*) (factory.yaml:5): the rule"),
        ("Bash(make)", 4, "a person is asked by mode confirm: no rule allows 'make'"),
        ("Edit(src/a.py)", 4, "a person is asked by mode confirm"), ("Read(src/a.py)", 0, "allowed by reads only"),
        ("Write(../a)", 1, "denied by built-in: path '../a' leaves the workspace"),
        ("mcp__a__b", 4, "a person is asked"),
        ("Bash(echo $(npm publish))", 1, "by hand"), ("Bash(echo (x)", 1, "cannot be told"),
    ],
)  # fmt: skip
def test_check(capsys: pytest.CaptureFixture[str], call: str, code: int, words: str) -> None:
    """G1: 0 allowed, 1 denied, 4 a person is asked; what decided and why in one line; the same as JSON."""
    assert words in out(capsys, "permissions", "check", call, code=code)
    found = json.loads(out(capsys, "permissions", "check", call, "--json", code=code))
    assert found["verdict"] == {0: "allow", 1: "deny", 4: "ask"}[code]
    assert found["call"] == call
    assert found["parts"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("Bsh(ls)", 'did you mean "Bash"'),
        ("ls -la", "is no call"),
        ("Bash", "does not say which command"),
        ("Read()", "path"),
    ],
)
def test_check_of_what_is_no_call(capsys: pytest.CaptureFixture[str], call: str, words: str) -> None:
    """O2: bad input is named, exit code 42."""
    assert words in out(capsys, "permissions", "check", call, code=42)


def test_explain_shows_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    """G1: each part, what decided about it, and the rule that always would add."""
    told = out(capsys, "permissions", "explain", "Bash(npm test && make > log)")
    assert told.splitlines() == [
        "allow  npm test",
        "       rule allow Bash(npm test *) (factory.yaml:3)",
        "ask    make",
        "       mode confirm: no rule allows 'make'",
        "       'always' would add: Bash(make)",
        "ask    > log",
        "       mode confirm: no rule allows '> log'",
        "       'always' would add: Edit(/log)",
        "together: a person is asked by mode confirm: no rule allows 'make'",
    ]
    view = json.loads(out(capsys, "permissions", "explain", "Bash(npm test && make > log)", "--json"))
    assert view["remember"] == ["Bash(make)", "Edit(/log)"]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """G1: the mode and every rule with its place; a flag changes the mode for one call."""
    assert out(capsys, "permissions", "list").splitlines() == [
        "mode confirm, after the rules and built-in denials",
        "deny   Bash(npm publish*)  (factory.yaml:5)  # by hand",
        "allow  Bash(npm test *)  (factory.yaml:3)",
    ]
    view = json.loads(out(capsys, "permissions", "list", "--json", "--permission-mode", "bypass"))
    assert view["mode"] == "bypass"
    assert [rule["rule"] for rule in view["rules"]] == ["Bash(npm publish*)", "Bash(npm test *)"]


def test_questions_are_listed_and_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """G1: from any terminal, by number; always writes the rule and says so; what is answered is listed with --all."""
    assert "no question waits" in out(capsys, "approvals")
    asked(tmp_path, "make", "touch a", "x")
    told = out(capsys, "approvals")
    assert "question 1 (a, task 1): may the model run this?\n    shell_exec: make\n  no rule\n" in told
    assert "always = allow from now on: Bash(touch a)" in told
    assert out(capsys, "approve", "1") == "question 1: yes\n"
    assert "Bash(touch a)" in out(capsys, "approve", "2", "--always")
    assert [rule.text for rule in load(cwd=tmp_path, env={}).permissions.rules][-1] == "Bash(touch a)"
    assert "no rule says just what question 3 asks" in out(capsys, "approve", "3", "--always", code=42)
    denied = json.loads(out(capsys, "deny", "3", "--reason", "not here", "--json"))
    assert (denied["answer"], denied["note"]) == ("no", "not here")
    assert "answered already: no" in out(capsys, "approve", "3", code=42)
    assert "there is no question 9" in out(capsys, "deny", "9", code=42)
    view = json.loads(out(capsys, "approvals", "--all", "--json"))["approvals"]
    assert [(one["id"], one["answer"]) for one in view] == [(3, "no"), (2, "always"), (1, "yes")]
    assert json.loads(out(capsys, "approvals", "--json")) == {"approvals": []}
    assert "--watch needs a terminal" in out(capsys, "approvals", "--watch", code=42)


def test_status_shows_what_waits_and_how_to_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """G1 M2: each open question in one line with the commands that answer it, always only where it is offered."""
    assert json.loads(out(capsys, "status", "--json"))["approvals"] == []
    asked(tmp_path, "make\n\x1b[2J" + "y" * 500, "x")
    told = [line for line in out(capsys, "status").splitlines() if line.startswith("question")]
    assert told[0].startswith("question 1 (a, task 1): shell_exec: make \\x1b[2Jyyy")
    assert told[0].endswith("yyy…; 'lao approve 1' or 'lao approve 1 --always' or 'lao deny 1'")
    assert told[1] == "question 2 (a, task 1): shell_exec: x; 'lao approve 2' or 'lao deny 2'"
    found = json.loads(out(capsys, "status", "--json"))["approvals"]
    assert [(one["id"], one["reason"], one["commands"]) for one in found][1] == (
        2, "no rule", ["lao approve 2", "lao deny 2"],
    )  # fmt: skip
    for argv in (one["commands"][0].split()[1:] for one in found):
        out(capsys, *argv)
    assert "question" not in out(capsys, "status")
    assert json.loads(out(capsys, "status", "--json"))["approvals"] == []


def test_a_terminal_shows_and_takes_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """G1: one question at a time; nonsense is asked again; always only where it is offered; half a line waits."""
    asked(tmp_path, "make", "touch a", "x", "last")
    factory = Factory(load(cwd=tmp_path, env={}))
    source, keys = os.pipe()
    now = [0.0]

    def typed(text: str) -> str:
        os.write(keys, text.encode())
        now[0] += 1
        questions.look()
        return capsys.readouterr().err

    try:
        with Questions(factory, source, lambda: now[0]) as questions:
            assert approvals.attending(factory.store) == (factory.owner.to_text(),)
            assert "question 1" in typed("")
            assert typed("") == ""
            assert "y(es), n(o) or always?" in typed("maybe\n")
            assert typed("ye") == ""
            shown_next = typed("s\n")
            assert "question 1: yes" in shown_next
            assert "question 2" in shown_next
            assert "question 2: always" in typed("always\n")
            assert typed("always\n").strip() == "y(es), n(o)?"
            approvals.answer(factory.store, 3, approvals.NO)
            assert "question 3 is answered: no" in typed("")
            os.close(keys)
            questions.look()
            questions.look()
        assert approvals.attending(factory.store) == ()
        answers = [one.answer for one in reversed(approvals.latest(factory.store))]
        assert answers == ["yes", "always", "no", ""]
    finally:
        os.close(source)
        factory.close()


def test_a_question_cannot_hide_itself(tmp_path: Path) -> None:
    """G5: what could move the cursor or clear the screen is shown as text; a long call is cut and its length told."""
    evil = asked(tmp_path, "ls\x1b[2J\x1b[H\r" + "x" * 5_000)[0]
    text = shown(evil)
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\\x1b[2J" in text
    assert "characters)" in text
