"""How a question of a model's call reaches a person and its answer comes back: through the state, since workers have no
terminal. Also what "always" does. Shows nothing itself (``lao.cli.questions``)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Final

from lao.config import remembered
from lao.core.errors import BadInput, ConfigError, Interrupted
from lao.durable.files import write_atomic
from lao.durable.owners import Owner
from lao.state import approvals, runs
from lao.state.approvals import Approval
from lao.state.store import Store
from lao.tools.asking import Answer, Question
from workflows.factory import Factory
from workflows.work import Work

LOOK_S: Final = 0.2

_WAITED = "nobody answered within {seconds:g} s. Go on without it, in a way that needs no permission"
_NOT_AGAIN = "nobody answered an earlier question of this phase. Go on without it, in a way that needs no permission"
_NOBODY = "nobody is there to be asked. Go on without it, in a way that needs no permission"


@dataclass(frozen=True)
class PersonAsker:
    """Asks through the state (``lao.tools.asking.Asker``).

    A phase waits at most ``permissions.ask_timeout_s`` (120 s) for one answer. Where nobody attends, that is no ``lao
    run`` and no ``lao approvals --watch`` is open in a terminal, it does not wait at all; and when one question has
    waited in vain, the further ones of the same run are not waited for either. So an absent person costs a phase
    ``ask_timeout_s`` once, and a present one as long as they think. The GPU is given up before the wait: another phase
    generates meanwhile, with another model too once ``orchestration.swap_patience_s`` is over.
    """

    work: Work

    def ask(self, question: Question) -> Answer:
        """See ``Asker.ask``.

        Raises:
            Interrupted: the worker is stopping; the question stays open and the resumed run goes on waiting for it.
            LostClaim: the run was taken away, as when it is cancelled.
        """
        store, run = self.work.factory.store, self.work.claim.run.id
        put = approvals.ask(
            store,
            run,
            question.label,
            question.tool,
            question.arguments,
            reason=question.reason,
            remember=question.remember,
        )
        if not put.answer:
            put = self._waited_for(put)
        if put.granted:
            return Answer(True)
        if put.answer == approvals.NO:
            return Answer(False, f"a person said no{f': {put.note}' if put.note else ''}")
        return Answer(False, put.note)

    def always(self) -> tuple[str, ...]:
        """See ``Asker.always``."""
        factory = self.work.factory
        return approvals.always_rules(factory.store, factory.opened_at)

    def _waited_for(self, put: Approval) -> Approval:
        factory = self.work.factory
        store, clock = factory.store, factory.clock
        limit = factory.settings.permissions.ask_timeout_s
        if approvals.went_unanswered(store, put.run):
            return _lapsed(store, put, _NOT_AGAIN)
        passed = max(0.0, clock.now() - put.asked_at)
        deadline = clock.monotonic() + max(0.0, limit - passed)
        self.work.off_gpu()
        while True:
            found = approvals.get(store, put.id)
            if found is not None and found.answer:
                return found
            if not attended(factory):
                return _lapsed(store, put, _NOBODY)
            if clock.monotonic() >= deadline:
                return _lapsed(store, put, _WAITED.format(seconds=limit))
            if self.work.stopping:
                raise Interrupted(f"the worker is stopping; question {put.id} stays open")
            runs.check_held(store, self.work.claim)
            clock.wait(LOOK_S)


def _lapsed(store: Store, put: Approval, why: str) -> Approval:
    """The question is over, unless an answer came at the last moment."""
    approvals.answer(store, put.id, approvals.NOBODY, why)
    found = approvals.get(store, put.id)
    assert found is not None, "questions are deleted with their run only, and this one is held"
    return found


def attended(factory: Factory) -> bool:
    """Whether some process shows questions to a person; those that were killed are forgotten."""
    for name in approvals.attending(factory.store):
        owner = Owner.from_text(name)
        if not owner.local or owner.alive():
            return True
        approvals.leave(factory.store, name)
    return False


def decide(factory: Factory, number: int, word: str, note: str = "") -> Approval:
    """Answer a question for a person; "always" also writes its rules into ``.lao/permissions.yaml``.

    The rules are written first: a kill in between leaves a rule and an open question, and never a promise without one.

    Args:
        word: ``approvals.YES``, ``ALWAYS`` or ``NO``.

    Raises:
        BadInput: no such question, it is answered already, or "always" where no rule says just this.
        ConfigError: nothing can be added to the file.
    """
    found = approvals.get(factory.store, number)
    if found is None:
        raise BadInput(f"there is no question {number}", "'lao approvals' lists them")
    if found.answer:
        raise BadInput(f"question {number} is answered already: {found.answer}", "'lao approvals' lists what is open")
    if word == approvals.ALWAYS:
        if not found.remember:
            raise BadInput(f"no rule says just what question {number} asks", "answer it without --always")
        remember(factory, found)
    if not approvals.answer(factory.store, number, word, note):
        raise BadInput(f"question {number} was answered at this moment", "'lao approvals' shows how")
    done = approvals.get(factory.store, number)
    assert done is not None, "it was there a moment ago"
    return done


def remember(factory: Factory, found: Approval) -> None:
    """Add the rules of a question to ``.lao/permissions.yaml``; those that it has already are left out."""
    path = factory.settings.paths.state_dir / remembered.FILE_NAME
    known = {rule.text for rule in factory.settings.permissions.rules if rule.kind == "allow"}
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error}", "Correct the file, or delete it.") from error
    fresh = [rule for rule in found.remember if rule not in known and json.dumps(rule, ensure_ascii=False) not in text]
    if fresh:
        day = time.strftime("%Y-%m-%d", time.localtime(factory.clock.now()))
        write_atomic(path, remembered.with_rules(text, fresh, f"plan {_word(found.plan)}, {day}"))


def _word(text: str) -> str:
    return " ".join(text.split())[:60]
