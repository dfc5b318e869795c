"""The table of the groups of ``lao doctor``, with what each row looks at; the page in docs/ is made from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lao.cli.doctor.rows import Group

_AT: Final = "lao.cli.doctor."

GROUPS: Final[Sequence[Group]] = (
    Group(
        "config",
        "Configuration",
        f"{_AT}config:examine",
        {
            "settings": "`factory.yaml` loads; the message names file, line and key",
            "rules": "no permission rule is malformed or without effect",
            "mode": "`permissions.mode` is not `bypass`",
        },
        needs_settings=False,
    ),
    Group(
        "server",
        "Server",
        f"{_AT}server:examine",
        {
            "answers": "the model server answers and takes the token; else one that answers on a usual port is named",
            "loads": "LAO can load and unload models there",
        },
        limit_s=20.0,
    ),
    Group(
        "models",
        "Models",
        f"{_AT}server:models",
        {"ROLE": "the role's model is there, of the right kind, and holds its context"},
        limit_s=20.0,
    ),
    Group(
        "memory",
        "Memory",
        f"{_AT}memory:examine",
        {
            "free": "what is free for models (GPU, else the system's memory)",
            "swap": "no more than 4 GB are swapped out",
            "limit": "the container's limit, where one counts",
            "ROLE": "the role's model fits with its context, the embedder beside it",
        },
        limit_s=20.0,
    ),
    Group(
        "embedder",
        "Embedder",
        f"{_AT}embedder:examine",
        {
            "vectors": "the embedder, when it is in memory, gives a vector",
            "index": "the search index has vectors of that length",
        },
        limit_s=20.0,
    ),
    Group(
        "git",
        "Git",
        f"{_AT}git:examine",
        {
            "program": "git is there",
            "identity": "git knows who commits",
            "repository": "no repository of an open plan is in the middle of a merge, locked or broken",
        },
    ),
    Group(
        "validators",
        "Validators",
        f"{_AT}validators:examine",
        {
            "commands": "the programs of the configured checks are there",
            "tools": "so are those of the languages whose manifests are there",
        },
    ),
    Group(
        "sandbox",
        "Sandbox",
        f"{_AT}sandbox:examine",
        {
            "sandbox": "what surrounds the commands of models: the best that this system has, or the one asked for",
            "network": "what commands reach, and whether `sandbox.network` is kept",
        },
    ),
    Group(
        "mcp",
        "MCP",
        f"{_AT}mcp:examine",
        {"SERVER": "the MCP server starts within ten seconds and has tools"},
        aside=False,
    ),
    Group(
        "notify",
        "Notifications",
        f"{_AT}notify:examine",
        {"command": "messages go out by `notify.command`", "webhook": "and by `notify.webhook`"},
    ),
    Group(
        "disk",
        "Disk",
        f"{_AT}disk:examine",
        {
            "space": "more than `orchestration.min_free_disk_mb` is free where the state is",
            "writable": "the folder of the state can be written",
            "fsync": "an fsync waits for the disk, and not for more than 0.2 s",
            "filesystem": "the state is on a local disk that lasts",
        },
    ),
    Group(
        "state",
        "State",
        f"{_AT}state:examine",
        {
            "file": "the state file can be trusted (not damaged, missing, older than its work)",
            "schema": "it is not of a newer LAO; an older one is upgraded",
            "integrity": "SQLite finds every page, row, index and reference in order",
            "backup": "there is a good backup, not older than three days",
            "log": "the write-ahead log is no larger than 64 MB",
        },
        limit_s=60.0,
    ),
    Group(
        "queue",
        "Queue",
        f"{_AT}work:queue",
        {
            "wakeups": "the queue's file is in order",
            "letters": "no message of the last day was unreadable",
            "waiting": "what could begin is worked on: a worker runs, and nothing waits longer than ten minutes",
        },
    ),
    Group(
        "workers",
        "Workers",
        f"{_AT}work:workers",
        {
            "running": "who works on the project, and since when",
            "second": "no second worker of a queue, here or on another machine",
            "locks": "who holds the locks; one of a dead worker holds nobody up",
            "held": "no phase belongs to a dead worker while none runs",
        },
    ),
    Group("clock", "Clock", f"{_AT}work:clock", {"future": "nothing in the state is later than now"}),
    Group(
        "plans",
        "Plans",
        f"{_AT}plans:examine",
        {
            "folder": "the plans folder is there and can be read",
            "watch": "the system has an inotify watch left for it",
        },
    ),
    Group(
        "versions",
        "Versions",
        f"{_AT}versions:examine",
        {
            "lao": "always",
            "python": "at least 3.10",
            "sqlite": "at least 3.35",
            "huey": "at least 3.5",
            "peewee": "at least 4.5",
        },
        needs_settings=False,
    ),
)
"""In the order in which they are shown."""
