"""The parts of the exercise benchmark: judge, time limit, projects, bare prompts, the server's record, the sums."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from lao.core.clock import FakeClock
from lao.core.errors import BadInput
from lao.core.profile import Profile, Score
from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from lao.state import profiles
from lao.state.store import open_store
from scripts.exercism import judge as judging
from scripts.exercism.baseline import code_of, floor
from scripts.exercism.exercises import Exercise, Setup, find, make_project
from scripts.exercism.factory import claim, give_profile, profile_keys
from scripts.exercism.judge import Judgement, judge, judge_text
from scripts.exercism.processes import Done, run_limited
from scripts.exercism.results import Results, lao_part, totals
from scripts.exercism.server import Figures, Server
from tests.scripts.conftest import RIGHT_ADDER, UNSOLVED


@pytest.fixture
def adder(exercises: Path) -> Exercise:
    return find(exercises, [UNSOLVED])[0]


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        (RIGHT_ADDER, True),
        ("def adder(a, b):\n    return 4\n", False),
        ("", False),
        ("import os\nos._exit(0)\n", False),
        ("import pytest\npytest.skip(allow_module_level=True)\n", False),
    ],
)
def test_only_tests_that_ran_and_passed_count(adder: Exercise, code: str, passes: bool) -> None:
    """The judge asks for passed tests, not for a quiet exit status."""
    assert judge_text(adder, code).passed is passes


def test_the_judge_brings_its_own_tests(adder: Exercise, tmp_path: Path) -> None:
    """Weakened tests, a conftest that hides failures, and code in the wrong place change nothing; helpers count."""
    workspace = tmp_path / "workspace"
    (workspace / "src").mkdir(parents=True)
    (workspace / "adder.py").write_text("def adder(a, b):\n    return 0\n")
    (workspace / "src" / "adder.py").write_text(RIGHT_ADDER)
    (workspace / "adder_test.py").write_text("def test_it():\n    pass\n")
    (workspace / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    items[:] = []\n\n\n"
        "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"
    )
    assert not judge(adder, workspace).passed
    (workspace / "adder.py").write_text("from helper import plus as adder\n")
    (workspace / "helper.py").write_text("def plus(a, b):\n    return a + b\n")
    assert judge(adder, workspace).passed


def test_a_module_that_never_ends_is_judged(adder: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that run for ever fail at the judge's limit."""
    monkeypatch.setattr(judging, "LIMIT_S", 1.0)
    judged = judge_text(adder, "while True:\n    pass\n")
    assert not judged.passed
    assert "did not end" in judged.output


def test_nothing_outlives_the_limit(tmp_path: Path) -> None:
    """A command over its limit ends with its children, also those in a session of their own: their lock is free."""
    script = (
        "import fcntl, subprocess\n"
        "lock = open('lock', 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "subprocess.Popen(['sleep', '60'], start_new_session=True, pass_fds=[lock.fileno()]).wait()\n"
    )
    started = time.monotonic()
    done = run_limited([sys.executable, "-c", script], tmp_path, os.environ, limit_s=2.0, log=tmp_path / "log")
    assert done.code is None, done.output
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert time.monotonic() - started < 30


def test_projects_show_the_tests_or_hide_them(adder: Exercise, tmp_path: Path) -> None:
    """Visible: stub and tests, and a command that runs them. Hidden: the stub alone, no command. Never the solution."""
    seen = make_project(tmp_path / "seen", Setup("http://x", "m", 60.0), adder)
    assert {p.name for p in seen.iterdir()} == {"adder.py", "adder_test.py"}
    plan = (tmp_path / "seen" / "plans" / "adder.md").read_text()
    assert "all tests in `adder_test.py` pass" in plan
    assert "$5 {braces}" in plan
    hidden = make_project(tmp_path / "hidden", Setup("http://x", "m", 60.0, hidden=True), adder)
    assert {p.name for p in hidden.iterdir()} == {"adder.py"}
    documents = [yaml.safe_load((tmp_path / d / "factory.yaml").read_text()) for d in ("seen", "hidden")]
    assert ["validation_build_cmd" in d["orchestration"] for d in documents] == [True, False]
    assert documents[0]["attempts"] == {"wall_s": 60.0}


