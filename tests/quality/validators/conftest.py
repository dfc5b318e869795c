"""A change on disk, and what one analyzer says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lao.core.words import Finding
from lao.quality.validators.change import change_of
from lao.quality.validators.registry import validate

Said = Callable[..., list[Finding]]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """``said(analyzer, {path: text}, before={path: text}, others={path: text}, plan="")``: its findings."""

    def judge(
        analyzer: str,
        files: Mapping[str, str],
        *,
        before: Mapping[str, str] | None = None,
        others: Mapping[str, str] | None = None,
        plan: str = "",
    ) -> list[Finding]:
        for path, text in {**(others or {}), **files}.items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        old = dict(before or {})
        for path in old:
            if path not in files:
                (tmp_path / path).unlink(missing_ok=True)
        changed = [*files, *(path for path in old if path not in files)]
        found = validate(change_of(tmp_path, changed, old, claimed=files, plan=plan))
        return [finding for finding in found if finding.analyzer == analyzer]

    return judge
