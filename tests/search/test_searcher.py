"""Promises of search: words cut at camelCase, meaning by vectors, both fused; without an embedder keywords alone."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lao.core.clock import SystemClock
from lao.core.errors import ServerAway, Terminal
from lao.core.states import Role
from lao.search import vectors
from lao.search.cutting import cut
from lao.search.index import folder_of
from lao.search.ranking import Hit, fused
from lao.search.searcher import Searcher
from lao.search.store import IndexFile
from lao.search.vectors import Embedder, embed_missing, nearest
from lao.search.words import asked, best_line, words_of
from lao.servers.detect import connect
from lao.servers.embeddings import ServerEmbedder, resident_embedder
from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from tests.search.conftest import Desk
from tests.servers.support import make_settings, model

MODELS = {"models": [{"key": "embed", "size_bytes": 80_000_000, "type": "embedding"}, {"key": "large"}]}


class Meanings:
    """An embedder that knows three meanings; ``asked`` counts its requests."""

    model = "meanings"
    _ABOUT = (("car", "vehicle", "lorry"), ("money", "price", "cost"), ("rain", "weather", "cloud"))

    def __init__(self) -> None:
        self.requests: list[int] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.requests.append(len(texts))
        return [[sum(text.lower().count(w) for w in words) + 0.01 for words in self._ABOUT] for text in texts]


class Away:
    """An embedder whose server is not there."""

    model = "away"

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        raise ServerAway("nobody answers")


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    with SimulatedServer(parse_scenario(MODELS)) as running:
        yield running


def test_words_are_cut_at_camel_and_snake_case() -> None:
    """F5: identifiers are found by their parts, and as they are; encoded data is left out."""
    assert list(words_of("parseHTTPHeader snake_case")) == [
        "parsehttpheader",
        "parse",
        "http",
        "header",
        "snake",
        "case",
    ]
    assert list(words_of("x" * 65)) == []
    assert asked("How do I parse a config?") == ("parse", "config")
    assert asked("how is it") == ("how", "is", "it")


def test_text_is_cut_where_something_begins() -> None:
    """Chunks cover all lines, stay small, and begin at a line without indentation where there is one."""
    text = "".join(f"def part_{n}():\n" + "    x = 1  # some words to fill the line\n" * 8 + "\n" for n in range(30))
    chunks = cut(text)
    assert [chunk.first for chunk in chunks[1:]] == [chunk.last + 1 for chunk in chunks[:-1]]
    assert all(len(chunk.text) <= 1700 for chunk in chunks)
    assert all(chunk.text.startswith("def part_") for chunk in chunks)
    assert cut("\n\n") == ()


def test_the_best_line_knows_endings() -> None:
    """The line that is shown fits the words, whatever their ending."""
    assert best_line("import x\n# retries are counted\n", "count the retry") == (2, "# retries are counted")
    assert best_line("a\nb\n", "zebra") == (0, "")


def test_definitions_and_names_count_more(desk: Desk) -> None:
    """F5: the file that defines a thing comes before one that mentions it."""
    desk.write({"use.py": "# load config\nx = 1\n" * 2, "define.py": "def load_config():\n    return 1\n"})
    desk.write({"far.py": "y = 2\n"})
    assert desk.find("load config") == desk.find("configs loading") == ["define.py", "use.py"]
    desk.write({"config_loader.py": "pass\n"})
    assert desk.find("load config")[0] == "config_loader.py"


def test_meaning_finds_what_no_word_does(desk: Desk) -> None:
    """F5: with an embedder a file is found that has no word of the query; a content is embedded once."""
    desk.write({"a.txt": "the lorry is late\n", "b.txt": "what does it cost\n", "c.txt": "a cloud\n"})
    meanings = Meanings()
    searcher = Searcher(desk.index, lambda: meanings)
    assert searcher.find(desk.root, "vehicle")[0].path == "a.txt"
    assert desk.find("vehicle") == []
    assert sum(meanings.requests) == 4
    desk.write({"d.txt": "the lorry is late\n"})
    assert {hit.path for hit in searcher.find(desk.root, "vehicle")} >= {"a.txt", "d.txt"}
    assert sum(meanings.requests) == 5  # the query alone


def test_batches_and_what_is_done_is_kept(desk: Desk) -> None:
    """F5: texts are asked for in batches; a failure keeps those before, and the next run goes on there."""
    desk.write({f"f{n:02}.txt": f"price {n}\n" for n in range(10)})
    desk.refresh()
    meanings = Meanings()
    told: list[tuple[int, int]] = []

    class Failing(Meanings):
        def embed(self, texts: Sequence[str]) -> list[list[float]]:
            if len(self.requests) == 2:
                raise ServerAway("gone")
            return super().embed(texts)

    with pytest.raises(ServerAway):
        embed_missing(desk.index, desk.root, Failing(), batch=3)
    assert desk.count("vectors") == 6
    done = embed_missing(desk.index, desk.root, meanings, batch=3, tell=lambda d, a: told.append((d, a)))
    assert (done.done, done.left, done.batches, meanings.requests, told) == (4, 0, 2, [3, 1], [(3, 4), (4, 4)])


def test_without_an_embedder_keywords_alone_said_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """F5: an embedder that is away costs no search, is asked once, and is said once."""
    desk.write({"a.txt": "zebra\n"})
    searcher = Searcher(desk.index, Away)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert [hit.path for hit in searcher.find(desk.root, "zebra")] == ["a.txt"]
    assert [record.message for record in caplog.records] == ["searching by keywords alone: nobody answers"]


@pytest.mark.parametrize("wrong", [[], [[1.0], [2.0]], [[]], [[math.nan]], [[math.inf, 1.0]]])
def test_nonsense_of_an_embedder_is_named(desk: Desk, wrong: list[list[float]]) -> None:
    """Too few, too many, empty vectors or no numbers are an error with a name; nothing of them is kept."""
    desk.write({"a.txt": "zebra\n"})
    desk.refresh()

    class Wrong(Meanings):
        def embed(self, texts: Sequence[str]) -> list[list[float]]:
            return wrong

    with pytest.raises(Terminal, match="the embedder 'meanings' gave"):
        embed_missing(desk.index, desk.root, Wrong())
    assert desk.count("vectors") == 0


def test_vectors_belong_to_their_model(desk: Desk) -> None:
    """Another model's vectors are not compared, and a model whose vectors became longer does no harm."""
    desk.write({"a.txt": "lorry\n", "b.txt": "price\n"})
    desk.refresh()
    embed_missing(desk.index, desk.root, Meanings())

    def near(name: str, vector: list[float]) -> list[int]:
        return desk.index.use(lambda db: nearest(db, folder_of(db, desk.root), name, vector))

    assert len(near("meanings", [1.0, 0.0, 0.0])) == 2
    assert near("other", [1.0, 0.0, 0.0]) == []
    assert near("meanings", [1.0] * 16) == []


