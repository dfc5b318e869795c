"""Promises of ``lao notify test``, and of what doctor and status say of messages to the person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lao.cli.main import main
from lao.state import outbox
from lao.state.outbox import Letter, Outbox
from lao.state.store import open_store
from tests.notify.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(root: Path, **notify: object) -> None:
    (root / "factory.yaml").write_text(yaml.safe_dump({"notify": notify}))


def test_a_sample_goes_each_way(here: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    """M4: by the program and the webhook, with what came back; exit status 0."""
    configure(here, command='echo "heard $1" | cut -c1-20', webhook=receiver.url)
    assert main(["notify", "test", "--event", "disk_low", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert [(way["way"], way["ok"]) for way in view["ways"]] == [("command", True), ("webhook", True)]
    assert view["ways"][0]["said"].startswith("heard {")
    assert json.loads(receiver.got[0][1]) == view["message"]
    assert (view["event"], view["on"]) == ("disk_low", True)


def test_a_way_that_refuses_is_the_exit_status(
    here: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """M4: what is wrong is said, and an event that is not told is named."""
    receiver.status = 403
    configure(here, webhook=receiver.url, on=["plan_done"])
    assert main(["notify", "test", "--event", "question"]) == 1
    out = capsys.readouterr().out
    assert "webhook: answered 403" in out
    assert "question is not among notify.on" in out


@pytest.mark.parametrize(
    ("notify", "arguments", "said"),
    [
        ({}, [], "neither a command nor a webhook"),
        ({"command": "true"}, ["--event", "plan_dune"], "no event 'plan_dune'"),
        ({"webhook": "ftp://x/y"}, [], "http://"),
        ({"command": []}, [], "notify.command"),
        ({"command": "true", "on": ["lunch"]}, [], "notify.on"),
        ({"webhook": "${NO_SUCH_HOOK}"}, [], "'NO_SUCH_HOOK' is not set"),
    ],
)
def test_bad_input_is_one_message(
    here: Path, capsys: pytest.CaptureFixture[str], notify: dict[str, object], arguments: list[str], said: str
) -> None:
    """O1 M4: exit 42 with what and where, no traceback."""
    configure(here, **notify)
    assert main(["notify", "test", *arguments]) == 42
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_the_address_is_hidden(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """M4: whoever knows a webhook's address can post there: it comes from the environment and is never shown."""
    monkeypatch.setenv("MY_HOOK", "http://127.0.0.1:9/t0psecret")
    configure(here, webhook="${MY_HOOK}")
    assert main(["config", "show", "--json"]) == 0
    assert main(["notify", "test"]) == 1
    captured = capsys.readouterr()
    assert "t0psecret" not in captured.out + captured.err
    assert "not reached" in captured.out


def test_doctor_and_status_say_what_is_wrong(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M4: a way that failed the last time, and how much waits, until it works."""
    configure(here, command="true")
    store = open_store(here / ".lao" / "state.db")
    outbox.keep(store, Outbox(letters=[Letter("a", "{}", ["command"])], problem={"command": "exit code 7: no"}))
    store.close()
    main(["doctor", "--json"])
    groups = {group["group"]: group for group in json.loads(capsys.readouterr().out)["groups"]}
    check = groups["Notifications"]["checks"][0]
    assert (check["level"], check["text"]) == ("warn", "exit code 7: no; 0 messages sent, 1 wait, 0 given up")
    assert "lao notify test" in check["remedy"]
    assert main(["status"]) == 0
    assert "notify: the command exit code 7: no; 1 messages wait" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notify"]["waiting"] == 1
