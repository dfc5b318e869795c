"""Settings, fakes and a scripted probe for the tests of the gate and of detection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lao.config.settings import (
    AttemptSettings,
    GitSettings,
    GpuSettings,
    MemoryGateSettings,
    ModelSettings,
    OrchestrationSettings,
    PathSettings,
    PermissionSettings,
    SandboxSettings,
    ServerSettings,
    Settings,
)
from lao.core.errors import LaoError
from lao.core.states import Role
from lao.servers.memory.reading import MemoryReading
from lao.servers.protocol import LoadedModel, ModelInfo, find_model

GB = 1_000_000_000


def model(role: Role, key: str, context: int = 8192, size: int = 0) -> ModelSettings:
    return ModelSettings(role, key, context, 1024, True, True, size, "", None, None, None, None)


DEFAULT_ROLES = (
    model(Role.PLANNER, "alpha"),
    model(Role.CODER, "beta"),
    model(Role.REVIEWER, "beta"),
    model(Role.EMBEDDER, "embed", 2048),
)


def make_settings(
    *models: ModelSettings, url: str = "http://127.0.0.1:9", kind: str = "auto", key: str = "", **gate: Any
) -> Settings:
    """Settings with a memory gate of 75 %, 512 MB, 10 s and 2 s unless told otherwise."""
    times = dict.fromkeys((f.name for f in fields(OrchestrationSettings)), None)
    times.update(  # type: ignore[call-overload]
        model_load_timeout_s=5.0,
        model_load_poll_interval_s=0.1,
        llm_connect_timeout_s=2.0,
        llm_retry_backoff_base_s=5.0,
    )
    limits = {"release_fraction": 0.75, "swap_growth_limit_mb": 512, "settle_timeout_s": 10.0, "poll_interval_s": 2.0}
    here = Path("/nowhere")
    return Settings(
        server=ServerSettings(url, key, kind),
        paths=PathSettings(None, here, here / "w", here / "plans", here / ".lao" / "state.db"),
        memory_gate=MemoryGateSettings(**{**limits, **gate}),
        gpu=GpuSettings(1),
        orchestration=OrchestrationSettings(**times),  # type: ignore[arg-type]
        attempts=AttemptSettings(repairs=2, candidates=3, tokens=None, wall_s=None, split=True, idle=False),
        calibration_auto=False,
        git=GitSettings(True, "LAO_PLAN.md", False, False),
        models={m.role: m for m in models or DEFAULT_ROLES},
        permissions=PermissionSettings(),
        output_style="narrative",
        sandbox=SandboxSettings(),
        total_ram_gb=None,
        raw={},
        sources={},
    )


class FakeServer:
    """A ResidencyServer in memory. ``before_call`` may raise or change things; it gets the call's name."""

    def __init__(self, *infos: ModelInfo, manages_memory: bool = True) -> None:
        self.infos = {info.key: info for info in infos}
        self.manages_memory = manages_memory
        self.calls: list[str] = []
        self.before_call: Callable[[str], None] = lambda call: None
        self.chat_base_url = "http://fake/v1"

    def models(self) -> tuple[ModelInfo, ...]:
        self._called("models")
        return tuple(self.infos.values())

    def load(self, key: str, context_length: int | None, least: int | None = None) -> LoadedModel:
        self._called(f"load {key} {context_length}")
        instance = LoadedModel(key, key, context_length)
        if self.manages_memory:
            self.put(instance)
        return instance

    def unload(self, instance_id: str) -> None:
        self._called(f"unload {instance_id}")
        for info in self.infos.values():
            left = tuple(i for i in info.loaded if i.instance_id != instance_id)
            self.infos[info.key] = replace(info, loaded=left)

    def put(self, instance: LoadedModel) -> None:
        """Somebody loads a model."""
        info = find_model(self.infos.values(), instance.key)
        self.infos[info.key] = replace(info, loaded=(*info.loaded, instance))

    def resident(self) -> list[str]:
        return [i.instance_id for info in self.infos.values() for i in info.loaded]

    def _called(self, call: str) -> None:
        self.calls.append(call)
        self.before_call(call)


class ScriptedProbe:
    """Gives the readings one after the other and repeats the last one. Figures in GB, or an error to raise."""

    def __init__(self, available: Iterable[float | LaoError | None], swap: Iterable[float] = (0,), total: float = 0):
        self._available = list(available)
        self._swap = list(swap)
        self._total = int(total * GB)
        self.reads = 0

    def read(self) -> MemoryReading:
        at = self.reads
        self.reads += 1
        free = self._available[min(at, len(self._available) - 1)]
        if isinstance(free, LaoError):
            raise free
        swap = int(self._swap[min(at, len(self._swap) - 1)] * GB)
        return MemoryReading(None if free is None else int(free * GB), swap, "scripted", self._total)
