"""What LAO sends: tokens per task in a 20-task plan by section, and the size of the coder's system prompt and tools.

usage: python scripts/bench_prompts.py [--tasks 20] [--mend 3] [--url http://127.0.0.1:1234 --model KEY] [--json]
A simulated server answers; --url only counts tokens with a llama-server's tokenizer (else they are LAO's estimate).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lao.core.errors import LaoError  # noqa: E402
from lao.core.words import Json  # noqa: E402
from lao.llm.tokens import estimate, estimate_messages  # noqa: E402
from lao.servers.simulated.request import SimRequest  # noqa: E402
from lao.servers.simulated.scenario import Rule, parse_scenario  # noqa: E402
from scripts.exercism.exercises import ROLES  # noqa: E402
from scripts.exercism.recorder import recording  # noqa: E402
from scripts.exercism.sections import SECTIONS, split_user  # noqa: E402
from scripts.exercism.server import Server  # noqa: E402
from tests.durability.factory_run import project  # noqa: E402

BAR = 1500
"""Upper limit of the coder's system prompt and tool list, in tokens."""


@dataclass(frozen=True)
class Tokenizer:
    """Counts tokens: of a text, and of a tool list as the chat template shows it. ``name`` is for the header."""

    name: str
    text: Callable[[str], int]
    tools: Callable[[Json], int]


def plan_text(tasks: int) -> str:
    """A plan of ``tasks`` small modules; every third needs the one before it, and each has a command that checks it."""
    lines = [
        "# A library of small parts",
        "",
        "Every part is a module of its own in `shop/` with one function of the same name. It takes a number and",
        "returns a number. Parts do not print, do not read files and raise nothing. Names are exactly as given here.",
        "",
    ]
    for n in range(1, tasks + 1):
        after = f" | after: Write part {n - 1}" if n % 3 == 0 else ""
        check = f"python3 -c 'from shop.part_{n} import part_{n} as f; assert f(1) == {1 + n}'"
        code = f"part_{n} = lambda x: x + {n}"
        lines.append(f"- task: Write part {n} | file: shop/part_{n}.py | content: {code}{after} | test: {check}")
    return "\n".join(lines) + "\n"


def first_answers_wrong(numbers: Sequence[int]) -> tuple[Rule, ...]:
    """Rules that spoil the coder's first answer for these tasks, so that feedback and history are in the figures."""
    rules = []
    for n in numbers:
        path, code = f"shop/part_{n}.py", f"def part_{n}(x):\n    return x - {n}\n"
        match = {"role": "coder", "contains": f"Write {path}."}
        call = {"name": "file_write", "arguments": {"path": path, "content": code}}
        rules += [
            {"match": {**match, "tools": True}, "times": 1, "answer": {"tool_calls": [call]}},
            {"match": {**match, "tools": False}, "times": 1, "answer": {"text": f"FILE: {path}\n```python\n{code}```"}},
        ]
    return parse_scenario({"responses": rules}).responses


