"""A home folder that is not the real one; a real state file on disk, with a clock that tests turn."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.state.store import Store, open_store


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test leaves in the user's home is not the user's; git's own identity of this machine is kept."""
    real, home = Path(os.path.expanduser("~")), tmp_path_factory.mktemp("home")  # noqa: PTH111
    if (real / ".gitconfig").is_file():
        shutil.copy(real / ".gitconfig", home / ".gitconfig")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        yield


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    opened = open_store(tmp_path / ".lao" / "state.db", clock)
    yield opened
    opened.close()
