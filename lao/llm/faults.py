"""What a server's error text means: which error of the tree it is. Retries nothing; the client does."""

from __future__ import annotations

import json
import re

from lao.core.errors import AttemptFailed, ConfigError, LaoError, ServerAway, Terminal
from lao.core.words import Json
from lao.llm.failures import Failure, named

_OVERFLOW = re.compile(
    r"exceeds the available context size|greater than the context length|n_keep.*n_ctx"
    r"|context (?:size|length|window).*exceed|maximum context length is \d+|prompt is longer than the context length"
    r"|input length exceeds the context length|Trying to keep the first \d+ tokens|no user query found"
    r"|prompt (?:is )?too long|too many tokens in the prompt|input is too long",
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
_GRAMMAR = re.compile(
    r"failed to parse grammar|parser generation failed|JSON schema (?:error|conversion failed)|invalid json.?schema"
    r"|failed to initialize samplers|cannot resolve \$ref",
    re.IGNORECASE,
)
_FORMAT = re.compile(r"response_format|json_schema", re.IGNORECASE)
_NO_TOOLS = re.compile(r"does not support tools|tools? (?:is|are) not supported", re.IGNORECASE)
_NOT_READY = (
    (
        Failure.OUT_OF_MEMORY,
        r"out of memory|insufficient (?:system )?(?:resources|memory)|not enough (?:system )?memory|failed to allocate"
        r"|requires more system memory|cudaMalloc|memory guardrail",
    ),
    (Failure.MODEL_CRASHED, r"model has crashed|unexpectedly stopped|exit code:|proxy error|engine protocol"),
    (
        Failure.LOADING,
        r"no models? loaded|model is unloaded|model is not loaded|loading model|operation canceled|failed to load"
        r"|model_load_failed",
    ),
    (
        Failure.BUSY,
        r"server busy|model limit reached|request cancell?ed|overloaded|temporarily unavailable|try again later"
        r"|too many requests|rate limit",
    ),
)
_UNKNOWN_MODEL = re.compile(r"model.{0,200}(?:not found|does not exist|no such)|model_not_found", re.I | re.DOTALL)
_UNKNOWN_ROUTE = re.compile(r"unexpected endpoint or method", re.IGNORECASE)
_SYSTEM_ROLE = re.compile(
    r"got system|system (?:role|messages?|prompt)s? (?:is |are )?not supported|does not support (?:the )?system"
    r"|only user and assistant roles are supported",
    re.IGNORECASE,
)
_ALTERNATION = re.compile(r"roles must alternate|must alternate between|unexpected role", re.IGNORECASE)
_TEMPLATE = re.compile(
    r"jinja|chat template|unable to generate parser|error rendering prompt|cannot apply filter"
    r"|unknown (?:\(built-in\) )?(?:\w+ )?filter|cannot call something that is not a function|tool call id was"
    r"|invalid 'content'|must contain either 'content' or 'tool_calls'|only user, assistant and tool roles",
    re.IGNORECASE,
)
_TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 499, 500, 502, 503, 504, 520, 522, 524, 529})


