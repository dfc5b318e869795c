"""Every kind of server with its adapter, behind one small face: serve, break in a named way, look at what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from lao.core.clock import Clock, FakeClock
from lao.servers.adapters.llamacpp import LlamaCppServer
from lao.servers.adapters.llamaswap import LlamaSwapServer
from lao.servers.adapters.lmstudio import LMStudioServer
from lao.servers.adapters.ollama import OllamaServer
from lao.servers.adapters.openai_compat import OpenAICompatServer
from lao.servers.adapters.pace import Pace
from lao.servers.adapters.vllm import VllmServer
from lao.servers.protocol import ResidencyServer
from lao.servers.simulated import SimulatedServer, parse_scenario
from tests.servers.stand_ins.llamacpp import LlamaCppStandIn
from tests.servers.stand_ins.llamaswap import LlamaSwapStandIn
from tests.servers.stand_ins.old_lmstudio import OldLMStudioStandIn
from tests.servers.stand_ins.ollama import OllamaStandIn
from tests.servers.stand_ins.stand_in import GB, HANG_UP, Answer, Part, StandIn
from tests.servers.stand_ins.vllm import VllmStandIn

KEYS = ("big/alpha-9b", "beta-9b", "embedding-tiny")
LOADABLE_CONTEXT = 32768
SLOTS = 3
"""How many requests a server answers at once where it tells that."""
LOADING = {"error": {"message": "Loading model", "code": 503}}
TROUBLES: dict[str, Answer | object] = {
    "html": Answer("<html><body>It works!</body></html>"),
    "garbage": Answer('{"models": [{"key": "al'),
    "empty": Answer(""),
    "busy": Answer(LOADING, 503),
    "busy page": Answer("<html>starting</html>", 503),
    "too many": Answer({"error": {"message": "slow down"}}, 429),
    "hang up once": HANG_UP,
}
"""What the list answers instead of models."""

FAILING_LOAD, LYING_UNLOAD, SMALL = "failing load", "lying unload", "small context"


class Served(Protocol):
    """A running server."""

    @property
    def url(self) -> str: ...
    @property
    def loads(self) -> int: ...
    @property
    def resident(self) -> list[str]: ...
    def start(self) -> Any: ...
    def stop(self) -> Any: ...


@dataclass(frozen=True)
class World:
    """One kind of server.

    Attributes:
        make: starts nothing; gets the trouble, the token and how many looks a change of state takes.
        connect: the adapter.
        keys: what is served.
        loads_models: False where the adapter only chats.
        slow: whether the server's changes of state can be drawn out.
        guards_list: whether the list of models is refused without the token.
        parallel: how many requests the server says it answers at once.
    """

    name: str
    make: Callable[[str, str, int], Any]
    connect: Callable[[str, str, Clock], ResidencyServer]
    keys: tuple[str, ...] = KEYS
    loads_models: bool = True
    slow: bool = True
    guards_list: bool = True
    parallel: int | None = None

    @contextmanager
    def serve(self, trouble: str = "", token: str = "", slow: int = 0) -> Iterator[Served]:
        with self.make(trouble, token, slow) as server:
            yield server

    def adapter(self, url: str, token: str = "", clock: Clock | None = None) -> ResidencyServer:
        return self.connect(url, token, clock or FakeClock())


class Simulated(SimulatedServer):
    """The simulated server with the face of a stand-in."""

    @property
    def loads(self) -> int:
        return int(self.stats["loads"])

    @property
    def resident(self) -> list[str]:
        return list(self.stats["resident"])


def _simulated(api: str) -> Callable[[str, str, int], Simulated]:
    path = "/v1/models" if api == "openai" else "/api/v1/models"
    sizes = dict(zip(KEYS, (9 * GB, 9 * GB, GB // 10), strict=True))
    models = [{"key": k, "size_bytes": s, "max_context_length": LOADABLE_CONTEXT} for k, s in sizes.items()]
    models[2]["type"] = "embedding"

    def make(trouble: str, token: str, slow: int) -> Simulated:
        document: dict[str, Any] = {"models": models, "vram_total_bytes": 20 * GB, "api": api, "api_token": token}
        document["parallel"] = SLOTS
        if trouble == SMALL:
            document["context_cap"] = 4096
        elif trouble:
            document["responses"] = [_rule(path, trouble)]
        return Simulated(parse_scenario(document))

    return make


def _rule(path: str, trouble: str) -> dict[str, Any]:
    crash = {"error": {"message": "The model has crashed without additional information."}}
    special = {FAILING_LOAD: ("/load", Answer(crash, 500)), LYING_UNLOAD: ("/unload", Answer({"instance_id": "x"}))}
    suffix, answer = special.get(trouble, ("", TROUBLES.get(trouble)))
    if not isinstance(answer, Answer):
        return {"match": {"path": path}, "fault": {"kind": "close"}, "times": 1}
    if trouble in ("html", "garbage", "empty"):
        return {"match": {"path": path}, "fault": {"kind": trouble}}
    once = {"times": 1} if trouble == FAILING_LOAD else {}
    fault = {"kind": "http", "status": answer.status, "body": answer.body}
    return {"match": {"path": path + suffix}, "fault": fault, **once}


def _stand_in(kind: type[StandIn], count: int = 3, **set_to: Any) -> Callable[[str, str, int], StandIn]:
    """``slots`` among ``set_to`` divide the server's context, so it has so many times that of a request."""

    def make(trouble: str, token: str, slow: int) -> StandIn:
        context = (4096 if trouble == SMALL else LOADABLE_CONTEXT) * set_to.get("slots", 1)
        parts = [Part(key, context=context, embedding="embed" in key) for key in KEYS]
        server = kind(*(parts if count == 3 else parts[1:2]), slow=slow, token=token)
        for name, value in set_to.items():
            setattr(server, name, value)
        if isinstance(server, VllmStandIn) and server.dev:
            server.model.state = "out"
        server.lies = trouble == LYING_UNLOAD
        server.fails = int(trouble == FAILING_LOAD)
        if trouble in TROUBLES:
            server.put(server.list_path, TROUBLES[trouble], 1 if trouble == "hang up once" else 1_000)
        return server

    return make


