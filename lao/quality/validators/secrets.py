"""Keys and tokens in a change, told by the form that their issuers give them. A finding never shows the secret."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from lao.core.words import Finding, Severity
from lao.quality.protection import is_test
from lao.quality.validators.change import Change, Smell
from lao.quality.validators.masking import line_at

ID: Final = "secrets"
CONFIDENCE: Final = 0.95
GUESSED: Final = 0.6
"""Of a text that only looks random and has a telling name."""

_ISSUED: Final = (
    ("a private key", re.compile(r"-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED |PGP )?PRIVATE KEY(?: BLOCK)?-----"
                                 r"(?:\r?\n|\\n)(?:[ \t]*[A-Za-z0-9+/=:,. -]{20,}(?:\r?\n|\\n)){2}")),
    ("an AWS key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20}\b")),
    ("a Slack token", re.compile(r"\bxox[abprs]-\d{8,}-\d{8,}-[A-Za-z0-9-]{20,}\b")),
    ("a Stripe key", re.compile(r"\b[sr]k_live_[A-Za-z0-9]{24,}\b")),
    ("a Google key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("an Anthropic key", re.compile(r"\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{60,}")),
    ("an OpenAI key", re.compile(r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{40,}\b")),
    ("an npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    ("a PyPI token", re.compile(r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{34}\b")),
)  # fmt: skip
_ASSIGNED: Final = re.compile(
    r"(?i)\b[\w-]{0,40}(?:passwd|password|secret|api_?key|access_?key|auth_?token|private_?key)[\"']?\s{0,4}[:=]\s{0,4}"
    r"([\"'])(?P<value>[A-Za-z0-9+/=_\-.!@#$%^&*]{16,200})\1"
)
_IN_ADDRESS: Final = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[\w.-]{1,64}:(?P<value>[^\s/:@\"'{}$<>%]{8,100})@[\w.-]+\w"
)
_MADE_UP: Final = re.compile(
    r"(?i)example|fake|dummy|test|sample|placeholder|changeme|your|xxxx|redacted|1234567|abcdef|\.\.\."
)
_DOCUMENTS: Final = frozenset({".md", ".rst", ".txt", ".adoc", ".lock", ".svg", ".ipynb"})
_LOCKS: Final = re.compile(
    r"(?:^|/)(?:package-lock\.json|pnpm-lock\.yaml|yarn\.lock|[^/]*\.lock|[^/]*\.sum|[^/]*\.min\.js)$"
)


def look(change: Change) -> Iterator[Finding]:
    """Critical for what has an issuer's form and is random; a note in tests, in documents, and where it is guessed."""
    for path, smells in change.fresh(_smells):
        grave = [smell for smell in smells if smell.grave and smell.key not in change.plan]
        for smell in (grave or smells)[:3]:
            certain = smell in grave and not is_test(path) and PurePosixPath(path).suffix.lower() not in _DOCUMENTS
            severity = Severity.CRITICAL if certain else Severity.MINOR
            message = f"{path!r} line {smell.line} holds {smell.shown}"
            hint = "take it out, read it from the environment, and have the key replaced: it is in the history now"
            yield Finding(severity, "secret", message, path, hint, ID, CONFIDENCE if smell.grave else GUESSED)


def _smells(path: str, text: str) -> Iterator[Smell]:
    if _LOCKS.search(path):
        return
    for what, pattern in _ISSUED:
        for match in pattern.finditer(text):
            if _is_random(match[0], 3.0):
                yield Smell(line_at(text, match.start()), match[0], f"what looks like {what}", grave=True)
    for pattern, what in ((_ASSIGNED, "a secret"), (_IN_ADDRESS, "a password in an address")):
        for match in pattern.finditer(text):
            if _is_random(match["value"], 3.3) and re.search(r"\d", match["value"]):
                yield Smell(line_at(text, match.start()), match["value"], f"what looks like {what}")


def _is_random(value: str, bits: float) -> bool:
    """Whether its characters are spread as in a key (Shannon entropy, bits a character), and it is no made-up one."""
    if _MADE_UP.search(value):
        return False
    count = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in count.values())
    return entropy >= bits
