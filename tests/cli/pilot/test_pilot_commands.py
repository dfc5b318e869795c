"""Slash commands do what the command line does, on the real state, and ask no model."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.cli.context import Session
from lao.cli.pilot import moving, route
from lao.cli.pilot.commands import registry
from lao.cli.pilot.plain import Plain
from lao.cli.pilot.seat import HANDED_BACK, IDEATE, SPEC, TALK, Reply, Seat
from lao.core.errors import BadInput, LaoError, Refused
from lao.core.states import Phase, PlanState, Queue, RunState, TurnState
from lao.core.words import CommandResult, Finding, Severity, TaskSpec
from lao.state import approvals, chats, judgements, ledger, pipeline, queries, runs
from lao.state.tables import FindingRow, PlanRow, RunRow, TaskRow
from scripts.pilot.answering import Answering, Told
from tests.agents.test_plan_draft import GOOD
from tests.state.pipeline_steps import finish_phase, planned, ready_run, take
from workflows import ideation, pilot, queues
from workflows.factory import Factory, active

Patch = pytest.MonkeyPatch


class Desk:
    """A seat and its commands, in a project without a server: whoever asked a model would fail."""

    def __init__(self, root: Path) -> None:
        (root / "plans").mkdir()
        session = Session(cwd=root, env={})
        self.root, self.factory = root, Factory(session.settings())
        self.store = self.factory.store
        self.seat = Seat(session, self.factory, pilot.open_chat(self.factory).id)

    def __call__(self, text: str) -> Reply:
        return registry.run(self.seat, route.read(text, registry.by_any_name()))

    def state_of(self, task: int) -> str:
        return str(queries.tasks_view(self.store)[task - 1]["state"])


def commit_in(folder: Path) -> str:
    """A repository with two commits; the second one adds part_1.txt."""
    folder.mkdir()
    git = ["git", "-C", str(folder), "-c", "user.name=T", "-c", "user.email=t@e.x"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    (folder / "part_1.txt").write_text("x\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "two"], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A project with a plan that was completed: one task, its commit, a command that passed."""
    made = Desk(tmp_path)
    store, folder = made.store, tmp_path / "a"
    with active.use(made.factory):
        plan = planned(store, TaskSpec("part 1", "write it", ("part_1.txt",), commands=("test -f part_1.txt",)))
        commit = commit_in(folder)
        PlanRow.update(workspace=str(folder)).execute()
        TaskRow.update(commit=commit, files=["part_1.txt"]).execute()
        ran = [CommandResult("test -f part_1.txt", 0, "there\n", 0.1)]
        finish_phase(store, Phase.CODE, 1)
        claim = take(store, ready_run(Phase.VERIFY, 1))
        with runs.finishing(store, claim, RunState.DONE) as now:
            ledger.add_validations(store, claim, "task", commit, ran)
            pipeline.unblock_successors(claim.run.id, now)
        finish_phase(store, Phase.REVIEW, 1)
        claim = take(store, ready_run(Phase.CLOSE))
        with runs.finishing(store, claim, RunState.DONE) as now:
            ledger.add_validations(store, claim, "close", commit, ran)
            pipeline.end_plan(plan, PlanState.COMPLETED, now, "")
        yield made
    made.store.close()
    for huey in (queues.cpu, queues.gpu):
        huey.storage.close()


def test_plans_show_what_people_said(desk: Desk) -> None:
    """L1, I4: the last word of a person on a plan stands beside its state."""
    plan = PlanRow.get()
    assert "by a person" not in desk("/plans").text
    for verdict in (judgements.REJECTED, judgements.ACCEPTED):
        judgements.keep(desk.store, plan.id, verdict, commit=None, note="")
        assert f"a: completed and {verdict} by a person, 1 of 1 tasks" in desk("/plans").text


def test_looking_shows_what_the_record_says(desk: Desk) -> None:
    """L1: plans, tasks, one task, its diff, findings, gates and models, each out of the state."""
    assert "✓" in desk("/plans").text
    assert "a: completed, 1 of 1 tasks" in desk("/plans").text
    assert "1 part 1: completed (attempt 1)" in desk("/tasks a").text
    shown = desk("/show #1").text
    assert "part_1.txt" in shown
    assert "ran: test -f part_1.txt: exit code 0" in shown
    diff = desk("/diff 1")
    assert (diff.form, "+++ b/part_1.txt" in diff.text) == ("diff", True)
    assert "0 findings stand" in desk("/findings").text
    assert "DONE" in desk("/gates").text
    assert "planner" in desk("/model").text
    assert desk("/status").text.startswith(desk("/plans").text.split()[1])
    assert "mode auto" in desk("/permissions").text
    assert "allowed" in desk("/permissions Bash(ls)").text
    assert "LAO_MEMORY.md" in desk("/memory").text
    assert desk("/skills").code == 0
    assert str(desk.root) in desk("/project").text