def requests_of(tasks: int, mend: int, *, tools: bool) -> list[SimRequest]:
    """All chat requests of the plan's run, without the gate's look whether a model answers."""
    wrong = [1 + n * tasks // mend for n in range(mend)] if mend else []
    settings: dict[str, object] = {
        "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "coder_max_turns": 8},
        "calibration": {"auto": False},
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        project(Path(folder), settings=settings, responses=first_answers_wrong(wrong)) as factory,
        recording(factory.server.url) as recorder,
    ):
        _point_at(factory.root / "factory.yaml", recorder.url, tools=tools)
        (factory.root / "plans" / "parts.md").write_text(plan_text(tasks))
        done = factory.lao("run", "--single-run", "--plain", timeout=300)
        if done.returncode:
            raise LaoError(f"the run ended with exit code {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
        return [request for request in recorder.requests if not request.is_ping]


def _point_at(path: Path, url: str, *, tools: bool) -> None:
    import yaml

    document = yaml.safe_load(path.read_text())
    document["lm_studio_base_url"] = url
    for model in document["models"].values():
        model["supports_tools"] = tools
    path.write_text(yaml.safe_dump(document))


def coder_split(requests: Sequence[SimRequest], count: Tokenizer) -> Counter[str]:
    """Tokens that all the coder's requests sent, by section."""
    split: Counter[str] = Counter()
    for request in (r for r in requests if r.role == "coder"):
        split["tools"] += count.tools(request.body.get("tools") or [])
        begun = False
        for message in request.messages:
            text = str(message.get("content") or "")
            if message["role"] == "system":
                split["system"] += count.text(text)
            elif message["role"] == "user" and not begun:
                begun = True
                for name, part in split_user(text):
                    split[name] += count.text(part)
            else:
                calls = json.dumps(message["tool_calls"]) if message.get("tool_calls") else ""
                split["history"] += count.text(text) + count.text(calls)
    return split


def role_total(requests: Sequence[SimRequest], role: str, count: Tokenizer) -> int:
    texts = [str(m.get("content") or "") for r in requests if r.role == role for m in r.messages]
    return sum(map(count.text, texts))


def tokenizer(url: str | None, model: str) -> Tokenizer:
    """The server's own one where it answers, else LAO's estimate.

    Raises:
        ServerAway: a server was named and does not answer.
    """
    guess = Tokenizer("LAO's estimate", estimate, lambda tools: estimate_messages((), tools))
    if url is None:
        return guess
    server = Server(url, model)
    server.check()
    server.load()
    if server.post("/tokenize", {"model": model, "content": "x"}).status_code != 200:
        return guess
    known: dict[str, int] = {}

    def of_text(text: str) -> int:
        if text and text not in known:
            answer = server.post("/tokenize", {"model": model, "content": text})
            known[text] = len(answer.json()["tokens"]) if answer.status_code == 200 else estimate(text)
        return known.get(text, 0)

    def of_tools(tools: Json) -> int:
        key = json.dumps(tools)
        if tools and key not in known:
            bare, full = _input_tokens(server, model, []), _input_tokens(server, model, tools)
            known[key] = full - bare if bare and full else of_text(key)
        return known[key] if tools else 0

    return Tokenizer(f"tokenizer of {model}", of_text, of_tools)


def _input_tokens(server: Server, model: str, tools: Json) -> int:
    """Tokens of a tiny chat with ``tools``, template included; 0 when the server does not tell."""
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": "x"}]
    body = {"model": model, "messages": messages, **({"tools": tools} if tools else {})}
    answer = server.post("/v1/chat/completions/input_tokens", body)
    return int(answer.json().get("input_tokens") or 0) if answer.status_code == 200 else 0


def measure(tasks: int, mend: int, count: Tokenizer) -> dict[str, Json]:
    """Figures per protocol: requests, tokens per task by section and role, and the fixed part of the coder's prompt."""
    figures: dict[str, Json] = {"tasks": tasks, "mended": mend, "tokens": count.name, "bar": BAR}
    for protocol in ("tools", "text"):
        requests = requests_of(tasks, mend, tools=protocol == "tools")
        coder = [r for r in requests if r.role == "coder"]
        split = coder_split(requests, count)
        system = next(str(m["content"]) for m in coder[0].messages if m["role"] == "system")
        figures[protocol] = {
            "requests": dict(Counter(r.role for r in requests)),
            "sections": {name: round(split[name] / tasks, 1) for name in SECTIONS},
            "coder": round(sum(split.values()) / tasks, 1),
            **{role: round(role_total(requests, role, count) / tasks, 1) for role in ("planner", "reviewer")},
            "system": count.text(system),
            "tool_list": count.tools(coder[0].body.get("tools") or []),
        }
    return figures


def table(figures: dict[str, Json]) -> str:
    both = [figures["tools"], figures["text"]]
    of = f"plan of {figures['tasks']} tasks, the first answer to {figures['mended']} of them wrong"
    lines = [
        f"Tokens per task, {of}; counted by {figures['tokens']}.",
        "",
        "| sent | tools | share | text | share |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in SECTIONS:
        cells = [f"{p['sections'][name]:.0f} | {p['sections'][name] / max(p['coder'], 1):.0%}" for p in both]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for title, roles in (*((role, (role,)) for role in ROLES), ("all", ROLES)):
        cells = [f"{sum(p[role] for role in roles):.0f} | " for p in both]
        lines.append(f"| **{title}** | {' | '.join(cells)} |")
    lines.append("")
    for protocol in ("tools", "text"):
        p = figures[protocol]
        size = p["system"] + p["tool_list"]
        lines.append(
            f"Coder, {protocol}: system prompt {p['system']} + tool list {p['tool_list']} = {size} tokens "
            f"({'within' if size < BAR else 'OVER'} the bar of {BAR}); requests: {p['requests']}"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--mend", type=int, default=3, help="tasks whose first answer is wrong (default: 3)")
    parser.add_argument("--url", help="a llama-server, for its tokenizer")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    try:
        figures = measure(options.tasks, options.mend, tokenizer(options.url, options.model))
    except LaoError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(figures, indent=2) if options.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
