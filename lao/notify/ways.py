"""The ways a message goes: the user's own command, and a webhook. Each is tried once and bounded; repeats nothing."""

from __future__ import annotations

import json
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Protocol

from lao import __version__
from lao.config.settings import Settings
from lao.core.errors import BadInput, DiskFull, LaoError
from lao.durable.containment import Containment
from lao.durable.processes import run_command
from lao.notify.message import body_of

ANSWER_LIMIT: Final = 16_000
"""Bytes that are read of a command's output or a server's answer."""

_SHOWN: Final = 200


@dataclass(frozen=True)
class Sent:
    """What came of one try. ``problem`` is "" when it was taken; ``said`` is the begin of what came back."""

    way: str
    problem: str = ""
    said: str = ""
    seconds: float = 0.0


class Way(Protocol):
    """A way to the person."""

    @property
    def name(self) -> str:
        """The word for it: "command", "webhook"."""
        ...

    def within(self, limit_s: float) -> Way:
        """The same way, with tries that take no longer than this."""
        ...

    def send(self, document: str, stop: Callable[[], bool] | None = None) -> Sent:
        """Try once. ``document``: of ``Message.to_json``; ``stop`` is asked meanwhile where that can be.

        Raises:
            Interrupted: ``stop`` said so.
        """
        ...


@dataclass(frozen=True)
class CommandWay:
    """The user's own program, with his rights, outside the sandbox.

    Attributes:
        command: arguments, after which the message comes as one more; or a shell line, in which it is ``$1``.
        environment: variables beside those that no secret is in.
    """

    command: str | tuple[str, ...]
    root: Path
    timeout_s: float
    marker: str
    environment: Mapping[str, str] = field(default_factory=dict)
    containment: Containment = Containment.NONE
    name: str = "command"

    def within(self, limit_s: float) -> CommandWay:
        return replace(self, timeout_s=min(self.timeout_s, limit_s))

    def send(self, document: str, stop: Callable[[], bool] | None = None) -> Sent:
        told = json.loads(document)
        shell = isinstance(self.command, str)
        words = ["/bin/sh", "-c", self.command, "lao-notify"] if shell else self.command
        extra = {"LAO_EVENT": told["event"], "LAO_TITLE": told["title"], "LAO_TEXT": told["text"]}
        try:
            result = run_command(
                shlex.join([*(str(word) for word in words), document]),
                cwd=self.root,
                timeout_s=self.timeout_s,
                marker=self.marker,
                env={**self.environment, **{name: str(value) for name, value in extra.items()}},
                containment=self.containment,
                output_limit=ANSWER_LIMIT,
                stop=stop,
            )
        except (OSError, DiskFull, BadInput) as error:
            return Sent(self.name, f"could not be run: {error}")
        said = _short(result.output)
        problem = ""
        if result.timed_out:
            problem = f"was ended after {self.timeout_s:g} s"
        elif result.exit_code != 0:
            problem = f"exit code {result.exit_code}: {_short(result.errors or result.output)}"
        return Sent(self.name, problem, said, result.seconds)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        """None: a redirect is an error, so that no message goes to another host than the configured one."""


@dataclass(frozen=True)
class WebhookWay:
    """A POST to an address, http or https; redirects are not followed."""

    url: str
    form: str
    timeout_s: float
    name: str = "webhook"

    def within(self, limit_s: float) -> WebhookWay:
        return replace(self, timeout_s=min(self.timeout_s, limit_s))

    def send(self, document: str, stop: Callable[[], bool] | None = None) -> Sent:  # noqa: ARG002 - bounded by itself
        body, headers = body_of(document, self.form)
        started = time.monotonic()
        try:
            headers = {"User-Agent": f"lao/{__version__}", **headers}
            request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")  # noqa: S310
            opener = urllib.request.build_opener(_NoRedirect)
            with opener.open(request, timeout=self.timeout_s) as answer:
                said = _short(answer.read1(ANSWER_LIMIT).decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            with error:
                return Sent(self.name, _refused(error), seconds=time.monotonic() - started)
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            text = str(reason).replace(self.url, "(the address)")  # it may be a secret
            return Sent(self.name, f"not reached: {_short(text)}", seconds=time.monotonic() - started)
        return Sent(self.name, "", said, time.monotonic() - started)


def _refused(error: urllib.error.HTTPError) -> str:
    if 300 <= error.code < 400:
        return f"answered with a redirect ({error.code}), which is not followed; set the address it leads to"
    return f"answered {error.code} {error.reason}"


def _short(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text[:ANSWER_LIMIT]).split())
    return line[:_SHOWN]


def ways_of(
    settings: Settings, marker: str, environment: Mapping[str, str], containment: Containment
) -> tuple[Way, ...]:
    """The ways that ``notify`` in factory.yaml names; none: nobody is told.

    Args:
        environment: where the variables of ``notify.pass_env`` come from.
    """
    section = settings.raw["notify"]
    found: list[Way] = []
    limit = float(section["timeout_s"])
    if command := section["command"]:
        words = command if isinstance(command, str) else tuple(command)
        passed = {name: environment[name] for name in section["pass_env"] if name in environment}
        found.append(CommandWay(words, settings.paths.root, limit, marker, passed, containment))
    if url := section["webhook"]:
        found.append(WebhookWay(url, section["format"], limit))
    return tuple(found)


def try_each(ways: tuple[Way, ...], document: str) -> list[Sent]:
    """Send to all of them once; what keeps one from being tried is its problem."""
    found = []
    for way in ways:
        try:
            found.append(way.send(document))
        except LaoError as error:
            found.append(Sent(way.name, error.message))
    return found