def test_another_project_by_its_name(desk: Desk, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Patch) -> None:
    """L3: /project use makes it the current one and goes there; the project that is open already is gone to by nobody,
    and a Pilot that `lao run` of that project waits for only ends."""
    home, other = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("blog")
    monkeypatch.setenv("HOME", str(home))
    for folder in (desk.root, other):
        (folder / "factory.yaml").write_text("{}\n")
    assert desk(f"/project use {desk.root}").moved is None
    assert desk(f"/project use {other}").moved == other
    with pytest.raises(BadInput, match="no project 'nothing'"):
        desk("/project use nothing")
    assert moving.next_seat(other) == other
    monkeypatch.setenv(moving.FROM, str(other))
    assert moving.next_seat(other) is None
    offer = moving.offered(desk.seat, str(other))
    assert isinstance(offer, moving.Offer)
    assert offer.text.startswith("go back to ")


def test_the_gate_of_a_plan_is_read_from_the_record(desk: Desk) -> None:
    """L1: /done is green only with tasks completed, commands green on the commit, no critical finding, no question."""
    gate = desk("/done a")
    assert (gate.code, gate.watched) == (0, "")
    assert "DONE" in gate.text
    assert "1 of 1 commands pass on " in gate.text
    store = desk.store
    finding = Finding(Severity.CRITICAL, "leak", "a key is in\nthe code\x1b[2J")
    run = RunRow.get(RunRow.phase == "review")
    FindingRow.create(plan=run.plan_id, task=run.task_id, run=run.id, finding=finding.to_json(), at=store.now())
    bad = desk("/done")
    assert bad.code == 3
    assert "NOT DONE" in bad.text
    assert "✗ findings: 1 critical" in bad.text
    assert "critical  task 1: a key is in the code␛[2J" in desk("/findings").text
    TaskRow.update(attempts=2).execute()  # another attempt has begun: what was found before is over
    assert "no findings" in desk("/done").text
    assert len(ledger.findings_of(store)) == 1


def test_steering_is_the_command_lines(desk: Desk) -> None:
    """L1 L3: pause, resume and its other names, replay, retry and cancel change the state as their commands do."""
    assert "PAUSED: everything" in desk("/pause").text
    assert "PAUSED" in desk("/status").text
    assert "goes on: everything" in desk("/continue").text
    assert "tried again from verify" in desk("/replay 1 verify").text
    assert desk.state_of(1) == "ready"
    assert "cancelled task 1" in desk("/cancel #1").text
    assert desk.state_of(1) == "cancelled"
    assert "1 task" in desk("/cancel a").text or "already" in desk("/cancel a").text
    assert "tried again from code" in desk("/retry 1").text
    with pytest.raises(LaoError):
        desk("/retry nothing-like-it")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/show", "/show has too few"),
        ("/status now please", "/status takes no argument"),
        ("/show nix", "no task's number"),
        ("/tasks nix", "no plan 'nix'"),
        ("/replay 1 nonsense", "nonsense"),
        ("/expand x", "no number of a result"),
        ("/expand", "no tool has run here yet"),
        ("/resume-session 99", "no conversation 99"),
        ("/project delete", "does not know 'delete'"),
        ("/memory burn it", "does not know 'burn'"),
        ("/approve 77", "no question 77"),
        ("/lock", "there is no draft yet"),
        ("/diff 9", "no task 9"),
    ],
)
def test_wrong_arguments_are_told_without_a_traceback(desk: Desk, text: str, words: str) -> None:
    """L4: what was wrong and what to write."""
    with pytest.raises(BadInput) as told:
        desk(text)
    assert words in str(told.value)


def test_sessions_are_kept_and_taken_up(desk: Desk) -> None:
    """L1: /new begins another, /sessions lists, /resume-session goes back, /clear lets the model forget."""
    first = desk.seat.chat
    turn = pilot.ask(desk.seat.factory, first, "what \x1b[31mfailed?")
    pilot.interrupt(desk.seat.factory, turn.id)
    desk.seat.chat = desk("/new").chat or 0
    assert desk.seat.chat != first
    assert "what" in desk("/sessions").text
    assert "\x1b" not in desk("/sessions").text
    assert desk("/resume-session").chat == first
    desk.seat.chat = first
    assert "forgotten" in desk("/clear").text
    assert pilot.turns(desk.seat.factory, first) == []
    assert desk("/compact").text == "nothing to shorten"
    assert desk("/quit").leave == 0


def test_resume_gives_the_terminal_back_to_run(desk: Desk) -> None:
    """L5: /resume leaves a Pilot that lao run has opened, and not one that was started by itself."""
    assert desk("/resume").leave is None
    desk.seat.from_run = True
    assert (desk("/resume").leave, desk("/resume a").leave) == (HANDED_BACK, None)


