"""What a server's error text means: which error of the tree it is. Retries nothing; the client does."""

from __future__ import annotations

import json
import re

from lao.core.errors import AttemptFailed, ConfigError, LaoError, ServerAway, Terminal
from lao.core.words import Json

_OVERFLOW = re.compile(
    r"exceeds the available context size|greater than the context length|n_keep.*n_ctx"
    r"|context (?:size|length|window).*exceed|maximum context length is \d+|prompt is longer than the context length"
    r"|input length exceeds the context length|Trying to keep the first \d+ tokens|no user query found",
    re.IGNORECASE | re.DOTALL,
)
_OVERFLOW_NUMBERS = (
    re.compile(r"request \((?P<prompt>\d+) tokens\) exceeds the available context size \((?P<context>\d+) tokens\)"),
    re.compile(r"n_keep:?\s*\(?(?P<prompt>\d+)\)?\s*>=\s*n_ctx:?\s*\(?(?P<context>\d+)"),
    re.compile(r"keep the first (?P<prompt>\d+) tokens.*context length of only (?P<context>\d+) tokens", re.DOTALL),
    re.compile(r"maximum context length is (?P<context>\d+) tokens.*requested (?P<prompt>\d+) tokens", re.DOTALL),
)
_SERVER_PARSE = re.compile(
    r"failed to parse input|failed to parse tool call|does not match the expected peg", re.IGNORECASE
)
_SCHEMA = re.compile(
    r"response_format|json_schema|failed to parse grammar|parser generation failed|JSON schema error|"
    r"failed to initialize samplers",
    re.IGNORECASE,
)
_NO_TOOLS = re.compile(r"does not support tools|tools? (?:is|are) not supported", re.IGNORECASE)
_NOT_LOADED = re.compile(
    r"no models? loaded|model is unloaded|model is not loaded|loading model|model has crashed|unexpectedly stopped"
    r"|operation canceled|failed to load|model_load_failed|server busy|model limit reached|proxy error"
    r"|request cancell?ed|engine protocol|overloaded|temporarily unavailable|try again later",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(r"model.{0,200}(?:not found|does not exist|no such)|model_not_found", re.I | re.DOTALL)
_UNKNOWN_ROUTE = re.compile(r"unexpected endpoint or method", re.IGNORECASE)
_TEMPLATE = re.compile(r"jinja|roles must alternate|chat template|unable to generate parser", re.IGNORECASE)
_TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 499, 500, 502, 503, 504, 520, 522, 524, 529})


class ContextOverflow(AttemptFailed):
    """The prompt does not fit the loaded context (kind "context_overflow").

    Args:
        prompt_tokens: the server's count, 0 when it gave none.
        context: the window that the server really has, 0 when it gave none.
    """

    def __init__(self, message: str, hint: str = "", *, prompt_tokens: int = 0, context: int = 0) -> None:
        super().__init__(message, hint, kind="context_overflow")
        self.prompt_tokens = prompt_tokens
        self.context = context


def error_text(body: object) -> str:
    """The message in any of the shapes in use: text, ``{"error": text}``, ``{"error": {"message": …}}``, ``detail``."""
    if isinstance(body, (bytes, str)):
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        try:
            body = json.loads(text)
        except ValueError:
            return text.strip()
    if isinstance(body, dict):
        inner: Json = body.get("error") or body.get("message") or body.get("detail") or body
        return error_text(inner) if isinstance(inner, dict) and inner is not body else _flat(inner)
    return _flat(body)


def _flat(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def classify(text: str, status: int | None, *, model: str, url: str, delay_s: float | None = None) -> LaoError:
    """The error for ``text``, seen with HTTP ``status`` (None inside a stream).

    ServerAway and AttemptFailed of kind "server_parse" are worth another try; nothing else is.
    """
    said = f"{text[:400]!r}" + (f" (HTTP {status})" if status else "")
    if _OVERFLOW.search(text):
        return _overflow(text, model)
    if status == 401 or status == 403:
        return ConfigError(
            f"the model server at {url} refused the API key: {said}",
            "Set server.api_key in factory.yaml or the environment variable that it names.",
        )
    if _UNKNOWN_ROUTE.search(text):
        return not_compatible(url, said)
    if _SERVER_PARSE.search(text):
        return AttemptFailed(f"the server could not parse what model {model!r} wrote: {said}", kind="server_parse")
    if _NO_TOOLS.search(text):
        return ConfigError(f"model {model!r} cannot use tools: {said}", "Set supports_tools: false for this role.")
    if status in (400, 422, 500, None) and _SCHEMA.search(text):
        return AttemptFailed(f"the server refused the JSON schema for model {model!r}: {said}", kind="schema_refused")
    if _TEMPLATE.search(text):
        return AttemptFailed(f"the chat template of model {model!r} failed: {said}", kind="template")
    if _NOT_LOADED.search(text):
        return ServerAway(f"model {model!r} is not ready on {url}: {said}", "", delay_s=delay_s)
    if status == 404 or _UNKNOWN_MODEL.search(text):
        return Terminal(
            f"the server at {url} does not know model {model!r}: {said}",
            "Run `lao health` to see the server's models, and set models.<role>.key.",
        )
    if status is None or status in _TRANSIENT_STATUS or status >= 500:
        return ServerAway(f"the model server at {url} failed: {said}", "", delay_s=delay_s)
    return Terminal(f"the model server at {url} refused the request for model {model!r}: {said}")


def not_compatible(url: str, said: str) -> Terminal:
    """The answer came from something that is no chat server."""
    return Terminal(
        f"{url} is not an OpenAI-compatible server: it answered {said}",
        "Check server.base_url in factory.yaml; it usually ends in /v1.",
    )


def _overflow(text: str, model: str) -> ContextOverflow:
    prompt = context = 0
    for pattern in _OVERFLOW_NUMBERS:
        if match := pattern.search(text):
            prompt, context = int(match["prompt"]), int(match["context"])
            break
    counts = f"{prompt} tokens, window {context}" if context else text[:300]
    return ContextOverflow(
        f"the prompt does not fit the context of model {model!r}: {counts}",
        "Load the model with a larger context_length, or split the plan.",
        prompt_tokens=prompt,
        context=context,
    )


def same_model(asked: str, answered: str) -> bool:
    """Whether a server's name for the answering model can mean ``asked``.

    Servers return instance ids (``key:2``), file paths, publisher prefixes and quantisation suffixes.
    """
    if not answered or asked.lower() in ("default", "local-model", "auto"):
        return True
    left, right = _words(asked), _words(answered)
    return left <= right or right <= left or "".join(sorted(left)) == "".join(sorted(right))


def _words(name: str) -> frozenset[str]:
    base = re.split(r"[/\\]", name.strip().lower().rstrip("/\\"))[-1]
    base = re.sub(r"(?:\.gguf|\.safetensors|@\S+|:latest|:\d+)$", "", base)
    return frozenset(w for w in re.split(r"[^a-z0-9.]+", base) if w)
