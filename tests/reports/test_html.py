"""I5: the pages as text: everything is escaped, every statement names its rows, nothing is loaded, none grows large."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from lao.cli.look import MARKS
from lao.reports.html import night_page, plan_page
from lao.reports.html.markup import Markup, cut_middle, tag, text_of
from lao.reports.html.words import STATES, duration, number
from lao.reports.model import Claim, PlanReport
from tests.reports import pages

MOST = 2_000_000
ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "'><body onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</style><style>*{display:none}</style>",
    "</pre></details><iframe src=//evil.example>",
    "<a href=javascript:alert(1)>x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "]]><script>alert(1)</script>",
    "<!-- --><script>alert(1)</script>",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
    "\u202e<script>alert(1)</script>",
    "\x1b[31m<script>\x1b[0m",
    "\ud800<script>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<math><mi//xlink:href=data:x,<script>alert(4)</script>",
)  # fmt: skip


class Elements(HTMLParser):
    """All elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def refs(self) -> set[str]:
        """All rows that are named."""
        return {name for _, values in self.found for name in (values.get("data-refs") or "").split()}


def everywhere(report: Any, text: str) -> Any:
    """The report with the text in place of each free text in it."""
    kept = ("schema_version", "state", "status", "severity", "outcome", "proof", "kind", "moment", "ref", "refs", "id",
            "key", "commit", "commits")  # fmt: skip
    if isinstance(report, tuple):
        return tuple(everywhere(item, text) for item in report)
    if isinstance(report, str):
        return text
    if not is_dataclass(report) or isinstance(report, type):
        return report
    changed = {f.name: everywhere(getattr(report, f.name), text) for f in fields(report) if f.name not in kept}
    return replace(report, **changed)


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_of_models_stays_text(attack: str) -> None:
    """I5: whatever stands in titles, reasons, outputs, files, diffs: the page has the same elements as without it."""
    for make in (pages.good, pages.failed):
        harmless = Elements(plan_page(everywhere(make(), "x"), {1: "+x", 2: "-x", 3: "x"}))
        page = plan_page(everywhere(make(), attack), {1: f"+{attack}", 2: f"-{attack}", 3: attack})
        attacked = Elements(page)
        assert [name for name, _ in attacked.found] == [name for name, _ in harmless.found]
        for (_, one), (_, other) in zip(attacked.found, harmless.found, strict=True):
            assert one.keys() - {"data-claim"} == other.keys() - {"data-claim"}
            assert not any(name.startswith("on") for name in one)
        page.encode()  # no half of a character
        assert not re.search("[\x00-\x08\u202a-\u202e\x1b]", page)
    assert "onerror" not in "".join(tag for tag, _ in Elements(night_page(pages.night())).found)


def test_a_state_that_nobody_knows_is_text() -> None:
    """A word that this version does not know is shown as it is, escaped."""
    task = replace(pages.task(1, "x", "completed"), state="<b>odd</b>", proof="<i>")
    page = plan_page(replace(pages.good(), state="<u>", tasks=(task,)))
    assert not {"b", "i", "u"} & {name for name, _ in Elements(page).found if name != "b"}
    assert "&lt;b&gt;odd" in page


@pytest.mark.parametrize("make", [pages.good, pages.failed, pages.parked, pages.crowded])
def test_every_statement_names_its_rows(make: Any) -> None:
    """I5: each claim of the report is on the page with all of its refs; so are evidence, requirements, findings."""
    report: PlanReport = make()
    page = Elements(plan_page(report))
    claims = [report.claim, *report.claims, *(task.claim for task in report.tasks[:20])]
    claims += [item.claim for item in (*report.requirements, *report.usage)]
    named = [*(ref for said in claims for ref in said.refs), *(step.ref for step in report.next_steps)]
    named += [item.ref for item in (*report.commands, *report.questions, *report.findings[:10])]
    named += [item.ref for task in report.tasks[:20] for item in task.evidence]
    named += [f"requirement:{report.id}/{item.key}" for item in report.requirements]
    assert set(named) <= page.refs()
    text = "".join(page.text)
    assert all(said.text in text for said in claims if said not in [item.claim for item in report.usage])
    assert sum("data-claim" in values for _, values in page.found) >= len(claims) - len(report.usage)
    for element, values in page.found:
        if values.get("class") in ("claim", "headline", "reason"):
            assert values.get("data-refs"), element


