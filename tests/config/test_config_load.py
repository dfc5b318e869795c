"""Precedence, provenance, defaults, paths and variables of the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.config.load import load
from lao.config.provenance import describe
from lao.config.schema import load_schema
from lao.core.errors import ConfigError
from lao.core.states import Role

PRECEDENCE = [
    ("lm_studio_base_url", "http://yaml:1", "LM_STUDIO_BASE_URL", "http://env:1", "lm_studio_url", "http://flag:1"),
    ("total_ram_gb", 1, "TOTAL_RAM_GB", "2", "ram_gb", 3.0),
    ("paths.workspace", "/yaml", "WORKSPACE_ROOT", "/env", "workspace", "/flag"),
    ("paths.plans", "/yaml", "PLANS_DIR", "/env", "plans_dir", "/flag"),
    ("paths.database", "/yaml/s.db", "DB_PATH", "/env/s.db", "db", "/flag/s.db"),
]


def _yaml(key: str, value: object) -> str:
    *sections, name = key.split(".")
    return "".join(f"{section}: " for section in sections) + (
        f"{{{name}: {value}}}" if sections else f"{name}: {value}"
    )


@pytest.mark.parametrize(("key", "in_file", "variable", "in_env", "flag", "in_flag"), PRECEDENCE)
def test_flag_wins_over_environment_over_file(load_text, key, in_file, variable, in_env, flag, in_flag):
    """A flag wins over the environment, the environment over the file; each value names its source."""
    text = _yaml(key, in_file)

    def seen(settings):
        rows = {row[0]: row[1:] for row in describe(settings)}
        return rows[key]

    assert seen(load_text("{}"))[1] == "default"
    assert seen(load_text(text)) == (in_file, "factory.yaml:1")
    value, source = seen(load_text(text, {variable: in_env}))
    assert (str(value).removesuffix(".0"), source) == (in_env, f"environment {variable}")
    assert seen(load_text(text, {variable: in_env}, **{flag: in_flag})) == (
        in_flag,
        f"flag --{flag.replace('_', '-')}",
    )


@pytest.mark.parametrize(
    ("flags", "key", "value"),
    [
        ({"planner_model": "m"}, "models.planner.key", "m"),
        ({"coder_model": "m"}, "models.coder.key", "m"),
        ({"reviewer_model": "m"}, "models.reviewer.key", "m"),
        ({"embedder_model": "m"}, "models.embedder.key", "m"),
        ({"pilot_model": "m"}, "models.pilot.key", "m"),
        ({"analyst_model": "m"}, "models.analyst.key", "m"),
        ({"no_git": True}, "git.enabled", False),
        ({"phase_gated": True}, "orchestration.phase_gated", True),
        ({"batch_size": 2}, "orchestration.coder_batch_size", 2),
        ({"max_context_utilization": 0.5}, "orchestration.max_context_utilization", 0.5),
        ({"quality_gate": "off"}, "orchestration.quality_gate_mode", "off"),
        ({"permission_mode": "plan_only"}, "permissions.mode", "plan_only"),
        ({"seed": 7}, "models.reviewer.seed", 7),
        ({"output_style": "json"}, "output_style", "json"),
        ({"no_analyst": True}, "orchestration.analyst_enabled", False),
        ({"no_pilot": True}, "orchestration.pilot_mode_enabled", False),
    ],
)
def test_each_flag_sets_its_key(load_text, flags, key, value):
    """Every setting flag reaches its key and is named as the source."""
    rows = {row[0]: row[1:] for row in describe(load_text("orchestration: {phase_gated: false}", **flags))}
    (name,) = flags
    assert rows[key] == (value, "flag --" + name.replace("_", "-"))


def test_seed_reaches_every_role(load_text):
    """--seed sets the seed of all roles."""
    assert {m.seed for m in load_text("models: {coder: {seed: 1}}", seed=9).models.values()} == {9}


def test_none_and_false_flags_count_as_not_given(load_text):
    """A flag that was not given changes nothing."""
    settings = load_text("git: {enabled: true}", no_git=False, seed=None, db=None)
    assert settings.git.enabled
    assert settings.sources["git.enabled"] == "factory.yaml:1"


def test_worker_flags_stand_below_explicit_ones(load_text):
    """LAO_FLAGS carries flags to workers; the worker's own flags win."""
    env = {"LAO_FLAGS": json.dumps({"seed": 1, "coder_model": "inherited", "plain": True}), "OPENAI_API_KEY": ""}
    settings = load_text("{}", env, seed=2)
    assert settings.models[Role.CODER].seed == 2
    assert settings.models[Role.CODER].key == "inherited"
    assert settings.sources["models.coder.key"] == "flag --coder-model"


