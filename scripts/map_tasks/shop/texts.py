"""Texts that have to fit."""


def squeezed(text: str, width: int) -> str:
    """At most ``width`` characters; what is too much is taken out of the middle, with one tilde for it."""
    if len(text) <= width:
        return text
    head = (width - 1 + 1) // 2
    tail = width - 1 - head
    return text[:head] + "~" + (text[-tail:] if tail else "")
