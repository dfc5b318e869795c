"""The connection to ``/chat/completions`` through the openai library: what is sent, what arrives, errors in our words.

Tries nothing twice and keeps no deadline but a backstop: those are the client's.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lao.core.chat import ChatRequest
from lao.core.errors import LaoError
from lao.core.words import Json
from lao.llm import faults
from lao.llm.exchange import Wire
from lao.llm.failures import Failure
from lao.llm.sse import read_events

if TYPE_CHECKING:
    from openai import OpenAI

_WRITE_TIMEOUT_S = 60.0
DONE = "[DONE]"


class Connection:
    """One server's chat endpoint. The library is loaded and the client opened at the first request.

    Args:
        backstop_s: after which a silent socket is given up, whoever waits.
    """

    def __init__(self, url: str, api_key: str, *, connect_s: float, backstop_s: float) -> None:
        self._url, self._key = url, api_key
        self._connect_s, self._backstop_s = connect_s, backstop_s
        self._sdk: OpenAI | None = None
        self._local = threading.local()
        self._opening = threading.Lock()

    def close(self) -> None:
        """Close the connections. New ones are opened when used again."""
        if self._sdk is not None:
            self._sdk.close()
            self._sdk = None

    def read(self, wire: Wire, request: ChatRequest) -> Iterator[Json]:
        """Runs on the exchange's thread. Yields chunks (dicts), None for a sign of life, and ``[DONE]``."""
        self._local.wire = wire
        with self._client().chat.completions.with_streaming_response.create(**self._body(request)) as response:
            kind = response.headers.get("content-type", "")
            if "text/event-stream" not in kind:
                yield self._plain(response.read(), kind)
                return
            for event in read_events(response.iter_bytes()):
                if event.data.startswith(DONE):
                    yield DONE
                    return
                yield _decoded(event.name, event.data) if event.data else None

    def _plain(self, body: bytes, kind: str) -> Json:
        """A body that is no stream: an error that came with status 200, or the answer of a server that cannot do it."""
        try:
            value = json.loads(body)
        except ValueError:
            value = None
        if isinstance(value, dict) and (value.get("choices") or value.get("error")):
            return value
        raise faults.not_compatible(
            self._url, f"{kind or 'no content type'}: {body[:120].decode('utf-8', 'replace')!r}"
        )

    def prepare(self) -> None:
        """Import and open what the first call needs, so that it is not counted as silence of the model."""
        self._client()

    def _client(self) -> OpenAI:
        with self._opening:
            self._sdk = self._sdk or self._open()
            return self._sdk

    def _open(self) -> OpenAI:
        from openai import DefaultHttpxClient, OpenAI, Timeout

        timeout = Timeout(self._backstop_s, connect=self._connect_s, write=_WRITE_TIMEOUT_S)
        http = DefaultHttpxClient(
            timeout=timeout,
            trust_env=not _is_local(self._url),  # a proxy cannot reach a server on this machine
            event_hooks={"request": [self._watch_wire]},
        )
        return OpenAI(
            base_url=self._url,
            api_key=self._key or "none",
            max_retries=0,
            timeout=timeout,
            http_client=http,
            default_headers={"Connection": "close"},  # a new socket for each call, known from its first byte
        )

    def _watch_wire(self, request: Any) -> None:
        request.extensions["trace"] = self._local.wire.trace

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": list(request.messages),
            "max_tokens": request.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for name in ("temperature", "top_p", "seed"):
            if (value := getattr(request, name)) is not None:
                body[name] = value
        if request.stop:
            body["stop"] = list(request.stop)
        if request.tools:
            body |= {"tools": list(request.tools), "parallel_tool_calls": False}
        if request.schema is not None:
            schema = {"name": str(request.schema.get("title") or "answer"), "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.repetition_penalty is not None:
            body["extra_body"] = {"repeat_penalty": request.repetition_penalty}
        return body

    def translate(self, error: Exception, request: ChatRequest) -> LaoError:
        """The error of our tree for what the SDK or the network raised on the reader's thread."""
        from openai import APIConnectionError, APIError, APIStatusError

        if isinstance(error, LaoError):
            return error
        if isinstance(error, APIStatusError):
            kind = error.response.headers.get("content-type", "")
            text = faults.error_text(error.body) or error.message
            if "html" in kind and error.status_code < 500:
                return faults.not_compatible(self._url, f"{kind} (HTTP {error.status_code})")
            return faults.classify(
                text,
                error.status_code,
                model=request.model,
                url=self._url,
                delay_s=_retry_after(error.response.headers),
            )
        if isinstance(error, APIConnectionError):
            cause = error.__cause__ or error
            said = str(cause) or type(cause).__name__
            return faults.Away(Failure.SERVER_AWAY, f"cannot reach the model server at {self._url}: {said}")
        if isinstance(error, APIError):
            return faults.classify(error.message, None, model=request.model, url=self._url)
        if type(error).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2") or isinstance(
            error, OSError
        ):
            said = f"the stream of model {request.model!r} at {self._url} broke off: {error}"
            return faults.Away(Failure.STREAM_CUT, said)
        raise error  # a defect of ours, not of the server


def _decoded(name: str, data: str) -> Json:
    try:
        value = json.loads(data)
    except ValueError:
        # Half an event: the sender died in the middle of it.
        return {"error": data} if name == "error" else None
    if name == "error" and not (isinstance(value, dict) and value.get("error")):
        return {"error": value}
    return value


def _retry_after(headers: Any) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, float(headers.get("retry-after")))
    return None


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith(".local")
