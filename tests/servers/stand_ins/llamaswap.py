"""A stand-in llama-swap: models start with their first request; calls that unload; upstreams that may tell nothing."""

from __future__ import annotations

from typing import Any

from .stand_in import Answer, Part, StandIn

_WORDS = {"coming": "starting", "in": "ready", "going": "stopping"}
_UNLOAD = "/api/models/unload/"


class LlamaSwapStandIn(StandIn):
    """One model at a time, as its default is.

    Attributes:
        old: without the call that unloads one model; ``/unload`` unloads all.
        props: whether upstreams are llama-servers, which tell their context and slots.
        slots: the context of an upstream is divided among so many.
    """

    def __init__(self, *parts: Part, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.old = False
        self.props = True
        self.slots = 1

    def refused(self) -> Answer:
        return Answer({"error": "unauthorized: invalid API key"}, 401)

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if path == "/v1/models":
            rows = [{"id": key, "object": "model", "owned_by": "llama-swap"} for key in self.parts]
            return Answer({"object": "list", "data": rows})
        if path == "/running":
            self.tick()
            rows = [{"model": k, "state": _WORDS[p.state], "ttl": 0} for k, p in self.parts.items() if p.state != "out"]
            return Answer({"running": rows})
        if path in ("/v1/chat/completions", "/v1/embeddings"):
            return self._request(path, body)
        if method == "POST" and path.startswith(_UNLOAD) and not self.old:
            return self._unload(path.removeprefix(_UNLOAD))
        if path == "/unload":
            for key in self.resident:
                self.go(key)
            return Answer("OK")
        if path.startswith("/upstream/") and path.endswith("/props"):
            return self._upstream(path.removeprefix("/upstream/").removesuffix("/props"))
        if path == "/api/version":
            return Answer({"version": "200", "commit": "c", "build_date": "d"})
        return Answer("404 page not found", 404)

    def _request(self, path: str, body: Any) -> Answer:
        key = body["model"]
        if key not in self.parts:
            return Answer({"error": f"could not find suitable handler for {key}"}, 400)
        if self.fails:
            self.fails -= 1
            return Answer({"error": "unable to start process: upstream command exited prematurely"}, 502)
        if self.parts[key].state == "out":
            for other in self.resident:
                self.go(other)
            self.come(key)
        if self.parts[key].embedding and path == "/v1/chat/completions":
            return Answer({"error": {"message": "this server does not support chat"}}, 501)
        return Answer({"model": key, "choices": [{"message": {"content": "."}}]})

    def _unload(self, key: str) -> Answer:
        if key not in self.parts:
            return Answer({"error": "Model not found"}, 404)
        if self.parts[key].state == "in":
            self.go(key)
        return Answer("OK")

    def _upstream(self, key: str) -> Answer:
        assert self.parts[key].state == "in", "a request through /upstream starts a model"
        if not self.props:
            return Answer("404 page not found", 404)
        settings = {"n_ctx": self.parts[key].context // self.slots}
        return Answer({"default_generation_settings": settings, "total_slots": self.slots})