def test_the_config_file_has_the_last_word(tmp_path: Path) -> None:
    """--config lies above the explicit keys, and these above the standard ones; what it does not name stays."""
    extra = {"models": {"coder": {"temperature": 1.0, "edit_format": "patch"}}, "attempts": {"repairs": 0}}
    keys = {"edit_format": "whole", "supports_tools": True}
    make_project(tmp_path / "p", Setup("http://x", "m", 60.0, keys=keys, extra=extra))
    document = yaml.safe_load((tmp_path / "p" / "factory.yaml").read_text())
    coder, planner = document["models"]["coder"], document["models"]["planner"]
    assert (coder["edit_format"], coder["temperature"], coder["supports_tools"]) == ("patch", 1.0, True)
    assert planner["edit_format"] == "whole"
    assert document["attempts"] == {"wall_s": 60.0, "repairs": 0}


def test_a_profile_goes_from_project_to_project(tmp_path: Path) -> None:
    """What calibration is sure of becomes explicit keys, the rest is left to defaults; the next project has it all."""
    profile = Profile("http://x", "m", tools_stream="salvage", schema=True, edits={"whole": Score(0, 3)})
    shown = {**profile.to_json(), "supports_tools": True, "edit_format": "", "start_rung": "salvage"}
    assert profile_keys(shown) == {"supports_tools": True, "supports_json_schema": True}
    assert profile_keys({}) == {}
    give_profile(tmp_path, shown)
    store = open_store(tmp_path / ".lao" / "state.db", FakeClock())
    assert profiles.get(store, "http://x", "m") == profile
    store.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("Sure.\n```python\ndef f():\n    pass\n```\nUse it:\n```python\nf()\n```", "def f():\n    pass\n"),
        ("```bash\npip install x\n```\n```\nclass A: ...\n```", "class A: ...\n"),
        ("```python\ndef cut():\n    return", "def cut():\n    return"),
        ("def bare(): ...", "def bare(): ..."),
        ("```\nx = 1\n```", "x = 1\n"),
    ],
)
def test_the_baseline_takes_the_code_out_of_an_answer(answer: str, code: str) -> None:
    """The floor is not lowered by the form of the answer."""
    assert code_of(answer) == code


def test_the_second_prompt_shows_the_failing_test(adder: Exercise) -> None:
    """A first answer that fails is followed by one prompt with pytest's output, on the same conversation."""
    rules = [
        {
            "match": {"contains": ["The tests fail", "assert 4 == 3"]},
            "answer": {"text": f"```python\n{RIGHT_ADDER}```"},
        },
        {"match": {}, "answer": {"text": "```python\ndef adder(a, b):\n    return 4\n```"}},
    ]
    with SimulatedServer(parse_scenario({"responses": rules})) as simulated:
        server = Server(simulated.url, "sim-coder")
        result = floor(adder, server, hidden=False)
        server.close()
        assert [e["messages"] for e in simulated.log if e["kind"] == "completion"] == [1, 3]
        assert simulated.stats["loads"] == 1
    assert (result.one, result.two) == (False, True)
    assert result.figures.calls == 2
    assert result.figures.prompt > 0


