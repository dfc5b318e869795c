"""One HTTP request to a model server, and what its errors mean. Knows no endpoint; adapters do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from lao.core.errors import ConfigError, LaoError, NotAServer, OutOfMemory, ServerAway, Terminal, Transient
from lao.core.words import Json

_NO_MEMORY = re.compile(r"insufficient (system )?(resources|memory)|out of memory|not enough memory|guardrail", re.I)
_LOADING = re.compile(r"loading model|still loading|server busy|model limit reached|operation canceled", re.I)
_NUMBER = re.compile(r"^\[(?:Errno|WinError) -?\d+\] ")
_TOKEN_ECHO = re.compile(r"(token provided:\s*)\S+", re.I)
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104  # compared with, never bound


@dataclass(frozen=True)
class Reply:
    """An answer. ``error`` is "" when there was none; LM Studio sends errors with status 200 as well."""

    status: int
    body: Json
    error: str
    error_type: str
    server: str

    @property
    def missing_endpoint(self) -> bool:
        """The server does not know this path (LM Studio answers 200 to unknown paths)."""
        if "unexpected endpoint" in self.error.lower() or self.status in (405, 501):
            return True
        return self.status == 404 and not self.unknown_model

    @property
    def unknown_model(self) -> bool:
        return "model_not_found" in self.error_type or bool(re.search(r"model .*not found", self.error, re.I))


def root_url(base_url: str) -> str:
    """The server's root: scheme added, a trailing ``/v1`` or ``/api/v1`` taken off.

    Raises:
        ConfigError: the text is no http URL.
    """
    text = base_url.strip()
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f"{base_url!r} is not an http address", "set lm_studio_base_url, e.g. http://127.0.0.1:1234")
    return re.sub(r"(/api)?/v[01]$", "", text.rstrip("/")).rstrip("/")


def is_local(base_url: str) -> bool:
    """Whether the server runs on this machine, so that this machine's memory is the server's."""
    host = (urlsplit(root_url(base_url)).hostname or "").lower()
    return host in _LOCAL_HOSTS or host.startswith("127.")


class Rest:
    """JSON over HTTP with a connection per request: no socket outlives a call, a restarted server is no surprise."""

    def __init__(self, base_url: str, api_key: str, *, connect_timeout_s: float, read_timeout_s: float) -> None:
        self.url = root_url(base_url)
        self._key = api_key
        self._connect = connect_timeout_s
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Accept": "application/json", **({"Authorization": f"Bearer {api_key}"} if api_key else {})},
            timeout=httpx.Timeout(read_timeout_s, connect=connect_timeout_s),
            limits=httpx.Limits(max_keepalive_connections=0),
            verify=self.url.startswith("https"),  # the TLS context costs 20 ms that http has no use for
            trust_env=not is_local(base_url),  # a proxy of the environment cannot reach this machine's ports
        )

    def get(self, path: str, *, plain: bool = False) -> Reply:
        """See ``_send``."""
        return self._send("GET", path, None, None, plain)

    def post(
        self, path: str, payload: dict[str, Json], *, read_timeout_s: float | None = None, plain: bool = False
    ) -> Reply:
        """See ``_send``."""
        return self._send("POST", path, payload, read_timeout_s, plain)

    def close(self) -> None:
        """Let go of the client."""
        self._client.close()

    def _send(
        self, method: str, path: str, payload: dict[str, Json] | None, read_s: float | None, plain: bool
    ) -> Reply:
        """Send and decode.

        Args:
            plain: endpoints that answer in words or not at all: such a body is ``{"text": words}``, and the error when
                the status is one.

        Raises:
            ServerAway: no connection, timeout, broken answer, 502 to 504 without a body.
            ConfigError: token refused.
            NotAServer: something that is not JSON (HTML of another web server).
        """
        options: dict[str, Any] = {}
        if read_s is not None:
            options["timeout"] = httpx.Timeout(read_s, connect=self._connect)
        try:
            response = self._client.request(method, path, json=payload, **options)
        except httpx.TimeoutException as error:
            raise ServerAway(
                f"the model server at {self.url} did not answer {method} {path} in time ({type(error).__name__})",
                "look at the server's log; orchestration.model_load_timeout_s bounds loads",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerAway(
                f"no model server answers at {self.url} ({self._why(error)})",
                "start it (`lms server start`, `ollama serve`, `llama-server` ...), or set lm_studio_base_url",
            ) from error
        return self._decode(response, method, path, plain)

    def _decode(self, response: httpx.Response, method: str, path: str, plain: bool) -> Reply:
        try:
            body = response.json()
        except ValueError:
            body = None
        if plain and not isinstance(body, dict):
            words = response.text[:400].strip()
            body = {"error": words} if words and response.status_code >= 400 else {"text": words}
        if response.status_code in (401, 403):
            text = self._redact(_error_text(body)[0])
            raise ConfigError(
                f"the model server at {self.url} refused the API token: {text or response.status_code}",
                "set openai_api_key in factory.yaml (or OPENAI_API_KEY) to the server's API token",
            )
        if not isinstance(body, dict):
            if response.status_code not in (404, 405):  # web servers answer a missing path in any form
                raise self._not_json(response, method, path)
            body = {}
        error, kind = _error_text(body)
        if response.status_code >= 400 and not error:
            error = f"HTTP {response.status_code}"
        return Reply(response.status_code, body, self._redact(error), kind, response.headers.get("server", ""))

    def _not_json(self, response: httpx.Response, method: str, path: str) -> LaoError:
        what = "HTML" if "<html" in response.text[:500].lower() else f"no JSON object but {response.text[:60]!r}"
        if response.status_code in (429, 502, 503, 504):
            return ServerAway(f"the model server at {self.url} is not ready (HTTP {response.status_code})")
        return NotAServer(
            f"{self.url} is not a model server: it answered {method} {path} with {what}",
            "check lm_studio_base_url in factory.yaml; usual ports: LM Studio 1234, Ollama 11434, llama-server 8080",
        )

    def _why(self, error: Exception) -> str:
        """The system's words, without its number for them."""
        return self._redact(_NUMBER.sub("", str(error))) or type(error).__name__

    def _redact(self, text: str) -> str:
        if len(self._key) > 6:
            text = text.replace(self._key, "***")
        text = _TOKEN_ECHO.sub(r"\1***", " ".join(text.split()))
        return text if len(text) <= 400 else f"{text[:400]}…"


def failure(reply: Reply, doing: str) -> LaoError:
    """The error that a refused request means.

    Args:
        doing: what was tried, for the message, e.g. ``"load model 'x'"``.
    """
    message = f"could not {doing}: {reply.error}"
    if _NO_MEMORY.search(reply.error):
        return OutOfMemory(message, "close other programs, choose a smaller model or context, or relax the guardrails")
    if _LOADING.search(reply.error) or reply.status in (429, 502, 503, 504):
        return ServerAway(message)
    if reply.status >= 500:
        return Transient(message, "look at the model server's log")
    return Terminal(message)


def positive(value: Json) -> int | None:
    """A positive whole number of a body, or None."""
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 else None


def _error_text(body: Json) -> tuple[str, str]:
    """The message and the type of the error shapes that servers use; ("", "") when there is none."""
    if not isinstance(body, dict) or not body.get("error"):
        return "", ""
    error = body["error"]
    if isinstance(error, dict):
        kind = f"{error.get('type') or ''} {error.get('code') or ''}".strip()
        return str(error.get("message") or kind or "unnamed error"), kind
    return str(error), ""
