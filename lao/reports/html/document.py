"""The frame of a page: head with its content policy, skip link, header, navigation, main part, footer.

One file, nothing loaded: style and script are inside and named by their hashes, so that nothing else may run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final

from lao.reports.html.markup import Child, Markup, cut, tag

_ICON: Final = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"


@cache
def asset(name: str) -> str:
    """The text of a file beside this module: ``base.css``, ``report.css``, ``report.js``."""
    return resources.files("lao.reports.html").joinpath(name).read_text(encoding="utf-8")


def document(
    title: str, header: Sequence[Child], sections: Sequence[tuple[str, str, Markup | None]], footer: Sequence[Child]
) -> str:
    """The whole page.

    Args:
        sections: (id, its word in the navigation, its HTML); those without HTML are left out.
    """
    style, script = asset("base.css") + asset("report.css"), asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    there = [(name, word, made) for name, word, made in sections if made is not None]
    links = [tag("li", tag("a", word, href=f"#{name}")) for name, word, _ in there]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", cut(title, 120)),
        tag("link", rel="icon", href=_ICON),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the report", href="#main", class_="skip"),
        tag("header", *header, class_="top"),
        tag("nav", tag("ul", *links), aria_label="Parts of this page"),
        tag("main", *(made for _, _, made in there), id="main", tabindex=-1),
        tag("footer", *footer),
        tag("script", Markup(script)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
