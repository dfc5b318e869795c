"""Every way in which a configuration can be wrong: one clear message with the place, and exit code 42."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.config.load import load
from lao.core.errors import ConfigError

EIGHT = ", ".join(["*{0}"] * 8)
BOMB = "a: &a [1]\n" + "".join(f"{b}: &{b} [{EIGHT.format(a)}]\n" for a, b in ("ab", "bc", "cd", "de", "ef", "fg"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "orchestration:\n  coder_batch_sze: 3",
            'factory.yaml:2: orchestration.coder_batch_sze: unknown key; did you mean "coder_batch_size"?',
        ),
        (
            "coder_batch_size: 3",
            'factory.yaml:1: coder_batch_size: unknown key; did you mean "orchestration.coder_batch_size"?',
        ),
        ("memory_gates: {}", 'factory.yaml:1: memory_gates: unknown key; did you mean "memory_gate"?'),
        ("gpu:\n  paralel: 2", 'factory.yaml:2: gpu.paralel: unknown key; did you mean "parallel"?'),
        ("parallel: 2", 'factory.yaml:1: parallel: unknown key; did you mean "gpu.parallel"?'),
        ("gpu:\n  parallel: 0", "factory.yaml:2: gpu.parallel: expected an integer of at least 1, found 0"),
        ("gpu: {parallel: null}", "gpu.parallel: expected an integer of at least 1, found null"),
        ("orchestration: {tasks_in_flight: 0}", "tasks_in_flight: expected an integer of at least 1, found 0"),
        ("models:\n  codr: {key: a}", 'factory.yaml:2: models.codr: unknown role; did you mean "coder"?'),
        ("models: {tester: {key: a}}", "known here: planner, coder, reviewer, pilot, analyst, embedder"),
        ("git: {on: true}", "factory.yaml:1: git.on: unknown key"),
        ("orchestration: {max_task_attempts: three}", 'expected an integer of at least 1, found "three"'),
        ("orchestration: {max_task_attempts: true}", "expected an integer of at least 1, found true"),
        ("orchestration: {max_task_attempts: 0}", "expected an integer of at least 1, found 0"),
        ("orchestration: {max_context_utilization: 1.5}", "expected a number above 0 and of at most 1, found 1.5"),
        ("orchestration: {coder_batch_size: 2.5}", "expected an integer of at least 1, or null, found 2.5"),
        ("orchestration: {quality_gate_mode: lax}", 'expected one of "strict", "standard", "off", found "lax"'),
        (
            "orchestration: {retry_failed_cron: often}",
            'expected five cron fields such as "0 3 * * *", or null, found "often"',
        ),
        ("orchestration: {validation_profile: x}", "no entry 'x' in validation_profiles"),
        (
            "orchestration: {validation_profiles: {a: {comands: []}}}",
            'a.comands: unknown key; did you mean "commands"?',
        ),
        (
            "orchestration:\n validation_profiles:\n  a:\n   block_min_confidence_by_analyzer_kind:\n    nmes: 0.5",
            "factory.yaml:5: orchestration.validation_profiles.a.block_min_confidence_by_analyzer_kind.nmes: unknown "
            'analyzer kind; did you mean "names"? known: evidence, review, ',
        ),
        (
            "orchestration: {validation_profiles: {a: {block_min_confidence_by_analyzer_id: {zzz: 0.5}}}}",
            "block_min_confidence_by_analyzer_id.zzz: unknown analyzer id; known: command, checks, ",
        ),
        (
            "orchestration: {validation_profiles: {a: {block_min_confidence_by_analyzer_id: {stubs: 2}}}}",
            "expected a number of at least 0 and of at most 1, found 2",
        ),
        ("orchestration: {validation_timeout_s: .inf}", "expected a finite number"),
        ("orchestration: [1]", "factory.yaml:1: orchestration: expected a mapping, or null, found a list"),
        ("lm_studio_base_url: localhost", "expected a URL that starts with http:// or https://"),
        ("openai_api_key: 123456", 'factory.yaml:1: openai_api_key: expected text, found "(hidden)"'),
        ("openai_api_key: ${NOPE}", "factory.yaml:1: openai_api_key: environment variable 'NOPE' is not set"),
        ("mcp_servers:\n- {command: x}", "factory.yaml:2: mcp_servers[0]: the key 'name' is missing"),
        ("mcp_servers:\n- {name: x}", "factory.yaml:2: mcp_servers[0]: server 'x' needs a command or a url"),
        ("mcp_servers: [{name: x, url: u}, {name: x, url: u}]", "mcp_servers[1]: the name 'x' is given twice"),
        ("permissions: {mode: yolo}", 'found "yolo"'),
        (
            "server:\n  kind: olama",
            'factory.yaml:2: server.kind: expected one of "auto", "lmstudio", "llamacpp", "ollama"',
        ),
        ("server: {kind: olama}", 'found "olama"; did you mean "ollama"?'),
        ("server: {kind: llama.cpp}", 'found "llama.cpp"; did you mean "llamacpp"?'),
        ("git:\n  enabled: true\n  enabled: false", "factory.yaml:3: git.enabled: given twice (first in line 2)"),
        (
            "verifier_enabled: true\norchestration: {verifier_enabled: true}",
            "verifier_enabled: means orchestration.verifier_enabled, which is given as well",
        ),
        ("- a\n- b", "factory.yaml: expected a mapping of keys, found a list"),
        ("just words", "factory.yaml: expected a mapping of keys, found the text 'just words'"),
        ("a: [1, 2", "broken YAML: "),
        ("git:\n\tenabled: true", "factory.yaml:2:1: broken YAML: found character"),
        ("a: b: c", "factory.yaml:1:5: broken YAML: mapping values are not allowed"),
        ("git: !!python/object:os.system {}", "factory.yaml:1: git: the tag "),
        ("git: {enabled: !yes true}", "factory.yaml:1:16: broken YAML: could not determine a constructor"),
        ("a: 1\n---\nb: 2", "factory.yaml:2:1: broken YAML"),
        ("a: &x [*x]", "the alias contains itself"),
        ("? [a]\n: b", "a key must be one word"),
        ("a: 2024-99-99", "factory.yaml:1: a: '2024-99-99' cannot be read"),
        ("a: b\x01", "factory.yaml:1:5: broken YAML"),
        ("a: " + "[" * 3000, "factory.yaml"),
        (BOMB, "more than 20000 values"),
    ],
)
def test_message_names_place_and_expectation(failure, text, message):
    """Each mistake gives the file, the line, the key, and what was expected."""
    assert message in failure(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sandbox:\n  read_only: [/]", "factory.yaml:2: sandbox.read_only: '/' is the whole machine"),
        ("sandbox:\n  writable: [/usr/..]", "factory.yaml:2: sandbox.writable: '/usr/..' is the whole machine"),
        ("sandbox: {writable: [cache]}", "sandbox.writable: 'cache' is not absolute"),
        ("sandbox: {read_only: [/nowhere/at/all]}", "sandbox.read_only: '/nowhere/at/all' does not exist"),
        ("sandbox: {network: []}", 'sandbox.network: expected "none", "host", or a list of hosts'),
        ("sandbox: {network: 5}", 'sandbox.network: expected "none", "host", or a list of hosts, found 5'),
        (
            "sandbox:\n  network:\n  - a.org\n  - https://b.org",
            "factory.yaml:4: sandbox.network[1]: 'https://b.org' is",
        ),
        ("sandbox: {network: ['*']}", "'*' is no host"),
        ("sandbox: {network: ['*.org']}", "a name of two words or more"),
        ("sandbox: {network: ['me@a.org']}", "without a scheme or a user"),
        ("sandbox: {network: ['a.org:0']}", "'0' is not a port"),
        ("sandbox: {network: ['a.org:99999']}", "is not a port"),
        ("sandbox: {network: ['127.1']}", "'127.1' is no host"),
        ("sandbox: {network: ['münchen.de']}", "write the name as 'xn--mnchen-3ya.de'"),
        ("sandbox: {network: ['::1']}", "is no host"),
        ("sandbox: {network: hosts}", 'did you mean "host"?'),
        ("sandbox: {backend: docker}", "sandbox.backend: expected one of"),
        ("sandbox: {environment: [A=B]}", "a variable's name"),
        ("sandbox: {processes: 0}", "sandbox.processes: expected an integer of at least 8, or null"),
        ("sandbox: {memory: 5}", "sandbox.memory: unknown key"),
    ],
)
def test_a_sandbox_that_cannot_be_made_is_refused(failure, text, message):
    """A path that is not there, or is everything, and words that mean nothing, are said before any command runs."""
    assert message in failure(text)


def test_five_problems_at_once_in_file_order(failure):
    """Up to five problems are shown together, the first lines first, and the rest is counted."""
    message = failure("a1: 1\nb1: 1\nc1: 1\nd1: 1\ngit:\n  enabled: 5\nf1: 1\n")
    assert message.startswith("6 problems in the configuration:")
    assert [line.split(":")[1] for line in message.splitlines()[1:6]] == ["1", "2", "3", "4", "6"]
    assert message.endswith("and 1 more")


@pytest.mark.parametrize(
    ("env", "flags", "message"),
    [
        (
            {"TOTAL_RAM_GB": "lots"},
            {},
            'environment TOTAL_RAM_GB: total_ram_gb: expected a number above 0, or null, found "lots"',
        ),
        ({"LM_STUDIO_BASE_URL": "x"}, {}, "environment LM_STUDIO_BASE_URL: lm_studio_base_url: expected a URL"),
        ({}, {"batch_size": 0}, "flag --batch-size: orchestration.coder_batch_size: expected an integer of at least 1"),
        ({}, {"coder_model": 3}, "flag --coder-model: models.coder.key: expected text, found 3"),
        ({"LAO_FLAGS": "{"}, {}, "environment LAO_FLAGS is not JSON"),
        ({"LAO_FLAGS": "[]"}, {}, "environment LAO_FLAGS is not a JSON object"),
        ({"LAO_CONFIG": "gone.yaml"}, {}, "configuration file 'gone.yaml' does not exist"),
        ({}, {"config": "gone.yaml"}, "configuration file 'gone.yaml' does not exist"),
        ({}, {"config": 3}, "flag --config: expected a file name, found 3"),
        ({}, {"config": "."}, "cannot be read"),
    ],
)
def test_flags_and_variables_are_named(failure, env, flags, message):
    """A wrong flag or variable is named instead of a line."""
    assert message in failure("{}", env, **flags)


def test_not_utf8(tmp_path: Path):
    """A file in another encoding is refused with the line."""
    (tmp_path / "factory.yaml").write_bytes(b"a: 1\nb: \xe9t\xe9\n")
    with pytest.raises(ConfigError, match=r"factory.yaml:2: byte 0xe9 is not UTF-8"):
        load(cwd=tmp_path, env={})


def test_utf8_with_byte_order_mark(tmp_path: Path):
    """An editor's byte order mark does no harm."""
    (tmp_path / "factory.yaml").write_bytes(b"\xef\xbb\xbfoutput_style: json\n")
    assert load(cwd=tmp_path, env={}).output_style == "json"


def test_dangling_link_and_huge_file(tmp_path: Path):
    """A link to nowhere is a missing file, not an absent one; a huge file is not read in."""
    file = tmp_path / "factory.yaml"
    file.symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match="does not exist"):
        load(cwd=tmp_path, env={})
    file.unlink()
    file.write_text("#" * 1_000_001)
    with pytest.raises(ConfigError, match="1000001 bytes"):
        load(cwd=tmp_path, env={})


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n", "{}\n"])
def test_an_empty_file_is_fine(load_text, text):
    """An empty file means the defaults."""
    assert set(load_text(text).sources.values()) == {"default"}
