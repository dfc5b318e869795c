"""A stand-in llama-server: a router with asynchronous loads and unloads, or a single model (``router=False``)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from .stand_in import Answer, Part, StandIn

_WORDS = {"out": "unloaded", "coming": "loading", "in": "loaded", "going": "loaded"}


def error(status: int, message: str, kind: str = "invalid_request_error") -> Answer:
    """llama-server's form of an error."""
    return Answer({"error": {"code": status, "message": message, "type": kind}}, status)


class LlamaCppStandIn(StandIn):
    """Loads begin at once and end some looks later; the context is the preset's.

    Attributes:
        models_max: how many may be there before a load is refused.
        slots: the context of a preset is divided among so many.
        unified: it is not divided: all slots draw on one cache.
        presets_told: whether the command line of a preset has its ``-c``.
    """

    list_path = "/models"

    def __init__(self, *parts: Part, router: bool = True, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.router = router
        self.models_max = 4
        self.slots = 1
        self.unified = False
        self.presets_told = True
        self.failed: set[str] = set()

    def is_open(self, method: str, path: str) -> bool:
        return path in ("/health", "/models", "/v1/models")

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if path in ("/models", "/v1/models"):
            self.tick()
            return Answer({"object": "list", "data": [self._row(part) for part in self.parts.values()]})
        if path == "/props" or (path.startswith("/props?") and not self.router):
            return Answer(self._props())
        if path.startswith("/props?"):
            asked = {name: values[0] for name, values in parse_qs(path.partition("?")[2]).items()}
            return self._props_of(asked["model"], autoload=asked.get("autoload", "true") == "true")
        if self.router and (method, path) == ("POST", "/models/load"):
            return self._load(body["model"])
        if self.router and (method, path) == ("POST", "/models/unload"):
            return self._unload(body["model"])
        return error(404, "File Not Found", "not_found_error")

    def tick(self) -> None:
        super().tick()
        for key in list(self.failed):
            self.parts[key].state = "out"

    def _load(self, key: str) -> Answer:
        if key not in self.parts:
            return error(404, "File Not Found", "not_found_error")
        if self.parts[key].state != "out":
            return error(400, "model is already running")
        if sum(part.state != "out" for part in self.parts.values()) >= self.models_max:
            return error(500, "model limit reached, try again later", "server_error")
        self.failed.discard(key)
        if self.fails:
            self.fails -= 1
            self.failed.add(key)
            self.parts[key].state = "coming"
        else:
            self.come(key)
        return Answer({"success": True})

    def _unload(self, key: str) -> Answer:
        if key not in self.parts:
            return error(404, "File Not Found", "not_found_error")
        if self.parts[key].state == "out":
            return error(400, "model is not running")
        self.go(key)
        return Answer({"success": True})

    def _props(self) -> dict[str, Any]:
        if self.router:
            return {"role": "router", "max_instances": self.models_max, "models_autoload": False, "build_info": "b1-x"}
        (part,) = self.parts.values()
        return self._told(part)

    def _props_of(self, key: str, *, autoload: bool) -> Answer:
        """Passed on to the model's own server, which is started for that unless the request says otherwise."""
        if key not in self.parts:
            return error(400, f"model '{key}' not found")
        part = self.parts[key]
        if part.state == "out" and not autoload:
            return error(400, "model is not loaded")
        if part.state == "out":
            self.come(key)
        return Answer(self._told(part)) if part.state in ("in", "going") else error(503, "Loading model")

    def _told(self, part: Part) -> dict[str, Any]:
        settings = {"n_ctx": self._of_a_slot(part)}
        return {"default_generation_settings": settings, "total_slots": self.slots, "build_info": "b1-x"}

    def _of_a_slot(self, part: Part) -> int:
        return part.context if self.unified else part.context // self.slots

    def _row(self, part: Part) -> dict[str, Any]:
        row: dict[str, Any] = {"id": part.key, "aliases": [], "object": "model", "owned_by": "llamacpp"}
        running = part.state in ("in", "going")
        if running or not self.router:
            row["meta"] = {"n_ctx": self._of_a_slot(part), "n_ctx_train": 131072, "size": part.size}
        if self.router:
            told = ["--ctx-size", str(part.context)] if self.presets_told else []
            row["status"] = {"value": _WORDS[part.state], "args": ["llama-server", "--host", "127.0.0.1", *told]}
            if part.key in self.failed and part.state == "out":
                row["status"] |= {"failed": True, "exit_code": 1}
        return row
