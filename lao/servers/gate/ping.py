"""Asks a loaded model for one token, to see that it answers and not only that it is listed."""

from __future__ import annotations

from lao.config.settings import Settings
from lao.core.errors import ServerAway
from lao.core.words import Json
from lao.servers.protocol import LoadedModel
from lao.servers.rest import Rest, failure


class Ping:
    """Sends the shortest chat. Only what says "not yet" counts; any other fault is for the phase's own call to name."""

    def __init__(self, settings: Settings) -> None:
        times = settings.orchestration
        self._rest = Rest(
            settings.server.base_url,
            settings.server.api_key,
            connect_timeout_s=times.llm_connect_timeout_s,
            read_timeout_s=times.llm_request_timeout_s,
        )

    def __call__(self, instance: LoadedModel) -> None:
        """Ask once.

        Raises:
            ServerAway: the server is still loading the model, or does not answer.
            ConfigError: the server refused the API token.
        """
        chat: dict[str, Json] = {
            "model": instance.instance_id,
            "messages": [{"role": "user", "content": "."}],
            "max_tokens": 1,
            "stream": False,
        }
        reply = self._rest.post("/v1/chat/completions", chat)
        if reply.error:
            error = failure(reply, f"ask {instance.instance_id!r} for a token")
            if isinstance(error, ServerAway):
                raise error
