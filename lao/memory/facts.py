"""What a fact is: one line, not too long, no secret, the same however it is spelled. Keeps nothing (``book.py``)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

from lao.core.errors import BadInput
from lao.state.facts import Fact

LENGTH_LIMIT: Final = 300
FACTS_LIMIT: Final = 200
"""Of one scope."""

_FILES: Final = 12
_NAMES: Final = 10
_COMMAND: Final = 160
_SECRETS: Final = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")),
    ("an AWS key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})")),
    ("a GitLab token", re.compile(r"\bglpat-[\w-]{16,}")),
    ("an API key", re.compile(r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[\w-]{10,}")),
    ("a Google key", re.compile(r"\bAIza[\w-]{30,}")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{20,}")),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}")),
    ("a password in an address", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]{3,}@", re.I)),
    (
        "a secret",
        re.compile(
            r"(?i)\b[\w-]*(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|auth[_-]?token|token|bearer"
            r"|credential)s?[\"']?\s*(?:[:=]|\bis\b|\s)\s*[\"'`]?(?=\S*[\d!@#$%^&*+/=])[^\s\"'`(),]{6,}"
        ),
    ),
    ("an authorization header", re.compile(r"(?i)\bauthorization\s*:\s*\S+\s+\S{8,}")),
)


def secret_in(text: str) -> str:
    """What looks like a secret in ``text`` ("an AWS key"), or ""."""
    return next((what for what, pattern in _SECRETS if pattern.search(text)), "")


def checked(text: str) -> str:
    """The fact as one line without a leading dash.

    Raises:
        BadInput: it is empty, too long, holds a secret or a comment mark; in words for a person and a model.
    """
    plain = "".join(c if c.isprintable() else " " for c in text)
    line = re.sub(r"^[-*]\s+", "", " ".join(plain.split()))
    if not line:
        raise BadInput("the fact is empty", "say in one sentence what should be remembered")
    if len(line) > LENGTH_LIMIT:
        raise BadInput(f"the fact has {len(line)} characters, more than {LENGTH_LIMIT}", "say it in one sentence")
    if "<!--" in line or "-->" in line:
        raise BadInput("the fact holds a comment mark", "leave '<!--' and '-->' out")
    if what := secret_in(line):
        raise BadInput(f"the fact seems to hold {what}, and memory is read by every model", "name where it is kept")
    return line


def digest(text: str) -> str:
    """16 hex digits that are equal for facts that differ only in case, blanks, quotes and final punctuation."""
    plain = re.sub(r"[\"'`]", "", " ".join(text.casefold().split())).rstrip(".;,! ")
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()[:16]


def learned(
    folder: str, written: Sequence[tuple[str, Sequence[str]]], passed: Iterable[str], **source: object
) -> tuple[Fact, ...]:
    """The facts of an approved task: files with their public names, commands that pass.

    Args:
        folder: name of the plan's folder, which all paths begin with.
        written: (path, public names).
        passed: commands that were run on the result and passed.
        source: ``plan``, ``task``, ``commit`` of the facts.
    """
    told: list[tuple[str, str]] = []
    for path, names in written[:_FILES]:
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        has = f": {', '.join(names[:_NAMES])}{more}" if names else ""
        told.append((f"file:{folder}/{path}", f"Wrote {folder}/{path}{has}"[:LENGTH_LIMIT]))
    short = [command for command in dict.fromkeys(passed) if "\n" not in command and len(command) <= _COMMAND]
    told += [(f"check:{folder}:{command}", f"In {folder}/ `{command}` passes") for command in short]
    facts = []
    for subject, text in told:
        try:
            line = checked(text)
        except BadInput:  # a path or command that holds a secret or a comment mark is not kept
            continue
        facts.append(Fact(digest(line), line, subject, "approved", **source))  # type: ignore[arg-type]
    return tuple(facts)
