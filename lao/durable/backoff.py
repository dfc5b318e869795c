"""How long to wait before trying again: exponential, capped, with jitter that differs per run but not per redo."""

from __future__ import annotations

import hashlib

CAP_S = 60.0
LONGEST_S = 120.0
"""No pause before another try is longer, whatever asks for it (a server's Retry-After, say): seconds."""


def delay_s(base_s: float, waits: int, seed: str, cap_s: float = CAP_S) -> float:
    """Seconds before try number ``waits + 1``: base · 2^waits, at most ``cap_s``, times 0.75 to 1.25."""
    digest = hashlib.sha256(f"{seed}:{waits}".encode()).digest()
    jitter = 0.75 + digest[0] / 255 * 0.5
    return min(cap_s, base_s * 2.0 ** min(waits, 16)) * jitter


def bounded(wanted_s: float) -> float:
    """A pause that somebody else asks for, within 0 and ``LONGEST_S``; what is no number is ``LONGEST_S``."""
    return max(0.0, min(LONGEST_S, wanted_s))
