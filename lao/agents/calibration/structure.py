"""The probe of structured output: a canary schema whose answer would be prose if the server ignored it."""

from __future__ import annotations

from lao.agents.calibration.bench import Bench, cut_while_thinking
from lao.agents.prompt import load, schema
from lao.core.errors import AttemptFailed
from lao.core.words import Json
from lao.llm.clean import clean
from lao.llm.structured import NotJsonError, parse_json, schema_problem

_TOKENS = 100


def probe(bench: Bench) -> dict[str, Json]:
    """``schema``; unknown when the answer was cut off before it could show anything."""
    wanted = schema("calibrate_schema")
    try:
        answer = bench.ask(load("calibrate_schema"), _TOKENS, schema=wanted)
    except AttemptFailed as error:
        if error.kind != "schema_refused":
            raise
        return {"schema": False}
    # Some servers put the JSON into the field for thinking; the callers read it from there as well.
    text = clean(answer.text) or clean(answer.reasoning)
    cut = answer.finish_reason == "length"
    if not text:
        return {} if cut else {"schema": False}
    try:
        value = parse_json(text, truncated=cut)
    except NotJsonError:
        begun = text.startswith(("{", "["))
        return {} if cut and (begun or cut_while_thinking(answer)) else {"schema": False}
    return {"schema": not schema_problem(value, wanted)}
