"""Which model of the catalogue a server's key means. Only what is known to mean it: another size, base or tune is none.

A key is taken apart (publisher, file ending, quantisation, shard) and what is left must be an id or a name of the
catalogue. Nothing is matched by likeness, since ``-base`` and ``-instruct`` or 7B and 72B look alike.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from lao.core.errors import LaoError
from models_cfg.entries import Entry, entries

_QUANT = r"(?:ud[-_])?(?:i?q\d(?:_\d)?(?:_k)?(?:_(?:xxs|xs|nl|s|m|l|xl))?|mxfp4(?:_moe)?|bf16|fp16|f16|fp8|f32)"
_ENDING = re.compile(
    rf"[-_.@:]?(?:(?P<quant>{_QUANT})|gguf|mlx|awq|gptq|[48]bit|int[48]|imatrix|i1|\d{{5}}-of-\d{{5}})$", re.I
)
_PUBLISHER = re.compile(
    r"^(?:qwen|google|microsoft|mistralai|meta-llama|deepseek-ai|openai|zai-org|ibm-granite|huggingfacetb|nvidia)_"
)
_INSTANCE = re.compile(r":\d+$")
"""LM Studio numbers further instances of a model."""


def find(key: str) -> Entry | None:
    """The entry of a server's key, or None when it is not known for sure which model that is.

    ``qwen/qwen3-coder-30b@q4_k_m``, ``unsloth/Qwen3-8B-GGUF:Q4_K_M``, ``Qwen_Qwen3-8B-Q6_K.gguf`` and
    ``qwen2.5-coder:32b-instruct-q4_K_M`` are found.
    """
    bare, _ = _taken_apart(key)
    return _by_name().get(bare)


def quantisation(key: str) -> str:
    """The quantisation that a key names, in the catalogue's spelling (``Q4_K_M``); "" when it names none."""
    return _taken_apart(key)[1]


def _taken_apart(key: str) -> tuple[str, str]:
    """The bare name in lower case, and the quantisation."""
    text = _INSTANCE.sub("", key.strip().lower().removesuffix(":latest") if "/" in key else key.strip().lower())
    text = _PUBLISHER.sub("", text.rsplit("/", 1)[-1])
    quant = ""
    while (match := _ENDING.search(text)) and match.start():
        quant = quant or (match["quant"] or "").upper().replace("UD_", "UD-")
        text = text[: match.start()]
    return text.strip("-_.:@"), quant


@functools.cache
def _by_name() -> Mapping[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in entries().values():
        for name in (entry.id, *entry.names):
            if name in found:
                raise LaoError(f"models_cfg: {name!r} is a name of {found[name].id} and {entry.id}", "Remove one.")
            found[name] = entry
    return found