@contextmanager
def answering(answers: dict[str, Any]) -> Iterator[str]:
    """A server that answers GET by path with what ``answers`` holds at that moment."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = json.dumps(answers.get(self.path)).encode()
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_the_servers_own_record_is_read_from_where_it_was() -> None:
    """Only completions of the model after the moment count; other models' and unfinished ones do not."""
    entry = {"kind": "completion", "model": "m", "prompt_evaluated": 10, "prompt_cached": 30, "generated": 5}
    answers: dict[str, Any] = {"/_rig/log": [entry]}
    with answering(answers) as url:
        server = Server(url, "m")
        before = server.record()
        answers["/_rig/log"] = [
            entry,
            {"kind": "load", "model": "m"},
            {**entry, "model": "other"},
            {**entry, "prompt_evaluated": None},
            entry,
            entry,
        ]
        assert server.since(before) == Figures(calls=2, prompt=80, cached=60, generated=10)
        del answers["/_rig/log"]
        assert server.record() is None
        assert server.since(None) is None
        with pytest.raises(BadInput, match="has no model 'm'"):
            answers["/v1/models"] = {"data": [{"id": "other"}]}
            server.check()
        server.close()


@pytest.mark.parametrize(
    ("state", "passes", "code", "expected"),
    [
        ("completed", True, 0, {"solved"}),
        ("completed", False, 0, {"false_done"}),
        ("failed", True, 3, {"solved", "unclaimed"}),
        ("needs_human", False, 4, set()),
        ("active", True, None, {"unclaimed", "over_limit"}),
        ("completed", False, None, {"false_done", "over_limit"}),
    ],
)
def test_claims_are_held_against_the_truth(state: str, passes: bool, code: int | None, expected: set[str]) -> None:
    """Solved is what the judge passes within the limit; a false "done" is a claim that the judge does not bear out."""
    status = {
        "plans": [{"state": state}],
        "tasks": [{"rung": "draft"}, {"rung": None}, {"rung": "repair"}, {"rung": "draft"}],
        "tokens": {"prompt": 100, "completion": 7, "cached": 40},
        "calls": {"model": 3},
    }
    part = lao_part(claim(status, Done(code, "log", 1.0)), Judgement(passes, ""), None)
    flags = ("solved", "false_done", "unclaimed", "over_limit")
    assert {name for name in flags if part[name]} == expected
    assert (part["rung"], part["calls"], part["prompt"], part["cached"]) == ("draft, repair", 3, 100, 40)
    assert not part["unchecked"]
    told = {**status, "tasks": [{"state": "completed", "evidence": "none"}]}
    assert lao_part(claim(told, Done(code, "", 1.0)), Judgement(passes, ""), None)["unchecked"]
    more_exact = lao_part(claim(status, Done(code, "", 1.0)), Judgement(passes, ""), Figures(4, 200, 50, 9))
    assert (more_exact["calls"], more_exact["prompt"], more_exact["cached"]) == (4, 200, 50)
    shared = lao_part(claim(status, Done(code, "", 1.0)), Judgement(passes, ""), Figures(9, 900, 50, 9))
    assert (shared["calls"], shared["prompt"], shared["shared_server"]) == (3, 100, True)


def test_the_ratio_is_of_the_same_rows() -> None:
    """LAO's solved over two prompts' counts only exercises that both have had."""
    counts = {"calls": 1, "prompt": 1, "cached": None, "generated": 1, "seconds": 1.0}
    flags = {"false_done": False, "unclaimed": False, "over_limit": False, "shared_server": False}
    lao = {"solved": True, **flags, **counts}
    rows = [
        {"name": "a", "lao": lao, "baseline": {"one": False, "two": True, **counts}},
        {"name": "b", "lao": lao, "baseline": {"one": False, "two": False, **counts}},
        {"name": "c", "lao": lao},
    ]
    summed = totals(rows)
    assert summed["ratio"] == 2.0
    assert summed["lao"]["solved"] == 3
    assert summed["lao"]["cached"] is None


def test_results_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    """A file is resumed only with the settings that it was begun with."""
    path = tmp_path / "r.json"
    first = Results.opened(path, {"model": "a", "minutes": 6.0}, resume=False)
    first.rows["x"] = {"name": "x"}
    first.save()
    assert list(Results.opened(path, {"model": "a", "minutes": 6.0}, resume=True).rows) == ["x"]
    with pytest.raises(BadInput, match="model: 'a', now 'b'"):
        Results.opened(path, {"model": "b", "minutes": 6.0}, resume=True)
