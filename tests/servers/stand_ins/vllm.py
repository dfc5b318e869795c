"""A stand-in vLLM: one model, sleep and wake-up that answer before they are done, with and without the dev mode."""

from __future__ import annotations

from typing import Any

from .stand_in import Answer, Part, StandIn


class VllmStandIn(StandIn):
    """The first part is the model and is awake at the start; the others are adapters.

    Attributes:
        dev: VLLM_SERVER_DEV_MODE=1 and sleep mode.
    """

    def __init__(self, *parts: Part, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.dev = True
        self.model = parts[0]
        self.forget()

    def forget(self) -> None:
        """A vLLM that starts has its model loaded."""
        super().forget()
        self.model.state = "in"

    def refused(self) -> Answer:
        return Answer({"error": "Unauthorized"}, 401)

    def is_open(self, method: str, path: str) -> bool:
        return not path.startswith("/v1")

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if path == "/v1/models":
            rows = [
                {"id": key, "object": "model", "owned_by": "vllm", "max_model_len": part.context}
                for key, part in self.parts.items()
            ]
            return Answer({"object": "list", "data": rows})
        if path == "/version":
            return Answer({"version": "0.12.0"})
        if self.dev and path == "/is_sleeping":
            self.tick()
            return Answer({"is_sleeping": self.model.state in ("out", "coming")})
        if self.dev and (method, path) == ("POST", "/sleep?level=1"):
            self.go(self.model.key)
            return Answer("")
        if self.dev and (method, path) == ("POST", "/wake_up"):
            return self._wake()
        return Answer({"detail": "Not Found"}, 404)

    def _wake(self) -> Answer:
        if self.fails:
            self.fails -= 1
            return Answer({"error": {"message": "CUDA out of memory.", "type": "Internal Server Error"}}, 500)
        if self.model.state != "in":
            self.come(self.model.key)
        return Answer("")
