"""A stand-in LM Studio before 0.4: /api/v0/models tells, models are loaded by their first request, 200 to all else."""

from __future__ import annotations

from typing import Any

from .stand_in import Answer, StandIn


class OldLMStudioStandIn(StandIn):
    """``Part.context`` is what the model is loaded with."""

    list_path = "/api/v0/models"

    def refused(self) -> Answer:
        return Answer({"error": {"message": "An LM Studio API token is required.", "type": "invalid_request"}}, 401)

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if path == "/api/v0/models":
            self.tick()
            return Answer({"object": "list", "data": [self._row(key) for key in self.parts]})
        if path == "/v1/models":
            return Answer({"object": "list", "data": [{"id": key, "object": "model"} for key in self.parts]})
        if path == "/v1/chat/completions":
            return self._chat(body["model"])
        return Answer({"error": f"Unexpected endpoint or method. ({method} {path})"})

    def _chat(self, key: str) -> Answer:
        if self.fails:
            self.fails -= 1
            return Answer({"error": "Failed to load model. Error: Operation canceled."}, 500)
        if key in self.parts and self.parts[key].state == "out":
            for other in self.resident:
                self.go(other)
            self.come(key)
        return Answer({"model": key, "choices": [{"message": {"content": "."}}]})

    def _row(self, key: str) -> dict[str, Any]:
        part = self.parts[key]
        loaded = part.state == "in"
        state = "loaded" if loaded else "loading" if part.state == "coming" else "not-loaded"
        row = {"id": key, "object": "model", "type": "embeddings" if part.embedding else "llm", "state": state}
        return {**row, "max_context_length": 32768} | ({"loaded_context_length": part.context} if loaded else {})