class ContextOverflow(AttemptFailed):
    """The prompt does not fit the loaded context (kind "context_overflow", or "silent_truncation").

    Args:
        prompt_tokens: the server's count, 0 when it gave none.
        context: the window that the server really has, 0 when it gave none.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        prompt_tokens: int = 0,
        context: int = 0,
        kind: str = Failure.CONTEXT_OVERFLOW.value,
    ) -> None:
        super().__init__(message, hint, kind=kind)
        self.prompt_tokens = prompt_tokens
        self.context = context


class Away(ServerAway):
    """``ServerAway`` with the class of what happened."""

    def __init__(self, failure: Failure, message: str, hint: str = "", *, delay_s: float | None = None) -> None:
        super().__init__(message, hint, delay_s=delay_s)
        self.failure = failure


class Lasting(Terminal):
    """``Terminal`` with the class of what is wrong."""

    def __init__(self, failure: Failure, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.failure = failure


def failure_of(error: LaoError) -> Failure:
    """The named class of an error that a model call ended with."""
    if isinstance(error, AttemptFailed):
        return named(error.kind)
    if isinstance(error, (Away, Lasting)):
        return error.failure
    if isinstance(error, ConfigError):
        return Failure.UNAUTHORISED
    return Failure.SERVER_AWAY if isinstance(error, ServerAway) else Failure.ATTEMPT


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

    What may help is in ``lao.llm.failures.POLICIES``, by ``failure_of`` the error.
    """
    said = f"{text[:400]!r}" + (f" (HTTP {status})" if status else "")
    if _OVERFLOW.search(text):
        return _overflow(text, model)
    if status in (401, 403):
        return ConfigError(
            f"the model server at {url} refused the API key: {said}",
            "Set server.api_key in factory.yaml or the environment variable that it names.",
        )
    if _UNKNOWN_ROUTE.search(text):
        return not_compatible(url, said)
    refused = _refused(text, status, model, said)
    if refused is not None:
        return refused
    for failure, pattern in _NOT_READY:
        if re.search(pattern, text, re.IGNORECASE):
            return Away(failure, f"model {model!r} is not ready on {url}: {said}", delay_s=delay_s)
    if status == 404 or _UNKNOWN_MODEL.search(text):
        return Lasting(
            Failure.UNKNOWN_MODEL,
            f"the server at {url} does not know model {model!r}: {said}",
            "Run `lao health` to see the server's models, and set models.<role>.key.",
        )
    if status is None or status in _TRANSIENT_STATUS or status >= 500:
        failure = {None: Failure.STREAM_ERROR, 429: Failure.BUSY, 503: Failure.BUSY}.get(status, Failure.SERVER_AWAY)
        return Away(failure, f"the model server at {url} failed: {said}", delay_s=delay_s)
    return Lasting(Failure.REQUEST_REFUSED, f"the server at {url} refused the request for model {model!r}: {said}")


def _refused(text: str, status: int | None, model: str, said: str) -> AttemptFailed | None:
    """What is wrong with the form of a request, or with what the model wrote; None when it is neither."""

    def failed(failure: Failure, words: str, hint: str = "") -> AttemptFailed:
        return AttemptFailed(f"{words}: {said}", hint, kind=failure.value)

    if _SERVER_PARSE.search(text):
        return failed(Failure.SERVER_PARSE, f"the server could not parse what model {model!r} wrote")
    if _NO_TOOLS.search(text):
        hint = "Set supports_tools: false for this role."
        return failed(Failure.TOOLS_REFUSED, f"model {model!r} cannot use tools", hint)
    if _SYSTEM_ROLE.search(text):
        return failed(Failure.SYSTEM_ROLE_REFUSED, f"model {model!r} takes no system message")
    if _ALTERNATION.search(text):
        return failed(Failure.ALTERNATION_REFUSED, f"the chat template of model {model!r} wants alternating roles")
    if status in (400, 422, 500, None):
        if _GRAMMAR.search(text):
            return failed(Failure.GRAMMAR_REFUSED, f"the server cannot build the grammar for model {model!r}")
        if _TEMPLATE.search(text):
            return failed(Failure.TEMPLATE_ERROR, f"the chat template of model {model!r} failed")
        if _FORMAT.search(text):
            return failed(Failure.FORMAT_REFUSED, f"the server refused the JSON schema for model {model!r}")
    return None


def unknown_route(text: str) -> bool:
    """Whether a server says that it does not know the path."""
    return bool(_UNKNOWN_ROUTE.search(text))


def not_compatible(url: str, said: str) -> Lasting:
    """The answer came from something that is no chat server."""
    return Lasting(
        Failure.NOT_COMPATIBLE,
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
