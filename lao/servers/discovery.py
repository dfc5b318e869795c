"""Looks for model servers on this machine's usual ports. What kind one is, detect.py tells; nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lao.config.settings import Settings
from lao.core.clock import Clock
from lao.core.errors import LaoError
from lao.servers.protocol import ModelInfo

PORTS = (1234, 11434, 8080, 8000)
"""LM Studio; Ollama; llama-server and llama-swap; vLLM: what each takes unless told otherwise."""

_CONNECT_S, _ANSWER_S = 1.0, 3.0

NAMES = {
    "lmstudio": "LM Studio",
    "ollama": "Ollama",
    "llamacpp": "llama-server",
    "llamaswap": "llama-swap",
    "vllm": "vLLM",
    "openai": "a server that only chats",
    "simulated": "LAO's simulated server",
}


@dataclass(frozen=True)
class Found:
    """What answers at an address.

    Attributes:
        kind: as ``server.kind`` in factory.yaml; "" when it is no model server or does not let us in.
        problem: why not, "" else.
    """

    url: str
    kind: str
    models: tuple[ModelInfo, ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        """What people call such a server."""
        return NAMES.get(self.kind, self.kind)

    @property
    def resident_bytes(self) -> int:
        """Of the models that are loaded, as far as it tells their sizes."""
        return sum(info.size_bytes for info in self.models if info.loaded)


def addresses(ports: Iterable[int] = PORTS) -> tuple[str, ...]:
    """The ports of this machine as addresses."""
    return tuple(f"http://127.0.0.1:{port}" for port in ports)


def find_servers(settings: Settings, clock: Clock, urls: Iterable[str]) -> Iterator[Found]:
    """What answers at each of the addresses, in their order; where nothing answers, nothing is told."""
    for url in urls:
        found = look(settings, clock, url)
        if found is not None:
            yield found


def look(settings: Settings, clock: Clock, url: str) -> Found | None:
    """What answers at one address, None when nothing does. Waits at most four seconds for the first answer.

    Args:
        settings: of which the API key and the times are taken.
    """
    from lao.servers.detect import connect, detect_kind
    from lao.servers.rest import Rest

    server = replace(settings.server, base_url=url, kind="auto")
    try:
        rest = Rest(url, server.api_key, connect_timeout_s=_CONNECT_S, read_timeout_s=_ANSWER_S)
        rest.get("/v1/models", plain=True)
    except LaoError as error:
        return None if _is_silence(error) else Found(url, "", problem=error.message)
    try:
        kind = detect_kind(replace(settings, server=server))
        models = connect(replace(settings, server=replace(server, kind=kind)), clock).models()
    except LaoError as error:
        return Found(url, "", problem=error.message)
    return Found(url, kind, tuple(models))


def _is_silence(error: LaoError) -> bool:
    from lao.core.errors import Nonsense, ServerAway

    return isinstance(error, ServerAway) and not isinstance(error, Nonsense)
