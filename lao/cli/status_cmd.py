"""``lao status``: plans, tasks, queues, workers, models and tokens, read from the record."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.look import Look, here
from lao.cli.project import open_project, since


@click.command(help="Show plans, tasks, queue, workers, models and tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, as_json: bool) -> None:
    if not session.settings().paths.database.exists():
        view = empty_view()
    else:
        with open_project(session, whole=False) as factory:
            view = collect(factory)
    if as_json:
        emit_json(view)
    else:
        _print(view)


def empty_view() -> dict[str, Any]:
    """What a project without any state shows; looking creates nothing."""
    models = {"resident": [], "loads": 0, "unloads": 0, "swaps": 0, "role_changes": 0}
    return {
        "paused": None,
        "plans": [],
        "tasks": [],
        "running": [],
        "queue": {"cpu": 0, "gpu": 0, "scheduled": 0},
        "workers": [],
        "models": models,
        "gate": None,
        "tokens": {"prompt": 0, "completion": 0, "cached": None},
        "calls": {"model": 0, "replayed": 0},
        "faults": {},
        "approvals": [],
        "rejected": [],
        "dead_letters": 0,
        "sandbox": None,
        "notify": None,
    }


def collect(factory: Any) -> dict[str, Any]:
    """The view that ``--json`` prints; see docs/watching.md for its fields."""
    from lao.cli.questions import view
    from lao.state import approvals, cache_share, energy, judgements, outbox, pauses, plans, queries, surroundings
    from workflows.queues import live_workers, sizes

    store = factory.store
    tokens, calls = queries.usage_view(store)
    rejected = [{"file": file, "reason": reason} for file, _, reason in plans.rejections(store)]
    seen = queries.plans_view(store)  # first: a plan may come meanwhile, and what follows knows those of before
    shares = cache_share.by_plan(store, factory.settings.server.base_url)
    used = energy.pieces(store)
    judged, guessed = judgements.every(store), _inferred(factory)
    of_plans, of_tasks = energy.by_plan(used), energy.by_task(used)
    return {
        "paused": pauses.of_all(store),
        "plans": [
            {
                **plan,
                "cache": shares[plan["id"]],
                "energy": of_plans.get(plan["id"]),
                "judgement": judged[plan["id"]].verdict if plan["id"] in judged else None,
                "inferred": guessed.get(plan["id"], []),
            }
            for plan in seen
        ],
        "tasks": [{**task, "energy": of_tasks.get(task["id"])} for task in queries.tasks_view(store)],
        "running": queries.running_view(store),
        "queue": sizes(),
        "workers": live_workers(),
        "models": queries.models_view(store),
        "gate": queries.gate_view(store),
        "tokens": tokens,
        "calls": calls,
        "faults": queries.faults_view(store),
        "approvals": [view(one) for one in approvals.waiting(store)],
        "rejected": rejected,
        "dead_letters": queries.counts(store)["dead_letters"],
        "sandbox": surroundings.last(store),
        "notify": outbox.view(store),
    }


def _inferred(factory: Any) -> dict[str, list[str]]:
    """The commands out of manifests that decide about each open plan, by its id; those of folders that can be read."""
    from lao.core.errors import LaoError
    from lao.core.states import TERMINAL_PLANS
    from lao.state import plans
    from workflows.checks import inferred_for

    found = {}
    for plan in plans.all_plans(factory.store):
        if plan.state not in TERMINAL_PLANS:
            with suppress(LaoError, OSError):  # the plan's ingest says what is wrong with it
                found[plan.id] = list(inferred_for(factory, plan))
    return found


def _print(view: dict[str, Any]) -> None:
    look = here()
    if view["paused"] is not None:
        word = look.word("paused", "PAUSED")
        emit(f"{word} since {since(view['paused'])}: nothing new is begun; 'lao resume' goes on")
    if not view["plans"]:
        emit("no plans yet: drop a Markdown file into the plans folder, or 'lao submit PLAN'")
    for plan in view["plans"]:
        _print_plan(plan, look)
        for task in (t for t in view["tasks"] if t["plan"] == plan["id"]):
            _print_task(task, look)
    for run in view["running"]:
        wait = f", waits {run['wait_s']} s: {run['reason']}" if run["wait_s"] else ""
        emit(f"{run['phase']} of {run['plan']}{f' task {run_task}' if (run_task := run['task']) else ''}{wait}")
    _print_questions(view["approvals"])
    if view["gate"] and view["gate"]["shut"]:
        hint = f" ({view['gate']['hint']})" if view["gate"]["hint"] else ""
        emit(f"{look.word('wait', 'memory gate')}: {view['gate']['text']}{hint}")
    for item in view["rejected"]:
        emit(f"not taken: {item['file']}: {item['reason']}")
    _print_notify(view["notify"])
    queue, models, tokens, calls = view["queue"], view["models"], view["tokens"], view["calls"]
    workers = ", ".join(f"{w['queue']} (pid {w['pid']})" for w in view["workers"]) or "none"
    emit(f"workers: {workers}; queue: cpu {queue['cpu']}, gpu {queue['gpu']}, scheduled {queue['scheduled']}")
    if view["sandbox"]:
        emit(f"sandbox: {view['sandbox']['text']}{'' if view['sandbox']['holds'] else '; lao doctor says why'}")
    emit(
        f"models: {', '.join(models['resident']) or 'none'} loaded; "
        f"{models['loads']} loads, {models['unloads']} unloads, "
        f"{models['swaps']} swaps, {models['role_changes']} role changes"
    )
    cached = "unknown" if tokens["cached"] is None else tokens["cached"]
    emit(
        f"tokens: prompt {tokens['prompt']} (cached: {cached}), completion {tokens['completion']}; "
        f"calls: {calls['model']}, replayed {calls['replayed']}"
    )
    if view["faults"]:
        emit("faults: " + ", ".join(f"{name} {count}" for name, count in view["faults"].items()))


def _print_notify(notify: dict[str, Any] | None) -> None:
    """What keeps messages to the person from going, if anything does."""
    if notify is not None:
        for way, problem in notify["problems"].items():
            emit(f"notify: the {way} {problem}; {notify['waiting']} messages wait")


def _print_plan(plan: dict[str, Any], look: Look) -> None:
    counts = plan["tasks"]
    done = f"{counts['completed']} of {counts['total']} tasks completed"
    state = look.word(plan["state"]) + (f" and {plan['judgement']} by a person" if plan["judgement"] else "")
    emit(look.plain(f"{plan['id']}  {plan['name']}: {state}, {done}{_cache(plan['cache'])}{_energy(plan['energy'])}"))
    if plan["paused"] is not None:
        emit(f"    {look.word('paused', 'PAUSED')} since {since(plan['paused'])}; 'lao resume {plan['id']}' goes on")
    if plan["waits"]:
        emit(look.plain(f"    {look.word('waiting', plan['waits'])}"))
    if plan["inferred"]:
        emit(look.plain(f"    no command is named, inferred: {'; '.join(plan['inferred'])}"))
    if plan["reason"]:
        emit(look.plain(f"    {plan['reason']}"))


def _cache(cache: dict[str, Any]) -> str:
    """The plan's share of prompt tokens that came from the server's cache, "" when nothing is known of it."""
    if cache["share"] is None:
        return ""
    estimated = " (estimated)" if cache["source"] == "estimate" else ""
    return f", {round(100 * cache['share'])} % of prompts from cache{estimated}"


def _energy(energy: dict[str, Any] | None) -> str:
    """The plan's joules so far and who counted them, "" when nobody did."""
    if energy is None:
        return ""
    least = "" if energy["complete"] else "at least "
    return f", {least}{energy['joules'] / 1000:.3g} kJ ({energy['source']})"


def _print_questions(questions: list[dict[str, Any]]) -> None:
    if questions:
        from lao.cli.questions import in_short

        for question in questions:
            emit(in_short(question))


def _print_task(task: dict[str, Any], look: Look) -> None:
    commit = f" {task['commit'][:10]}" if task["commit"] else ""
    unproved = ", no check" if task["state"] == "completed" and task["evidence"] == "none" else ""
    how = f", solved by {task['rung']} in round {len(task['rounds'])}" if task["rung"] else ""
    head = f"  {look.mark(task['state'])} {task['id']} {task['title']}: {look.word(task['state'])}"
    emit(look.plain(f"{head} (attempt {task['attempts']}{how}{unproved}){commit}"))
    if task["reason"]:
        emit(look.plain(f"      {task['reason'].splitlines()[0]}"))