def _paced(kind: Any) -> Callable[[str, str, Clock], ResidencyServer]:
    def connect(url: str, token: str, clock: Clock) -> ResidencyServer:
        made: ResidencyServer = kind(url, token, pace=Pace(clock, 20.0, 2.0), connect_timeout_s=2)
        return made

    return connect


def _openai(url: str, token: str, clock: Clock) -> ResidencyServer:
    return OpenAICompatServer(url, token, connect_timeout_s=2)


ONE = KEYS[1:2]
WORLDS = (
    World("lmstudio", _simulated("lmstudio"), _paced(LMStudioServer), slow=False, parallel=SLOTS),
    World("lmstudio_v0", _stand_in(OldLMStudioStandIn), _paced(LMStudioServer), loads_models=False),
    World(
        "llamacpp",
        _stand_in(LlamaCppStandIn, slots=SLOTS),
        _paced(LlamaCppServer),
        guards_list=False,
        parallel=SLOTS,
    ),
    World(
        "llamacpp_single",
        _stand_in(LlamaCppStandIn, 1, router=False, slots=SLOTS),
        _paced(LlamaCppServer),
        ONE,
        loads_models=False,
        parallel=SLOTS,
    ),
    World("ollama", _stand_in(OllamaStandIn), _paced(OllamaServer)),
    World("llamaswap", _stand_in(LlamaSwapStandIn, slots=SLOTS), _paced(LlamaSwapServer), parallel=SLOTS),
    World("llamaswap_old", _stand_in(LlamaSwapStandIn, old=True, slots=SLOTS), _paced(LlamaSwapServer), parallel=SLOTS),
    World("vllm", _stand_in(VllmStandIn, 1), _paced(VllmServer), ONE),
    World("vllm_awake", _stand_in(VllmStandIn, 1, dev=False), _paced(VllmServer), ONE, loads_models=False),
    World("openai_compat", _simulated("openai"), _openai, loads_models=False, slow=False),
)
