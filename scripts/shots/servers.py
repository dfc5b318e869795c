"""Scripted model servers for pictures and for recorded sessions: what each has, and what its models answer."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

import yaml

from lao.servers.simulated.scenario import Scenario, parse_scenario

CODER: Final = "qwen/qwen3-coder-30b"
MODELS: Final = (
    {"key": CODER, "size_bytes": 18_556_689_568, "max_context_length": 262_144},
    {"key": "openai/gpt-oss-120b", "size_bytes": 63_387_346_464, "max_context_length": 131_072},
    {"key": "qwen2.5-coder-1.5b-instruct", "size_bytes": 1_117_320_736, "max_context_length": 32_768},
    {
        "key": "text-embedding-nomic-embed-text-v1.5", "size_bytes": 84_106_624,
        "type": "embedding", "max_context_length": 2048,
    },
)  # fmt: skip
"""What somebody with a card of 24 GB may have downloaded, one of them too large."""


def newcomers(**more: object) -> Scenario:
    """Somebody's first server: these models, which can do the plan of ``lao demo`` in the form that every model can.

    Args:
        more: other keys of the scenario, such as ``tokens_per_second``.
    """
    demo = yaml.safe_load((resources.files("lao.cli.demo") / "scenario.yaml").read_text(encoding="utf-8"))
    rules = [_as_text(rule) for rule in demo["responses"] if rule["match"].get("nth", 1) == 1]
    return parse_scenario({**demo, "models": list(MODELS), "responses": rules, **more})


def _as_text(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule with a file that is written by a call written as text, and right at once."""
    calls = rule["answer"].get("tool_calls")
    if not calls:
        return rule
    given = calls[0]["arguments"]
    content = given["content"].replace("range(start, stop, step)", "range(start, stop + step, step)")
    match = {name: value for name, value in rule["match"].items() if name not in ("nth", "tools")}
    return {"match": match, "answer": {"text": f"FILE: {given['path']}\n```python\n{content}```\n"}}
