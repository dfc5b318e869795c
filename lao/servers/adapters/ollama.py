"""Ollama's own API: /api/tags, /api/ps, loads and unloads by ``keep_alive``. Decides nothing about memory.

Facts: docs/api.md and server/sched.go of ollama. A chat through ``/v1`` cannot set ``num_ctx``, and one with another
``num_ctx`` than the loaded one makes Ollama load the model again, with the smaller context, and cut prompts in silence.
So a model whose own ``num_ctx`` is another one is derived once as ``NAME-lao-N``, which has it built in (no weights are
copied), and is loaded and chatted with under that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lao.core.errors import NotAServer, Terminal, Transient
from lao.core.words import Json
from lao.servers.adapters.pace import UNLOAD_TIMEOUT_S, Pace, in_place, too_small
from lao.servers.protocol import LoadedModel, ModelInfo, ModelKind, find_model, kind_by_name
from lao.servers.rest import Reply, Rest, failure, positive

_DERIVED = re.compile(r"(?P<base>.+)-lao-(?P<context>[1-9]\d*)")
_LEAST_DEFAULT = 4096
"""The smallest of Ollama's defaults for ``num_ctx``; which one holds depends on its memory and environment."""

_FOREVER = -1


class OllamaServer:
    """A ResidencyServer over Ollama. Keys are names with their tag, as ``ollama list`` shows them."""

    def __init__(self, base_url: str, api_key: str, *, pace: Pace, connect_timeout_s: float = 10.0) -> None:
        self._rest = Rest(base_url, api_key, connect_timeout_s=connect_timeout_s, read_timeout_s=30.0)
        self._pace = pace

    @property
    def manages_memory(self) -> bool:
        return True

    @property
    def chat_base_url(self) -> str:
        return f"{self._rest.url}/v1"

    def models(self) -> tuple[ModelInfo, ...]:
        """All models but the derived ones, whose instances are shown as instances of what they are derived from.

        Raises:
            NotAServer: the address answers, but not as Ollama does.
        """
        tags = self._list("/api/tags")
        names = {str(row["name"]) for row in tags}
        loaded = [self._instance(row, names) for row in self._list("/api/ps")]
        return tuple(
            ModelInfo(
                row["name"],
                _kind(row),
                positive(row.get("size")) or 0,
                tuple(i for i in loaded if i.key == row["name"]),
                None,
                guessed=True,
            )
            for row in tags
            if base_of(row["name"], names) == row["name"]
        )

    def load(self, key: str, context_length: int | None, least: int | None = None) -> LoadedModel:
        """Load ``key``, under a derived name when its own context is another one, then read the list back.

        Raises:
            Terminal: unknown model, or the context is smaller than asked (than ``least``, if given).
            Transient: an instance with a smaller context is in the way (unload it first).
        """
        info = find_model(self.models(), key)
        ready = in_place(info, context_length, self._pace)
        if ready is not None:
            return ready
        name = self._name_for(key, context_length) if context_length and info.kind == "llm" else key
        self._request_load(name, info.kind)
        instance = self._pace.loaded(name, lambda: self._find(key, name))
        if not instance.holds(least or context_length):
            self.unload(instance.instance_id)
            hint = "set a smaller context_length for it in factory.yaml; `ollama show` tells the model's limit"
            raise too_small(key, instance.context_length, context_length, hint)
        return instance

    def unload(self, instance_id: str) -> None:
        """Unload and wait until ``/api/ps`` does not show it.

        Raises:
            Transient: the model stays.
        """
        payload: dict[str, Json] = {"model": instance_id, "keep_alive": 0, "stream": False}
        reply = self._rest.post("/api/generate", payload, read_timeout_s=UNLOAD_TIMEOUT_S)
        if reply.error and not self._is_out(instance_id):
            raise Transient(f"could not unload {instance_id!r}: {reply.error}", f"try `ollama stop {instance_id}`")
        if not reply.error:
            self._pace.gone(instance_id, lambda: self._is_out(instance_id))

    def close(self) -> None:
        """Let go of the HTTP client; no socket is open between calls in any case."""
        self._rest.close()

    def _list(self, path: str) -> list[dict[str, Json]]:
        reply = self._rest.get(path)
        if reply.error and not reply.missing_endpoint:
            raise failure(reply, f"list the models of {self._rest.url}")
        rows = reply.body.get("models")
        if not isinstance(rows, list) or not all(isinstance(r, dict) and isinstance(r.get("name"), str) for r in rows):
            raise NotAServer(
                f"{self._rest.url} is not an Ollama server: {path} gives no list of models",
                "check lm_studio_base_url and server.kind in factory.yaml",
            )
        return rows

    def _instance(self, row: dict[str, Json], names: Iterable[str]) -> LoadedModel:
        name: str = row["name"]
        base = base_of(name, names)
        told = positive(row.get("context_length"))
        context = told or _built_in(name) if base != name else told if _kind(row) == "embedding" else self._sure(name)
        size, on_gpu = row.get("size"), row.get("size_vram")
        left = size - on_gpu if isinstance(size, int) and isinstance(on_gpu, int) else 0
        return LoadedModel(name, base, context, max(0, left))

    def _sure(self, name: str) -> int:
        """The context that a chat under this plain name gets, whatever another client has it loaded with."""
        own, limit = self._figures(name)
        return min(own or _LEAST_DEFAULT, limit or own or _LEAST_DEFAULT)

    def _figures(self, name: str) -> tuple[int | None, int | None]:
        """The ``num_ctx`` that the model has built in, and the longest context that it was made for."""
        reply = self._rest.post("/api/show", {"model": name})
        _raise_for(reply, f"look at model {name!r}")
        own = re.search(r"^num_ctx\s+(\d+)", str(reply.body.get("parameters") or ""), re.M)
        info = reply.body.get("model_info")
        facts = info if isinstance(info, dict) else {}
        limit = next((positive(v) for k, v in facts.items() if k.endswith(".context_length")), None)
        return (int(own[1]) if own else None), limit

    def _name_for(self, key: str, context_length: int) -> str:
        """The name under which a chat gets this context; made anew each time, so that it follows its base."""
        own, limit = self._figures(key)
        context = min(context_length, limit or context_length)
        if own == context:
            return key
        name = f"{key}-lao-{context}"
        payload: dict[str, Json] = {"model": name, "from": key, "parameters": {"num_ctx": context}, "stream": False}
        reply = self._rest.post("/api/create", payload, read_timeout_s=self._pace.load_timeout_s)
        _raise_for(reply, f"derive model {name!r} from {key!r}")
        return name

    def _request_load(self, name: str, kind: ModelKind) -> None:
        """The request without a prompt, and without options: exactly what a chat asks the scheduler for."""
        path = "/api/embed" if kind == "embedding" else "/api/generate"
        payload: dict[str, Json] = {"model": name, "keep_alive": _FOREVER, "stream": False}
        reply = self._rest.post(path, payload, read_timeout_s=self._pace.load_timeout_s)
        _raise_for(reply, f"load model {name!r}")

    def _find(self, key: str, name: str) -> LoadedModel | None:
        return next((i for i in find_model(self.models(), key).loaded if i.instance_id == name), None)

    def _is_out(self, name: str) -> bool:
        return all(row["name"] != name for row in self._list("/api/ps"))


def base_of(name: str, names: Iterable[str]) -> str:
    """What a derived model is derived from; the name itself when it is not one of ours."""
    match = _DERIVED.fullmatch(name)
    return match["base"] if match and match["base"] in names else name


def _built_in(name: str) -> int | None:
    match = _DERIVED.fullmatch(name)
    return int(match["context"]) if match else None


def _kind(row: dict[str, Json]) -> ModelKind:
    details = row.get("details")
    family = str(details.get("family") or "") if isinstance(details, dict) else ""
    return "embedding" if "bert" in family.lower() else kind_by_name(row["name"])


def _raise_for(reply: Reply, doing: str) -> None:
    if reply.unknown_model:
        raise Terminal(f"could not {doing}: {reply.error}", "see `ollama list`, or `ollama pull` it")
    if reply.error:
        raise failure(reply, doing)
