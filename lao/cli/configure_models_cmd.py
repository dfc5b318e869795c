"""``lao configure-models``: which model plays which role, of those that the server has; written into factory.yaml."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.menus import choose, on_a_terminal, table
from lao.core.errors import BadInput, LaoError
from lao.core.states import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lao.config.edit import Values
    from lao.config.settings import ModelSettings, Settings
    from lao.servers.protocol import ModelInfo

_NAMES = ("key", "size_bytes", "context_length", "path")
_GENERATING = tuple(role for role in Role if role is not Role.EMBEDDER)


@click.command("configure-models")
@click.option("--role", "roles", type=click.Choice([r.value for r in Role]), multiple=True, help="Change this role.")
@click.option("--key", metavar="KEY", help="The model for it, as the server lists it.")
@click.option("--context", type=click.IntRange(1024), metavar="TOKENS", help="Its context.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; without --role: what there is, and change nothing.")
@pass_session
def command(session: Session, roles: tuple[str, ...], key: str | None, context: int | None, as_json: bool) -> None:
    """Choose the model of each role from those of the server; shows which fit into memory. Comments stay."""
    if bool(roles) != (key is not None):
        raise click.UsageError("--role and --key belong together: lao configure-models --role coder --key KEY")
    if context is not None and not roles:
        raise click.UsageError("--context needs --role and --key")
    if not roles and not as_json and not on_a_terminal():
        raise click.UsageError(
            "this is no terminal, so nothing can be asked; give --role ROLE --key KEY, or --json to see the models"
        )
    view = _View.of(session)
    if as_json and not roles:
        emit_json(view.document())
        return
    chosen = {Role(role): _Wanted(view.info(str(key)), context) for role in roles} if roles else _menu(view)
    changed = _write(view, chosen) if chosen else {}
    if as_json:
        emit_json({"file": str(view.file), "changed": changed})
    elif changed:
        for role, values in changed.items():
            emit(f"{role}: " + ", ".join(f"{name}: {value}" for name, value in values.items()))
        emit(f"wrote  {view.file}")
    else:
        emit("nothing changed")


def prospect(session: Session, role: Role, key: str) -> str:
    """What ``--role ROLE --key KEY`` would change, in words, and how it fits into memory. Changes nothing.

    Raises:
        Terminal: the server has no such model. BadInput: it is of the wrong kind. Others: as the command.
    """
    from lao.cli.init_wizard import fit_words
    from lao.servers.gate.residents import check_kind

    view = _View.of(session)
    info = view.info(key)
    check_kind(info, role)
    beside = 0 if role is Role.EMBEDDER else view.beside
    fits = fit_words(info, view.budget, beside, view.wanted(role))
    now = view.settings.models[role].key or "none"
    return f"{role.value}: {now} -> {info.key}, with {view.wanted(role)} tokens of context: {fits}"


def keys(session: Session) -> tuple[str, ...]:
    """The keys of the server's models. Raises as the command."""
    return tuple(info.key for info in _View.of(session).models)


@dataclass(frozen=True)
class _Wanted:
    info: ModelInfo
    context: int | None = None


@dataclass(frozen=True)
class _View:
    """What there is: the settings, the file they are from, the server's models, and the memory.

    Attributes:
        budget: bytes for models, 0 when unknown.
    """

    settings: Settings
    file: Path
    models: Sequence[ModelInfo]
    budget: int

    @classmethod
    def of(cls, session: Session) -> _View:
        """Ask the server and the memory.

        Raises:
            BadInput: no configuration file.
            ServerAway, ConfigError: as ``connect``.
        """
        from lao.config.load import load
        from lao.core.clock import SystemClock
        from lao.servers.detect import connect, probe_for
        from lao.servers.fit import budget_of, weights_of

        settings = session.settings()
        file = settings.paths.config_file
        if file is None or not file.exists():
            raise BadInput("there is no factory.yaml here", "run `lao init` first, or name the file with --config")
        models = sorted(connect(settings, SystemClock()).models(), key=lambda i: (i.kind, -weights_of(i), i.key))
        resident = sum(info.size_bytes for info in models if info.loaded)
        try:
            budget = budget_of(probe_for(settings).read(), resident)
        except LaoError:
            budget = 0  # the fit is then shown as not known
        written = load(cwd=session.cwd, env=session.env, flags={"config": str(file)})  # flags are not in the file
        return cls(replace(settings, models=written.models), file, models, budget)

    def info(self, key: str) -> ModelInfo:
        """The server's model.

        Raises:
            Terminal: it has none of that key; the nearest are named.
        """
        from lao.servers.protocol import find_model

        return find_model(self.models, key)

    @property
    def beside(self) -> int:
        """Bytes of the configured embedder, which stays loaded beside the others."""
        key = self.settings.models[Role.EMBEDDER].key
        return next((info.size_bytes for info in self.models if info.key == key), 0)

    def wanted(self, role: Role) -> int:
        return self.settings.models[role].context_length

    def document(self) -> dict[str, Any]:
        """As ``--json`` prints it; sizes in bytes, contexts in tokens."""
        from lao.servers.fit import fit, weights_of
        from models_cfg.spelling import find

        rows = []
        for info in self.models:
            beside, wanted = (0, 0) if info.kind == "embedding" else (self.beside, self.wanted(Role.CODER))
            fits = fit(info, self.budget, wanted or self.wanted(Role.EMBEDDER), beside)
            entry = find(info.key)
            rows.append(
                {
                    "key": info.key,
                    "kind": info.kind,
                    "size_bytes": weights_of(info) or None,
                    "fit": fits.how,
                    "context": fits.context or None,
                    "need_bytes": fits.need_bytes or None,
                    "catalogue": entry.id if entry else None,
                }
            )
        roles = {role.value: model.key for role, model in self.settings.models.items()}
        server = self.settings.server.base_url
        return {"server": server, "budget_bytes": self.budget or None, "roles": roles, "models": rows}


