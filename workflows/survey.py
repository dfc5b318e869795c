"""Survey (gpu): what a model adds to the survey that ingest has taken. Whatever goes wrong here, the plan goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

from lao.agents.analyst import ModelPart, analyse, snapshot_budget, with_part
from lao.config.settings import ModelSettings
from lao.core.errors import AttemptFailed, BadInput, NeedsHuman, Terminal, Transient
from lao.core.states import Phase, Role
from lao.core.steps import StepKind
from lao.core.words import Json
from lao.llm.tokens import estimate
from lao.state import pipeline, runs
from lao.workspace.survey.inventory import is_secret
from lao.workspace.survey.snapshot import snapshot
from workflows import surveys
from workflows.work import Outcome, Work

TEMPERATURE = 0.1
WAITS = 2
"""How often the run is put off for a server that does not answer before it goes on without the model."""


def body(work: Work) -> Outcome:
    """Ask the model and keep the report."""
    document = surveys.of_plan(work)
    if document is None:  # taken back: an ingest of another version
        return Outcome(lambda now: pipeline.next_plan_run(work.plan.id, Phase.PLAN, now), text="nothing to survey")
    part, told = _asked(work, document)
    work.off_gpu()
    complete = with_part(document, part, told)
    surveys.keep(work, complete, what=surveys.MODEL)
    why = f": {told['why']}" if told["why"] else ""
    return Outcome(
        lambda now: pipeline.next_plan_run(work.plan.id, Phase.PLAN, now),
        result={"survey": complete},
        text=f"the model's part is {told['status']}{why}",
    )


def _asked(work: Work, document: dict[str, Json]) -> tuple[ModelPart, dict[str, Json]]:
    """What the model said and what is told of it; recorded, so that a resumed run goes on with the same."""
    part, told = ModelPart(), _told(work, "failed")
    try:
        part, told = _ask(work, document, told)
    except (AttemptFailed, Terminal, NeedsHuman, BadInput) as error:
        told["why"] = error.message
    except Transient as error:
        if runs.waits_of(work.factory.store, work.claim.run.id) < WAITS:
            raise
        told["why"] = error.message
    found = work.steps.run(StepKind.READ, "model-part", lambda: {"part": asdict(part), "told": told})
    return _part(found["part"]), found["told"]


def _ask(work: Work, document: dict[str, Json], told: dict[str, Json]) -> tuple[ModelPart, dict[str, Json]]:
    settings, limits = _settings(work), work.factory.settings.orchestration
    budget = snapshot_budget(settings, limits.max_context_utilization)
    if not budget:
        return ModelPart(), {**told, "why": f"a context of {settings.context_length} tokens is too small for a survey"}
    root, hidden = work.plan.workspace, work.hidden(work.plan.workspace)
    shown = snapshot(root, document, budget, estimate, hidden=hidden)
    told |= {"shown_tokens": shown.tokens, "not_shown": list(shown.left_out)}
    part = analyse(document, shown, model=work.model, settings=settings, steps=work.steps, exists=_there(work, hidden))
    why = work.factory.surveyor.why
    return part, {**told, "status": "answered", "why": why, "dropped": part.dropped}


def _told(work: Work, status: str) -> dict[str, Json]:
    return {"status": status, "model": work.factory.model_key(Phase.SURVEY), "why": ""}


def _settings(work: Work) -> ModelSettings:
    """Cool, unless the user says otherwise: this is reading, not invention."""
    settings = work.model_settings(work.role or Role.PLANNER)
    return replace(settings, temperature=TEMPERATURE) if settings.temperature is None else settings


def _there(work: Work, hidden: Callable[[str], bool]) -> Callable[[str], bool]:
    root = work.plan.workspace

    def exists(path: str) -> bool:
        if path.split("/", 1)[0] in (".git", ".lao") or hidden(path) or is_secret(path):
            return False
        try:
            return (root / path).exists()
        except (OSError, ValueError):
            return False

    return exists


def _part(data: dict[str, Json]) -> ModelPart:
    points, risks = (tuple((file, text) for file, text in data[n]) for n in ("integration_points", "risk_areas"))
    return ModelPart(
        data["summary"], points, risks, tuple(data["conventions"]), tuple(data["advice"]), dropped=data["dropped"]
    )
