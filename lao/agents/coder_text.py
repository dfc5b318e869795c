"""The coder without tools: whole files and edits out of plain answers, with a few corrections."""

from __future__ import annotations

from lao.agents.coder_session import Session
from lao.agents.prompt import load
from lao.core.errors import AttemptFailed
from lao.llm.clean import clean
from lao.llm.textfiles import TextFiles, read_files

CORRECTIONS = 2
_CUTS = 3
_NO_BLOCK = "There is no file in it: no line with FILE: and a path above a code block."


def run(session: Session, max_turns: int, corrections: int = CORRECTIONS) -> str:
    """Ask until the files are written; returns a line about them.

    Args:
        corrections: how often the model is told what does not work in its answer.

    Raises:
        AttemptFailed: kind "no_edit" when nothing usable came, "truncated" when answers are cut off again and again,
            "turn_limit".
    """
    corrected = cuts = 0
    while session.turns < max_turns:
        answer = session.ask()
        truncated = answer.finish_reason == "length"
        parsed = read_files(answer.text, session.brief.task.file_paths, truncated=truncated)
        problems = session.apply(parsed)
        if truncated and (parsed.cut or not (parsed.files or parsed.patches)):
            cuts += 1
            if cuts >= _CUTS:
                raise _failed(session, "answers were cut off at the token limit again and again", "truncated")
            follow_up = _continue(session, parsed, problems)
        else:
            problems += _missing(session) if not problems else []
            if not problems:
                return ""
            corrected += 1
            # A fresh attempt helps more than a third request; a repair that repeats itself is no repair.
            if corrected > corrections or session.stale > (0 if session.brief.previous else 1):
                if session.changed:
                    return "left open: " + " ".join(problems)
                raise _failed(session, f"no file could be taken from the answers: {problems[0]}", "no_edit")
            form = "coder_text_fix_edits" if parsed.patches and not session.stale else "coder_text_fix"
            follow_up = load(form, problems="\n".join(f"- {p}" for p in problems))
        if session.stale:
            session.start_over()
            continue
        session.conversation.assistant(clean(answer.text))
        session.conversation.user(follow_up)
    raise _failed(session, f"not finished after {max_turns} turns", "turn_limit")


def _missing(session: Session) -> list[str]:
    known = session.brief.current
    missing = [p for p in session.brief.task.file_paths if p not in session.changed and p not in known]
    if not session.changed:
        return [_NO_BLOCK]
    return [f"The file {p} is missing." for p in missing]


def _continue(session: Session, parsed: TextFiles, problems: list[str]) -> str:
    saved = f"These files are saved: {', '.join(session.changed)}." if session.changed else "No file is saved yet."
    waiting = [p for p in session.brief.task.file_paths if p not in session.changed]
    path = parsed.cut or (waiting[0] if waiting else "path/of/file")
    text = load("coder_text_continue", saved=saved, path=path)
    return "\n".join([*problems, text])


def _failed(session: Session, what: str, kind: str) -> AttemptFailed:
    return AttemptFailed(f"task {session.brief.task.title!r}: {what}", kind=kind)