def _menu(view: _View) -> dict[Role, _Wanted]:
    """Ask until everything is as it shall be.

    Raises:
        click.Abort: Ctrl-C; nothing was written.
    """
    from lao.servers.proposal import gigabytes

    emit(f"server {view.settings.server.base_url}: {len(view.models)} models")
    emit(f"memory for models: {gigabytes(view.budget) if view.budget else 'not known'}")
    if not view.models:
        raise BadInput("the server lists no models", "download one there")
    chosen: dict[Role, _Wanted] = {}
    while True:
        emit("\nRoles (Ctrl-C leaves everything as it is)")
        options = [f"{role.value:9} {_now(view, chosen, role)}" for role in Role]
        done = "write what was chosen" if chosen else "leave"
        index = choose("Change", [*options, "all but the embedder", done], len(options) + 1)
        if index == len(options) + 1:
            return chosen
        roles = _GENERATING if index == len(options) else (tuple(Role)[index],)
        chosen.update(_asked(view, roles, chosen))


def _now(view: _View, chosen: Mapping[Role, _Wanted], role: Role) -> str:
    if role not in chosen:
        return view.settings.models[role].key or "none"
    return f"{chosen[role].info.key}  (new)"


def _asked(view: _View, roles: Sequence[Role], chosen: Mapping[Role, _Wanted]) -> dict[Role, _Wanted]:
    from lao.cli.init_wizard import fit_words
    from lao.servers.fit import fit, weights_of
    from lao.servers.proposal import gigabytes
    from models_cfg.spelling import find

    embeds = roles == (Role.EMBEDDER,)
    kind = "embedding" if embeds else "llm"
    models = [info for info in view.models if info.kind == kind] or list(view.models)
    beside = 0 if embeds else view.beside
    target = view.wanted(roles[0])
    rows = []
    for info in models:
        size, entry = weights_of(info), find(info.key)
        words = fit_words(info, view.budget, beside, target)
        rows.append((info.key, gigabytes(size) if size else "size unknown", words, entry.name if entry else ""))
    now = chosen[roles[0]].info.key if roles[0] in chosen else view.settings.models[roles[0]].key
    emit(f"\nModels for {', '.join(role.value for role in roles)}, with {target} tokens of context")
    index = choose("Model", table(rows), next((i for i, m in enumerate(models) if m.key == now), 0))
    info = models[index]
    fits = fit(info, view.budget, target, beside)
    if fits.how == "less":
        emit(f"  {target} tokens do not fit beside the weights; {fits.context} do.")
    context: int = click.prompt("Context in tokens", default=fits.context or target, type=click.IntRange(1024))
    return {role: _Wanted(info, context if context != view.wanted(role) else None) for role in roles}


def _write(view: _View, chosen: Mapping[Role, _Wanted]) -> dict[str, dict[str, str | int | None]]:
    """Change the file, and say what was changed by role."""
    from lao.config.edit import set_models
    from lao.durable.files import write_atomic
    from lao.servers.gate.residents import check_kind

    models = view.settings.models
    for role, wanted in chosen.items():
        check_kind(wanted.info, role)
    changes = {role.value: _values(models[role], wanted) for role, wanted in chosen.items()}
    changes = {role: values for role, values in changes.items() if values}
    if not changes:
        return {}
    effective: dict[str, Values] = {r.value: {n: getattr(m, n) for n in _NAMES} for r, m in models.items()}
    place = view.file.resolve()  # a linked factory.yaml stays a link
    try:
        text = place.read_bytes().decode("utf-8")
        new = set_models(text, changes, effective)
        write_atomic(place, new)
    except OSError as error:
        raise BadInput(f"cannot write {str(place)!r}: {error.strerror}", "Make the file writable.") from error
    return changes


def _values(model: ModelSettings, wanted: _Wanted) -> dict[str, str | int | None]:
    """The entries that another model changes; a file's path and a size were the old model's."""
    values: dict[str, str | int | None] = {}
    if wanted.info.key != model.key:
        values["key"] = wanted.info.key
        if model.size_bytes:
            values["size_bytes"] = wanted.info.size_bytes
        if model.path:
            values["path"] = None
    most = wanted.info.max_context_length or model.context_length
    context = wanted.context or min(model.context_length, most)
    if context != model.context_length:
        values["context_length"] = context
    return values
