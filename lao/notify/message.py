"""What a person is told who is not looking: the events, one message, its forms. Sends nothing, reads no state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Final

from lao.core.words import Json

SCHEMA: Final = 1
"""Raised when a field changes its meaning or goes; new fields do not raise it."""

EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "plan_done": "a plan is completed",
        "plan_failed": "a plan has failed",
        "needs_person": "a plan has ended and needs a person",
        "gate_stuck": "the memory gate has been shut for a while",
        "disk_low": "the disk is nearly full",
        "stalled": "there is work, and nothing has moved for a while",
        "question": "a model's question waits for a person",
    }
)
"""Name and meaning, in the order of the documentation."""

FORMATS: Final = ("json", "slack", "ntfy")
LONGEST: Final = 1000
"""Characters of a reason; what is longer is cut."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        id: the same for each repetition of the same message.
        event: one of ``EVENTS``.
        project: the project's folder.
        plan_id, plan: "" when it concerns no plan.
        state: the plan's state, or the event's own word ("shut", "low", "stalled", "waiting").
        counts: tasks of the plan by state, with "total"; empty when it concerns no plan.
        next: the command that comes next.
        report: path of the plan's report, "" when there is none.
        at: when it happened, in seconds since the epoch.
    """

    id: str
    event: str
    project: str
    state: str
    reason: str
    next: str
    at: float
    plan_id: str = ""
    plan: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    report: str = ""

    @property
    def title(self) -> str:
        """One line for the head of a notification."""
        name = f" {self.plan!r}" if self.plan else ""
        words = {"plan_done": "completed", "plan_failed": "failed", "needs_person": "needs a person"}
        if self.event in words:
            return f"LAO: plan{name} {words[self.event]}"
        return f"LAO: {EVENTS[self.event]}"

    @property
    def text(self) -> str:
        """A few lines below the title."""
        done = f"{self.counts.get('completed', 0)} of {self.counts['total']} tasks completed" if self.counts else ""
        after = f"next: {self.next}" if self.next else ""
        return "\n".join(line for line in (done, self.reason, after, self.project) if line)

    def view(self) -> dict[str, Json]:
        """The document of docs/notifications.md."""
        counts: dict[str, Json] = dict(self.counts)
        return {"schema": SCHEMA, **asdict(self), "counts": counts, "title": self.title, "text": self.text}

    def to_json(self) -> str:
        """The same on one line."""
        return json.dumps(self.view())


def cut(text: str) -> str:
    """The text in at most ``LONGEST`` characters, without control characters but the ends of lines."""
    clean = "".join(char for char in text if char.isprintable() or char == "\n")
    return clean if len(clean) <= LONGEST else f"{clean[: LONGEST - 1]}…"


def sample(event: str, project: str, at: float) -> Message:
    """A message as ``lao notify test`` sends it: nothing of it has happened."""
    of_plan = event in ("plan_done", "plan_failed", "needs_person", "question")
    counts = {"total": 3, "completed": 3 if event == "plan_done" else 2} if of_plan else {}
    return Message(
        id=f"sample {event}",
        event=event,
        project=project,
        state={"plan_done": "completed", "plan_failed": "failed", "needs_person": "needs_human"}.get(event, "sample"),
        reason=f"a sample: {EVENTS[event]}",
        next="lao status",
        at=at,
        plan_id="0" * 16 if of_plan else "",
        plan="sample" if of_plan else "",
        counts=counts,
    )


def body_of(document: str, form: str) -> tuple[bytes, dict[str, str]]:
    """What a webhook is sent, with its headers.

    Args:
        document: of ``Message.to_json``.
        form: "json": the document itself; "slack": ``{"text": ...}``, which Slack, Mattermost and Rocket.Chat take
            (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks); "ntfy": the text, with the
            title as a header (https://docs.ntfy.sh/publish/).
    """
    told = json.loads(document)
    if form == "slack":
        text = f"{told['title']}\n{told['text']}"
        return json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}
    if form == "ntfy":
        title = str(told["title"]).encode("ascii", "replace").decode()
        return str(told["text"]).encode("utf-8", "replace"), {
            "Content-Type": "text/plain; charset=utf-8",
            "Title": title,
        }
    return document.encode("utf-8", "replace"), {"Content-Type": "application/json"}
