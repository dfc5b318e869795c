"""llama.cpp's llama-server: a router that loads and unloads models, or a single model that only chats.

Facts: tools/server/README.md of llama.cpp, "Using multiple models". The router answers ``/models/load`` and
``/models/unload`` at once and does the work later; the context belongs to the model's preset and cannot be asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from lao.core.errors import LaoError, NotAServer, ServerAway, Terminal, Transient
from lao.core.words import Json
from lao.servers.adapters.pace import Pace, too_small
from lao.servers.protocol import LoadedModel, ModelInfo, kind_by_name, unknown_model
from lao.servers.rest import Rest, failure, positive

_IN_MEMORY = frozenset({"loaded", "sleeping"})
"""A sleeping model's process is there, and any request wakes it."""

_OUT = frozenset({"unloaded", "downloaded"})
_LOOKS_BEFORE_BEGUN = 5
_FAILED_LOADS = 3
"""Loads that failed in a row before a model counts as broken; the first ones may have lacked memory."""


class LlamaCppServer:
    """A ResidencyServer over llama-server. Without a router it is chat-only, with one known model and context."""

    def __init__(self, base_url: str, api_key: str, *, pace: Pace, connect_timeout_s: float = 10.0) -> None:
        self._rest = Rest(base_url, api_key, connect_timeout_s=connect_timeout_s, read_timeout_s=30.0)
        self._pace = pace
        self._router: bool | None = None
        self._sizes: dict[str, int] = {}
        self._failed: Counter[str] = Counter()

    @property
    def manages_memory(self) -> bool:
        """Whether it is a router; it is asked once."""
        if self._router is None:
            self._rows()
        return bool(self._router)

    @property
    def chat_base_url(self) -> str:
        return f"{self._rest.url}/v1"

    def models(self) -> tuple[ModelInfo, ...]:
        """All models of the router, or the single one. A size is known once a model has run.

        Raises:
            NotAServer: the address answers, but not as llama-server does.
        """
        rows = self._rows()
        if not self._router:
            return tuple(self._single(row) for row in rows)
        return tuple(self._info(row) for row in rows)

    def load(self, key: str, context_length: int | None, least: int | None = None) -> LoadedModel:
        """Load ``key`` unless it is loaded, and wait until it is.

        Raises:
            Terminal: unknown model, a context below the smallest that will do, or a model that never loads.
            Transient: the model's process ended while it loaded.
        """
        if not self.manages_memory:
            return self._known(key)
        row = self._row(key)
        enough = least or context_length
        if _state(row) not in _IN_MEMORY:
            preset = preset_context(_status(row).get("args"))
            if enough and preset and preset < enough:
                raise self._small(key, preset, context_length)
            if _state(row) != "loading":
                self._request_load(key)
            row = self._await_loaded(key)
        instance = self._instance(row)
        if not instance.holds(enough):
            self.unload(key)
            raise self._small(key, instance.context_length, context_length)
        self._failed[key] = 0
        return instance

    def unload(self, instance_id: str) -> None:
        """Unload and wait until the process has ended; its memory comes back with it.

        Raises:
            Transient: the model stays.
        """
        if not self.manages_memory:
            return
        reply = self._rest.post("/models/unload", {"model": instance_id})
        if reply.error and not self._is_out(instance_id):
            raise Transient(f"could not unload model {instance_id!r}: {reply.error}", "look at the router's log")
        if not reply.error:
            self._pace.gone(instance_id, lambda: self._is_out(instance_id))

    def close(self) -> None:
        """Let go of the HTTP client; no socket is open between calls in any case."""
        self._rest.close()

    def _rows(self) -> list[dict[str, Json]]:
        """The rows of the list; notes on the way whether it is a router's."""
        reply = self._rest.get("/models")
        rows = reply.body.get("data")
        if reply.error and not reply.missing_endpoint:
            raise failure(reply, f"list the models of {self._rest.url}")
        if not isinstance(rows, list) or not all(isinstance(r, dict) and isinstance(r.get("id"), str) for r in rows):
            raise NotAServer(
                f"{self._rest.url} is not a llama-server: /models gives no list of models",
                "check lm_studio_base_url and server.kind in factory.yaml",
            )
        # A single server always lists its one model, and lists no state for it.
        self._router = not rows or any(isinstance(row.get("status"), dict) for row in rows)
        for row in rows:
            if size := positive(_meta(row).get("size")):
                self._sizes[row["id"]] = size
        return rows

    def _row(self, key: str) -> dict[str, Json]:
        rows = self._rows()
        found = next((row for row in rows if row["id"] == key), None)
        if found is None:
            raise unknown_model(key, [row["id"] for row in rows])
        return found

    def _info(self, row: dict[str, Json]) -> ModelInfo:
        key: str = row["id"]
        loaded = (self._instance(row),) if _state(row) in _IN_MEMORY else ()
        limit = loaded[0].context_length if loaded else preset_context(_status(row).get("args"))
        return ModelInfo(key, kind_by_name(key), self._sizes.get(key, 0), loaded, limit, guessed=True)

    def _single(self, row: dict[str, Json]) -> ModelInfo:
        """The one model; /props tells the context of a slot, which is what one request can have."""
        key = _single_key(row)
        slot, parallel = slots_of(self._rest.get("/props").body)
        context = slot or positive(_meta(row).get("n_ctx"))
        size = self._sizes.get(row["id"], 0)
        loaded = (LoadedModel(key, key, context, parallel=parallel),)
        return ModelInfo(key, kind_by_name(key), size, loaded, context, guessed=True)

    def _instance(self, row: dict[str, Json]) -> LoadedModel:
        """A loaded model of the router. Its own /props is passed on; with ``autoload=false`` asking loads nothing, and
        a sleeping model sleeps on. What the list has stands in while it does not answer."""
        key: str = row["id"]
        slot, parallel = slots_of(self._rest.get(f"/props?model={quote(key, safe='')}&autoload=false", plain=True).body)
        context = slot or positive(_meta(row).get("n_ctx")) or preset_context(_status(row).get("args"))
        return LoadedModel(key, key, context, parallel=parallel)

    def _known(self, key: str) -> LoadedModel:
        """The single model, if ``key`` is one of its names: the server would answer for any name.

        Raises:
            Terminal: it is another model.
        """
        for row in self._rows():
            names = {row["id"], *(a for a in row.get("aliases") or [] if isinstance(a, str))}
            if _short(key) in {_short(name) for name in names}:
                return replace(self._single(row).loaded[0], instance_id=key, key=key)
        raise unknown_model(key, [_single_key(row) for row in self._rows()])

    def _request_load(self, key: str) -> None:
        reply = self._rest.post("/models/load", {"model": key}, read_timeout_s=self._pace.load_timeout_s)
        if not reply.error or "already running" in reply.error.lower():
            return
        if reply.status == 404:  # "File Not Found", as for a path that is not there
            raise unknown_model(key, [row["id"] for row in self._rows()])
        raise failure(reply, f"load model {key!r}")

    def _await_loaded(self, key: str) -> dict[str, Json]:
        looks, begun = 0, False

        def look() -> dict[str, Json] | None:
            nonlocal looks, begun
            row = self._row(key)
            looks += 1
            if _state(row) in _IN_MEMORY:
                return row
            if _status(row).get("failed"):
                raise self._load_failed(key, _status(row).get("exit_code"))
            out = _state(row) in _OUT
            if out and (begun or looks >= _LOOKS_BEFORE_BEGUN):
                raise ServerAway(
                    f"model {key!r} is {_state(row)} again before it was loaded: the server was restarted?"
                )
            begun = begun or not out
            return None

        return self._pace.loaded(key, look)

    def _load_failed(self, key: str, code: Json) -> LaoError:
        self._failed[key] += 1
        text = f"model {key!r} failed to load: its llama-server ended with exit code {code}"
        hint = "the router's log says why: memory, a damaged file, or an option in the model's preset section"
        if self._failed[key] >= _FAILED_LOADS:
            return Terminal(f"{text}, {self._failed[key]} times in a row", hint)
        return Transient(text, hint)

    def _small(self, key: str, given: int | None, asked: int | None) -> Terminal:
        return too_small(
            key,
            given,
            asked,
            f"llama-server takes no context with a load: set `c = {asked}` in section [{key}] of its --models-preset "
            "file (or -c for all; it is divided by -np), or a smaller context_length in factory.yaml",
        )

    def _is_out(self, key: str) -> bool:
        row = next((row for row in self._rows() if row["id"] == key), None)
        return row is None or _state(row) in _OUT


