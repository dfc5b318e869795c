"""The PreCompact hooks of one run: asked before its conversation is shortened. Records nothing."""

from __future__ import annotations

from dataclasses import replace

from lao.hooks.contract import PRE_COMPACT, About
from lao.hooks.project import Means, ProjectHooks, end_if_told


class CompactionHooks:
    """Asks the command hooks of a project. In LAO every compaction is ``auto``: nobody types a command for one."""

    def __init__(self, project: ProjectHooks, about: About, means: Means) -> None:
        self._project, self._about, self._means = project, about, means

    def __call__(self, tokens: int, limit: int) -> str:
        """Why the conversation may not be shortened now, "" when it may. The first refusal ends the asking.

        Args:
            tokens: what the conversation takes.
            limit: what it may take at most.

        Raises:
            Interrupted: the worker is stopping.
            NeedsHuman: a hook ends the whole phase.
        """
        more = {"trigger": "auto", "custom_instructions": "", "tokens": tokens, "limit": limit}
        told = replace(self._about, more=more).to_json(PRE_COMPACT)
        for hook in self._project.commands:
            if hook.event == PRE_COMPACT and hook.matches(("auto",)):
                answer = self._project.run(hook, told, self._means)
                end_if_told(answer, hook.command)
                if answer.deny is not None:
                    return f"a hook refused it: {answer.deny}"
        return ""
