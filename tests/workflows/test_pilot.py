"""Promise: a person's question is answered out of the record, through tools that ask first; nothing of it is lost."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import pytest

from lao.core.errors import BadInput, Refused
from lao.core.states import TurnState
from lao.state import approvals, pauses, plans
from lao.state.approvals import NO, YES
from lao.state.chats import CONTEXT_STEP, KEPT_TURNS, Turn
from lao.state.tables import AuditRow, StepRow
from tests.workflows.conftest import Plant
from tests.workflows.test_approvals_flow import Visitor, answering
from tests.workflows.test_tools_in_flow import call
from workflows import pilot, pilot_record, preflight

Open = Callable[..., Plant]
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x\n"


def answers(*turns: str | Sequence[dict[str, object]]) -> dict[str, object]:
    """A pilot that gives these answers, a text or calls, one after the other."""
    rules = [
        {
            "match": {"role": "pilot"},
            "answer": {"text": turn} if isinstance(turn, str) else {"tool_calls": list(turn)},
            "times": 1,
        }
        for turn in turns
    ]
    return {"responses": rules}


def asked(factory: Plant, question: str = "How is it going?", chat: int | None = None) -> Turn:
    """The turn of a question, answered."""
    opened = pilot.open_chat(factory.factory, chat)
    turn = pilot.ask(factory.factory, opened.id, question)
    factory.turn()
    return pilot.turn(factory.factory, turn.id)


def kinds(factory: Plant, turn: Turn) -> list[str]:
    return [event.kind for event in pilot.events(factory.factory, turn.id)]


def test_a_question_is_answered_and_kept(plant: Open) -> None:
    """L2: the answer streams as events and is the turn's answer; the plan that carries runs is shown nowhere."""
    factory = plant(answers("All is well."))
    turn = asked(factory)
    assert (turn.state, turn.answer, turn.error) == (TurnState.DONE, "All is well.", "")
    assert turn.tokens > 0
    told = pilot.events(factory.factory, turn.id)
    assert told[0].kind == "waiting"
    assert "".join(e.text for e in told if e.kind == "text") == "All is well."
    assert told[-1].kind == "done"
    assert [e.seq for e in told] == list(range(1, len(told) + 1))
    assert pilot.events(factory.factory, turn.id, told[-2].seq) == [told[-1]]
    assert factory.plans() == []
    (chat,) = pilot.chats(factory.factory)
    assert (chat.title, chat.turns) == ("How is it going?", 1)


def test_what_failed_and_why_is_told_to_the_model(plant: Open) -> None:
    """L3: the evidence, with command, exit code and output, is in the prompt; no tool is needed for it."""
    told = ["task 1 'part 1' of plan broken is needs_human", "exit code 3", "no such luck"]
    rule = {"match": {"role": "pilot", "contains": told}, "answer": {"text": "It was the check."}}
    factory = plant({"responses": [rule]}, attempts={"idle": False, "split": False})
    line = "- task: part 1 | file: part_1.txt | content: x | test: sh -c 'echo no such luck >&2; exit 3'"
    factory.submit("broken", f"# Parts\n\n{line}\n")
    factory.turn()
    turn = asked(factory, "what failed and why?")
    assert turn.answer.startswith(
        "It was the check.\n\nThe record says:\n\nWhat failed:\ntask 1 'part 1' of plan broken "
    )
    assert turn.tools == ()


