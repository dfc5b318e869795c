"""Promises: types given up and files that break their own schema are found; sound ones and other schemas are not."""

from __future__ import annotations

import json

import pytest

from lao.core.words import Severity
from tests.quality.validators.conftest import Said

GIVEN_UP = {
    "a.ts": "function f(x: any): number { return 1; }\n",
    "b.ts": "const y = value as any;\n",
    "c.tsx": "const m: Map<string, any> = new Map();\nlet z: any[];\n",
    "d.ts": "// @ts-ignore\nbroken();\n",
    "e.swift": "let v = json as! [String: Int]\n",
    "f.swift": "let d = try! load()\n",
    "g.py": "from typing import Any\n\n\ndef f(a: Any, b: Any) -> Any:\n    return a\n",
}
TYPED = {
    "a.ts": "function f(x: unknown): number { return 1; } // any\n",
    "b.ts": "const s = 'x: any';\nconst any = 3;\nif (a.any) {}\n",
    "c.ts": "type Company = { name: string };\nlet many: Company[];\n",
    "d.ts": "// @ts-expect-error: the library's types are wrong\nf();\n",
    "types.d.ts": "declare function f(x: any): any;\n",
    "tests/a.test.ts": "const x = {} as any;\n",
    "e.swift": "let v = json as? Int\nlet w = try? load()\n",
    "f.py": "from typing import Any\n\n\ndef f(a: Any, n: int) -> Any:\n    return a\n",
    "g.py": "from typing import Any\n\n\ndef _f(a: Any, b: Any) -> Any:\n    return a\n",
}


@pytest.mark.parametrize("path", GIVEN_UP)
def test_types_given_up(said: Said, path: str) -> None:
    """A note with the line."""
    assert [f.severity for f in said("type_smells", {path: GIVEN_UP[path]})] == [Severity.MINOR]


@pytest.mark.parametrize("path", TYPED)
def test_types_kept(said: Said, path: str) -> None:
    """Comments, texts, words that hold "any", declarations of others' code, tests, one Any among types."""
    assert said("type_smells", {path: TYPED[path]}) == []


SCHEMA = json.dumps(
    {"type": "object", "required": ["port"], "properties": {"port": {"type": "integer"}, "$schema": {"type": "string"}}}
)
OTHERS = {"conf/schema.json": SCHEMA, "conf/broken.json": '{"type": 5}'}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("conf/a.json", '{"$schema": "./schema.json", "port": "80"}'),
        ("a.json", '{"$schema": "conf/schema.json"}'),
        ("conf/a.yaml", "# yaml-language-server: $schema=./schema.json\nport: eighty\n"),
        ("conf/b.yml", "$schema: schema.json\nport: 1.5\n"),
    ],
)
def test_schema_mismatch(said: Said, path: str, text: str) -> None:
    """Major, with the place and what is wrong there."""
    found = said("local_schemas", {path: text}, others=OTHERS)
    assert [f.severity for f in found] == [Severity.MAJOR]
    assert "port" in found[0].message


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("conf/a.json", '{"$schema": "./schema.json", "port": 80}'),
        ("conf/a.json", '{"$schema": "https://example.org/schema.json", "port": "80"}'),
        ("conf/a.json", '{"$schema": "./none.json", "port": "80"}'),
        ("conf/a.json", '{"$schema": "./broken.json", "port": "80"}'),
        ("conf/a.json", '{"$schema": "../../../outside.json"}'),
        ("conf/a.json", '{"$schema": 5}'),
        ("conf/a.yaml", "a: [schema\n"),
        ("conf/s.json", '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}'),
    ],
)
def test_schemas_that_say_nothing(said: Said, path: str, text: str) -> None:
    """Agreement, schemas elsewhere, missing or broken ones, no schema at all."""
    assert said("local_schemas", {path: text}, others=OTHERS) == []


def test_mismatch_before(said: Said) -> None:
    """A file that broke its schema already is not the change's."""
    old = '{"$schema": "./schema.json", "port": "80"}'
    new = old.replace("80", "81")
    assert said("local_schemas", {"conf/a.json": new}, before={"conf/a.json": old}, others=OTHERS) == []
