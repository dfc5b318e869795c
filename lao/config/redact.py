"""Hides secrets of a configuration in whatever people get to see."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "(hidden)"
_SECRET_MAPS = ("env", "headers")
_URL_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


def redact(key: str, value: Any) -> Any:
    """The value of a dotted key without API keys, the webhook, MCP environments and headers, or logins in URLs."""
    if isinstance(value, dict):
        return {name: redact(f"{key}.{name}", entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [redact(f"{key}[{index}]", entry) for index, entry in enumerate(value)]
    if value is not None and value != "" and _is_secret(key):
        return HIDDEN
    return _URL_LOGIN.sub("", value) if isinstance(value, str) else value


def _is_secret(key: str) -> bool:
    if key in ("openai_api_key", "notify.webhook"):  # whoever knows a webhook's address can post to it
        return True
    names = key.split(".")
    return names[0].startswith("mcp_servers[") and len(names) > 2 and names[1] in _SECRET_MAPS