def test_file_is_named_by_flag_then_variable_then_folder(tmp_path: Path):
    """--config wins over LAO_CONFIG, that over FACTORY_CONFIG, that over ./factory.yaml; none of them is fine."""
    assert load(cwd=tmp_path, env={}).paths.config_file is None
    for name in ("factory", "a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(f"output_style: {'json' if name == 'c' else 'terse'}\n")
    flag_and_env = {"LAO_CONFIG": "a.yaml", "FACTORY_CONFIG": "b.yaml"}
    found = [
        load(cwd=tmp_path, env={}),
        load(cwd=tmp_path, env={"FACTORY_CONFIG": "b.yaml"}),
        load(cwd=tmp_path, env=flag_and_env),
        load(cwd=tmp_path, env=flag_and_env, flags={"config": "c.yaml"}),
    ]
    assert [s.paths.config_file.name for s in found] == ["factory.yaml", "b.yaml", "a.yaml", "c.yaml"]
    assert found[-1].sources["output_style"] == "c.yaml:1"


def test_relative_paths_count_from_their_source(tmp_path: Path):
    """Paths in the file count from its folder, in flags and variables from the current folder."""
    project, here = tmp_path / "project", tmp_path / "here"
    project.mkdir()
    here.mkdir()
    (project / "factory.yaml").write_text("paths: {plans: p, database: d/s.db}\n")
    paths = load(cwd=here, env={"WORKSPACE_ROOT": "w"}, flags={"config": "../project/factory.yaml", "db": "x.db"}).paths
    assert (paths.root, paths.plans) == (project, project / "p")
    assert (paths.workspace, paths.database) == (here / "w", here / "x.db")
    assert paths.queue == here / "queue.db"


def test_defaults_without_a_file(tmp_path: Path):
    """Without factory.yaml everything has its documented default and the project is the current folder."""
    settings = load(cwd=tmp_path, env={})
    assert settings.paths.root == tmp_path
    assert settings.paths.database == tmp_path / ".lao" / "state.db"
    assert settings.paths.plans == tmp_path / "plans"
    assert settings.paths.workspace == tmp_path / ".lao" / "_misc"
    assert settings.server.base_url == "http://127.0.0.1:1234"
    assert settings.orchestration.coder_batch_size is None
    assert settings.orchestration.retry_cooldown_base_s == 5
    assert settings.models[Role.REVIEWER].key == "deepseek-r1-distill-qwen-32b"
    assert set(settings.sources.values()) == {"default"}
    assert list(settings.sources) == [leaf.key for leaf in load_schema().leaves()]


def test_how_much_at_once(load_text):
    """``gpu.parallel`` and ``tasks_in_flight``: their defaults, and what the file says instead."""
    settings = load_text("{}")
    assert (settings.gpu.parallel, settings.orchestration.tasks_in_flight) == (1, 4)
    settings = load_text("gpu: {parallel: 3}\norchestration: {tasks_in_flight: 1}")
    assert (settings.gpu.parallel, settings.orchestration.tasks_in_flight) == (3, 1)
    assert settings.sources["gpu.parallel"] == "factory.yaml:1"


def test_variables_in_values(load_text):
    """${VAR} and ${VAR:-default} are expanded, also to numbers; $${VAR} stays."""
    text = "openai_api_key: k-${A}\ntotal_ram_gb: ${B}\npaths: {plans: '${C:-my plans}'}\n"
    text += "orchestration: {validation_build_cmd: 'echo $${A} $A'}\ngit: {enabled: '${D:-no}'}\n"
    settings = load_text(text, {"A": "1", "B": "48"})
    assert settings.server.api_key == "k-1"
    assert settings.total_ram_gb == 48
    assert settings.paths.plans.name == "my plans"
    assert settings.orchestration.validation_build_cmd == "echo ${A} $A"
    assert settings.git.enabled is False


def test_base_url_is_bare(load_text):
    """A /v1 or a slash at the end of the server's address does no harm."""
    for written in ("http://h:1/v1/", "http://h:1/v1", "http://h:1/"):
        assert load_text(f"lm_studio_base_url: {written}").server.base_url == "http://h:1"


def test_yaml_words_are_read_as_meant(load_text):
    """`off` is a mode and not false, 3.0 is an integer, an empty section has its defaults."""
    text = "orchestration:\n  quality_gate_mode: off\n  max_task_attempts: 3.0\ngit:\nmodels:\n  coder:\n"
    settings = load_text(text + "mcp_servers:\n- {name: a, command: x, env: {PORT: 80, ON: yes}}\n")
    assert settings.orchestration.quality_gate_mode == "off"
    assert type(settings.orchestration.max_task_attempts) is int
    assert settings.git.enabled
    assert settings.raw["mcp_servers"][0]["env"] == {"PORT": "80", "ON": "yes"}
    assert settings.raw["mcp_servers"][0]["enabled"] is True


def test_another_model_has_no_known_size(load_text):
    """The default size belongs to the default model; a key of the user's own without a size has none."""
    settings = load_text("models: {coder: {key: mine}, planner: {key: p, size_bytes: 5}, pilot: {size_bytes: 6}}")
    sizes = {role: model.size_bytes for role, model in settings.models.items()}
    assert (sizes[Role.CODER], sizes[Role.PLANNER], sizes[Role.PILOT]) == (0, 5, 6)
    settings = load_text("models: {planner: {key: p, size_bytes: 5, path: /m/p.gguf}}", planner_model="other")
    assert settings.models[Role.PLANNER].size_bytes == 0
    assert settings.models[Role.PLANNER].path is None


def test_other_spellings_reach_the_same_key(load_text):
    """Switches at the top or under orchestration mean the key of their section."""
    text = (
        "verifier_enabled: false\ncompaction_keep_recent: 3\nskills_dirs: [a]\norchestration: {memory_enabled: false}"
    )
    settings = load_text(text)
    assert settings.orchestration.verifier_enabled is False
    assert settings.orchestration.compaction_keep_recent == 3
    assert settings.raw["skills"]["dirs"] == ["a"]
    assert settings.raw["memory"]["enabled"] is False
    assert settings.sources["skills.dirs"] == "factory.yaml:3"


def test_merge_keys_and_aliases(load_text):
    """Anchors, aliases and merge keys of YAML work."""
    text = "models:\n  coder: &m {key: one, seed: 4}\n  planner: *m\n  reviewer: {<<: *m, seed: 5}\n  pilot: {<<: *m}\n"
    models = load_text(text).models
    assert [models[r].key for r in (Role.CODER, Role.PLANNER, Role.REVIEWER)] == ["one"] * 3
    assert (models[Role.REVIEWER].seed, models[Role.PILOT].seed) == (5, 4)


def test_secrets_are_hidden(load_text):
    """`describe` shows no API key, no MCP environment or header, no login in a URL."""
    text = "openai_api_key: s3cret\nlm_studio_base_url: http://u:s3cret@h\n"
    text += "mcp_servers: [{name: a, url: 'http://x', env: {K: s3cret}, headers: {A: s3cret}}]\n"
    settings = load_text(text)
    assert "s3cret" not in json.dumps(describe(settings))
    assert settings.server.api_key == "s3cret"


def test_a_known_good_file_is_not_validated_again(load_text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The stamp spares the validator on unchanged data, and only then."""
    import jsonschema

    (tmp_path / ".lao").mkdir()
    load_text("output_style: json")
    assert (tmp_path / ".lao" / "config.ok").exists()
    monkeypatch.setattr(jsonschema, "Draft202012Validator", None)
    assert load_text("output_style: json  # same data").output_style == "json"
    with pytest.raises(TypeError):
        load_text("output_style: terse")


def test_nothing_is_written_without_a_state_folder(load_text, tmp_path: Path):
    """Loading makes no folder, and a stamp that cannot be written is no error."""
    load_text("{}")
    assert [p.name for p in tmp_path.iterdir()] == ["factory.yaml"]
    (tmp_path / ".lao" / "config.ok").mkdir(parents=True)
    load_text("{}")


def test_paths_of_the_wrong_kind(load_text, tmp_path: Path):
    """A folder where the database belongs, or a file where plans belong, is named with its source."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"factory.yaml:1: paths.plans: .* is not a folder"):
        load_text("paths: {plans: file}")
    with pytest.raises(ConfigError, match=r"flag --db: paths.database: .* is a folder"):
        load_text("{}", db=str(tmp_path))


@pytest.mark.parametrize("name", ["x" * 5000, "nul\\0"], ids=["long", "nul"])
def test_odd_path_names_are_no_crash(load_text, name):
    """A path that no file system takes is a configuration error, or waits until it is used."""
    try:
        load_text(f'paths: {{workspace: "{name}", plans: "{name}", database: "{name}/s.db"}}')
    except ConfigError as error:
        assert "paths." in error.message


def test_the_sandbox_and_its_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Defaults that close what plans seldom need; ~ is the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cache").mkdir()
    (tmp_path / "factory.yaml").write_text("sandbox: {read_only: [~/cache], environment: [CI_NAME], cpu_s: 60}")
    sandbox = load(cwd=tmp_path, env={}).sandbox
    assert (sandbox.backend, sandbox.network, sandbox.read_only, sandbox.writable) == (
        "auto", "none", (tmp_path / "cache",), ()
    )  # fmt: skip
    assert (sandbox.environment, sandbox.cpu_s) == (("CI_NAME",), 60)
    assert None not in (sandbox.memory_mb, sandbox.file_mb, sandbox.processes, sandbox.tmp_mb)


def test_a_list_of_hosts(load_text):
    """Names, names below a name, ports and addresses; the rest of the program is told whether there is a list."""
    hosts = "[pypi.org, '*.PythonHosted.org', 'registry.npmjs.org:443', '10.0.0.5:8080', '[::1]:80']"
    sandbox = load_text(f"sandbox: {{network: {hosts}}}").sandbox
    assert sandbox.network == "list"
    shown = ["pypi.org", "*.pythonhosted.org", "registry.npmjs.org:443", "10.0.0.5:8080", "[::1]:80"]
    assert [str(host) for host in sandbox.hosts] == shown
    assert load_text("sandbox: {network: host}").sandbox.hosts == ()
