"""The gate under arbitrary sequences of roles and mishaps.

``LAO_FUZZ=500`` runs that many sequences, then by chance (``--hypothesis-seed`` repeats them).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lao.core.states import Role
from lao.servers.gate.record import LoadsInMemory
from lao.servers.simulated.scenario import FaultRate
from lao.servers.simulated.vram import Refusal

from .gate_rig import OnServer
from .support import GB

EXAMPLES = int(os.environ.get("LAO_FUZZ", "25"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 25,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
ROLES = {Role.PLANNER: "alpha", Role.CODER: "beta", Role.REVIEWER: "gamma", Role.EMBEDDER: "embed"}
FAULTS = ("F33", "F51", "F56", "F62")


def _by_hand(rig: OnServer) -> None:
    """Another client loads a model, if there is room for it."""
    try:
        rig.server.load_by_hand("gamma", 8192)
    except Refusal:
        return


def _gone(rig: OnServer) -> None:
    rig.server.stop()
    rig.server.start()
    rig.server.restart()


MISHAPS: dict[str, Callable[[OnServer], object]] = {
    "stranger": _by_hand,
    "restart": lambda rig: rig.server.restart(),
    "replaced": _gone,
    "occupied": lambda rig: rig.server.occupy(12 * GB),
    "swapped": lambda rig: rig.server.swap(3 * GB),
    "relieved": lambda rig: (rig.server.occupy(0), rig.server.swap(0)),
    "new process": lambda rig: rig.new_gate(),
}


def _rule(path: str, status: int, body: object, times: int) -> dict[str, object]:
    return {"match": {"path": path}, "fault": {"kind": "http", "status": status, "body": body}, "times": times}


LIE = _rule("/api/v1/models/unload", 200, {"instance_id": "?"}, 1)
ALWAYS_LIE = _rule("/api/v1/models/unload", 200, {"instance_id": "?"}, 9)
BREAKS_OFF = _rule("/api/v1/models/load", 500, {"error": {"message": "Failed to load model", "type": "unknown"}}, 1)
BUSY = _rule("/api/v1/models", 503, {"error": {"message": "Loading model", "code": 503}}, 1)

steps = st.lists(
    st.tuples(
        st.sampled_from(list(ROLES)),
        st.sampled_from(["none", *FAULTS, *MISHAPS]),
        st.sampled_from(["models", "unload", "load"]),
        st.integers(0, 2),
    ),
    min_size=2,
    max_size=7,
)
worlds = st.fixed_dictionaries(
    {
        "release_delay": st.sampled_from([0.0, 3.0]),
        "release_seconds": st.sampled_from([0.0, 8.0]),
        "early_seconds": st.sampled_from([0.0, 2.0]),
        "load_seconds": st.sampled_from([0.0, 4.0]),
        "vram_total_bytes": st.sampled_from([24 * GB, 60 * GB]),
        "responses": st.lists(st.sampled_from([LIE, ALWAYS_LIE, BREAKS_OFF, BUSY]), max_size=2),
    }
)


@FUZZ
@given(worlds, steps, st.booleans(), st.sampled_from([None, 2048]))
def test_never_two_large_models(
    world: dict[str, Any],
    sequence: list[tuple[Role, str, str, int]],
    evict: bool,
    least: int | None,
) -> None:
    """After a success exactly the role's model is resident, with room for a prompt; a failure says why, and never
    leaves the gate's model beside another one."""
    options = {"evict_foreign": evict, "min_context": least}
    with OnServer(record=LoadsInMemory(), gate=options, **world) as rig:
        for role, mishap, call, skip in sequence:
            rig.server.set_faults([FaultRate(mishap, times=1)] if mishap in FAULTS else [])
            rig.hands.before = lambda name: None
            if mishap == "new process":
                rig.new_gate()
            elif mishap in MISHAPS:
                rig.once(call, lambda do=MISHAPS[mishap]: do(rig), skip)  # type: ignore[misc]
            before = rig.large
            outcome = rig.ensure(role)
            if outcome.ok:
                assert outcome.instance is not None
                assert outcome.instance.instance_id in rig.resident
                assert outcome.instance.key == ROLES[role]
                assert (outcome.instance.context_length or 0) >= (least or 2048)
                if role is not Role.EMBEDDER:
                    assert rig.large == [outcome.instance.instance_id]
                    assert rig.server.stats["vram_used"] >= 14 * GB
            else:
                assert outcome.error is not None
                assert outcome.error.message
                late = [name for name in rig.large if name not in before]
                not_the_gate_s = [name for name in late if name.startswith("gamma") or ":" in name]  # F51 makes a twin
                assert len(rig.large) <= max(1, len(before)) + len(not_the_gate_s)
                assert rig.told("gate.deferred")
            assert rig.server.stats["vram_peak"] <= rig.server.stats["vram_total"]
