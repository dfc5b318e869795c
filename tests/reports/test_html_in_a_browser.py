"""I5: the pages in headless Chromium: on a phone and a wide screen, by keyboard, on paper, without a script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lao.reports.html import night_page, plan_page
from tests.node.browser import DESK, PHONE, Browser, browser
from tests.reports import pages
from tests.reports.test_html import ATTACKS, everywhere

MADE = ("good", "failed", "parked", "crowded", "night")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as files."""
    made = tmp_path_factory.mktemp("pages")
    for name in MADE[:-1]:
        report = getattr(pages, name)()
        patches = {task.id: pages.PATCH for task in report.tasks if task.commit}
        (made / f"{name}.html").write_text(plan_page(report, patches), encoding="utf-8")
    (made / "night.html").write_text(night_page(pages.night()), encoding="utf-8")
    return made


@pytest.mark.parametrize("name", MADE)
def test_every_width_and_both_colours(name: str, folder: Path, chromium: Browser) -> None:
    """390 and 1440 px, light and dark: no error, no request but for the file, nothing serious for axe-core, no line
    that leaves the screen."""
    for size in (PHONE, DESK):
        for scheme in ("light", "dark"):
            chromium.open((folder / f"{name}.html").as_uri(), size, scheme)
            if name != "crowded":  # everything open; with 260 tasks axe-core would take minutes
                chromium.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
                assert chromium.serious() == []
            told = chromium.told()
            assert (told["errors"], told["outside"], len(told["requests"])) == ([], [], 1)
            assert chromium.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("name", ["good", "failed", "night"])
def test_the_keyboard_reaches_everything(name: str, folder: Path, chromium: Browser) -> None:
    """Tab walks over every link, button, summary and scrolling part, the skip link first; focus is seen."""
    chromium.open((folder / f"{name}.html").as_uri(), PHONE)
    chromium.do("press", key="Tab")
    assert chromium.evaluate("document.activeElement.className") == "skip"
    assert chromium.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    chromium.do("press", key="Enter")
    assert chromium.evaluate("document.activeElement.id") == "main"
    chromium.open((folder / f"{name}.html").as_uri(), DESK)
    assert chromium.controls() - chromium.walk() == set()


def test_filters_and_folds(folder: Path, chromium: Browser) -> None:
    """The script shows the tasks of one state, opens and closes all; a command can be copied."""
    chromium.open((folder / "failed.html").as_uri(), DESK)
    shown = "[...document.querySelectorAll('.tasks > li')].filter((item) => item.checkVisibility()).length"
    assert chromium.evaluate(shown) == 4
    chromium.do("click", selector="[data-show=failed]")
    assert chromium.evaluate(shown) == 1
    assert chromium.evaluate("document.querySelector('[data-show=failed]').getAttribute('aria-pressed')") == "true"
    chromium.do("click", selector="[data-show='']")
    assert chromium.evaluate(shown) == 4
    chromium.do("click", selector="[data-fold=open]")
    assert chromium.evaluate("document.querySelectorAll('#tasks details:not([open])').length") == 0
    chromium.do("click", selector="[data-fold='']")
    assert chromium.evaluate("document.querySelectorAll('#tasks details[open]').length") == 0
    chromium.do("click", selector=".shell button")
    chromium.until("document.querySelector('.shell button').textContent !== 'copy'")


def test_without_a_script_everything_is_there(folder: Path, chromium: Browser) -> None:
    """JavaScript off: all tasks, all evidence, no button that does nothing."""
    chromium.open((folder / "failed.html").as_uri(), PHONE, script=False)
    assert chromium.evaluate("document.querySelectorAll('.tasks > li').length") == 4
    buttons = "[...document.querySelectorAll('button')].filter((item) => item.checkVisibility()).length"
    assert chromium.evaluate(buttons) == 0


def test_on_paper_the_details_are_open(folder: Path, tmp_path: Path, chromium: Browser) -> None:
    """Printed, with and without script, the evidence is there and the controls are not."""
    for script in (True, False):
        chromium.open((folder / "good.html").as_uri(), DESK, script=script)
        chromium.do("media", media="print")
        tall = chromium.evaluate("document.querySelector('.evidence pre').getBoundingClientRect().height")
        assert tall > 10
        assert not chromium.evaluate("document.querySelector('nav').checkVisibility()")
        chromium.do("pdf", path=str(tmp_path / "page.pdf"))
        assert (tmp_path / "page.pdf").stat().st_size > 10_000


def test_attacks_do_nothing(tmp_path: Path, chromium: Browser) -> None:
    """The corpus of hostile texts, in every place at once: nothing runs, nothing is loaded, no policy is needed."""
    attack = " ".join(ATTACKS)
    report = replace(everywhere(pages.failed(), attack), id="x")
    (tmp_path / "x.html").write_text(plan_page(report, {1: f"+{attack}\n-{attack}\n"}), encoding="utf-8")
    chromium.open((tmp_path / "x.html").as_uri())
    chromium.do("click", selector="[data-fold=open]")
    told = chromium.told()
    assert (told["errors"], told["outside"], len(told["requests"])) == ([], [], 1)
    assert chromium.evaluate("document.querySelectorAll('img, iframe, base, math, a[href^=javascript]').length") == 0
