"""One HTTP connection to the simulated server: routes, LM Studio's forms of success and error, plain faults."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, cast

from lao.core.errors import LaoError
from lao.core.words import Json
from lao.servers.simulated import embeddings, wire
from lao.servers.simulated.chat import Chat
from lao.servers.simulated.connection import Connection, Gone
from lao.servers.simulated.faults.transport import SLOW_S
from lao.servers.simulated.ledger import Instance
from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import CHAT_PATH, Fault, SimModel, parse_scenario
from lao.servers.simulated.vram import GUARDRAIL, Refusal

if TYPE_CHECKING:
    from lao.servers.simulated.server import _Listener

_MODELS = "/api/v1/models"
_LOAD_FIELDS = (
    *("model", "context_length", "eval_batch_size", "flash_attention", "num_experts", "offload_kv_cache_to_gpu"),
    "echo_load_config",
)
"""What LM Studio's load takes; it refuses others (lmstudio-bug-tracker issue 2024)."""

_HTML = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>It works!</body></html>"


class Handler(BaseHTTPRequestHandler):
    """Answers requests until the client goes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.home = cast("_Listener", self.server)
        self.line = Connection(self.connection)

    def handle(self) -> None:
        try:
            super().handle()
        except (Gone, ConnectionError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is BaseHTTPRequestHandler's
        """Quiet: the log is ``/_sim/log``."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        path = self.path.partition("?")[0].rstrip("/") or "/"
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path.startswith("/_sim/"):
            return self._own(method, path, raw)
        if not self._authorised():
            return self._error(401, "invalid_request", _token_text(self.headers.get("Authorization", "")))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return self._error(400, "invalid_request", "The request body is not a JSON object.")
        if (method, path) == ("POST", CHAT_PATH):
            return self._chat(SimRequest(path, body))
        fault = self.home.script.fault(path, body)
        if fault is not None:
            return self.fail(fault)
        try:
            self._route(method, path, body)
        except Refusal as refusal:
            self._error(refusal.status, refusal.kind, refusal.message)

    def _chat(self, request: SimRequest) -> None:
        """A ping of a loaded model is no completion: no script and no fault knows it."""
        try:
            instance = self.home.vram.ping(request.model) if request.is_ping else None
        except Refusal as refusal:
            self.refuse(refusal)
            return
        if instance is None:
            Chat(self, request).run()
            return
        choice = {"index": 0, "message": {"role": "assistant", "content": "."}, "finish_reason": "length"}
        self._json(200, {"object": "chat.completion", "model": instance.id, "choices": [choice]})

    def _route(self, method: str, path: str, body: dict[str, Json]) -> None:
        scenario, vram = self.home.scenario, self.home.vram
        if (method, path) == ("GET", "/v1/models"):
            rows = [{"id": m.key, "object": "model", "owned_by": "organization_owner"} for m in scenario.models]
            self._json(200, {"object": "list", "data": rows})
        elif (method, path) == ("POST", "/v1/embeddings"):
            self._embed(body)
        elif (method, path) == ("POST", f"{CHAT_PATH}/input_tokens"):
            request = SimRequest(CHAT_PATH, body)
            blind = any(rate.code == "F12" for rate in self.home.faults.rates)
            count = request.tokens_without_tools if blind else request.prompt_tokens
            self._json(200, {"object": "response.input_tokens", "input_tokens": count})
        elif scenario.api == "openai":
            self._error(404, "not_found_error", "Not Found")
        elif (method, path) == ("GET", _MODELS):
            self._json(200, {"models": [_listed(m, loaded, scenario.parallel) for m, loaded in vram.listing()]})
        elif (method, path) == ("POST", f"{_MODELS}/load") and scenario.load_endpoint:
            self._load(body)
        elif (method, path) == ("POST", f"{_MODELS}/unload"):
            instance_id = _needed(body, "instance_id")
            vram.unload(instance_id, late_s=SLOW_S if self.home.faults.on("unload") else 0.0)
            self._json(200, {"instance_id": instance_id})
        else:
            self._json(200, {"error": f"Unexpected endpoint or method. ({method} {path})"})

    def _load(self, body: dict[str, Json]) -> None:
        context = body.get("context_length")
        if context is not None and (not isinstance(context, int) or isinstance(context, bool) or context < 1):
            raise Refusal(400, "invalid_request", "'context_length' must be a positive integer")
        if unknown := [name for name in body if name not in _LOAD_FIELDS]:
            raise Refusal(400, "invalid_request", f"Unrecognized key(s) in object: {', '.join(map(repr, unknown))}")
        started = self.home.clock.monotonic()
        key, struck = _needed(body, "model"), self.home.faults.on("load")
        if struck == "F56":
            raise Refusal(500, "model_load_failed", GUARDRAIL.format(size=99))
        instance = self.home.vram.load(key, max(1, context // 2) if struck == "F33" and context else context)
        if struck == "F51" and self.home.vram.has_room_for(key):
            self.home.vram.load(key, context)
        answer: dict[str, Json] = {
            "type": instance.model.type,
            "instance_id": instance.id,
            "load_time_seconds": round(self.home.clock.monotonic() - started, 3),
            "status": "loaded",
        }
        if body.get("echo_load_config"):
            answer["load_config"] = {"context_length": instance.context_length}
        self._json(200, answer)

    def _embed(self, body: dict[str, Json]) -> None:
        given = body.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
            raise Refusal(400, "invalid_request", "'input' must be a string or a list of strings")
        instance = self.home.vram.use(_needed(body, "model"))
        self._json(200, embeddings.answer(instance.id, texts))

    def _own(self, method: str, path: str, raw: bytes) -> None:
        """The simulated server's own pages."""
        if path == "/_sim/log":
            self.send(200, "application/json", json.dumps(self.home.vram.log()).encode())
        elif path == "/_sim/stats":
            self._json(200, {**self.home.vram.stats(), **self.home.slots.stats()})
        elif path == "/_sim/faults":
            if method == "POST" and not self._set_faults(raw):
                return
            rates = [rate.to_json() for rate in self.home.faults.rates]
            self._json(200, {"faults": rates, "struck": self.home.faults.struck})
        else:
            self._error(404, "invalid_request", f"no page {path}; there are /_sim/log, /_sim/stats and /_sim/faults")

    def _set_faults(self, raw: bytes) -> bool:
        """Take ``{"faults": [...], "fault_seed": n}``, in a scenario's form; a wrong one is answered."""
        try:
            given = parse_scenario(json.loads(raw), "faults")
            self.home.faults.set(given.faults, given.fault_seed)
        except (ValueError, LaoError) as error:
            self._error(400, "invalid_request", str(error))
            return False
        return True

    def fail(self, fault: Fault) -> None:
        """Faults that need no answer to act on."""
        if fault.kind == "http":
            self._http_fault(fault)
        elif fault.kind == "hang":
            self.line.wait_for_end()
            raise Gone
        elif fault.kind == "garbage":
            self.send(200, "application/json", b'{"models": [{"key": "x", "choices": [{"mess')
        elif fault.kind == "html":
            self.send(200, "text/html", _HTML.encode())
        elif fault.kind == "empty":
            self.send(200, "application/json", b"")
        else:
            raise Gone  # close, and what has no meaning here

    def _http_fault(self, fault: Fault) -> None:
        if isinstance(fault.body, str):
            kind = "text/html" if fault.body.lstrip().startswith("<") else "application/json"
            self.send(fault.status, kind, fault.body.encode())
        elif fault.body is not None:
            self._json(fault.status, fault.body)
        else:
            self._error(fault.status, "internal_error", "Fault of the scenario.")

    def send(self, status: int, content_type: str, data: bytes) -> None:
        """Headers and body in one write."""
        self.line.write(wire.head(status, content_type, len(data)) + data)

    def _json(self, status: int, body: dict[str, Json]) -> None:
        self.send(status, "application/json", json.dumps(body, ensure_ascii=False).encode())

    def _error(self, status: int, kind: str, message: str) -> None:
        self._json(status, {"error": {"type": kind, "code": kind, "message": message}})

    def refuse(self, refusal: Refusal) -> None:
        """Answer with the refusal's error object."""
        self._error(refusal.status, refusal.kind, refusal.message)

    def _authorised(self) -> bool:
        token = self.home.scenario.api_token
        return not token or self.headers.get("Authorization") == f"Bearer {token}"


def _listed(model: SimModel, loaded: list[Instance], parallel: int) -> dict[str, Json]:
    return {
        "type": model.type,
        "publisher": "simulated",
        "key": model.key,
        "display_name": model.key,
        "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
        "size_bytes": model.size_bytes,
        "params_string": None,
        "loaded_instances": [
            {"id": i.id, "config": {"context_length": i.context_length, "parallel": parallel}} for i in loaded
        ],
        "max_context_length": model.max_context_length,
        "format": "gguf",
        "capabilities": {"vision": False, "trained_for_tool_use": True},
    }


def _needed(body: dict[str, Json], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(400, "invalid_request", f"'{name}' is required")
    return value


def _token_text(given: str) -> str:
    if given:
        shown = given.removeprefix("Bearer ")[:10]
        return f"Malformed LM Studio API token provided: {shown}... Ensure you are using a valid token."
    return (
        "An LM Studio API token is required to make requests to this server, but none was provided using the "
        "Authorization header using the 'Bearer' scheme."
    )
