"""A stand-in Ollama: one runner per blob, reloads on another num_ctx, prompts that are cut in silence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .stand_in import Answer, Part, StandIn


@dataclass
class Name:
    """A manifest: a name for a blob, with the ``num_ctx`` that it has built in."""

    blob: str
    num_ctx: int | None = None


class OllamaStandIn(StandIn):
    """``Part.context`` is the longest that the model was made for.

    Attributes:
        default_ctx: ``num_ctx`` of names that have none.
        gpu: bytes that fit into the GPU.
        tells_context: older ones do not.
        running: the name and the context with which each blob was loaded.
        reloads: loads of a blob that was loaded with another context.
    """

    list_path = "/api/tags"

    def __init__(self, *parts: Part, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.names = {part.key: Name(part.key) for part in parts}
        self.default_ctx = 4096
        self.gpu = 1_000_000_000_000
        self.tells_context = True
        self.running: dict[str, tuple[str, int]] = {}
        self.reloads = 0

    def refused(self) -> Answer:
        return Answer({"error": "unauthorized"}, 401)

    def forget(self) -> None:
        super().forget()
        self.running.clear()

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if path == "/":
            return Answer("Ollama is running")
        if path == "/api/version":
            return Answer({"version": "0.14.2"})
        if path == "/api/tags":
            return Answer({"models": [self._tag(name) for name in self.names]})
        if path == "/v1/models":
            return Answer({"object": "list", "data": [{"id": n, "owned_by": "library"} for n in self.names]})
        if path == "/api/ps":
            self.tick()
            return Answer({"models": [self._process(k) for k, p in self.parts.items() if p.state in ("in", "going")]})
        if method != "POST" or path not in _ROUTES:
            return Answer("404 page not found", 404)
        name = body.get("from") or body.get("model", "")
        if name not in self.names:
            text = f"model '{name}' not found"
            return Answer({"error": {"message": text, "type": "api_error"} if path.startswith("/v1") else text}, 404)
        return _ROUTES[path](self, body)

    def show(self, body: Any) -> Answer:
        name = self.names[body["model"]]
        own = f"num_ctx                        {name.num_ctx}\n" if name.num_ctx else ""
        info = {"general.architecture": "qwen2", "qwen2.context_length": self.parts[name.blob].context}
        return Answer({"parameters": f'{own}stop                           "<|im_end|>"', "model_info": info})

    def create(self, body: Any) -> Answer:
        self.names[body["model"]] = Name(self.names[body["from"]].blob, body["parameters"]["num_ctx"])
        return Answer({"status": "success"})

    def generate(self, body: Any) -> Answer:
        name = self.names[body["model"]]
        part = self.parts[name.blob]
        if body.get("keep_alive") == 0:
            if part.state in ("in", "coming"):
                self.go(part.key)
            return Answer({"model": body["model"], "response": "", "done": True, "done_reason": "unload"})
        if part.embedding:
            return Answer({"error": f'"{body["model"]}" does not support generate'}, 400)
        return self._schedule(body)

    def embed(self, body: Any) -> Answer:
        return self._schedule(body)

    def chat(self, body: Any) -> Answer:
        """Streamed, with the prompt cut down to the context: a token for every four characters."""
        self._schedule(body)
        context = self.running[self.names[body["model"]].blob][1]
        sent = sum(len(m["content"]) for m in body["messages"]) // 4
        usage = {"prompt_tokens": min(sent, context), "completion_tokens": 1}
        head = {"id": "c", "object": "chat.completion.chunk", "model": body["model"]}
        chunks = [
            {**head, "choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}]},
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {**head, "choices": [], "usage": usage},
        ]
        return Answer("".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n")

    def _schedule(self, body: Any) -> Answer:
        if self.fails:
            self.fails -= 1
            return Answer({"error": "model runner has unexpectedly stopped, check ollama server logs"}, 500)
        name = self.names[body["model"]]
        part = self.parts[name.blob]
        wanted = body.get("options", {}).get("num_ctx") or name.num_ctx or self.default_ctx
        wanted = min(wanted, part.context)
        same = part.state != "out" and self.running.get(part.key, ("", 0))[1] == wanted
        if not same:
            self.reloads += part.state != "out"
            self.running[part.key] = (body["model"], wanted)
            self.come(part.key)
        return Answer({"model": body["model"], "response": "", "done": True, "done_reason": "load"})

    def _tag(self, name: str) -> dict[str, Any]:
        part = self.parts[self.names[name].blob]
        details = {"family": "nomic-bert" if part.embedding else "qwen2", "format": "gguf"}
        return {"name": name, "model": name, "size": part.size, "digest": "d", "details": details}

    def _process(self, key: str) -> dict[str, Any]:
        name, context = self.running[key]
        size = self.parts[key].size
        told = {"context_length": context} if self.tells_context else {}
        return {**self._tag(name), "size": size, "size_vram": min(size, self.gpu), **told}


_ROUTES = {
    "/api/show": OllamaStandIn.show,
    "/api/create": OllamaStandIn.create,
    "/api/generate": OllamaStandIn.generate,
    "/api/embed": OllamaStandIn.embed,
    "/v1/chat/completions": OllamaStandIn.chat,
}