def test_the_signs_choose_nearly_what_exact_comparison_would(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of hundreds of vectors in clusters, the ten nearest by way of the signs are those by exact comparison."""
    chance = random.Random(3)
    centres = [[chance.gauss(0, 1) for _ in range(128)] for _ in range(30)]

    class Clusters(Meanings):
        def embed(self, texts: Sequence[str]) -> list[list[float]]:
            return [[value + chance.gauss(0, 0.5) for value in centres[sum(map(ord, t)) % 30]] for t in texts]

    part = "words " * 100
    desk.write({f"{f}.txt": "\n\n".join(f"part {f} {n} {part}" for n in range(400)) for f in range(6)})
    desk.refresh()
    embed_missing(desk.index, desk.root, Clusters(), batch=100)
    shared = 0
    for centre in centres[:10]:
        found = desk.index.use(lambda db, v=centre: nearest(db, 1, "meanings", v, 10))  # type: ignore[misc]
        with monkeypatch.context() as patch:
            patch.setattr(vectors, "_COMPARED", 10_000)
            exact = desk.index.use(lambda db, v=centre: nearest(db, 1, "meanings", v, 10))  # type: ignore[misc]
        shared += len(set(found) & set(exact))
    assert desk.count("vectors") > 500
    assert shared >= 95


def test_fusion_rewards_agreement() -> None:
    """What both rankings have is before what one has first; a name alone takes its lines from the other ranking."""
    one = [Hit("a", 1, 2), Hit("b", 0, 0), Hit("c", 3, 4)]
    two = [Hit("d", 5, 6), Hit("b", 7, 8)]
    assert fused([one, two]) == [Hit("b", 7, 8), Hit("a", 1, 2), Hit("d", 5, 6), Hit("c", 3, 4)]


def embedder_of(server: SimulatedServer, key: str = "embed") -> tuple[Embedder | None, SimulatedServer]:
    settings = make_settings(model(Role.EMBEDDER, key, 2048), model(Role.CODER, "large"), url=server.url)
    return resident_embedder(settings, connect(settings, SystemClock())), server


def test_the_servers_vectors(desk: Desk, server: SimulatedServer) -> None:
    """F5: /v1/embeddings of the server gives vectors, and the file with the same words is the nearest."""
    desk.write({"a.txt": "red green blue\n", "b.txt": "one two three\n"})
    desk.refresh()
    asked_for = ServerEmbedder(server.url, "", "embed")
    assert embed_missing(desk.index, desk.root, asked_for).done == 2
    assert Searcher(desk.index, lambda: asked_for).find(desk.root, "green")[0].path == "a.txt"
    with pytest.raises(Terminal):
        ServerEmbedder(server.url, "", "nobody").embed(["x"])
    with pytest.raises(ServerAway):
        ServerEmbedder("http://127.0.0.1:9", "", "embed", connect_s=0.5).embed(["x"])


def test_a_search_loads_no_model(server: SimulatedServer) -> None:
    """The embedder is asked only while it is in memory: a request would load it, or drive the large model out."""
    assert embedder_of(server)[0] is None
    settings = make_settings(model(Role.EMBEDDER, "embed", 2048), url=server.url)
    connect(settings, SystemClock()).load("embed", 2048)
    assert embedder_of(server)[0] is not None
    assert embedder_of(server, "")[0] is None
    assert embedder_of(server, "large")[0] is None
    assert embedder_of(server, "unknown")[0] is None


def test_an_index_in_memory_makes_no_vectors(desk: Desk) -> None:
    """Without a file nothing could be kept, so an embedder is not asked."""
    desk.write({"a.txt": "lorry\n"})
    meanings = Meanings()
    assert Searcher(IndexFile(None), lambda: meanings).find(desk.root, "vehicle") == []
    assert meanings.requests == []


def test_a_part_of_an_index_by_path(desk: Desk, tmp_path: Path) -> None:
    """Another workspace's files never show, however many fit better."""
    desk.write({"here.txt": "zebra and much else that makes the file longer " * 20})
    other = Desk(tmp_path / "other", desk.index)
    other.write({f"there_{n}.txt": f"zebra zebra {n}" for n in range(700)})
    other.refresh()
    assert desk.find("zebra") == ["here.txt"]
