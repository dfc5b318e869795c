"""Takes the pictures of the web pages in docs/assets/ out of real runs: ``python scripts/pages.py [NAME ...]``.

A project on the simulated server is worked on in a temporary folder while its dashboard is served; then its reports are
drawn. A headless Chromium (scripts/python.sh installs it) shows them at a phone's and a screen's width, light and dark.
Figures such as times differ from run to run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lao.config.load import load  # noqa: E402 - the checkout need not be installed
from lao.reports.html import night_page, plan_page  # noqa: E402
from lao.reports.patches import patches  # noqa: E402
from lao.reports.read import last_night, night_report, plan_report  # noqa: E402
from lao.state import queries  # noqa: E402
from scripts.screens import ASSETS  # noqa: E402
from scripts.shots import places  # noqa: E402
from tests.cli.dashboards import environment, lao, served  # noqa: E402
from tests.node.browser import Browser, browser, chromium  # noqa: E402
from workflows.factory import Factory  # noqa: E402

WIDTHS: Final = {390: 1_150, 1440: 1_000}
"""And the heights that go with them."""

SCHEMES: Final = ("light", "dark")
PATIENCE_S: Final = 300.0
AT_WORK: Final = """
  document.getElementById('work').textContent.includes('tok/s')
  && document.getElementById('plans').textContent.includes('proved')
  && /[2-5] of 6/.test(document.getElementById('plans').textContent)
"""


def main() -> int:
    """Take the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="dashboard, report-plan, report-night")
    names = parser.parse_args().names
    if chromium() is None:
        raise SystemExit("no Chromium on PATH: scripts/python.sh says how it is installed")
    ASSETS.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="lao-page-") as name,
        browser() as shown,
        at_work(Path(name) / "shop", shown),
    ):
        for page, html in reports(Path(name) / "shop"):
            if not names or page in names:
                file = Path(name) / f"{page}.html"
                file.write_text(html, encoding="utf-8")
                take(shown, page, file.as_uri())
    return 0


@contextmanager
def at_work(folder: Path, shown: Browser) -> Iterator[None]:
    """The project after its work is done; its dashboard was taken on the way."""
    with places.at_work(folder), served(folder) as dashboard:
        run = subprocess.Popen(
            lao("run", "--single-run", "--plain"), cwd=folder, env=environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        take(shown, "dashboard", dashboard.url, host=dashboard.host, until=AT_WORK)
        run.wait(timeout=PATIENCE_S)
        dashboard.end()
        yield


def reports(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and HTML of the pages of reports."""
    factory = Factory(load(cwd=folder))
    try:
        known = queries.plans_known(factory.store)
        ident = next(plan for plan, name in known.items() if name == "price-list")
        report = plan_report(factory.store, ident)
        yield "report-plan", plan_page(report, patches(report))
        yield "report-night", night_page(night_report(factory.store, last_night(factory.store), factory.store.now()))
    finally:
        factory.close()


def take(shown: Browser, name: str, url: str, *, host: str = "", until: str = "true") -> None:
    """Pictures of a page at both widths, light and dark."""
    shown.open(url, hosts=[host])
    shown.until(until, PATIENCE_S)
    for width, height in WIDTHS.items():
        for scheme in SCHEMES:
            shown.do("shape", width=width, height=height, scheme=scheme)
            path = ASSETS / f"{name}-{width}-{scheme}.png"
            shown.do("picture", path=str(path), full=False)
            sys.stdout.write(f"{path.relative_to(ROOT)} {path.stat().st_size // 1000} kB\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
