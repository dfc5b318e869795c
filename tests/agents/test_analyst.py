"""What the analyst's model may add to a survey: in whatever form it says it, and without what it makes up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lao.agents.analyst import (
    MAX_TOKENS,
    MOST_TOKENS,
    ModelPart,
    analyse,
    grounded,
    read_part,
    snapshot_budget,
    survey_section,
    with_part,
)
from lao.agents.prompt import load
from lao.core.errors import AttemptFailed
from lao.core.states import Role
from lao.llm.tokens import estimate, estimate_messages
from lao.workspace.survey.facts import Checked, survey
from lao.workspace.survey.snapshot import snapshot
from tests.workspace.survey.test_facts import SHOP, lay_out, valid

from .fakes import ScriptedModel, Tape, settings

GOOD = {
    "summary": "It is a shop. It pays by `shop/till.py`.",
    "integration_points": [{"file": "shop/till.py", "text": "All payments go through it."}],
    "risk_areas": [{"file": "shop/money.py", "text": "Everything uses it."}],
    "conventions": ["Amounts are whole numbers."],
    "advice": ["Run `pytest -q` after each change."],
}
TOLD = {"status": "answered", "model": "m", "why": ""}


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    """The survey of a shop, checked by pytest."""
    found = survey(lay_out(tmp_path, SHOP), "", commands=[Checked("test", "pytest -q", passed=True)])
    assert found is not None
    return found


def ask(
    document: Mapping[str, Any], root: Path, *answers: Any, budget: int = 2000, **more: Any
) -> tuple[ModelPart, ScriptedModel]:
    model = ScriptedModel(*(a if isinstance(a, (str, Exception)) else json.dumps(a) for a in answers))
    part = analyse(
        document,
        snapshot(root, document, budget, estimate),
        model=model,
        settings=settings(Role.ANALYST, **more),
        steps=Tape(),
        exists=lambda path: (root / path).exists(),
    )
    return part, model


def test_the_model_is_shown_the_survey_and_asked_last(document: dict[str, Any], tmp_path: Path) -> None:
    """D1: facts, snapshot, then the instruction; the answer is bounded, and the schema is sent where it is known."""
    part, model = ask(document, tmp_path, GOOD)
    (request,) = model.requests
    text = str(request.messages[1]["content"])
    assert request.messages[0]["content"] == load("analyst")
    assert text.index("8 files: python") < text.index("# Public names") < text.index("JSON object only")
    assert (request.max_tokens, request.schema is not None) == (1000, True)
    assert part.advice == ("Run `pytest -q` after each change.",)
    assert part.dropped == 0


def test_what_does_not_exist_is_dropped(document: dict[str, Any], tmp_path: Path) -> None:
    """D1: files and commands that the workspace does not have are dropped, sentence by sentence, and counted."""
    lies = {
        "summary": "It is a shop. Its heart is `shop/heart.py`.",
        "integration_points": [{"file": "shop/door.py", "text": "Here."}, {"file": "shop/till.py", "text": "There."}],
        "risk_areas": [
            {"file": "shop/money.py", "text": "Also see shop/none.py."},
            {"file": "../etc/passwd", "text": "x"},
        ],
        "conventions": ["Run `npm run build` first.", "Names are short."],
        "advice": ["Use `make check`.", "Keep to money.py.", "It feels like Node.js."],
    }
    part, _ = ask(document, tmp_path, lies)
    assert part == ModelPart(
        "It is a shop.",
        (("shop/till.py", "There."),),
        (),
        ("Names are short.",),
        ("Keep to money.py.", "It feels like Node.js."),
        dropped=6,
    )


@pytest.mark.parametrize(
    ("said", "holds"),
    [
     ("`npm run test` tests.", True), ("`npm test` tests.", True), ("`npm run lint` lints.", False),
     ("`make all`", True), ("`make some`", False),
     ("`cargo test`", False), ("`jest --watch`", True), ("`x = y`", True)],
)  # fmt: skip
def test_commands_are_known_by_manifests(tmp_path: Path, said: str, holds: bool) -> None:
    """D1: a script of package.json, a target of a Makefile, the framework of the tests: nothing else is a command."""
    manifest = '{"scripts": {"test": "jest"}, "devDependencies": {"jest": "1"}}'
    found = survey(lay_out(tmp_path, {"package.json": manifest, "Makefile": "all:\n\ttrue\n"}), "")
    assert found is not None
    part = grounded(ModelPart(advice=(said,)), found, lambda _path: False)
    assert bool(part.advice) is holds


@pytest.mark.parametrize(
    "form",
    [
        {"summary": "S.", "integration_points": {"shop/till.py": "w"}, "risks": ["r"],
         "conventions": "c", "advice": []},
        {"overview": "S.", "integration_points": [{"path": "./shop/till.py", "why": "w"}],
         "risk_areas": [{"what": "r"}],
         "conventions": [{"convention": "c"}]},
    ],
)  # fmt: skip
def test_other_forms_are_understood(form: dict[str, Any]) -> None:
    """D1: weak models name their keys otherwise and give a text for a list."""
    assert read_part(form) == ModelPart("S.", (("shop/till.py", "w"),), (("", "r"),), ("c",), ())


@pytest.mark.parametrize(
    "nonsense", ["", "Sure! Here you go.", "[1, 2, 3]", "{}", '{"summary": ""}', '{"summary": "<sentences>"}']
)
def test_nonsense_is_a_failed_attempt(document: dict[str, Any], tmp_path: Path, nonsense: str) -> None:
    """D1: what is no survey, also after one correction, ends as a failure that the caller can tell."""
    with pytest.raises(AttemptFailed) as caught:
        ask(document, tmp_path, nonsense, nonsense)
    assert caught.value.kind == "bad_json"


def test_nothing_but_inventions_is_a_failed_attempt(document: dict[str, Any], tmp_path: Path) -> None:
    """D1: when nothing of what the model says is there, nothing is kept."""
    with pytest.raises(AttemptFailed, match="2 statements dropped") as caught:
        ask(document, tmp_path, {"summary": "See `a/b.py`.", "advice": ["Run `make it`."]})
    assert caught.value.kind == "bad_json"


def test_flooding_is_cut(document: dict[str, Any], tmp_path: Path) -> None:
    """D1: a hundred endless sentences become six short ones."""
    part, _ = ask(document, tmp_path, {"summary": "S" * 9000, "advice": [f"a{n} " + "x" * 900 for n in range(100)]})
    assert (len(part.summary), len(part.advice), len(part.advice[0])) == (700, 6, 280)


@pytest.mark.parametrize("context", [1024, 2048, 4096, 8192, 32_768, 131_072])
@pytest.mark.parametrize("utilization", [0.3, 0.8, 1.0])
def test_prompt_and_answer_fit(tmp_path: Path, context: int, utilization: float) -> None:
    """D1 E: whatever the context, snapshot, prompt and answer stay within it; without room nobody is asked."""
    lay_out(tmp_path, {f"m{n}.py": f"def f{n}(a): return {n}\n" * 30 for n in range(200)})
    found = survey(tmp_path, "m1.py m2.py")
    assert found is not None
    role = settings(Role.ANALYST, context_length=context, max_completion=8192)
    budget = snapshot_budget(role, utilization)
    if not budget:
        assert context * utilization < 3000
        return
    model = ScriptedModel(json.dumps(GOOD))
    analyse(
        found,
        snapshot(tmp_path, found, budget, estimate),
        model=model,
        settings=role,
        steps=Tape(),
        exists=lambda _path: False,
    )
    (request,) = model.requests
    assert request.max_tokens is not None
    assert request.max_tokens <= MAX_TOKENS
    prompt = estimate_messages(request.messages)
    assert prompt <= min(context * utilization, MOST_TOKENS)
    assert prompt + request.max_tokens <= context


def test_the_report_with_the_models_part(document: dict[str, Any]) -> None:
    """D1: what the model added is marked as its own, and the report still keeps to its schema."""
    found = with_part(document, read_part(GOOD), TOLD)
    assert valid(found) == ""
    assert found["summary"] == f"{document['summary']} {GOOD['summary']}"
    assert found["risk_areas"][-1] == {"file": "shop/money.py", "text": "Everything uses it.", "by": "model"}
    assert found["report_meta"]["model_part"] == TOLD


def test_the_section_for_other_roles(document: dict[str, Any]) -> None:
    """D1: planner and reviewer see a bounded section; without a survey, or with a tiny context, none at all."""
    found = with_part(document, read_part(GOOD), TOLD)
    for context in (512, 2048, 4096, 8192, 65_536):
        text = survey_section(found, context)
        assert estimate(text) <= min(context // 24, 600)
        assert bool(text) is (context >= 4096)
    assert "`pytest -q`" in survey_section(found, 32_768)
    assert survey_section(None, 65_536) == ""