def is_llamacpp(props: Json) -> bool:
    """Whether the body of ``GET /props`` is llama-server's, of a router or of a single model."""
    return isinstance(props, dict) and (props.get("role") == "router" or "default_generation_settings" in props)


def slots_of(props: Json) -> tuple[int | None, int | None]:
    """The tokens that one slot has and the number of slots, by the body of ``GET /props``; None for what it lacks.

    ``n_ctx`` there is of a slot, not of the server: ``-c 8192 -np 4`` is 2048. Slots of a unified cache
    (``--kv-unified``, and the default without ``-np``) have all of it each, as long as the others leave it to them.
    """
    body = props if isinstance(props, dict) else {}
    settings = body.get("default_generation_settings")
    context = positive(settings.get("n_ctx")) if isinstance(settings, dict) else None
    return context, positive(body.get("total_slots"))


def preset_context(args: Json) -> int | None:
    """The ``-c`` of a model's command line; None when the model's own or the fitted one is taken.

    It is an upper bound: without a unified cache the slots share it.
    """
    words: Sequence[Json] = args if isinstance(args, list) else ()
    for flag, value in zip(words, [*words[1:], ""], strict=False):
        if flag in ("-c", "--ctx-size") and re.fullmatch(r"\d+", str(value)):
            return int(value) or None
    return None


def _status(row: dict[str, Json]) -> dict[str, Json]:
    status = row.get("status")
    return status if isinstance(status, dict) else {}


def _state(row: dict[str, Json]) -> str:
    return str(_status(row).get("value") or "")


def _meta(row: dict[str, Json]) -> dict[str, Json]:
    meta = row.get("meta")
    return meta if isinstance(meta, dict) else {}


def _single_key(row: dict[str, Json]) -> str:
    """A model without an alias is listed by its path; its key is the file's name, and any name chats with it."""
    name: str = row["id"]
    return re.sub(r"\.gguf$", "", re.split(r"[/\\]", name)[-1]) if name.endswith(".gguf") else name


def _short(name: str) -> str:
    return re.sub(r"\.gguf$", "", re.split(r"[/\\]", name.lower())[-1])
