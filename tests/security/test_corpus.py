"""G3, G4, G5: no attempt of the corpus gets out where bubblewrap works, and without a sandbox the same attempts do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lao.config.hosts import parse_host
from lao.durable.containment import Containment, works
from tests.security.corpus import FIGURES, MARKS, PAGE, Prison, attempts, table
from tests.security.world import World, world

LEAST = 150
TELLING = (
    "sh-read-secret",
    "sh-write-outside",
    "net-tcp",
    "proc-victim-environ",
    "orphan-no-marker",
    "kill-victim",
    "git-remove",
)
"""Attempts that must succeed when nothing holds them, or the corpus would not notice an escape."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("corpus") / "w") as built:
        yield built


def test_the_corpus_is_large_and_each_attempt_has_a_name_of_its_own() -> None:
    """At least 150, in many classes."""
    names = [a.id for a in attempts()]
    assert len(names) >= LEAST
    assert len(set(names)) == len(names)
    assert len({a.kind for a in attempts()}) >= 15


@pytest.mark.parametrize("kind", sorted({a.kind for a in attempts()}))
def test_nothing_gets_out_of_bubblewrap(made: World, kind: str, record_property: Callable[[str, object], None]) -> None:
    """G3 G4 G5: of every class, no attempt leaves a trace outside, brings a secret in, or lives on."""
    if not works(Containment.BUBBLEWRAP):
        pytest.skip("bubblewrap does not work here")
    prison = Prison(made, Containment.BUBBLEWRAP)
    tried = [a for a in attempts() if a.kind == kind]
    assert {a.id: by for a in tried if (by := prison.run(a))} == {}
    record_property("injected", len(tried))


@pytest.mark.parametrize("name", TELLING)
def test_an_escape_is_noticed(made: World, name: str) -> None:
    """Without a sandbox these do get out: the judge is not blind."""
    prison = Prison(made, Containment.NONE)
    attempt = next(a for a in attempts() if a.id == name)
    assert prison.run(attempt)


@pytest.mark.parametrize("name", ["list-literal", "list-rebound", "list-dns-tunnel", "list-suffix"])
def test_a_list_that_lets_too_much_through_is_noticed(made: World, name: str) -> None:
    """With the doors, or the names of the attempts, in the list these do get out."""
    if not works(Containment.BUBBLEWRAP):
        pytest.skip("bubblewrap does not work here")
    prison = Prison(made, Containment.BUBBLEWRAP)
    door, site = made.words["port"], made.words["site"]
    more = (f"127.0.0.1:{door}", "secret.evil.test", f"notsite.test:{site}")
    prison.listed = replace(prison.listed, hosts=(*prison.listed.hosts, *map(parse_host, more)))
    assert prison.run(next(a for a in attempts() if a.id == name))


@pytest.mark.parametrize("how", [Containment.UNSHARE, Containment.LANDLOCK])
def test_files_hold_with_the_weaker_backends(made: World, how: Containment) -> None:
    """Landlock keeps secrets and the files outside from a command, also without bubblewrap."""
    if not works(how):
        pytest.skip(f"{how.value} does not work here")
    prison = Prison(made, how)
    tried = [a for a in attempts() if a.kind in ("secrets", "shell") or a.id.startswith("env-")]
    assert {a.id: by for a in tried if (by := prison.run(a))} == {}


def test_the_page_says_what_was_measured() -> None:
    """docs/security.md has the table of the figures beside the corpus."""
    page = Path(PAGE).read_text(encoding="utf-8")
    printed = page.split(MARKS[0], 1)[1].split(MARKS[1], 1)[0]
    assert printed == table(json.loads(FIGURES.read_text(encoding="utf-8")))
    assert f" holds {len(attempts())} ways out" in page