def test_the_failed_night_is_as_clear_as_the_good_one() -> None:
    """What failed, why, the command's exit code and output, the question that waits and what to do are all there."""
    text = "".join(Elements(plan_page(pages.failed())).text)
    for words in ("needs a person", "the reviewer rejected it 3 times", "exit 1", "119.0 != 119.00", "exit unknown",
                  "lao approve 4", "lao retry-failed suppliers", "not measured", "unchecked"):  # fmt: skip
        assert words in text, words
    report = pages.failed()
    turned = plan_page(replace(report, tasks=tuple(reversed(report.tasks))))
    assert re.findall(r'<li data-state="(\w+)"', turned) == ["needs_human", "failed", "cancelled", "completed"]
    before = replace(pages.task(1, "x", "completed"), evidence=(pages.ran("make", 1, "validation:1", "before"),))
    assert "failed before" in plan_page(replace(report, tasks=(before,)))
    good = "".join(Elements(plan_page(pages.good())).text)
    assert "it may be merged" in good and "at least 184.0 kJ" in good and "290\u202f000 (70%)" in good
    assert "from cache" not in good.lower() or "not measured" in good, "the planner's cache is not known"


def test_a_plan_that_has_nothing_yet_is_a_page() -> None:
    """A plan that is queued, or lost all, has no empty headings and no zero for what is unknown."""
    bare = PlanReport("3.0.0", "x", "x", "queued", False, Claim("Queued.", ("plan:x",)), "", "", "", None, None)
    page = Elements(plan_page(bare))
    assert [name for name, _ in page.found].count("section") == 0
    assert "Queued." in "".join(page.text)
    assert "Nothing was worked on" in night_page(replace(pages.night(), plans=(), headline=()))


def test_large_nights_stay_readable() -> None:
    """5,000 findings, 260 tasks with long diffs, 3,000 spans: under 2 MB, with the commands for what is left out."""
    report = pages.crowded()
    patches = {task.id: pages.PATCH * 200 for task in report.tasks}
    page = plan_page(report, patches)
    assert len(page.encode()) < MOST
    assert page.count("the error is caught") >= 100
    assert "4\u202f900 more of 5\u202f000 findings: <code>lao report price-list-1a2b3c --json</code>" in page
    assert "more tasks: <code>lao report" in page
    assert "lao diff " in page
    assert len(night_page(replace(pages.night(), plans=(report,) * 90)).encode()) < MOST
    huge = replace(pages.task(1, "x", "failed"), reason="r" * 10**6, files=("f" * 5000,) * 50)
    outputs = tuple(pages.ran("c" * 10**5, 1, f"validation:{n}", excerpt="e" * 10**6) for n in range(300))
    assert len(plan_page(replace(report, tasks=(replace(huge, evidence=outputs),), commands=outputs)).encode()) < MOST


def test_nothing_is_loaded_and_nothing_else_may_run() -> None:
    """One file: no address but inside it, style and script by their hashes, no handler and no style in an attribute."""
    for page in (plan_page(pages.good(), {1: pages.PATCH}), night_page(pages.night())):
        elements = Elements(page)
        policy = next(v["content"] for name, v in elements.found if v.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
        for name, values in elements.found:
            assert not {"style", "src", "srcset", "action"} & values.keys()
            assert not any(key.startswith("on") for key in values)
            assert (values.get("href") or "#").startswith(("#", "data:")), name
        assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/2000/svg)", page)


def test_the_page_is_whole_html() -> None:
    """Elements are closed, ids are there once, headings follow one another, tables have captions and scopes."""
    for page in (plan_page(pages.good(), {1: pages.PATCH}), plan_page(pages.failed()), night_page(pages.night())):
        names = [name for name, _ in Elements(page).found]
        for name in set(names) - {"meta", "link", "br"}:
            assert page.count(f"</{name}>") == names.count(name), name
        ids = [values["id"] for _, values in Elements(page).found if "id" in values]
        assert len(ids) == len(set(ids))
        assert names.count("h1") == 1 and names.count("main") == 1
        levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
        assert all(deeper <= level + 1 for level, deeper in pairwise(levels))
        assert names.count("caption") == names.count("table")
        assert all(values.get("scope") for name, values in Elements(page).found if name == "th")
        assert names.count("svg") == 1 and "<desc" in page and "The timeline as a table" in page


def test_the_symbols_are_those_of_the_terminal() -> None:
    """One visual language: a state that both know has the same symbol and style on a page as on a terminal."""
    both = STATES.keys() & MARKS.keys()
    assert len(both) > 20
    for state in both:
        assert STATES[state][:2] == (MARKS[state].symbol, MARKS[state].style), state


def test_markup_escapes_by_type() -> None:
    """Text is escaped, Markup is not; attributes too; nothing that hides survives, lines and tabs do."""
    assert tag("p", "<&>", Markup("<b>"), None, class_='"x"', hidden=True, open=False) == (
        '<p class="&quot;x&quot;" hidden>&lt;&amp;&gt;<b></p>'
    )
    assert text_of("a\x1b[1mb\x1b[0m\r\nc\td\x07") == "ab\nc\td\N{REPLACEMENT CHARACTER}"
    assert cut_middle("a" * 100 + "z" * 100, 30) == f"{'a' * 10}\n[… 170 characters …]\n{'z' * 20}"
    assert (duration(0.44), duration(59.6), duration(3700), number(1234567)) == (
        "0.4 s", "1 min 0 s", "1 h 1 min", "1\u202f234\u202f567",
    )  # fmt: skip
