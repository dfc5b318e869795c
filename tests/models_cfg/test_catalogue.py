"""The catalogue of models: every fact has its source and day, sizes are bytes, a key means the right model or none."""

from __future__ import annotations

import json
from datetime import date
from importlib import resources
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import yaml

from models_cfg.entries import _TextDates, documents, entries
from models_cfg.spelling import find, quantisation

SCHEMA = json.loads(resources.files("models_cfg").joinpath("family.schema.json").read_text(encoding="utf-8"))
BYTES_A_WEIGHT = {"Q4": (0.5, 0.75), "Q5": (0.6, 0.85), "Q6": (0.75, 1.0), "Q8": (1.0, 1.25), "MXFP4": (0.5, 0.7)}


@pytest.mark.parametrize("name", list(documents()))
def test_every_fact_has_its_source_and_day(name: str) -> None:
    """Issue 7: the schema asks each fact for a source and the day; a fact without them is refused."""
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    document = documents()[name]
    validator.validate(document)
    today = date.today().isoformat()
    for key, facts in document.items():
        for fact, told in facts.items():
            if not isinstance(told, dict):
                continue
            assert told["checked"] <= today, (key, fact)
            for part in ("source", "checked", "told"):
                broken = {key: {**facts, fact: {k: v for k, v in told.items() if k != part}}}
                assert not validator.is_valid(broken), (key, fact, part)


def test_there_are_enough_of_every_kind() -> None:
    """Issue 7: at least 40 models: general, coder, reasoning, small, embedders."""
    kinds = [entry.kind for entry in entries().values()]
    assert len(kinds) >= 40
    assert all(kinds.count(kind) >= 4 for kind in ("general", "coder", "reasoning", "small", "embedder"))


def test_sizes_are_bytes_that_can_be() -> None:
    """A size that does not go with the parameters, or does not grow with the bits, is a wrong digit."""
    for entry in entries().values():
        for quant, count in entry.files.items():
            least, most = BYTES_A_WEIGHT[quant.removeprefix("UD-").split("_")[0]]
            if entry.parameters > 2e9:
                assert least <= count / entry.parameters <= most, (entry.id, quant)
        plain = [c for q, c in sorted(entry.files.items()) if q.startswith("Q")]
        assert all(a < b for a, b in pairwise(plain)), entry.id


def test_a_key_given_twice_is_an_error(tmp_path: Path) -> None:
    """YAML would take the last one in silence."""
    with pytest.raises(yaml.YAMLError, match="twice"):
        yaml.load("a: {value: 1}\nb: 2\na: {value: 3}\n", _TextDates)


SPELLINGS: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("spellings.yaml").read_text(encoding="utf-8"))
NOBODY = SPELLINGS.pop("nobody")


@pytest.mark.parametrize(("meant", "key"), [(m, key) for m, keys in SPELLINGS.items() for key in keys])
def test_a_servers_key_finds_its_model(meant: str, key: str) -> None:
    """LM Studio's, Ollama's, vLLM's and llama-server's spellings of a model are the same entry."""
    found = find(key)
    assert found is not None
    assert found.id == meant


@pytest.mark.parametrize("key", NOBODY)
def test_what_is_not_known_for_sure_is_nobody(key: str) -> None:
    """A base, another size, a tune, a tag that moves: no entry rather than a wrong one."""
    assert find(key) is None


def test_the_spellings_are_many_and_no_size_is_taken_for_another() -> None:
    """At least 40 spellings; every id is found as itself, and with another size in it as that or as nobody."""
    assert sum(map(len, SPELLINGS.values())) + len(NOBODY) >= 60
    sizes = {"7b", "14b", "32b", "72b", "8b", "70b", "4b", "27b", "30b", "1.5b", "3b"}
    for entry in entries().values():
        assert find(entry.id) is entry
        for size in sizes & set(entry.id.split("-")):
            for other in sizes - {size}:
                swapped = entry.id.replace(f"-{size}", f"-{other}")
                assert find(swapped) in (None, entries().get(swapped)), swapped


def test_quantisations_are_read() -> None:
    """What a key says of its weights, in the catalogue's spelling."""
    told = {
        "a-Q4_K_M.gguf": "Q4_K_M",
        "x/y-GGUF:UD-Q4_K_XL": "UD-Q4_K_XL",
        "qwen3:8b-q8_0": "Q8_0",
        "a@iq4_xs": "IQ4_XS",
        "gpt-oss-20b-MXFP4.gguf": "MXFP4",
        "qwen/qwen3-8b": "",
        "b-00001-of-00002.gguf": "",
        "m-mlx-4bit": "",
    }
    assert {key: quantisation(key) for key in told} == told