def test_a_plan_is_written_when_a_person_says_yes(plant: Open) -> None:
    """L3 G1: create_plan asks first, writes the file, queues the plan, and never overwrites one."""
    visitor = Visitor()
    new = call("create_plan", title="Word counter!", content="- task: part 1 | file: wc.txt | content: x")
    factory = plant(answers([new], "Filed.", [new], "There is one.", [new], "Refused."), clock=visitor)
    approvals.attend(factory.factory.store, factory.factory.owner.to_text())
    visitor.act = answering(factory, YES, YES, NO)
    turn = asked(factory, "count words: file that")
    assert (turn.answer, turn.tools) == ("Filed.", ("create_plan Word counter!",))
    path = factory.root / "plans" / "word-counter.md"
    assert path.read_text() == "# Word counter!\n\n- task: part 1 | file: wc.txt | content: x\n"
    assert [(plan["name"], plan["state"]) for plan in factory.plans()] == [("word-counter", "completed")]
    assert (factory.root / "word-counter" / "wc.txt").read_text() == "x\n"
    assert kinds(factory, turn).count("tool_call") == kinds(factory, turn).count("tool_result") == 1
    path.write_text("mine\n")
    assert asked(factory, "file that again").tools == ("create_plan Word counter! (failed)",)
    assert path.read_text() == "mine\n"
    path.unlink()
    assert asked(factory, "file that").answer == "Refused."
    assert not path.exists()
    assert [row.granted for row in AuditRow.select().where(AuditRow.tool == "create_plan")] == [True, True, False]


def test_without_anybody_to_ask_nothing_is_done(plant: Open) -> None:
    """G1: a terminal that shows no questions gets none answered; the model is told."""
    factory = plant(answers([call("pause_pipeline")], "I may not."))
    turn = asked(factory, "pause everything")
    assert (turn.answer, pauses.every(factory.factory.store)) == ("I may not.", {})


def test_the_factory_is_steered_by_the_functions_of_the_commands(plant: Open) -> None:
    """L3: pause, resume, edit, cancel and retry do what the commands do; rules may allow them without a question."""
    names = ["pause_pipeline", "resume_pipeline", "edit_plan", "cancel_plan", "retry_failed"]
    factory = plant(
        answers(
            [call("pause_pipeline")],
            "Paused.",
            [call("edit_plan", plan="parts", search="content: x", replace="content: y")],
            "Edited.",
            [call("cancel_plan", plan="other")],
            "Cancelled.",
            [call("resume_pipeline")],
            "Goes on.",
        ),
        permissions={"allow": names},
    )
    store = factory.factory.store
    assert asked(factory, "pause the pipeline").answer == "Paused."
    assert "" in pauses.every(store)
    factory.submit("parts", PLAN)
    factory.submit("other", PLAN.replace("part_1", "part_2"))
    assert asked(factory, "change the plan parts").answer == "Edited."  # a pause of all is none of the Pilot
    assert (factory.root / "plans" / "parts.md").read_text() == PLAN.replace("content: x", "content: y")
    assert asked(factory, "cancel other").answer == "Cancelled."
    assert asked(factory, "go on").answer == "Goes on."
    factory.turn()
    states = {(plan["name"], plan["state"]) for plan in factory.plans()}
    assert states == {("parts", "completed"), ("other", "cancelled")}
    assert (factory.root / "parts" / "part_1.txt").read_text().strip() in ("x", "y")


def test_reading_tools_ask_nobody(plant: Open) -> None:
    """L3: the five that look at the record, and the files of the project."""
    factory = plant(
        answers(
            [call("pipeline_status")],
            [call("explain_failure")],
            [call("gate_summary")],
            [call("plan_preflight", plan="parts")],
            [call("project_status")],
            "Seen.",
            [call("file_read", path="plans/parts.md")],
            "Read.",
        ),
        models={"planner": {"key": "sim-planner", "supports_tools": True, "context_length": 65536}},
    )
    factory.submit("parts", PLAN)
    factory.turn()
    turn = asked(factory, "status of the plans, why did tasks fail, what failed, what plan do I need?")
    results = [e for e in pilot.events(factory.factory, turn.id) if e.kind == "tool_result"]
    offered = [e.data["name"] for e in results if e.data["ok"]]
    assert turn.answer == "Seen."
    assert {"pipeline_status", "explain_failure", "gate_summary", "plan_preflight"} <= set(offered)
    assert "plan parts" in results[0].text
    assert "1 of 1 tasks completed" in results[0].text
    assert "Nothing has failed." in results[1].text
    assert asked(factory, "show the file plans/parts.md").tools == ("file_read plans/parts.md",)


