"""A project folder to load configurations from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lao.config.load import load
from lao.config.settings import Settings
from lao.core.errors import ConfigError

Loader = Callable[..., Settings]
Failer = Callable[..., str]


@pytest.fixture
def load_text(tmp_path: Path) -> Loader:
    """Loads a text as factory.yaml of an empty folder."""

    def run(text: str, env: Mapping[str, str] | None = None, **flags: object) -> Settings:
        (tmp_path / "factory.yaml").write_text(text, encoding="utf-8")
        return load(cwd=tmp_path, env=env or {}, flags=flags)

    return run


@pytest.fixture
def failure(load_text: Loader) -> Failer:
    """The message with which a text is refused."""

    def run(text: str, env: Mapping[str, str] | None = None, **flags: object) -> str:
        with pytest.raises(ConfigError) as caught:
            load_text(text, env, **flags)
        assert caught.value.exit_code == 42
        return caught.value.message

    return run
