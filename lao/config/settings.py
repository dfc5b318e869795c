"""The effective settings as frozen records; paths are absolute. Loading is in ``load.py``, defaults in the schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lao.config.hosts import Host
from lao.config.rules import Rule
from lao.core.states import Role


@dataclass(frozen=True)
class ServerSettings:
    """Where the model server is. ``kind``: auto, lmstudio, llamacpp, ollama, llamaswap, vllm, openai (chat only),
    simulated."""

    base_url: str
    api_key: str
    kind: str


@dataclass(frozen=True)
class PathSettings:
    """All absolute. ``root`` is the folder of factory.yaml; plan workspaces lie in it by the plan's stem."""

    config_file: Path | None
    root: Path
    workspace: Path
    plans: Path
    database: Path

    @property
    def state_dir(self) -> Path:
        """``.lao``: state, queue, locks and logs."""
        return self.database.parent

    @property
    def queue(self) -> Path:
        """The Huey queue file, beside the state file."""
        return self.database.with_name("queue.db")


@dataclass(frozen=True)
class MemoryGateSettings:
    """Seconds, megabytes and fractions of the memory gate.

    Attributes:
        min_context: tokens that a model may be loaded with when more does not fit; None: never less than asked.
        evict_foreign: whether models that LAO did not load may be unloaded.
    """

    release_fraction: float
    swap_growth_limit_mb: int
    settle_timeout_s: float
    poll_interval_s: float
    min_context: int | None = None
    evict_foreign: bool = True


@dataclass(frozen=True)
class GpuSettings:
    """What the resident model is asked for at once.

    Attributes:
        parallel: phases that generate at once; at least 1.
    """

    parallel: int


@dataclass(frozen=True)
class ModelSettings:
    """One role's model. Tokens for ``context_length`` and ``max_completion``; None means the server's default.

    Attributes:
        path: the model's GGUF file, read for the memory it needs; None: looked for where LM Studio keeps its models.
    """

    role: Role
    key: str
    context_length: int
    max_completion: int
    supports_tools: bool
    supports_json_schema: bool
    size_bytes: int
    description: str
    temperature: float | None
    top_p: float | None
    seed: int | None
    repetition_penalty: float | None
    edit_format: str = "auto"
    path: str | None = None


@dataclass(frozen=True)
class OrchestrationSettings:
    """Limits, batches and deadlines of the pipeline. Times in seconds.

    Attributes:
        tasks_in_flight: phases of the gpu queue that are under way at once; at least 1.
    """

    model_load_timeout_s: float
    model_load_poll_interval_s: float
    max_task_attempts: int
    plan_watch_interval_s: float
    llm_connect_timeout_s: float
    llm_request_timeout_s: float
    llm_idle_timeout_s: float
    llm_retry_attempts: int
    llm_retry_backoff_base_s: float
    phase_gated: bool
    keep_awake: bool
    coder_batch_size: int | None
    reviewer_batch_size: int | None
    tasks_in_flight: int
    min_free_disk_mb: int
    swap_patience_s: float
    longest_wait_s: float
    release: str
    max_context_utilization: float
    quality_gate_mode: str
    validation_build_cmd: str | None
    validation_lint_cmd: str | None
    validation_timeout_s: float
    parallel_checks: int
    infer_validation_commands: bool
    validation_profile: str
    validation_profiles: Mapping[str, Any]
    placeholder_max_markers_per_kloc: float
    placeholder_max_ratio: float
    preflight_reserved_tokens: int
    strict_adherence: bool
    strict_closure_allowed_statuses: tuple[str, ...]
    retry_cooldown_base_s: float
    retry_cap_coder: int
    retry_cap_reviewer: int
    retry_cap_validation: int
    no_progress_repeat_limit: int
    coder_max_turns: int
    retry_failed_cron: str | None
    retry_failed_classes: tuple[str, ...]
    retry_failed_limit: int
    benchmark_min_pass_rate: float
    benchmark_fail_on_regression: bool
    pilot_mode_enabled: bool
    pilot_context_lines: int
    analyst_enabled: bool
    verifier_enabled: bool
    compaction_enabled: bool
    compaction_keep_recent: int
    compaction_at: float

    @property
    def early_release(self) -> bool:
        """Whether tasks may build on work whose checks have passed before it is reviewed."""
        return self.release == "verified"


@dataclass(frozen=True)
class AttemptSettings:
    """How long a task is tried: rounds, samples, tokens and seconds of coding; None means no limit."""

    repairs: int
    candidates: int
    tokens: int | None
    wall_s: float | None
    split: bool
    idle: bool


@dataclass(frozen=True)
class GitSettings:
    """Traceability in the plan's repository."""

    enabled: bool
    plan_file_name: str
    commit_trailers: bool
    worktrees: bool


@dataclass(frozen=True)
class SandboxSettings:
    """What surrounds a command. Paths are absolute and exist; None is no limit; sizes in MB, times in seconds.

    Attributes:
        network: "none", "host" or "list".
        hosts: what is reached with "list".
    """

    backend: str = "auto"
    network: str = "none"
    hosts: tuple[Host, ...] = ()
    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    environment: tuple[str, ...] = ()
    memory_mb: int | None = None
    cpu_s: int | None = None
    file_mb: int | None = None
    processes: int | None = None
    tmp_mb: int | None = None


@dataclass(frozen=True)
class SearchSettings:
    """``map_tokens``: most tokens of the repository map in a prompt; ``embed_batch``: texts in one request."""

    map_tokens: int = 1000
    embed_batch: int = 16


@dataclass(frozen=True)
class SkillSettings:
    """Skills. ``dirs``: further folders, relative ones count from the project's; ``max_tokens`` of a prompt."""

    enabled: bool = False
    dirs: tuple[str, ...] = ()
    max_tokens: int = 0


@dataclass(frozen=True)
class MemorySettings:
    """Memory and AGENTS.md files. ``user_path`` None is ``~/.lao/MEMORY.md``; ``max_tokens`` of a prompt."""

    enabled: bool = False
    user_path: str | None = None
    project_filename: str = "LAO_MEMORY.md"
    max_tokens: int = 0


@dataclass(frozen=True)
class PermissionSettings:
    """What models may do with tools.

    Attributes:
        mode: auto, confirm, accept_edits, plan_only, dont_ask or bypass; other programs' names are translated.
        rules: deny, then ask, then allow; those of ``.lao/permissions.yaml`` included.
        ask_timeout_s: how long a question waits for a person, in seconds.
        plan_approval: who lets a model leave plan mode: "ask" (a person) or "auto".
    """

    mode: str = "auto"
    rules: tuple[Rule, ...] = ()
    ask_timeout_s: float = 120.0
    plan_approval: str = "ask"


@dataclass(frozen=True)
class Settings:
    """Everything that factory.yaml, the environment and the flags say, with defaults filled in.

    ``raw`` is the whole validated document (also keys of features that read it themselves: mcp_servers, hooks,
    otel, agentic); ``sources`` maps a dotted key to where its value came from.
    """

    server: ServerSettings
    paths: PathSettings
    memory_gate: MemoryGateSettings
    gpu: GpuSettings
    orchestration: OrchestrationSettings
    attempts: AttemptSettings
    calibration_auto: bool
    git: GitSettings
    models: Mapping[Role, ModelSettings]
    permissions: PermissionSettings
    output_style: str
    sandbox: SandboxSettings
    total_ram_gb: float | None
    raw: Mapping[str, Any]
    sources: Mapping[str, str]
    search: SearchSettings = SearchSettings()
    skills: SkillSettings = SkillSettings()
    memory: MemorySettings = MemorySettings()