def test_the_preflight_is_that_of_the_command(plant: Open) -> None:
    """L3, M1: what a person should look at comes first; a draft that could not be handed in is an error with a hint."""
    factory = plant(answers("never"))
    factory.submit("parts", PLAN)
    known = pilot_record.preflight(factory.factory, "parts", "")
    plan = next(iter(plans.all_plans(factory.factory.store)))
    rows = preflight.look(factory.factory, factory.root / "plans" / "parts.md", PLAN, plan).rows
    assert "commands: no command decides about this plan" in known.splitlines()[1]
    assert known.splitlines()[0] == "look at these first:"
    assert {row.name for row in rows} <= {line.split(":")[0].strip("!- ") for line in known.splitlines()[1:]}
    draft = pilot_record.preflight(factory.factory, "", "# Shop\n\nWrite `shop.py`.\n\nTest: `python3 shop.py`\n")
    assert "commands: 1: python3 shop.py" in draft and "1 are to be written" in draft
    with pytest.raises(BadInput, match="models name the unknown role"):
        pilot_record.preflight(factory.factory, "", "---\nmodels: {cook: x}\n---\n# Shop\n\nWrite it.\n")


def test_calls_that_fail_end_in_a_question(plant: Open) -> None:
    """L3: three failed calls in a row stop the loop; the same call is not made a third time."""
    bad = [[call("file_read", path=f"none_{n}.txt")] for n in range(3)]
    factory = plant(answers(*bad))
    turn = asked(factory, "read the file none.txt")
    assert turn.state is TurnState.DONE
    assert turn.answer.startswith("I stopped: 3 tool calls in a row failed. The last one was file_read: ")
    assert turn.answer.endswith("How shall I go on?")


def test_the_same_call_is_not_made_again_and_again(plant: Open) -> None:
    """L3: the second time it is answered without being run, the fourth ends the turn."""
    factory = plant(answers(*([[call("list_dir", path="plans")]] * 4)))
    turn = asked(factory, "look into the folder plans")
    assert turn.answer.startswith("I stopped: I made the same call again and again.")
    assert AuditRow.select().where(AuditRow.tool == "list_dir").count() == 1


def test_a_turn_ends_with_its_fifteenth_answer(plant: Open) -> None:
    """L3: the last answer is asked for without tools."""
    calls = [[call("list_dir", path=name)] for name in ("plans", ".") * 8]
    many = [[call("find_relevant_files", query=f"word {n * 7919}")] for n in range(14)]
    last = {"match": {"role": "pilot", "tools": False, "contains": "No more tools"}, "answer": {"text": "Enough."}}
    scenario = answers(*many)
    scenario["responses"] = [last, *scenario["responses"], *answers(*calls)["responses"]]  # type: ignore[misc]
    factory = plant(scenario)
    turn = asked(factory, "search the code for words")
    assert (turn.answer, len(turn.tools)) == ("Enough.", 14)


def test_a_model_that_writes_broken_calls_is_asked_otherwise(plant: Open) -> None:
    """F6: a call in the text is salvaged and not shown; after two broken ones an action is forced by a schema."""
    spoken = '<tool_call>{"name": "pipeline_status", "arguments": {}}</tool_call>'
    broken = [{"name": "pipeline_status", "arguments": '{"a": ' + "1" * n} for n in range(2)]
    forced = {"tool": "finish", "arguments": {"summary": "By force."}}
    scenario = answers(spoken, "By text.", *([one] for one in broken))
    scenario["responses"].append({"match": {"role": "pilot", "schema": True}, "answer": {"json": forced}})  # type: ignore[attr-defined]
    factory = plant(scenario, models={"pilot": {"key": "sim-planner", "supports_json_schema": True}})
    turn = asked(factory, "status?")
    assert (turn.answer, turn.tools) == ("By text.", ("pipeline_status",))
    shown = "".join(e.text for e in pilot.events(factory.factory, turn.id) if e.kind == "text")
    assert shown == "By text."
    assert asked(factory, "status?").answer == "By force."


