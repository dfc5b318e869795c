"""From a plan file to a plan in the state: reading, checks with clear messages, and the first wake-up."""

from __future__ import annotations

from pathlib import Path

from lao.config.narrowing import mode_of
from lao.core.errors import BadInput
from lao.core.plan_options import budget_of, check_models
from lao.core.priority import priority_of
from lao.core.words import Json
from lao.quality.commands import validation_commands
from lao.state import plan_order, plans
from lao.state.plans import Submission
from lao.workspace.folders import workspace_for
from lao.workspace.front_matter import split
from workflows.factory import Factory
from workflows.wake import wake_all

MAX_BYTES = 512_000
"""Larger files are refused: no local model reads them, and they are rarely meant as plans."""


def is_plan_file(path: Path) -> bool:
    """``*.md`` but never README.md and no hidden or editor files."""
    return path.suffix == ".md" and path.name.lower() != "readme.md" and not path.name.startswith((".", "#", "~"))


def read_plan(path: Path) -> str:
    """The text of a plan file.

    Raises:
        BadInput: missing, unreadable, too large, not UTF-8 text, or empty.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"no plan file {str(path)!r}", "give the path of a Markdown file") from None
    except OSError as error:
        raise BadInput(
            f"cannot read plan {str(path)!r}: {error.strerror}", "check the path and its permissions"
        ) from error
    if len(data) > MAX_BYTES:
        raise BadInput(
            f"plan {str(path)!r} has {len(data) / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.1f} MB are taken",
            "split it into several plans",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"plan {str(path)!r} is not UTF-8 text (byte {error.start})", "save it as UTF-8 Markdown"
        ) from error
    if "\0" in text:
        raise BadInput(f"plan {str(path)!r} is a binary file", "plans are Markdown text")
    return text


def submit_file(factory: Factory, path: Path) -> Submission:
    """Take in one plan file and wake its first phase.

    Raises:
        BadInput: the file is no plan, its name is reserved, or its front matter is broken.
    """
    path = path.resolve()
    text = read_plan(path) if is_plan_file(path) else ""
    options, workspace = checked(factory, path, text)
    submission = plans.submit(factory.store, file=path, text=text, options=options, workspace=workspace)
    wake_all(factory.store, submission.ready)
    return submission


def checked(factory: Factory, path: Path, text: str) -> tuple[dict[str, Json], Path]:
    """The front matter and the workspace of a plan that this text in this file would be. Changes nothing.

    Raises:
        BadInput: as ``submit_file``.
    """
    if not is_plan_file(path):
        raise BadInput(f"{path.name!r} cannot be a plan", "plans are *.md files; README.md is never one")
    if len(text) > MAX_BYTES:
        raise BadInput(f"the plan has {len(text)} characters; at most {MAX_BYTES} are taken", "split it")
    options, body = split(text)
    if not any(character.isalnum() for character in body):
        raise BadInput(f"plan {str(path)!r} is empty", "write what is to be built, as Markdown")
    priority_of(options)
    budget_of(options)
    plan_order.refuse_cycle(factory.store, path, options)
    check_models(options, {role.value: model.key for role, model in factory.settings.models.items()})
    mode_of(factory.settings.permissions, options)
    validation_commands(factory.settings.orchestration, options, None, factory.settings.paths.root)
    return options, workspace_for(path, factory.settings.paths)
