"""M2: the dashboard's page in headless Chromium: what happens is seen within a second, whoever is killed meanwhile."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lao.core.clock import SystemClock
from tests.cli.dashboards import Served, environment, lao, served
from tests.cli.test_run_view_in_a_terminal import PLAN, project
from tests.node.browser import DESK, PHONE, Browser, browser

pytestmark = pytest.mark.durability  # real workers, as those tests have

PATIENCE_S = 120.0
LIVE = "document.documentElement.dataset.link === 'live'"
SEEN = """
  window.seen = [];
  new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((row) => {
    const [at, kind] = JSON.parse(row.dataset.key);
    window.seen.push([kind, Date.now() / 1000 - at]);
  }))).observe(document.getElementById("recent"), { childList: true });
"""
"""Notes of each thing that has happened how long after it was committed its row was on the page, in seconds."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as made:
        yield made


@contextmanager
def workers(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``lao run`` without a view."""
    process = subprocess.Popen(
        lao("run", "--plain", "--no-pilot"), cwd=folder, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def pid_of_the_gpu_worker(folder: Path) -> int:
    clock, lock = SystemClock(), folder / ".lao" / "gpu.lock"
    deadline = clock.monotonic() + PATIENCE_S
    while clock.monotonic() < deadline:
        if lock.exists() and (words := lock.read_text().split()):
            return int(words[0])
        clock.wait(0.1)
    raise AssertionError("no gpu worker")


def says(words: str, where: str = "main") -> str:
    return f"document.getElementById('{where}').textContent.includes({words!r})"


def test_a_night_is_seen_as_it_happens(tmp_path: Path, chromium: Browser) -> None:
    """Seen within a second of its commit (the median: machines have other work, too); kill -9 of the worker and an end
    of the server change nothing but a word; no error, and no request but to the server itself."""
    with project(tmp_path, plan=False, tokens_per_second=60), served(tmp_path) as first, workers(tmp_path):
        chromium.open(first.url, DESK, "light", hosts=[first.host])
        chromium.until(LIVE)
        chromium.evaluate(SEEN)
        (tmp_path / "plans" / "parts.md").write_text(PLAN)
        chromium.until(says("part 1"), PATIENCE_S)
        chromium.until(says("tok/s", "work"), PATIENCE_S)
        os.kill(pid_of_the_gpu_worker(tmp_path), signal.SIGKILL)
        chromium.until(says("proved", "plans"), PATIENCE_S)
        seen = chromium.evaluate("window.seen.filter(([kind]) => kind !== 'taken').map(([, late]) => late)")
        assert chromium.told()["errors"] == []
        assert first.end() == 0
        chromium.until("document.documentElement.dataset.link === 'lost'")
        with served(tmp_path, first.port) as second:
            chromium.until(LIVE)
            chromium.do("forget")
            chromium.until(says("needs a person", "plans"), PATIENCE_S)
            chromium.until(says("idle", "state"), PATIENCE_S)
            assert second.url == first.url
            told = chromium.told()
            assert (told["errors"], told["outside"]) == ([], [])
    late = statistics.median(seen)
    print(f"seen {len(seen)} things, median {late:.3f} s, longest {max(seen):.3f} s after their commit")
    assert late < 1.0, seen


def test_the_page_at_work_for_everybody(tmp_path: Path, chromium: Browser) -> None:
    """At 390 and 1440 px, light and dark: nothing serious for axe-core, no error, nothing cut off at the side, and the
    Tab key reaches all there is."""
    with project(tmp_path, tokens_per_second=6), served(tmp_path) as made, workers(tmp_path):
        for size in (PHONE, DESK):
            for scheme in ("light", "dark"):
                chromium.open(made.url, size, scheme, hosts=[made.host])
                chromium.until(says("tok/s", "work"), PATIENCE_S)
                assert chromium.serious() == []
                told = chromium.told()
                assert (told["errors"], told["outside"]) == ([], [])
                assert chromium.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert chromium.controls() - chromium.walk() == set()


def test_no_text_becomes_an_element(tmp_path: Path, chromium: Browser) -> None:
    """Titles of plans and tasks come from files and models: they are shown, and are nothing else."""
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    with project(tmp_path, plan=False, tokens_per_second=0), served(tmp_path) as made, workers(tmp_path):
        (tmp_path / "plans" / "evil.md").write_text(f"# {evil}\n\n- task: {evil} | file: a.txt | test: test -f a.txt\n")
        chromium.open(made.url, hosts=[made.host])
        chromium.until("document.querySelectorAll('.tasks li').length > 0", PATIENCE_S)
        assert evil in chromium.evaluate("document.getElementById('main').textContent")
        assert chromium.evaluate("document.querySelectorAll('img, main script').length") == 0
        assert chromium.told()["errors"] == []


def test_without_a_script_the_page_says_what_to_do(tmp_path: Path, chromium: Browser) -> None:
    """Where JavaScript is off the page names the command that shows the same."""
    with served(tmp_path) as made:
        assert isinstance(made, Served)
        chromium.open(made.url, hosts=[made.host], script=False)
        assert "lao status" in chromium.evaluate("document.querySelector('noscript').textContent")
