"""PreCompact and the transcript through the whole pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lao.state import journal
from lao.state.tables import RunRow
from tests.hooks.conftest import command
from tests.workflows.conftest import Plant
from tests.workflows.test_hooks_in_flow import keep, lines
from tests.workflows.test_tools_in_flow import PLAN, call, scripted
from workflows import hook_events, queues, transcripts

Open = Callable[..., Plant]
WRITE = call("file_write", path="part_1.txt", content="x\n")
LONG = [[call("shell_exec", command=f"seq {n} 3000")] for n in (1, 2)]
SMALL = {
    "models": {"coder": {"key": "sim-coder", "supports_tools": True, "context_length": 8192}},
    "orchestration": {"compaction_at": 0.4, "compaction_keep_recent": 2},
}


def asked_steps(factory: Plant) -> list[Any]:
    (run,) = RunRow.select().where(RunRow.phase == "code")
    return [
        s.result for s in journal.load(factory.factory.store, run.id) if re.fullmatch(r"compact-\d+:before", s.label)
    ]


def test_a_compaction_is_asked_about_and_goes_on(plant: Open, tmp_path: Path) -> None:
    """N2 C7: the hook hears of it with the run, and its answer is a step of the journal."""
    path = tmp_path / "asked.jsonl"
    factory = plant(scripted(*LONG, [WRITE]), hooks={"PreCompact": command(keep(path))}, **SMALL)
    factory.submit("long", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    told = lines(path)
    assert told
    assert {(t["trigger"], t["phase"], t["task"]) for t in told} == {("auto", "code", "part 1")}
    assert asked_steps(factory) == [""] * len(told)


def test_without_such_a_hook_there_is_no_step(plant: Open) -> None:
    """N2: the journal of a project without PreCompact is as it ever was."""
    factory = plant(scripted(*LONG, [WRITE]), hooks={"Stop": command("true")}, **SMALL)
    factory.submit("long", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert asked_steps(factory) == []


def test_a_resumed_run_asks_about_no_compaction_twice(plant: Open, tmp_path: Path) -> None:
    """N2 K2: stopped after the question, the run goes on from the recorded answer."""
    path = tmp_path / "asked.jsonl"
    script = scripted(*LONG, [call("list_dir")], [WRITE])
    factory = plant(script, hooks={"PreCompact": command(keep(path))}, **SMALL)
    (factory.root / "hooks.py").write_text(
        "from workflows.factory import active\n"
        "def pre_tool(name, args, ctx):\n"
        "    if name == 'list_dir': active.get().stop.set()\n"
    )
    factory.submit("resumed", PLAN)
    for _ in range(3):
        for huey in (queues.cpu, queues.gpu):
            factory._one(huey)
    assert factory.factory.stop.is_set()
    before = lines(path)
    assert before
    (factory.root / "hooks.py").write_text("")
    del factory.factory.hooks  # as another worker would load them
    factory.factory.stop.clear()
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert lines(path)[: len(before)] == before
    assert len(lines(path)) == len(asked_steps(factory))


def test_hooks_read_the_run_s_conversation(plant: Open, tmp_path: Path) -> None:
    """N2 C7: transcript_path is a file with the conversation as it stands when the hook is run: the call, not yet its
    result; after the attempt all of it."""
    copy = (
        f"python3 -c 'import json,sys; t=json.load(sys.stdin); print(open(t[\"transcript_path\"]).read())' > {tmp_path}"
    )
    hooks = {"PreToolUse": command(f"{copy}/before.jsonl", "Write"), "Stop": command(f"{copy}/stop.jsonl")}
    factory = plant(scripted([WRITE]), hooks=hooks)
    hook_events.news.begin(factory.factory.store, hook_events.NAME)
    factory.submit("read", PLAN)
    factory.turn()
    hook_events.tell(factory.factory)
    before, after = ([json.loads(line) for line in (tmp_path / name).read_text().split("\n") if line]
                     for name in ("before.jsonl", "stop.jsonl"))  # fmt: skip
    assert before[0]["message"]["content"].startswith("part 1")
    assert [line["type"] for line in before] == ["user", "assistant"]
    assert before[1]["message"]["content"][-1]["name"] == "file_write"
    assert before == after[: len(before)]
    assert after[2]["message"]["content"][0]["tool_use_id"] == before[1]["message"]["content"][-1]["id"]
    assert after[-1]["message"]["content"][0]["text"] == "Done."


def test_few_transcripts_are_kept(plant: Open, monkeypatch: Any) -> None:
    """L: only those of the latest runs; one that cannot be written is said once and is "" for the hook."""
    factory = plant(scripted([WRITE]))
    factory.submit("kept", PLAN)
    factory.turn()
    assert not (factory.root / ".lao" / "transcripts").exists(), "no hook, no file"
    monkeypatch.setattr(transcripts, "MOST_FILES", 3)
    runs = [row.id for row in RunRow.select()]
    assert len(runs) > 3
    paths = [transcripts.transcript_of(factory.factory, run) for run in runs]
    assert [Path(path).exists() for path in paths] == [False] * (len(runs) - 3) + [True] * 3
    assert transcripts.transcript_of(factory.factory, 10_000) == ""
    for path in paths[-3:]:
        Path(path).unlink()
    folder = factory.root / ".lao" / "transcripts"
    folder.rmdir()
    folder.write_text("in the way")
    assert transcripts.transcript_of(factory.factory, runs[0]) == ""
