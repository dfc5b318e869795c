"""The questions of ``lao init`` on a terminal: server, memory, models, checks, first plan. Asks, and writes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click

from lao.cli.context import Session, emit
from lao.cli.menus import choose, table
from lao.config.settings import Settings
from lao.core.clock import Clock
from lao.core.errors import LaoError
from lao.core.states import Role
from lao.servers.discovery import Found, addresses, find_servers, look
from lao.servers.fit import budget_of, fit, rung_for, weights_of
from lao.servers.proposal import (
    WANTED_CONTEXT,
    Choice,
    choice_of,
    download,
    embedder_of,
    from_rung,
    gigabytes,
    propose,
    smallest,
)
from lao.servers.protocol import ModelInfo
from models_cfg.spelling import find

Entries = dict[str, dict[str, Any]]


@dataclass
class Answers:
    """What the new factory.yaml shall say.

    Attributes:
        models: by role, the entries of ``models.<role>``.
        notes: comment lines above the models.
        check: the build command, None to have it found.
        starter: whether a first plan is written.
    """

    url: str
    models: Entries
    notes: list[str] = field(default_factory=list)
    check: str | None = None
    starter: bool = False


class Wizard:
    """Asks five things. Enter all the way is a project that works, as far as the machine allows it.

    Args:
        ports: where servers are looked for on this machine.
        preset: the models that the user has named by ``--preset``; None: proposed by what is there.
    """

    def __init__(self, session: Session, clock: Clock, ports: Sequence[int], url: str, preset: Entries | None) -> None:
        self._session = session
        self._clock = clock
        self._ports = ports
        self._url = url
        self._preset = preset
        self._settings = _settings(session)

    def ask(self, defaults: Entries) -> Answers:
        """All questions in turn.

        Args:
            defaults: the models where no server can be asked.

        Raises:
            click.Abort: Ctrl-C or the end of the input; nothing was written.
        """
        emit("Five questions. Enter takes what stands in brackets;")
        emit("Ctrl-C leaves, and nothing is written.")
        emit("\n1/5 Model server")
        found = self._server()
        answers = Answers(found.url, defaults)
        if self._preset is not None or not found.models:
            emit("\n2/5 Memory: not looked at")
            emit("\n3/5 Models, by their keys as the server lists them")
            _ask_keys(answers.models)
        else:
            budget = self._memory(found)
            emit("\n3/5 Models")
            self._models(found, budget, answers)
        emit("\n4/5 The command that decides whether work is good, such as: python3 -m pytest -q")
        text: str = click.prompt("Command (Enter: found from the project's files)", default="", show_default=False)
        answers.check = text.strip() or None
        emit("\n5/5 A first plan")
        answers.starter = click.confirm("Write plans/first-steps.md, a small plan to try LAO with?", default=True)
        return answers

    def _server(self) -> Found:
        given = self._session.text("lm_studio_url")
        places = ([given] if given else []) + [u for u in addresses(self._ports) if u != given]
        found = list(find_servers(self._settings, self._clock, places))
        for bad in (f for f in found if f.problem):
            emit(f"  {bad.url}: {bad.problem}")
        found = [f for f in found if not f.problem]
        if not found:
            ports = ", ".join(str(port) for port in self._ports)
            emit(f"  No model server answers on the ports {ports} of this machine.")
            return self._typed(given or self._url)
        options = [f"{f.name} at {f.url}: {len(f.models)} model{'' if len(f.models) == 1 else 's'}" for f in found]
        index = choose("Which", [*options, "another address"])
        return found[index] if index < len(found) else self._typed(self._url)

    def _typed(self, default: str) -> Found:
        url: str = click.prompt("Address of the model server", default=default, value_proc=_address)
        found = look(self._settings, self._clock, url)
        if found is None or found.problem:
            emit(f"  {found.problem if found else f'Nothing answers at {url} yet'}; its models cannot be listed.")
            return Found(url, found.kind if found else "")
        return found

    def _memory(self, found: Found) -> int:
        """Bytes for models, 0 when nobody knows."""
        emit("\n2/5 Memory")
        from lao.servers.detect import probe_for

        settings = replace(self._settings, server=replace(self._settings.server, base_url=found.url, kind=found.kind))
        try:
            reading = probe_for(settings).read()
            budget, source = budget_of(reading, found.resident_bytes), reading.source
        except LaoError as error:
            budget, source = 0, error.message
        if budget:
            emit(f"  {gigabytes(budget)} for models ({source})")
            return budget
        told: float = click.prompt(f"  not known ({source}). Memory for models in GB, 0: not known", default=0.0)
        return int(max(0.0, told) * 1e9)

    def _models(self, found: Found, budget: int, answers: Answers) -> None:
        models = sorted(found.models, key=lambda info: (info.kind, -weights_of(info), info.key))
        proposed = propose(models, budget)
        if proposed is None:
            self._nothing_fits(found, budget, answers)
            return
        rest = [info for info in models if info.kind == "llm"]
        rows = [row(info, budget, proposed[Role.EMBEDDER].size_bytes) for info in rest]
        best = next(i for i, info in enumerate(rest) if info.key == proposed[Role.CODER].key)
        emit("  One model for all roles is never swapped.")
        index = choose("Model", table(rows), best)
        if index != best:
            fits = fit(rest[index], budget, WANTED_CONTEXT, proposed[Role.EMBEDDER].size_bytes)
            other = choice_of(rest[index], fits, budget)
            proposed = {role: c if role is Role.EMBEDDER else other for role, c in proposed.items()}
        _take(answers, proposed)
        if click.confirm("Another model for some role?", default=False):
            _ask_keys(answers.models)

    def _nothing_fits(self, found: Found, budget: int, answers: Answers) -> None:
        emit(f"  None of the {len(found.models)} models of {found.name} fits into {gigabytes(budget)}.")
        rung = rung_for(budget)
        if rung is None:
            emit("  It is also too little for the presets of the catalogue; the smallest model is taken.")
            tiny = smallest(found.models)
            if tiny is not None:
                _take(answers, tiny)
            return
        emit(f"  For so much memory: {rung.model.name}, {rung.quantisation}. {rung.reason}")
        commands = download(rung, found.kind)
        for command in commands:
            emit(f"    {command}")
        emit("  Download it, then `lao configure-models` takes the key that the server gives it.")
        chosen = from_rung(rung, found.kind)
        there = embedder_of(found.models)
        _take(answers, {**chosen, Role.EMBEDDER: there} if there.key else chosen)
        answers.notes += ["To be downloaded:", *(f"  {command}" for command in commands)]


def _address(text: str) -> str:
    """An address as it was typed; click asks again where it is none."""
    from lao.servers.rest import root_url

    try:
        root_url(text)
    except LaoError as error:
        raise click.UsageError(error.message) from error
    return text


def row(info: ModelInfo, budget: int, beside: int) -> tuple[str, str, str, str]:
    """A model for a table: key, size, how it fits, what the catalogue calls it."""
    size = weights_of(info)
    entry = find(info.key)
    return (
        info.key,
        gigabytes(size) if size else "size unknown",
        fit_words(info, budget, beside),
        entry.name if entry else "",
    )


def fit_words(info: ModelInfo, budget: int, beside: int, wanted: int = WANTED_CONTEXT) -> str:
    """``fits``, ``fits with context 8192``, ``does not fit`` or ``not known``."""
    fits = fit(info, budget, wanted, beside)
    words = {"fits": "fits", "less": f"fits with context {fits.context}", "no": "does not fit", "unknown": "not known"}
    return words[fits.how] + (" (by its size)" if fits.guess and fits.how == "fits" else "")


def _take(answers: Answers, chosen: Mapping[Role, Choice]) -> None:
    answers.models = {role.value: dict(chosen[role].entries()) for role in Role}
    choice = chosen[Role.CODER]
    answers.notes.append(f"All roles but the embedder: {choice.reason.rstrip('.')}.")
    entry = find(choice.key)
    if entry and entry.sampling:
        told = ", ".join(f"{name} {value:g}" for name, value in entry.sampling.items())
        answers.notes.append(f"Its vendor recommends {told}; LAO chooses its own temperatures unless you set them.")


def _ask_keys(models: Entries) -> None:
    for role in Role:
        entries = models[role.value]
        follows = models[Role.PLANNER.value]["key"] if role in (Role.PILOT, Role.ANALYST) else entries["key"]
        set_key(entries, click.prompt(f"  {role.value}", default=follows))


def set_key(entries: dict[str, Any], key: str | None) -> None:
    """Another model has another size; LAO then goes by what the server says."""
    if key is not None and key != entries["key"]:
        entries["key"] = key
        entries.pop("size_bytes", None)


def _settings(session: Session) -> Settings:
    """The defaults with the environment's token and the flags; the configuration is only about to be made."""
    from lao.config.load import load
    from lao.config.overrides import CONFIG_VARIABLES

    env = {k: v for k, v in (os.environ if session.env is None else session.env).items() if k not in CONFIG_VARIABLES}
    return load(cwd=session.cwd, env=env, flags={k: v for k, v in session.flags.items() if k != "config"})
