"""JSON and YAML files that name a local JSON Schema and no longer agree with it. Nothing is fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from lao.core.words import Finding, Severity
from lao.quality.validators.change import Change, text_in

ID: Final = "local_schemas"
CONFIDENCE: Final = 0.95
_NAMED: Final = re.compile(r"^#\s*yaml-language-server:\s*\$schema=(\S+)", re.M)
_LARGEST: Final = 200_000


def look(change: Change) -> Iterator[Finding]:
    """Major where the file agreed before or is new; a file that was wrong already is not the change's."""
    for path, text in change.changed(".json", ".yaml", ".yml"):
        problem = _problem(change, path, text)
        if problem and not (path in change.before and _problem(change, path, change.before[path])):
            message = f"{path!r} does not agree with its schema: {problem}"
            hint = "correct the value, or the schema that it names"
            yield Finding(Severity.MAJOR, "schema_mismatch", message, path, hint, ID, CONFIDENCE)


def _problem(change: Change, path: str, text: str) -> str:
    if len(text) > _LARGEST or "schema" not in text:
        return ""
    named = _NAMED.search(text) if not path.endswith(".json") else None
    data = _data(path, text)
    address = named[1] if named else data.get("$schema") if isinstance(data, dict) else None
    if not isinstance(address, str) or "://" in address or address.startswith(("#", "/")) or "json-schema" in address:
        return ""
    schema_text = text_in(change.root, (PurePosixPath(path).parent / address).as_posix())
    return _disagreement(data, _data(address, schema_text)) if schema_text else ""


def _data(path: str, text: str) -> Any:
    try:
        if path.endswith((".yaml", ".yml")):
            import yaml

            try:
                return yaml.safe_load(text)
            except yaml.YAMLError:
                return None
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # the parser's own finding says so


def _disagreement(data: Any, schema: Any) -> str:
    """The first place that differs; "" when it agrees, or when the schema is no schema or refers to others."""
    if not isinstance(schema, dict) or '"$ref": "http' in json.dumps(schema, default=str):
        return ""
    import jsonschema
    import referencing.exceptions

    kind = jsonschema.validators.validator_for(schema)
    try:
        kind.check_schema(schema)
        error = next(iter(kind(schema).iter_errors(data)), None)
    except (jsonschema.SchemaError, referencing.exceptions.Unresolvable, RecursionError, re.error):
        return ""
    where = "/".join(str(part) for part in error.absolute_path) if error is not None else ""
    return f"{where or 'the whole'}: {error.message[:200]}" if error is not None else ""
