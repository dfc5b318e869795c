"""From an idea to a plan: the files of a guided conversation in ``.lao/ideation/``, and filing its draft as a plan."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lao.agents import plan_draft
from lao.agents.plan_draft import Draft
from lao.core.errors import BadInput, Refused
from lao.durable.files import write_atomic
from lao.state.plans import Submission
from workflows.factory import Factory
from workflows.submission import submit_file

FOLDER: Final = "ideation"
TALKED, SPECIFIED, LOCKED = "ideating", "specified", "locked"


@dataclass(frozen=True)
class Status:
    """``status.json``. ``state``: ideating, specified or locked; ``plan`` is the file it became, "" before."""

    topic: str
    chat: int
    state: str
    criteria: int = 0
    errors: tuple[str, ...] = ()
    plan: str = ""


def folder(factory: Factory) -> Path:
    """Where the files are: IDEATION.md, SPEC.md, status.json."""
    return factory.settings.paths.state_dir / FOLDER


def status(factory: Factory) -> Status | None:
    """How far the idea is; None when there is none, or its file cannot be read as one."""
    try:
        data = json.loads((folder(factory) / "status.json").read_text(encoding="utf-8"))
        return Status(**{**data, "errors": tuple(data["errors"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def begin(factory: Factory, topic: str, chat: int) -> None:
    """A new idea; the files of the one before are kept with ``.before`` in their names.

    Raises:
        BadInput: they cannot be written.
    """
    for name in ("IDEATION.md", "SPEC.md"):
        path = folder(factory) / name
        if path.exists():
            path.replace(path.with_suffix(".before.md"))
    _write(factory, "IDEATION.md", f"# {topic}\n")
    _keep(factory, Status(topic, chat, TALKED))


def note(factory: Factory, question: str, answer: str) -> None:
    """Add a question and its answer to IDEATION.md. Raises BadInput when it cannot be written."""
    path = folder(factory) / "IDEATION.md"
    before = path.read_text(encoding="utf-8") if path.exists() else "# Idea\n"
    _write(factory, path.name, f"{before}\n## You\n\n{question.strip()}\n\n## Pilot\n\n{answer.strip()}\n")


def specify(factory: Factory, answer: str, chat: int) -> Draft:
    """Keep the draft of an answer in SPEC.md and look at it. Raises BadInput when it cannot be written."""
    _write(factory, "SPEC.md", plan_draft.of_answer(answer))
    return look(factory, chat)


def look(factory: Factory, chat: int) -> Draft:
    """Look at SPEC.md as it is now, also after a person changed it.

    Raises:
        BadInput: there is none, or it cannot be read.
    """
    draft = plan_draft.check(_text(factory))
    before = status(factory)
    topic = before.topic if before else draft.title
    _keep(factory, Status(topic, chat, SPECIFIED, len(draft.criteria), draft.errors))
    return draft


def lock(factory: Factory, name: str = "") -> tuple[Path, Submission]:
    """File SPEC.md as ``plans/<name>.md``, by default named after its title, and hand it in.

    Raises:
        BadInput: there is no draft, something stands against it, or the name is no good.
        Refused: there is such a plan already.
    """
    text = _text(factory)
    draft = plan_draft.check(text)
    if not draft.ready:
        listed = "\n".join(f"  ✗ {error}" for error in draft.errors)
        raise BadInput(f"the draft is not ready:\n{listed}", f"/spec mends it, or edit {folder(factory) / 'SPEC.md'}")
    path = factory.settings.paths.plans / f"{plan_draft.slug(name or draft.title)}.md"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise Refused(
            f"there is a plan {str(path)!r} already", "/lock NAME files this one under another name"
        ) from None
    except OSError as error:
        raise BadInput(f"cannot write {str(path)!r}: {error.strerror}", "check the folder's permissions") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    try:
        submission = submit_file(factory, path)
    except BadInput:
        path.unlink()
        raise
    before = status(factory)
    _keep(factory, Status(draft.title, before.chat if before else 0, LOCKED, len(draft.criteria), (), str(path)))
    return path, submission


def _text(factory: Factory) -> str:
    path = folder(factory) / "SPEC.md"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            "there is no draft yet", "/ideate TOPIC begins one, /spec lets the model write it down"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {str(path)!r}: {error}", "correct the file, or /spec again") from error


def _keep(factory: Factory, now: Status) -> None:
    _write(factory, "status.json", json.dumps(asdict(now), indent=2, ensure_ascii=False) + "\n")


def _write(factory: Factory, name: str, text: str) -> None:
    path = folder(factory) / name
    try:
        write_atomic(path, text)
    except OSError as error:
        raise BadInput(f"cannot write {str(path)!r}: {error.strerror}", "check the folder's permissions") from error