def test_a_model_without_tools_answers_too(plant: Open) -> None:
    """F6: no tools are sent to it; it may call by words."""
    spoken = '{"tool": "pipeline_status", "arguments": {}}'
    scenario = answers(spoken, "No plans.")
    scenario["responses"].insert(0, {"match": {"role": "pilot", "tools": True}, "answer": {"text": "wrong"}})  # type: ignore[attr-defined]
    factory = plant(scenario, models={"pilot": {"key": "sim-coder", "supports_tools": False}})
    turn = asked(factory, "status?")
    assert (turn.answer, turn.tools) == ("No plans.", ("pipeline_status",))


def test_questions_that_make_no_sense(plant: Open) -> None:
    """L4: a megabyte is refused with a way out, what fits no window is cut with a note, odd characters do no harm."""
    factory = plant(answers("Cut.", "Odd."), models={"pilot": {"key": "sim-coder", "context_length": 8192}})
    chat = pilot.open_chat(factory.factory)
    for text, said in (("x" * 1_000_000, "1,000,000 characters"), (" \x00\x1b ", "is empty"), ("", "is empty")):
        with pytest.raises(BadInput, match=said):
            pilot.ask(factory.factory, chat.id, text)
    with pytest.raises(BadInput, match="no conversation 99"):
        pilot.ask(factory.factory, 99, "hello")
    turn = asked(factory, "word " * 10_000, chat.id)
    assert turn.answer == "Cut."
    assert any("its middle was left out" in e.text for e in pilot.events(factory.factory, turn.id) if e.kind == "note")
    odd = asked(factory, "a\x1b[31m\ud800b\x07", chat.id)
    assert (odd.question, odd.answer) == ("a[31m?b", "Odd.")


def test_two_terminals_ask_at_once(plant: Open) -> None:
    """L2: one turn is at work at a time, in the order in which they were asked."""
    factory = plant(answers("first", "second", "third"))
    one, two = (pilot.open_chat(factory.factory) for _ in range(2))
    turns = [pilot.ask(factory.factory, chat.id, f"question {n}") for n, chat in enumerate((one, two, one))]
    factory.turn()
    assert [pilot.turn(factory.factory, t.id).answer for t in turns] == ["first", "second", "third"]
    assert [t.seq for t in turns] == [1, 1, 2]


def test_what_was_said_is_remembered_until_it_is_cleared(plant: Open) -> None:
    """L2: earlier turns are in the prompt; compact leaves a digest of them, clear nothing."""
    seen = {"match": {"role": "pilot", "contains": "blue", "anywhere": True}, "answer": {"text": "It is blue."}}
    factory = plant({"responses": [seen, {"match": {"role": "pilot"}, "answer": {"text": "I do not know."}}]})
    chat = pilot.open_chat(factory.factory).id
    assert pilot.compact(factory.factory, chat) == "nothing to shorten"
    asked(factory, "my colour is blue", chat)
    assert asked(factory, "which colour?", chat).answer == "It is blue."
    assert pilot.compact(factory.factory, chat).startswith("2 turns shortened")
    assert asked(factory, "which colour?", chat).answer == "It is blue."
    pilot.clear(factory.factory, chat)
    assert asked(factory, "which colour?", chat).answer == "I do not know."
    assert [t.question for t in pilot.turns(factory.factory, chat)] == ["which colour?"]
    assert pilot.open_chat(factory.factory, chat).turns == 4
    pilot.ask(factory.factory, chat, "still there?")
    with pytest.raises(Refused, match="is not over"):
        pilot.clear(factory.factory, chat)


