"""The author of acceptance tests: one test file for a task without a command, in at most two answers. Runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from lao.agents.ask import JournaledModel, completion_limit, prompt_limit, request
from lao.agents.plan_text import excerpt
from lao.agents.prompt import load
from lao.config.settings import ModelSettings
from lao.core.chat import Model
from lao.core.errors import AttemptFailed
from lao.core.steps import Steps
from lao.core.words import Json, TaskSpec
from lao.llm.clean import clean
from lao.llm.textfiles import read_files
from lao.llm.tokens import clip, estimate

TRIES: Final = 2
MAX_TOKENS: Final = 1200
"""A handful of short tests; a model that writes more rambles."""

_NONE: Final = "NO TEST"


@dataclass(frozen=True)
class ContractBrief:
    """What an author starts from.

    Attributes:
        path: of the test file.
        module: that it has to import.
        demands: the plan's demands that the task answers, a line each.
    """

    task: TaskSpec
    plan_text: str
    path: str
    module: str
    demands: tuple[str, ...] = ()


class ContractAuthor:
    """One conversation about one test file.

    Args:
        label: of the steps, unique within the run.
    """

    def __init__(
        self, brief: ContractBrief, *, model: Model, settings: ModelSettings, steps: Steps, label: str
    ) -> None:
        self._brief, self._settings = brief, settings
        self._model = JournaledModel(model, steps, label, context=settings.context_length)
        self._messages: list[dict[str, Json]] = []

    def write(self, problem: str = "") -> str | None:
        """The test file's text, "" when the answer has none; None when the model cannot write one.

        Args:
            problem: why the last one cannot be used.
        """
        limit = min(completion_limit(self._settings), MAX_TOKENS)
        if not self._messages:
            self._messages = _first(self._brief, prompt_limit(self._settings))
        else:
            again = load("author_again", problem=problem, path=self._brief.path)
            self._messages.append({"role": "user", "content": again})
        try:
            answer = self._model.complete(replace(request(self._settings, self._messages), max_tokens=limit))
        except AttemptFailed:  # the task is left as it is: no test is better than a plan that fails for want of one
            return None
        text = clean(answer.text)
        self._messages.append({"role": "assistant", "content": text})
        found = read_files(text, (self._brief.path,), truncated=answer.finish_reason == "length")
        if not found.files:
            return None if _NONE in text.upper() else ""
        return next((file.content for file in found.files if file.path == self._brief.path), found.files[0].content)


def _first(brief: ContractBrief, limit: int) -> list[dict[str, Json]]:
    system = load("author")
    room = max(200, int((limit - estimate(system)) * 0.8))
    task = brief.task
    user = load(
        "author_user",
        plan=excerpt(brief.plan_text, (task.title, *task.file_paths), room // 2),
        title=task.title,
        task=clip(task.description.strip(), room // 3),
        files=", ".join(task.file_paths),
        demands=_demands(brief.demands, room // 6),
        path=brief.path,
        module=brief.module,
    )
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _demands(demands: Sequence[str], limit: int) -> str:
    if not demands:
        return ""
    return clip("\nThe plan demands of it:\n" + "\n".join(f"- {text}" for text in demands) + "\n", limit)
