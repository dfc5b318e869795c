"""How much of the prompts a server serves from its cache while LAO works through a small plan.

usage: python scripts/bench_cache.py [--url http://127.0.0.1:1234 --model KEY] [--tasks 6] [--protocol text] [--json]
       python scripts/bench_cache.py --project FOLDER [FOLDER ...]
Every task's check fails first (it wants what the task does not say), so each coder phase calls the model more than
once. Without --url a simulated server answers. --project reads what was recorded in projects that were worked on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lao.config.load import load  # noqa: E402
from lao.core.errors import LaoError  # noqa: E402
from lao.core.states import Phase, TaskState  # noqa: E402
from lao.core.words import Json  # noqa: E402
from lao.servers.simulated.scenario import Scenario  # noqa: E402
from lao.servers.simulated.server import SimulatedServer  # noqa: E402
from lao.state import cache_share, queries  # noqa: E402
from lao.state.store import open_store  # noqa: E402
from scripts import bench_prompts  # noqa: E402
from scripts.exercism import factory  # noqa: E402
from scripts.exercism.exercises import Setup, make_project  # noqa: E402
from scripts.exercism.server import Server  # noqa: E402

SIMULATED_MODEL = "sim-coder"

INTRO = """# A library of small parts

Every part is a module of its own in `shop/` with one function of the same name. It takes a number and returns a number.
Parts do not print, do not read files and raise nothing. Names are exactly as given here. Every part has a check; its
output says what is missing.
"""

CHECK = """import importlib.util, sys
n = int(sys.argv[1])
spec = importlib.util.spec_from_file_location("part", f"shop/part_{n}.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
part = getattr(module, f"part_{n}")
assert part(1) == 1 + n, f"part_{n}(1) is {part(1)!r}, and must be {1 + n}"
said = getattr(module, "NAME", None)
assert said == f"part-{n}", f"NAME of shop/part_{n}.py is {said!r}; the module must have the line NAME = 'part-{n}'"
"""


def plan_text(tasks: int, check: Path) -> str:
    """A plan of ``tasks`` modules whose checks want a constant that only their failure names."""
    parts = [
        f"## Part {n}\n\nWrite `shop/part_{n}.py` with the function `part_{n}(x)`, which returns x + {n}.\n\n"
        f"Test: `python3 {check} {n}`\n"
        for n in range(1, tasks + 1)
    ]
    return "\n".join((INTRO, *parts))


@contextmanager
def server_for(url: str | None, tasks: int) -> Iterator[str]:
    """The URL to use: the given one, or that of a simulated server whose first answer to each task is wrong."""
    if url is not None:
        yield url
        return
    wrong = bench_prompts.first_answers_wrong(range(1, tasks + 1))
    with SimulatedServer(Scenario(responses=wrong, jit_context_length=8192)) as server:
        yield server.url


def measure(url: str | None, model: str, tasks: int, protocol: str, limit_s: float) -> dict[str, Json]:
    """Run the plan; the shares of the coder's first calls, of its later calls, and of the whole plan.

    Raises:
        ServerAway, BadInput: no such server or model.
        LaoError: no model was called at all.
    """
    if url is not None:
        named = Server(url, model)
        named.check()
        named.close()
    keys = {} if protocol == "auto" else {"supports_tools": protocol == "tools"}
    only_the_plans = {"validation_build_cmd": None, "infer_validation_commands": False}
    with tempfile.TemporaryDirectory() as folder, server_for(url, tasks) as address:
        root, check = Path(folder) / "project", Path(folder) / "checks" / "check.py"
        check.parent.mkdir()
        shown = {"read_only": [str(check.parent)]}
        extra = {"calibration": {"auto": True}, "orchestration": only_the_plans, "sandbox": shown}
        make_project(root, Setup(url=address, model=model, wall_s=limit_s, keys=keys, extra=extra))
        check.write_text(CHECK, encoding="utf-8")
        text = plan_text(tasks, check) if url is not None else bench_prompts.plan_text(tasks)
        (root / "plans" / "parts.md").write_text(text, encoding="utf-8")
        said = factory.run(root, limit_s)
        return {"server": url or "simulated", "model": model, "seconds": said.seconds, **_figures(root, said.log)}


def _figures(root: Path, log: str) -> dict[str, Json]:
    found, states = _recorded(root)
    if not found:
        raise LaoError(f"no model was called; the end of the log:\n{log[-3000:]}", "see 'lao health'")
    return _shares(found, states, [found])


def _recorded(root: Path) -> tuple[list[cache_share.PromptCall], list[str]]:
    """The calls of a project, and the states of its tasks."""
    settings = load(cwd=root, env={})
    store = open_store(settings.paths.database)
    try:
        found = list(cache_share.calls(store, settings.server.base_url))
        return found, [task["state"] for task in queries.tasks_view(store)]
    finally:
        store.close()


def of_projects(roots: Sequence[Path]) -> dict[str, Json]:
    """The shares over the calls of several projects.

    Raises:
        BadInput: one of them is no project.
    """
    read = [_recorded(root) for root in roots]
    found = [call for calls, _ in read for call in calls]
    states = [state for _, own in read for state in own]
    if not found:
        raise LaoError("no model was called in these projects", "give folders with a factory.yaml that were worked on")
    told = {"server": "their servers", "model": f"{len(roots)} projects", "seconds": 0.0}
    return {**told, **_shares(found, states, [calls for calls, _ in read])}


def _shares(
    found: Sequence[cache_share.PromptCall], states: Sequence[str], projects: Sequence[Sequence[cache_share.PromptCall]]
) -> dict[str, Json]:
    parts = [cache_share.first_and_later(calls, Phase.CODE.value) for calls in projects]
    first = [call for one, _ in parts for call in one]
    later = [call for _, other in parts for call in other]
    phases = dict.fromkeys(call.phase for call in found)
    return {
        "tasks": len(states),
        "completed": states.count(TaskState.COMPLETED.value),
        "first": cache_share.share(first),
        "later": cache_share.share(later),
        "plan": cache_share.share(found),
        "phases": {name: cache_share.share(c for c in found if c.phase == name) for name in phases},
    }


def table(figures: dict[str, Json]) -> str:
    """The figures for people: one line for each kind of call."""
    rows = [("coder, first call of a phase", figures["first"]), ("coder, later calls", figures["later"])]
    rows += [(f"all of {phase}", share) for phase, share in figures["phases"].items()]
    rows.append(("whole plan", figures["plan"]))
    took = f", {figures['seconds']:.0f} s" if figures["seconds"] else ""
    lines = [
        f"{figures['model']} on {figures['server']}: "
        f"{figures['completed']} of {figures['tasks']} tasks completed{took}",
        "",
        "| calls | number | prompt tokens | from cache | share | told by |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for title, share in rows:
        part = "unknown" if share["share"] is None else f"{share['share']:.1%}"
        prompt, cached = (share[name] if share["counted"] else "unknown" for name in ("prompt", "cached"))
        lines.append(f"| {title} | {share['calls']} | {prompt} | {cached} | {part} | {share['source'] or 'nobody'} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a model server (default: a simulated one)")
    parser.add_argument("--model", default=SIMULATED_MODEL)
    parser.add_argument("--tasks", type=int, default=6)
    parser.add_argument("--protocol", choices=("auto", "tools", "text"), default="auto", help="how the coder is asked")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds for the whole run (default: 1800)")
    parser.add_argument("--project", type=Path, nargs="+", help="read these instead of running anything")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    try:
        if options.project:
            figures = of_projects(options.project)
        else:
            figures = measure(options.url, options.model, options.tasks, options.protocol, options.limit)
    except LaoError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(figures, indent=2) if options.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
