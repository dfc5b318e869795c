"""The files that ship: example, documentation, presets, .env.example, and a configuration as LAO 3.1 users have it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from lao.config.load import load
from lao.config.overrides import VARIABLES
from lao.config.schema import load_schema
from lao.core.states import Role
from models_cfg.load import abouts, preset, presets

ROOT = Path(__file__).resolve().parents[2]
LAO_31 = Path(__file__).with_name("lao31.yaml")


def test_schema_is_valid_and_closed():
    """The schema is a valid 2020-12 schema; every key has words, and no mapping of ours takes unknown keys."""
    schema = load_schema()
    jsonschema.Draft202012Validator.check_schema(schema.document)
    for leaf in schema.leaves():
        assert leaf.node["description"].endswith("."), leaf.key
        assert "default" in leaf.node, leaf.key

    def closed(node: object) -> None:
        if isinstance(node, dict):
            if "properties" in node and "$ref" not in node and isinstance(node["properties"], dict):
                assert node.get("additionalProperties") is False
            for child in node.values():
                closed(child)

    closed(schema.document)


def test_defaults_fit_the_schema():
    """A document of all defaults is a valid configuration."""
    schema = load_schema()
    jsonschema.Draft202012Validator(schema.document).validate(schema.fill({}))


def test_example_equals_the_defaults(tmp_path: Path):
    """The example names every key with its default: loading it is loading nothing."""
    (tmp_path / "factory.yaml").write_bytes((ROOT / "factory.example.yaml").read_bytes())
    example = load(cwd=tmp_path, env={})
    (tmp_path / "factory.yaml").unlink()
    nothing = load(cwd=tmp_path, env={})
    assert dict(example.raw) == dict(nothing.raw)
    assert (example.models, example.orchestration) == (nothing.models, nothing.orchestration)
    assert [key for key, source in example.sources.items() if source == "default"] == []


def test_example_is_packaged():
    """The example in the package and the one at the root are the same."""
    packaged = ROOT / "lao" / "config" / "factory.example.yaml"
    assert packaged.read_bytes() == (ROOT / "factory.example.yaml").read_bytes()


def test_generated_files_are_up_to_date():
    """docs/configuration.md and the example follow the schema."""
    command = [sys.executable, str(ROOT / "scripts" / "gen_docs.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_check_tells_what_is_out_of_date(tmp_path: Path):
    """--check exits 1, names the stale file and the command, and writes nothing."""
    files = ("scripts/gen_docs.py", "scripts/docs_errors.py", "scripts/docs_models.py", "factory.example.yaml")
    pages = ("architecture.md", "doctor.md", "models.md", "pilot.md", "quality.md", "troubleshooting.md")
    for name in (*files, *(f"docs/{page}" for page in pages)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("lao", "models_cfg"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, str(tmp_path / "scripts" / "gen_docs.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "out of date: docs/configuration.md\nrun: python scripts/gen_docs.py\n"
    assert {p.name for p in (tmp_path / "docs").iterdir()} == set(pages)


def test_documentation_names_every_key():
    """Each key stands in docs/configuration.md."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    missing = [leaf.key for leaf in load_schema().leaves() if f"`{leaf.key.rsplit('.', 1)[-1]}`" not in text]
    assert missing == []


def test_env_example_names_every_variable():
    """Each variable stands in .env.example."""
    names = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(names) >= {*VARIABLES, "LAO_CONFIG"}


def test_lao_31_file_loads_unchanged(tmp_path: Path):
    """A full configuration of LAO 3.1 loads, and each of its values is in force."""
    (tmp_path / "factory.yaml").write_bytes(LAO_31.read_bytes())
    settings = load(cwd=tmp_path, env={})
    assert settings.orchestration.coder_batch_size == 4
    assert settings.orchestration.reviewer_batch_size == 6
    assert settings.orchestration.retry_cooldown_base_s == 30
    assert settings.orchestration.validation_profiles["ios"]["commands"] == [
        {"kind": "build", "command": "swift build"}
    ]
    assert settings.raw["mcp_servers"][0]["command"] == ["my-mcp", "--stdio"]
    assert settings.models[Role.CODER].key == "qwen/qwen3-coder-30b"
    given = yaml.safe_load(LAO_31.read_text(encoding="utf-8"))
    for name in ("memory_gate", "git", "permissions", "skills", "memory", "hooks", "otel", "agentic"):
        for key, value in given[name].items():
            assert settings.raw[name][key] == value, (name, key)
            assert settings.sources[f"{name}.{key}"].startswith("factory.yaml:")


@pytest.mark.parametrize("name", ["default", "one-model", "small-qwen"])
def test_presets_are_valid(tmp_path: Path, name: str):
    """Each preset gives every role a model that the schema accepts."""
    models = preset(name)
    assert set(models) == {role.value for role in Role}
    (tmp_path / "factory.yaml").write_text(yaml.safe_dump({"models": {r: dict(m) for r, m in models.items()}}))
    settings = load(cwd=tmp_path, env={})
    assert {role.value: model.key for role, model in settings.models.items()} == {
        r: m["key"] for r, m in models.items()
    }


def test_default_preset_is_the_schema_default():
    """The default preset and the schema name the same models; every preset says what it needs, and none says of a
    model what calibration finds out."""
    defaults = load_schema().document["properties"]["models"]["properties"]
    known = {r: {k: v for k, v in node["default"].items() if k != "supports_tools"} for r, node in defaults.items()}
    assert preset("default") == known
    assert not [m for name in presets() for m in preset(name).values() if "supports_tools" in m]
    assert set(abouts()) == set(presets())
    assert len({m["key"] for r, m in preset("one-model").items() if r != "embedder"}) == 1