def test_a_server_that_dies_in_mid_stream_costs_the_turn_only(plant: Open) -> None:
    """L4: the turn fails with what to do, what had come is kept, and the plan goes on."""
    cut = {"match": {"role": "pilot"}, "answer": {"text": "one two three four"}, "fault": {"kind": "cut", "after": 3}}
    factory = plant({"responses": [{**cut, "times": 1}, {"match": {"role": "pilot"}, "answer": {"text": "Whole."}}]})
    factory.submit("parts", PLAN)
    turn = asked(factory)
    assert turn.state is TurnState.FAILED
    assert "ended without a finish reason" in turn.error or "broke off" in turn.error
    assert "lao health" in turn.error or "ask again" in turn.error
    assert turn.answer
    assert "one two three four".startswith(turn.answer)
    assert kinds(factory, turn)[-1] == "error"
    assert [plan["state"] for plan in factory.plans()] == ["completed"]
    assert asked(factory, chat=turn.chat).answer == "Whole."


def test_without_a_server_a_turn_says_so_and_fails_soon(plant: Open) -> None:
    """L4: nobody waits all night for an answer; the reason is an event while it waits and the error after that."""
    factory = plant(answers("never"))
    factory.server.stop()
    with socket.socket() as held:  # nobody else gets the port meanwhile
        held.bind(("127.0.0.1", int(factory.server.url.rsplit(":", 1)[1])))
        turn = asked(factory)
    assert turn.state is TurnState.FAILED
    assert "server" in turn.error
    waits = [e for e in pilot.events(factory.factory, turn.id) if e.kind == "waiting"]
    assert len(waits) >= 2
    factory.server.start()


def test_a_turn_that_waits_is_interrupted(plant: Open) -> None:
    """L2: it is never asked of the model; a second interruption changes nothing."""
    factory = plant(answers("never"))
    chat = pilot.open_chat(factory.factory)
    turn = pilot.ask(factory.factory, chat.id, "hello")
    pilot.interrupt(factory.factory, turn.id)
    pilot.interrupt(factory.factory, turn.id)
    factory.turn()
    found = pilot.turn(factory.factory, turn.id)
    assert (found.state, found.answer) == (TurnState.INTERRUPTED, "")
    assert kinds(factory, found)[-1] == "interrupted"
    assert [entry for entry in factory.server.log if entry.get("role") == "pilot"] == []


def test_another_model_is_swapped_in_and_the_same_is_not(plant: Open) -> None:
    """E4: the Pilot speaks by the planner's model unless it has its own."""
    factory = plant(answers("by the planner", "by its own"))
    assert (
        factory.factory.settings.models[next(r for r in factory.factory.settings.models if r.value == "pilot")].key
        == "sim-planner"
    )
    asked(factory)
    assert factory.server.stats["loads"] == 1
    asked(factory)
    assert factory.server.stats["loads"] == 1


def test_a_disk_that_is_short_is_told_and_ends_the_turn(plant: Open) -> None:
    """Issue 7: a person waits, so a turn says what it lacks each time, and fails after three waits instead of never."""
    factory = plant(answers("never"), orchestration={"min_free_disk_mb": 10**12})
    turn = asked(factory)
    told = [e.text for e in pilot.events(factory.factory, turn.id) if e.data.get("why") == "disk"]
    assert len(told) == 3
    assert all("disk full: " in text for text in told)
    assert turn.state is TurnState.FAILED
    assert "free some space, then ask again" in turn.error
    assert [entry for entry in factory.server.log if entry.get("role") == "pilot"] == []


def test_what_old_turns_started_from_is_forgotten(plant: Open) -> None:
    """L2: the state grows by what was said and not by the prompts behind it; results of tools stay for /expand."""
    looks = [call("list_dir", path="plans")]
    factory = plant(answers(*([looks, "Seen."] * (KEPT_TURNS + 5))))
    chat = pilot.open_chat(factory.factory).id
    for number in range(KEPT_TURNS + 5):
        assert asked(factory, f"look into the folder plans, {number}", chat).answer == "Seen."
    with factory.factory.store.reading():
        labels = [step.label for step in StepRow.select()]
    assert labels.count(CONTEXT_STEP) == KEPT_TURNS
    assert labels.count("tool:list_dir-1") == KEPT_TURNS + 5
