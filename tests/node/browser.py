"""A headless Chromium for tests and pictures, driven by ``browser.js``. Where there is none the test is skipped, or
fails where everything must be there (LAO_EVERYTHING)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.node.tools import FOLDER, HERE, missing, program

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PHONE: Final = (390, 844)
DESK: Final = (1440, 900)
_NUMBERED: Final = """
  const all = [...document.querySelectorAll("a[href], button, summary, [tabindex='0']")];
  const name = (item) => `${all.indexOf(item)} ${item.tagName} ${item.textContent.trim().slice(0, 40)}`;"""
_FOCUSED: Final = (
    f"(() => {{ {_NUMBERED} const item = document.activeElement;"
    " return item === document.body ? null : name(item); })()"
)
_CONTROLS: Final = f"(() => {{ {_NUMBERED} return all.filter((item) => item.checkVisibility()).map(name); }})()"


def chromium() -> str | None:
    """The browser: ``LAO_CHROMIUM``, or what is on PATH under a known name."""
    named = os.environ.get("LAO_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One browser with one page."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def do(self, operation: str, **values: object) -> Any:
        """One request of ``browser.js``, and its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"operation": operation, **values}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the browser's driver has ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    def open(self, url: str, size: tuple[int, int] = DESK, scheme: str = "light", **more: object) -> None:
        """A fresh page, without anything kept from the one before. ``hosts``: with their ports, that it may ask."""
        self.do("open", url=url, width=size[0], height=size[1], scheme=scheme, **more)

    def evaluate(self, code: str) -> Any:
        return self.do("evaluate", code=code)

    def until(self, code: str, seconds: float = 30.0) -> None:
        """Wait until it is true; an error when it does not come true."""
        self.do("until", code=code, timeout=round(seconds * 1000))

    def told(self) -> dict[str, list[str]]:
        """errors (console and thrown), outside (requests that were refused), requests (all)."""
        found: dict[str, list[str]] = self.do("told")
        return found

    def serious(self) -> list[dict[str, Any]]:
        """What axe-core finds of serious or critical impact."""
        return [item for item in self.do("axe") if item["impact"] in ("serious", "critical")]

    def walk(self, most: int = 400) -> set[str]:
        """All that the Tab key reaches, once around."""
        reached: list[str] = []
        for _ in range(most):
            self.do("press", key="Tab")
            here = self.evaluate(_FOCUSED)
            if here is None or (reached and here == reached[0]):
                break
            reached.append(here)
        return set(reached)

    def controls(self) -> set[str]:
        """All that a person may want to reach: links, buttons, what opens, what scrolls; visible ones."""
        return set(self.evaluate(_CONTROLS))


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser for a block."""
    found = chromium()
    if found is None:
        missing("no Chromium on PATH (scripts/python.sh installs it on Debian; LAO_CHROMIUM names another)")
    node = program("playwright-core")[0]
    env = {**os.environ, "LAO_CHROMIUM": str(found), "LAO_NODE_MODULES": str(FOLDER)}
    command = [node, str(HERE / "browser.js")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield Browser(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
