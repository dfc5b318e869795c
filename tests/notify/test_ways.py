"""Promises of the ways of a message: one try, bounded, with the whole message, and a problem in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lao.durable.containment import Containment
from lao.notify.message import EVENTS, LONGEST, Message, body_of, cut, sample
from lao.notify.ways import CommandWay, WebhookWay, try_each
from tests.notify.receiver import Receiver

DOCUMENT = sample("plan_failed", '/home/me/it\'s a "shop"', 5.0).to_json()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def way(root: Path, command: str | tuple[str, ...], timeout_s: float = 20.0, **env: str) -> CommandWay:
    return CommandWay(command, root, timeout_s, f"test/{root}", env, Containment.NONE)


@pytest.mark.parametrize("command", ['printf "%s" "$1" > told', ("sh", "-c", 'printf "%s" "$1" > told', "x")])
def test_a_program_gets_one_json_argument(tmp_path: Path, command: Any) -> None:
    """M4: a shell line as $1, a list as one more argument; quotes in it change nothing."""
    assert way(tmp_path, command).send(DOCUMENT).problem == ""
    assert json.loads((tmp_path / "told").read_text()) == json.loads(DOCUMENT)


def test_a_program_gets_the_words_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """M4: LAO_TITLE and LAO_TEXT are in its environment; a secret only if it was passed."""
    monkeypatch.setenv("MY_TOKEN", "t0p")
    line = 'echo "$LAO_EVENT/$LAO_TITLE/$MY_TOKEN/$SENT_TOKEN"'
    sent = way(tmp_path, line, SENT_TOKEN="yes").send(DOCUMENT)
    assert sent.said == "plan_failed/LAO: plan 'sample' failed//yes"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("echo broken >&2; exit 3", "exit code 3: broken"),
        (("/no/such/program",), "exit code 127"),
        ("sleep 60", "ended"),
    ],
)
def test_a_program_that_fails_is_a_problem_in_words(tmp_path: Path, command: Any, problem: str) -> None:
    """M4: a bad exit code, a missing program, one that hangs: said, never raised."""
    limit = 0.3 if command == "sleep 60" else 20.0
    assert problem in way(tmp_path, command, limit).send(DOCUMENT).problem


def test_a_webhook_gets_the_message(receiver: Receiver) -> None:
    """M4: the whole document as JSON; what came back is told."""
    sent = WebhookWay(receiver.url, "json", 20.0).send(DOCUMENT)
    assert (sent.problem, sent.said) == ("", "taken")
    headers, body = receiver.got[0]
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == json.loads(DOCUMENT)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    """M4: a message goes to the configured address only."""
    other = Receiver()
    try:
        receiver.status, receiver.location = 307, other.url
        sent = WebhookWay(receiver.url, "json", 20.0).send(DOCUMENT)
        assert "redirect" in sent.problem
        assert other.got == []
    finally:
        other.close()


def test_a_webhook_that_refuses_hangs_or_is_away(receiver: Receiver) -> None:
    """M4: each is said in words, without the address, which is a secret."""
    receiver.status = 500
    problems = [WebhookWay(receiver.url, "json", 20.0).send(DOCUMENT).problem]
    receiver.hold.clear()
    problems.append(WebhookWay(receiver.url, "json", 0.2).send(DOCUMENT).problem)
    problems.append(WebhookWay("http://127.0.0.1:9/t0psecret", "json", 5.0).send(DOCUMENT).problem)
    problems.append(WebhookWay("http://127.0.0.1:bad/t0psecret", "json", 5.0).send(DOCUMENT).problem)
    assert "500" in problems[0]
    assert all(problem.startswith("not reached") for problem in problems[1:])
    assert "t0psecret" not in str(problems)


def test_little_of_a_long_answer_is_read(receiver: Receiver) -> None:
    """M4: a megabyte of answer costs nothing and breaks nothing."""
    receiver.answer = b"\x1b[31mx" * 200_000
    sent = WebhookWay(receiver.url, "json", 20.0).send(DOCUMENT)
    assert sent.problem == ""
    assert len(sent.said) <= 200
    assert "\x1b" not in sent.said


def test_forms_of_other_services() -> None:
    """M4: Slack and its like take a text, ntfy a plain one with its title in a header."""
    body, _ = body_of(DOCUMENT, "slack")
    assert set(json.loads(body)) == {"text"}
    assert json.loads(body)["text"].startswith("LAO: plan 'sample' failed\n2 of 3 tasks completed")
    body, headers = body_of(DOCUMENT, "ntfy")
    assert headers["Title"] == "LAO: plan 'sample' failed"
    assert body.decode().startswith("2 of 3 tasks completed\n")


def test_every_event_has_a_title_and_a_text() -> None:
    """M4: whatever is told says what it is; a reason is bounded and free of control characters."""
    for event in EVENTS:
        told = json.loads(sample(event, "/p", 1.0).to_json())
        assert told["title"].startswith("LAO: ")
        assert told["event"] == event
    assert len(cut("x" * 5000)) == LONGEST
    assert cut("a\x1b[31mb\ud800") == "a[31mb"
    assert Message("i", "disk_low", "/p", "low", "r", "lao doctor", 1.0).counts == {}


def test_one_way_that_cannot_be_tried_keeps_no_other(tmp_path: Path, receiver: Receiver) -> None:
    """M4: each way is tried, whatever became of the one before."""
    found = try_each((way(tmp_path / "gone", "true"), WebhookWay(receiver.url, "json", 20.0)), DOCUMENT)
    assert [bool(one.problem) for one in found] == [True, False]
