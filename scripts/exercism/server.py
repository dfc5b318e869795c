"""What the benchmark itself asks of the model server: is it there, load the model, its own record of the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from lao.core.errors import BadInput, ServerAway
from lao.core.words import Json
from scripts.exercism.exercises import CONTEXT_LENGTH


@dataclass(frozen=True)
class Figures:
    """Work that was done: answered calls, tokens. ``prompt`` includes ``cached``, which is None when unknown."""

    calls: int = 0
    prompt: int = 0
    cached: int | None = None
    generated: int = 0


class Server:
    """The configured server at its root URL."""

    def __init__(self, url: str, model: str, *, timeout_s: float = 600.0) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self.model = model
        self._http = httpx.Client(base_url=self.url, timeout=httpx.Timeout(timeout_s, connect=10.0), trust_env=False)

    def check(self) -> None:
        """Raise unless the server answers and has the model.

        Raises:
            ServerAway: no answer, or one of another kind of server.
            BadInput: the model is not in its list.
        """
        data = self._get("/v1/models")
        listed = data.get("data") if isinstance(data, dict) else None
        if not isinstance(listed, list):
            raise ServerAway(f"{self.url} does not list models", "is it a model server?")
        keys = [str(m.get("id")) for m in listed if isinstance(m, dict)]
        if keys and self.model not in keys:
            raise BadInput(f"the server has no model {self.model!r}", f"it has {', '.join(keys[:12])}")

    def load(self) -> None:
        """Make the model resident where the server has LM Studio's API; a loaded model is left as it is."""
        data = self._get("/api/v1/models")
        models = data.get("models") if isinstance(data, dict) else None
        found = [m for m in models or () if isinstance(m, dict) and m.get("key") == self.model]
        if not found or found[0].get("loaded_instances"):
            return
        answer = self.post("/api/v1/models/load", {"model": self.model, "context_length": CONTEXT_LENGTH})
        if answer.status_code == 400:  # a server that takes no context length
            answer = self.post("/api/v1/models/load", {"model": self.model})
        if answer.status_code >= 400:
            raise ServerAway(f"{self.url} could not load {self.model!r}: {answer.text[:300]}")

    def post(self, path: str, body: Json) -> httpx.Response:
        """The response, whatever its status.

        Raises:
            ServerAway: there was none.
        """
        try:
            return self._http.post(path, json=body)
        except httpx.HTTPError as error:
            raise ServerAway(f"{self.url}{path}: {type(error).__name__} {error}".rstrip()) from error

    def record(self) -> list[dict[str, Json]] | None:
        """The server's own log of completions, oldest first, or None when it keeps none."""
        data = self._get("/_rig/log")
        return [e for e in data if isinstance(e, dict)] if isinstance(data, list) else None

    def since(self, before: list[dict[str, Json]] | None) -> Figures | None:
        """What the server says of its work on the model after ``before`` was taken, or None when it says nothing."""
        now = self.record() if before is not None else None
        if before is None or now is None:
            return None
        new = now[len(before) :] if len(now) >= len(before) else now  # shorter: it was restarted
        done = [e for e in new if e.get("kind") == "completion" and e.get("model") == self.model]
        done = [e for e in done if e.get("prompt_evaluated") is not None]
        cached = sum(int(e.get("prompt_cached") or 0) for e in done)
        evaluated = sum(int(e["prompt_evaluated"]) for e in done)
        return Figures(len(done), evaluated + cached, cached, sum(int(e.get("generated") or 0) for e in done))

    def close(self) -> None:
        self._http.close()

    def _get(self, path: str) -> Any:
        """The decoded answer; None when the server does not know the path.

        Raises:
            ServerAway: no answer.
        """
        try:
            answer = self._http.get(path)
        except httpx.HTTPError as error:
            raise ServerAway(f"no model server answers at {self.url}: {error}", "start it, then --resume") from error
        try:
            return answer.json() if answer.status_code == 200 else None
        except ValueError:
            return None