def test_an_idea_becomes_a_plan(desk: Desk) -> None:
    """A4 L1: /ideate, /spec, the check, /lock: the plan is filed once, never over another, and queued."""
    seat, factory = desk.seat, desk.seat.factory
    answers = {"/ideate": "What goes in?", "/spec": "```markdown\n# Nothing yet\n```"}
    out, err = io.StringIO(), io.StringIO()
    plain = Plain(seat, out, err)
    with Answering(factory, lambda turn: [Told(chats.TEXT, answers.get(turn.question.split()[0], "?"))]):
        plain.take("/ideate a word counter")
        assert seat.kind == IDEATE
        plain.take("text files go in")
        assert [t.question.split()[0] for t in pilot.turns(factory, seat.chat)] == ["/ideate", "/ideate"]
        plain.take("/spec")
        assert seat.kind == SPEC
        assert "no section '## Acceptance criteria'" in out.getvalue()
        with pytest.raises(BadInput, match="the draft is not ready"):
            desk("/lock")
        answers["/spec"] = GOOD
        plain.take("mend it")
        asked = pilot.turns(factory, seat.chat)[-1].question
        assert "Mend this in your last draft:\n- it has no section" in asked
    assert "3 criteria, ready" in out.getvalue()
    folder = ideation.folder(factory)
    assert "text files go in" in (folder / "IDEATION.md").read_text()
    assert (folder / "SPEC.md").read_text() == GOOD
    locked = desk("/lock")
    path = desk.root / "plans" / "a-word-counter.md"
    assert path.read_text() == GOOD
    assert seat.kind == TALK
    assert f"filed as {path}" in locked.text
    assert [p["state"] for p in queries.plans_view(desk.store)] == ["completed", "queued"]
    status = json.loads((folder / "status.json").read_text())
    assert (status["state"], status["plan"], status["criteria"]) == ("locked", str(path), 3)
    with pytest.raises(Refused, match="there is a plan"):
        desk("/lock")
    assert path.read_text() == GOOD
    assert desk("/done a-word-counter").watched


def test_a_draft_that_a_person_changed_is_looked_at_again(desk: Desk) -> None:
    """L1: /spec check reads the file as it is now, and an unreadable one is told."""
    folder = ideation.folder(desk.seat.factory)
    folder.mkdir(parents=True)
    (folder / "SPEC.md").write_text(GOOD)
    assert "ready" in desk("/spec check").text
    (folder / "SPEC.md").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="cannot read"):
        desk("/spec check")


def test_a_question_of_a_model_is_answered_from_the_seat(desk: Desk) -> None:
    """G1: /approvals shows it, /approve and /deny answer it."""
    store = desk.store
    turn = pilot.ask(desk.seat.factory, desk.seat.chat, "do it")
    assert turn.run is not None
    RunRow.update(state="running").where(RunRow.id == turn.run).execute()
    put = approvals.ask(store, turn.run, "tool:x-1", "shell_exec", {"command": "ls"}, reason="r", remember=())
    assert f"question {put.id}" in desk("/approvals").text
    assert "1 wait" not in desk("/done").text
    desk(f"/deny {put.id} not now")
    found = approvals.get(store, put.id)
    assert found is not None
    assert (found.answer, found.note) == ("no", "not now")
    assert "no question waits" in desk("/approvals").text


def test_plain_lines_give_plain_answers(desk: Desk) -> None:
    """L1: off a terminal each line is a question or a command; bad bytes and failures set the exit code."""
    out, err = io.StringIO(), io.StringIO()
    plain = Plain(desk.seat, out, err)
    with Answering(desk.seat.factory, lambda turn: [Told(chats.TEXT, f"**{turn.question}** \x1b[2Jis so")]):
        code = plain.lines(io.BytesIO(b"how is it\n/plans\n\xff\xfe\n/statsu\nlast\n"))
    assert out.getvalue().startswith("**how is it** ␛[2Jis so\n\n✓")
    assert out.getvalue().endswith("**last** ␛[2Jis so\n\n")
    assert "line 3 is not UTF-8" in err.getvalue()
    assert "did you mean /status?" in err.getvalue()
    assert code == 42
    assert Plain(desk.seat, out, err).lines(io.BytesIO(b"/plans\n/exit\nnever asked\n")) == 0
    with pytest.raises(BadInput):
        pilot.turn(desk.seat.factory, 99)


def test_a_turn_that_fails_says_why_and_gives_1(desk: Desk) -> None:
    """L1 M3: the error and its hint are on stderr, what had come is on stdout."""
    store, out, err = desk.seat.factory.store, io.StringIO(), io.StringIO()
    runs.register_worker(store, Queue.GPU.value, desk.seat.factory.owner.to_text(), desk.seat.factory.owner.pid)
    plain = Plain(desk.seat, out, err)

    def fail(turn: chats.Turn) -> list[Told]:
        with store.write():
            chats.end(
                turn.id, store.now(), TurnState.FAILED, answer="half", error="the server went away\n  → ask again"
            )
        return []

    with Answering(desk.seat.factory, fail):
        assert plain.one("how") == 1
    assert out.getvalue() == "half\n\n"
    assert "the server went away\n  → ask again" in err.getvalue()


def test_every_command_is_documented_once(tmp_path: Path) -> None:
    """O3: names are unique, each has a help line, and no name hides another."""
    names = [name for c in registry.commands().values() for name in (c.name, *c.names)]
    assert len(names) == len(set(names)) == len(registry.by_any_name())
    assert all(c.help.endswith(".") and c.group for c in registry.commands().values())
