"""Which MCP servers there are: ``mcp_servers`` of factory.yaml and the project's ``.mcp.json``. Starts none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lao.config.settings import Settings
from lao.core.words import Json

PROJECT_FILE: Final = ".mcp.json"
STARTUP_S: Final = 30.0
CALL_S: Final = 60.0

_MOST_BYTES: Final = 1_000_000
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_HTTP: Final = frozenset({"http", "streamable-http", "streamable_http", "streamableHttp"})
_ALIASES: Final[Mapping[str, str]] = {
    "startup_timeout_sec": "startup_timeout_s",
    "tool_timeout_sec": "tool_timeout_s",
    "http_headers": "headers",
    "enabledTools": "enabled_tools",
    "disabledTools": "disabled_tools",
}


@dataclass(frozen=True)
class McpServer:
    """One server.

    Attributes:
        source: the file that names it, "factory.yaml" or ".mcp.json".
        command: program and arguments; empty for a server that is reached by ``url``.
        cwd: where the program is started.
        enabled_tools: patterns of the tools to offer; None offers the first few.
        startup_timeout_s, tool_timeout_s: longest waits in seconds.
        trust: whether what it says of its tools' effects is believed.
    """

    name: str
    source: str
    transport: Literal["stdio", "http", "sse"]
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    url: str
    headers: Mapping[str, str]
    enabled: bool
    enabled_tools: tuple[str, ...] | None
    disabled_tools: tuple[str, ...]
    startup_timeout_s: float
    tool_timeout_s: float
    trust: bool

    @property
    def place(self) -> str:
        """The program or the address, without arguments, logins and queries, which may be secret."""
        if self.command:
            return self.command[0]
        return re.sub(r"(?<=://)[^/@\s]+@", "", self.url).partition("?")[0]


@dataclass(frozen=True)
class Problem:
    """An entry that cannot be used; plans go on without it.

    Attributes:
        server: its name, or ".mcp.json" for the whole file.
        text: what is wrong with it.
    """

    server: str
    text: str


class _Unusable(Exception):
    """Why an entry cannot be used."""


def servers_of(settings: Settings, env: Mapping[str, str]) -> tuple[tuple[McpServer, ...], tuple[Problem, ...]]:
    """All servers of the project by name, also those switched off, and what cannot be used.

    ``.mcp.json`` is read in the folder of factory.yaml only: one in a plan's folder could be a model's work.

    Args:
        env: for ``${VAR}`` and ``${VAR:-default}`` in ``.mcp.json``; factory.yaml has its own expanded already.
    """
    root = settings.paths.root
    found: dict[str, McpServer] = {}
    problems: list[Problem] = []
    entries = [(entry["name"], entry, "factory.yaml") for entry in settings.raw.get("mcp_servers") or ()]
    if settings.raw["mcp"]["project_file"]:
        try:
            entries += [(name, entry, PROJECT_FILE) for name, entry in _project_file(settings)]
        except _Unusable as error:
            problems.append(Problem(PROJECT_FILE, str(error)))
    for name, entry, source in entries:
        try:
            server = _server(name, entry, source, root, {} if source == "factory.yaml" else env)
        except _Unusable as error:
            problems.append(Problem(name, f"{source}: {error}"))
            continue
        known = found.setdefault(_plain(server.name), server)
        if known is not server and known.source == source:
            problems.append(Problem(name, f"{source}: the name is the same as {known.name!r} in tool names"))
    return tuple(found[name] for name in sorted(found)), tuple(problems)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def _project_file(settings: Settings) -> Iterator[tuple[str, Json]]:
    path = settings.paths.root / PROJECT_FILE
    if not path.is_file():
        return
    real = path.resolve()
    if real.parent != settings.paths.root.resolve():
        raise _Unusable(f"it is a link to {str(real)!r}; only a file in the folder of factory.yaml is used")
    if real.is_relative_to(settings.paths.workspace):
        raise _Unusable("paths.workspace is the folder of factory.yaml, so a model could write it")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _Unusable(f"it cannot be read: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise _Unusable(f"it has {len(data)} bytes; at most {_MOST_BYTES} are read")
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _Unusable(f"it is not JSON: {error}") from error
    listed = document.get("mcpServers", document.get("servers")) if isinstance(document, dict) else None
    if not isinstance(listed, dict):
        raise _Unusable('it has no "mcpServers" (or "servers") with a mapping of names')
    yield from listed.items()


def _server(name: str, entry: Json, source: str, root: Path, env: Mapping[str, str]) -> McpServer:
    if not isinstance(entry, dict):
        raise _Unusable("the entry is no mapping")
    given = {_ALIASES.get(key, key): value for key, value in entry.items()}
    if source == PROJECT_FILE:
        given = _expanded(given, env)
    command = _words(given, "command", one=True) + _words(given, "args")
    url = _text(given, "url")
    transport = _transport(_text(given, "type") or ("stdio" if command else "http"))
    if transport == "stdio" and not (command and command[0]):
        raise _Unusable("it has no command to start")
    if transport != "stdio" and not re.match(r"https?://[^\s/]", url):
        raise _Unusable("it needs a url that starts with http:// or https://")
    cwd = _text(given, "cwd")
    return McpServer(
        name=name,
        source=source,
        transport=transport,
        command=command if transport == "stdio" else (),
        env=_texts(given, "env"),
        cwd=root / Path(cwd).expanduser() if cwd else root,
        url=url if transport != "stdio" else "",
        headers=_texts(given, "headers"),
        enabled=given.get("enabled", True) is not False and given.get("disabled", False) is not True,
        enabled_tools=None if given.get("enabled_tools") is None else _words(given, "enabled_tools"),
        disabled_tools=_words(given, "disabled_tools"),
        startup_timeout_s=_seconds(given, "startup_timeout_s", STARTUP_S),
        tool_timeout_s=_seconds(given, "tool_timeout_s", CALL_S),
        trust=given.get("trust", True) is not False,
    )


def _transport(kind: str) -> Literal["stdio", "http", "sse"]:
    if kind in _HTTP:
        return "http"
    if kind == "stdio" or kind == "sse":
        return "stdio" if kind == "stdio" else "sse"
    raise _Unusable(f"LAO does not speak {kind!r}; it can do stdio, http and sse")


def _expanded(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _expanded(inner, env) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expanded(inner, env) for inner in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        name, default = match.groups()
        if env.get(name):
            return env[name]
        if default is None and name not in env:
            raise _Unusable(f"environment variable {name!r} is not set; set it, or write ${{{name}:-default}}")
        return default or ""

    return _VARIABLE.sub(variable, value)


def _text(given: Mapping[str, Json], key: str) -> str:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise _Unusable(f"{key} must be text")
    if value and "\0" in value:
        raise _Unusable(f"{key} has a NUL character in it")
    return value or ""


def _words(given: Mapping[str, Json], key: str, *, one: bool = False) -> tuple[str, ...]:
    """A list of texts; with ``one`` a single text is a list of one."""
    value = given.get(key)
    if value is None or (one and value == ""):
        return ()
    if one and isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(word, str) and "\0" not in word for word in value):
        raise _Unusable(f"{key} must be a list of texts")
    return tuple(value)


def _texts(given: Mapping[str, Json], key: str) -> dict[str, str]:
    value = given.get(key) or {}
    if not isinstance(value, dict) or any(isinstance(inner, (dict, list)) for inner in value.values()):
        raise _Unusable(f"{key} must be a mapping of texts")
    texts = {str(name): inner if isinstance(inner, str) else json.dumps(inner) for name, inner in value.items()}
    if any("\0" in part for pair in texts.items() for part in pair) or any("=" in name or not name for name in texts):
        raise _Unusable(f"{key} has a name or value that no variable can have")
    return texts


def _seconds(given: Mapping[str, Json], key: str, default: float) -> float:
    value = given.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        raise _Unusable(f"{key} must be a number of seconds above 0")
    return float(value)
